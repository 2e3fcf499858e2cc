//! Derived targets of an entity: closures, made of the edges that its documents brought.
//!
//! ```text
//! edges of all pieces ─► forest, or what has changed of it ─► chunks of links ─► Transform ─► rows
//!                            compute                            Links              compared, then staged
//! ```

use std::sync::{Arc, Mutex};

use super::changed::{Changes, Scope};
use super::entity::{EntityRun, lock};
use super::piece::{Brought, Piece};
use crate::error::{Error, Result};
use crate::fingerprint::Damaged;
use crate::partition::Partition;
use crate::stage::extract::SourceSnapshot;
use crate::stage::transform::{IN_FLIGHT_PER_LANE, Transform};
use crate::summary::Way;
use crate::transform::closure::delta::Delta;
use crate::transform::closure::{self, BadEdge, Edges, Forest, LinkChunk};
use crate::transform::{Output, Program};

impl EntityRun {
    /// Fills the derived targets, now that every document was seen.
    pub(super) async fn derive(&self) -> Result<()> {
        for index in 0..self.plan.derived.len() {
            let edges = std::mem::take(&mut lock(&self.edges)[index]);
            match &self.scope {
                Scope::All => self.derive_all(index, edges).await?,
                Scope::Changed(changes) => self.derive_changed(index, edges, changes).await?,
                Scope::Ids(_) => {}
            }
        }
        Ok(())
    }

    async fn derive_all(&self, index: usize, edges: Edges) -> Result<()> {
        let built = compute(move || Ok((Forest::build(&edges)?, edges.into_blocks()))).await?;
        let ((forest, bad), blocks) = built;
        let forest = Arc::new(forest);
        lock(&self.kept_edges)[index] = Some(blocks);
        lock(&self.forests)[index] = Some(Arc::clone(&forest));
        self.copy_links(index, Links::All(forest), bad, self.image.as_ref(), false).await
    }

    /// Stages the links that are new or have another chain, and gathers those that are gone.
    async fn derive_changed(&self, index: usize, edges: Edges, changes: &Changes) -> Result<()> {
        let (was, touched, cycles) = (changes.edges[index].clone(), changes.touched(), changes.cycles);
        let found = compute(move || {
            let mut now = Vec::new();
            edges.each(|edge| now.push(edge))?;
            let replaced = was.replace(&touched, &now)?;
            // Without another pair of nodes every link and every cycle is as it was.
            let delta = if replaced.pairs.is_empty() && !cycles {
                None
            } else {
                Some(Delta::between(&was, &replaced.edges, &replaced.pairs)?)
            };
            Ok((delta, (!replaced.same).then(|| replaced.edges.into_blocks())))
        });
        let (delta, blocks) = found.await?;
        lock(&self.kept_edges)[index] = blocks;
        match delta {
            Some((delta, bad)) => {
                self.copy_links(index, Links::Changed(Arc::new(delta)), bad, None, false).await
            }
            None => Ok(()),
        }
    }

    /// Compares a derived target with V2 as it is now.
    pub(super) async fn derive_again(&self, index: usize) -> Result<()> {
        let forest = lock(&self.forests)[index].clone();
        match forest {
            Some(forest) => self.copy_links(index, Links::All(forest), Vec::new(), None, true).await,
            None => Ok(()),
        }
    }

    async fn copy_links(
        &self,
        index: usize,
        links: Links,
        bad: Vec<BadEdge>,
        image: Option<&SourceSnapshot>,
        again: bool,
    ) -> Result<()> {
        let derived = &self.plan.derived[index];
        let target = self.plan.program.targets().len() + index;
        let mut writer =
            if self.chosen[target].way == Way::Direct { None } else { Some(self.writer().await?) };
        let mut comparison = match &self.compared[target] {
            Some(compared) => {
                let back = self.open_back(image).await?;
                Some(self.compare(compared, &back, compared.ranges[0]).await?)
            }
            None => None,
        };
        let (transform, mut outputs) =
            Transform::new(Arc::clone(&derived.program), Arc::clone(&self.run.pool));
        let clocks = Arc::clone(self.clocks());
        let _at_work = clocks.lane(IN_FLIGHT_PER_LANE);
        let timed = Arc::clone(&clocks);
        let gone = Arc::new(Mutex::new(Vec::new()));
        let gone_here = Arc::clone(&gone);
        let make = async move {
            let key = derived.key.clone();
            transform.submit(move |program| program.reject_edges(&bad, &key)).await?;
            for chunk in links.chunks() {
                let (links, gone, clocks) = (links.clone(), Arc::clone(&gone_here), Arc::clone(&timed));
                let work = move |program: &Program| {
                    clocks.transform.time_of(|| links.transform(program, chunk, &gone))
                };
                transform.submit(work).await?;
            }
            Ok(())
        };
        let mut brought = Brought::nothing(self);
        let found = &mut brought;
        let write = async {
            while let Some(mut ready) = outputs.next().await? {
                if !again {
                    self.account(found, 1 + index, &mut ready.output)?;
                }
                self.send(&mut writer, self.rejects_table(), ready.output.rejects).await?;
                for rows in ready.output.targets {
                    match &mut comparison {
                        Some(comparison) => {
                            self.stage_difference(found, target, &rows, comparison, &mut writer).await?;
                        }
                        None => {
                            found.staged[target] += rows.rows();
                            self.send(&mut writer, target, rows).await?;
                        }
                    }
                }
            }
            if let Some(comparison) = comparison.take() {
                self.finish_comparison(found, target, comparison, &mut writer).await?;
            }
            match &mut writer {
                Some(writer) => writer.flush().await,
                None => Ok(()),
            }
        };
        tokio::try_join!(make, write)?;
        // Its rows are no rows of V1.
        self.absorb(&Piece { number: -1, partition: Partition::Whole, range: Some(0), again: true }, brought);
        lock(&self.gone_links)[index] = std::mem::take(&mut *lock(&gone));
        Ok(())
    }
}

/// The links that a derived target is made of.
#[derive(Clone)]
enum Links {
    All(Arc<Forest>),
    Changed(Arc<Delta>),
}

impl Links {
    fn chunks(&self) -> Vec<LinkChunk> {
        match self {
            Self::All(forest) => forest.chunks(),
            Self::Changed(delta) => closure::chunks_of_nodes(delta.len()),
        }
    }

    /// The rows of some links; the ends of links that are gone are added to `gone`.
    fn transform(&self, program: &Program, chunk: LinkChunk, gone: &Mutex<Vec<(i64, i64)>>) -> Output {
        match self {
            Self::All(forest) => program.transform_links(forest, chunk),
            Self::Changed(delta) => {
                let mut found = Vec::new();
                let output = program.transform_delta(delta, chunk.nodes, &mut found);
                lock(gone).append(&mut found);
                output
            }
        }
    }
}

/// Computes on a thread that may be kept busy. The edges were checked when they came from the ledger, so that
/// damage is a fault of the machine.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> Result<T, Damaged> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::stop(format!("deriving a closure ended unexpectedly: {error}")))?
        .map_err(|_| Error::stop("the edges of a closure were damaged while they were held in memory"))
}
