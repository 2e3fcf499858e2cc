//! Publishing: staging becomes the target, in one transaction for all targets of an entity.
//!
//! ```text
//! begin, and lock the targets against writers (readers go on)
//! guards: the targets are as the check saw them, the rows add up, no merge key twice, no empty V1 over a full
//! V2, not more deletes than allowed
//! each target: delete what is gone, delete surplus rows, update what differs, insert what is new
//! ```
//! A target that is loaded directly has its rows already, from the same transaction. The caller adds the
//! ledger's rows, and commits: whatever fails on the way leaves the targets as they were.

mod forecast;
mod guards;

use crate::error::{Error, Result};
use crate::name::TableName;
use crate::pg::sql::{GONE_COLUMNS, MergeSql};
use crate::pg::{LockMode, Session, TableInfo};
use crate::progress::EntityProgress;
use crate::summary::{EntitySummary, Mode, TargetSummary, Way};
pub use guards::MaxDeletes;

/// Memory for the hash tables of a merge: keys and rows of some hundred thousand staged rows fit, and
/// a server that runs a hundred sessions has it to spare for one.
const WORK_MEM: &str = "128MB";

/// One target of an entity, as the publish needs to know it.
#[derive(Debug)]
pub struct PublishTarget {
    /// The name for people.
    pub name: String,
    /// The table's name as the pipeline file writes it, which the quarantine and the ledger bear.
    pub label: String,
    /// What the server says of the table.
    pub info: TableInfo,
    /// The columns that are written.
    pub columns: Vec<String>,
    /// The merge key.
    pub key: Vec<String>,
    /// Whether the key is the id of the source row, and where an array is exploded that and the position: so that
    /// the rows of a document are known, and those in quarantine can be told by it.
    pub key_is_own: bool,
    /// The array of which each element makes a row, where the documents themselves do not.
    pub explode: Option<String>,
    /// Whether its rows are derived from all documents together.
    pub derived: bool,
}

/// What waits to be published of one target.
#[derive(Clone, Copy, Debug)]
pub struct TargetLoad {
    /// How its rows came.
    pub way: Way,
    /// Whether the list of rows that are to go also says where the rows of the staged keys stand; see [`list_places`].
    pub placed: bool,
    /// Rows that were sent to its staging table, and to its list of rows that are to go.
    pub staged: u64,
    /// See `staged`.
    pub listed: u64,
}

/// Makes the planner look staged rows up one by one; see [`TargetLoad::is_small_beside`].
const BY_INDEX: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// Makes it fetch the rows of a list from where they stand, as long as the list has fewer rows than the target
/// has pages: most of these are in memory, where the list has just been made from them.
const BY_PLACE: &str = "SET LOCAL random_page_cost = 1";

/// Lets it choose again.
const BY_ANY_WAY: &str = "SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT; \
                          SET LOCAL random_page_cost TO DEFAULT";

impl TargetLoad {
    /// The setting of the planner that fits, if not its own.
    fn planning(&self, target: &PublishTarget) -> Option<&'static str> {
        if self.placed { Some(BY_PLACE) } else { self.is_small_beside(target).then_some(BY_INDEX) }
    }

    /// Whether the target may hold more than one row of a key that V1 has.
    fn may_repeat(&self, target: &PublishTarget) -> bool {
        // A comparison has found all there are; else a unique index may rule them out.
        match self.way {
            Way::Delta => self.listed > 0,
            // There was none at the last run, and none was read now.
            Way::Changed => false,
            Way::Direct | Way::Staged => !target.info.is_unique(&target.key),
        }
    }

    /// Whether the target may hold rows that V1 no longer has.
    fn may_be_stale(&self) -> bool {
        !matches!(self.way, Way::Delta | Way::Changed) || self.listed > 0
    }

    /// Whether the staged rows are few: beside a large target the planner holds some thousand look-ups to be dearer
    /// than they are, and reads it twice as a whole: 700,000 participants, 11,234 staged: 0.2 s each instead of
    /// 0.03 s.
    fn is_small_beside(&self, target: &PublishTarget) -> bool {
        self.staged < target.info.blocks && target.info.is_indexed(&target.key)
    }
}

/// Everything that a publish works on.
#[derive(Debug)]
pub struct Publish<'a> {
    /// How staging becomes the target.
    pub mode: Mode,
    /// Whether rows that V1 no longer has, and surplus rows, are deleted.
    pub prune: bool,
    /// Whether only some rows of V1 were read: then nothing is known of the others, and nothing deleted;
    /// derived targets are left alone.
    pub partial: bool,
    /// How many rows may be deleted from a target because V1 no longer has their key.
    pub max_deletes: MaxDeletes,
    /// The targets, in the order of the pipeline file.
    pub targets: &'a [PublishTarget],
    /// How the rows of each came, and how many are staged.
    pub loads: &'a [TargetLoad],
    /// Their staging tables.
    pub staging: &'a [TableName],
    /// Their lists of rows that are to go.
    pub gone: &'a [TableName],
    /// The staging table of the rejected values.
    pub rejects: &'a TableName,
    /// Whether only rows that have changed were read, so that none of them may be left of V1.
    pub changed: bool,
    /// Whether the server promises that no id stands twice in V1.
    pub unique_source_id: bool,
    /// Counters to raise.
    pub progress: &'a EntityProgress,
}

/// Opens the transaction of a publish, locks all targets, and checks that they have the shape that the
/// program was compiled for.
///
/// `mode` says what will be needed: TRUNCATE keeps readers out, too, and a lock that is made stronger later may
/// meet a session that holds one on the same table and waits for ours.
pub async fn begin(session: &Session, targets: &[PublishTarget], mode: LockMode) -> Result<()> {
    let settings = format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL work_mem = '{WORK_MEM}'");
    session.batch(&settings).await?;
    session.lock_tables(targets.iter().map(|target| &target.info.name), mode).await?;
    guards::check_shapes(session, targets).await
}

/// Whether one of the targets has a trigger: what a publish deletes may then move other rows of theirs, or take them
/// along. A foreign key is one, too, on either side, and some of them do that. The session holds the lock of the
/// publish, which keeps others from making any.
pub async fn have_triggers(session: &Session, targets: &[PublishTarget]) -> Result<bool> {
    let oids: Vec<u32> = targets.iter().map(|target| target.info.oid).collect();
    let sql = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = ANY ($1) AND relhastriggers)";
    Ok(session.query_one(sql, &[&oids]).await?.get(0))
}

/// Lists the rows of a target with an id in `ids`, and where they stand, where only what has changed was read. Returns
/// how many are to go: those that are not staged. The session holds the lock of the publish.
pub async fn list_places(
    session: &Session,
    target: &PublishTarget,
    staging: &TableName,
    gone: &TableName,
    ids: &[i64],
) -> Result<u64> {
    let merge = MergeSql::new(&target.info.name, staging, &target.columns, &target.key, &[]);
    session.count(&merge.list_places(gone), &[&ids]).await
}

/// Lists the rows of a target that are to go of those with an id in `ids`: what is not staged, and what stands
/// beside another row of its key.
pub async fn list_touched(
    session: &Session,
    target: &PublishTarget,
    staging: &TableName,
    gone: &TableName,
    ids: &[i64],
) -> Result<u64> {
    let primary_key = &target.info.primary_key;
    let merge = MergeSql::new(&target.info.name, staging, &target.columns, &target.key, primary_key);
    session.execute(&merge.list_touched(gone), &[&ids]).await
}

/// The same for links of a derived target, whose key are the two ends of each.
pub async fn list_gone_links(
    session: &Session,
    target: &PublishTarget,
    gone: &TableName,
    links: &[(i64, i64)],
) -> Result<u64> {
    let merge = MergeSql::new(&target.info.name, gone, &target.columns, &target.key, &[]);
    let (above, below): (Vec<i64>, Vec<i64>) = links.iter().copied().unzip();
    session.execute(&merge.list_pairs(gone), &[&above, &below]).await
}

/// Which of the targets hold no row.
pub async fn are_empty(session: &Session, targets: &[PublishTarget]) -> Result<Vec<bool>> {
    let each = targets.iter().map(|target| format!("NOT EXISTS (SELECT FROM {})", target.info.name.quoted()));
    let sql = format!("SELECT ARRAY[{}]::boolean[]", each.collect::<Vec<_>>().join(", "));
    Ok(session.query_one(&sql, &[]).await?.get(0))
}

impl Publish<'_> {
    /// Merges the staging tables into their targets, inside the transaction that [`begin`] has opened and
    /// the caller will commit. `summary` comes with what was read and loaded, and leaves with what was
    /// written.
    pub async fn apply(&self, session: &Session, summary: &mut EntitySummary) -> Result<()> {
        for (target, counts) in self.targets.iter().zip(&summary.targets) {
            guards::check_conservation(target, counts)?;
        }
        for (index, target) in self.targets.iter().enumerate() {
            if self.partial && target.derived {
                continue;
            }
            let published = self.publish_target(session, index, target, &mut summary.targets[index]);
            self.progress.clocks().targets()[index]
                .publish
                .time(published)
                .await
                .map_err(|error| error.context(format_args!("publishing {}", target.label)))?;
        }
        Ok(())
    }

    async fn publish_target(
        &self,
        session: &Session,
        index: usize,
        target: &PublishTarget,
        counts: &mut TargetSummary,
    ) -> Result<()> {
        let load = self.loads[index];
        counts.staged = load.staged;
        let merge = self.merge_of(index, counts);
        if load.way != Way::Direct {
            self.check_staging(session, index, &merge).await?;
        }
        let mut steps = Steps::new(self.progress, counts.loaded);
        if load.way == Way::Direct {
            counts.inserted = counts.loaded;
            steps.finish();
            return Ok(());
        }
        let step = Step { session, merge: &merge, load, label: label(target, counts) };
        match self.mode {
            Mode::Insert => {
                counts.inserted = step.insert().await?;
            }
            Mode::Merge => {
                let prune = self.prunes(target, counts);
                if prune && !self.changed {
                    guards::pass(guards::check_not_empty(session, counts, &merge, target).await?)?;
                }
                step.merge(target, prune, self.partial, counts, &mut steps).await?;
                if prune {
                    let (limit, stale) = (self.max_deletes, counts.stale);
                    guards::pass(guards::check_deletes(session, limit, target, &merge, stale, true).await?)?;
                }
            }
            Mode::Replace => {
                guards::pass(guards::check_not_empty(session, counts, &merge, target).await?)?;
                guards::pass(guards::check_replaceable(counts, knows_quarantined(target, counts)))?;
                let (limit, stale) = (self.max_deletes, step.count(&merge.count_stale()).await?);
                guards::pass(guards::check_deletes(session, limit, target, &merge, stale, false).await?)?;
                step.replace(counts).await?;
            }
        }
        counts.unchanged = counts.loaded - counts.inserted.min(counts.loaded) - counts.updated;
        steps.finish();
        Ok(())
    }

    /// Whether rows of a target are deleted that a merge does not find in V1.
    fn prunes(&self, target: &PublishTarget, counts: &TargetSummary) -> bool {
        self.prune && !self.partial && knows_quarantined(target, counts)
    }

    /// The statements of a target: quarantined rows are kept where they can be told, and what is to go is what a
    /// comparison has listed where one has.
    fn merge_of(&self, index: usize, counts: &TargetSummary) -> MergeSql {
        let mut merge = self.merge_sql(index);
        if label(&self.targets[index], counts).is_some() {
            merge = merge.keep_quarantined(self.rejects, self.targets[index].explode.is_some());
        }
        match self.loads[index].way {
            Way::Changed if self.loads[index].placed => merge.listed(&self.gone[index]).placed(),
            Way::Delta | Way::Changed => merge.listed(&self.gone[index]),
            Way::Direct | Way::Staged => merge,
        }
    }

    /// The staging table must hold what was sent; and the server must know how much that is, or it plans the
    /// joins for a guess.
    async fn check_staging(&self, session: &Session, index: usize, merge: &MergeSql) -> Result<()> {
        let load = self.loads[index];
        // Only keys are joined: the other columns take most of the time (11,234 rows of participants: 40 ms).
        if load.staged > 0 {
            session.batch(&merge.analyze_staging()).await?;
        }
        if load.listed > 0 || load.placed {
            session.batch(&format!("ANALYZE {} ({})", self.gone[index].quoted(), GONE_COLUMNS[0].0)).await?;
        }
        let staged = session.count(&merge.count_staged(), &[]).await?;
        let listed = match load.way {
            Way::Delta | Way::Changed => session.count(&merge.count_listed(), &[]).await?,
            Way::Direct | Way::Staged => 0,
        };
        if (staged, listed) == (load.staged, load.listed) {
            return Ok(());
        }
        Err(Error::stop("the staging table does not hold what was loaded")
            .detail(format!("{} rows were loaded, {} are there", load.staged + load.listed, staged + listed))
            .hint("the server may have been restarted, which empties unlogged tables; run again"))
    }

    /// Up to five merge keys of a target that V1 holds more than once, as text.
    pub async fn repeated_keys(&self, session: &Session, index: usize) -> Result<Vec<String>> {
        let target = &self.targets[index];
        // A derived target has one row for each pair of nodes.
        if target.derived || (target.key_is_own && self.unique_source_id) {
            return Ok(Vec::new());
        }
        let repeated = session.query(&self.merge_sql(index).repeated_keys(), &[]).await?;
        Ok(repeated.iter().map(|row| row.get(0)).collect())
    }

    /// The statements that make the rows of a target what they should be.
    fn merge_sql(&self, index: usize) -> MergeSql {
        let target = &self.targets[index];
        // Rows that were loaded directly are checked where they are.
        let direct = self.loads[index].way == Way::Direct;
        let staging = if direct { &target.info.name } else { &self.staging[index] };
        MergeSql::new(&target.info.name, staging, &target.columns, &target.key, &target.info.primary_key)
    }
}

/// Quarantined rows that cannot be told by their key might be any row: nothing is deleted then.
fn knows_quarantined(target: &PublishTarget, counts: &TargetSummary) -> bool {
    counts.quarantined == 0 || target.key_is_own
}

/// The parameter of the statements that delete or count, where quarantined rows are kept.
fn label<'t>(target: &'t PublishTarget, counts: &TargetSummary) -> Option<&'t str> {
    (counts.quarantined > 0 && target.key_is_own).then_some(target.label.as_str())
}

/// The statements of one target.
struct Step<'a> {
    session: &'a Session,
    merge: &'a MergeSql,
    load: TargetLoad,
    /// The parameter of the deletes, where quarantined rows are kept.
    label: Option<&'a str>,
}

impl Step<'_> {
    async fn merge(
        &self,
        target: &PublishTarget,
        prune: bool,
        partial: bool,
        counts: &mut TargetSummary,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        let (may_repeat, may_be_stale) = (self.load.may_repeat(target), self.load.may_be_stale());
        if prune {
            counts.stale = if may_be_stale { self.execute(&self.merge.delete_stale()).await? } else { 0 };
            counts.surplus =
                if may_repeat { self.surplus(&self.merge.delete_surplus(), true).await? } else { 0 };
            counts.deleted = counts.stale + counts.surplus;
        } else if !partial {
            counts.stale = if may_be_stale { self.count(&self.merge.count_stale()).await? } else { 0 };
            counts.surplus =
                if may_repeat { self.surplus(&self.merge.count_surplus(), false).await? } else { 0 };
        }
        steps.next();
        let planning = self.load.planning(target);
        if let Some(setting) = planning {
            self.session.batch(setting).await?;
        }
        if self.load.staged > 0
            && let Some(update) = self.merge.update()
        {
            counts.updated = self.session.count(&update, &[]).await?;
        }
        steps.next();
        counts.inserted = self.insert().await?;
        if planning.is_some() {
            self.session.batch(BY_ANY_WAY).await?;
        }
        Ok(())
    }

    async fn insert(&self) -> Result<u64> {
        if self.load.staged == 0 {
            return Ok(0);
        }
        self.session.execute(&self.merge.insert_missing(), &[]).await
    }

    /// Deletes or counts surplus rows. Those that a comparison has listed have a row in V1, so none of them is
    /// in quarantine, and the statement takes no parameter.
    async fn surplus(&self, sql: &str, deletes: bool) -> Result<u64> {
        match (self.load.way, deletes) {
            (Way::Delta | Way::Changed, true) => self.session.execute(sql, &[]).await,
            (Way::Delta | Way::Changed, false) => self.session.count(sql, &[]).await,
            (Way::Direct | Way::Staged, true) => self.execute(sql).await,
            (Way::Direct | Way::Staged, false) => self.count(sql).await,
        }
    }

    async fn replace(&self, counts: &mut TargetSummary) -> Result<()> {
        counts.deleted = if self.label.is_some() {
            self.execute(&self.merge.delete_all()).await?
        } else {
            let before = self.session.count(&self.merge.count_target(), &[]).await?;
            self.session.batch(&self.merge.truncate()).await?;
            before
        };
        counts.inserted = self.session.execute(&self.merge.insert_all(), &[]).await?;
        Ok(())
    }

    async fn execute(&self, sql: &str) -> Result<u64> {
        match &self.label {
            Some(label) => self.session.execute(sql, &[label]).await,
            None => self.session.execute(sql, &[]).await,
        }
    }

    async fn count(&self, sql: &str) -> Result<u64> {
        match &self.label {
            Some(label) => self.session.count(sql, &[label]).await,
            None => self.session.count(sql, &[]).await,
        }
    }
}

/// Tells the progress of a target in thirds of its rows, which add up to all of them.
struct Steps<'a> {
    progress: &'a EntityProgress,
    rows: u64,
    told: u64,
}

impl<'a> Steps<'a> {
    const COUNT: u64 = 3;

    fn new(progress: &'a EntityProgress, rows: u64) -> Self {
        Self { progress, rows, told: 0 }
    }

    fn next(&mut self) {
        let third = self.rows / Self::COUNT;
        self.progress.publish(third);
        self.told += third;
    }

    fn finish(self) {
        self.progress.publish(self.rows - self.told);
    }
}
