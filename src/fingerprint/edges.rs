//! The edges of a closure, packed: in memory while a run gathers them, and in the ledger, so that a later run
//! that fetched a few documents knows the edges of all the others.
//!
//! ```text
//! block = version: u8  edges: varint  edge*  checksum: u32
//! edge  = source id, parent, child: zigzag varints, each the difference to the edge before
//! ```
//! The edges may stand in any order; in that of the rows that they are from they are shortest. 86,618 of the
//! field's take 5 bytes each, where they would take 24 as numbers.

use super::block::Damaged;
use super::compare::{sorted, subtract};
use super::varint::{self, Reader};

const VERSION: u8 = 1;

/// How many edges a block holds: some twenty kilobytes.
const EDGES_PER_BLOCK: u64 = 4_096;

/// One edge, and the row that it stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The node above.
    pub parent: i64,
    /// The node below.
    pub child: i64,
    /// The row of the source.
    pub source_id: i64,
}

/// Edges in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    blocks: Vec<Vec<u8>>,
    open: Open,
}

/// The block that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Open {
    edges: u64,
    last: Edge,
    body: Vec<u8>,
}

/// What became of the edges when some rows were read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// All edges as they are now.
    pub edges: Edges,
    /// Whether the rows that were read again have the edges that they had.
    pub same: bool,
    /// The pairs of nodes, parent and child, that were joined and are not, or are and were not, ascending.
    pub pairs: Vec<(i64, i64)>,
}

impl Edges {
    /// Takes blocks that were [closed](Self::into_blocks). They are only looked at when they are read.
    pub fn of_blocks(blocks: Vec<Vec<u8>>) -> Self {
        Self { blocks, open: Open::default() }
    }

    /// The blocks.
    pub fn into_blocks(mut self) -> Vec<Vec<u8>> {
        self.close();
        self.blocks
    }

    /// Adds an edge.
    pub fn push(&mut self, edge: Edge) {
        let (body, last) = (&mut self.open.body, self.open.last);
        let parts = [(edge.source_id, last.source_id), (edge.parent, last.parent), (edge.child, last.child)];
        for (now, before) in parts {
            varint::push_signed(body, now.wrapping_sub(before));
        }
        self.open.last = edge;
        self.open.edges += 1;
        if self.open.edges == EDGES_PER_BLOCK {
            self.close();
        }
    }

    /// Calls `each` with every edge.
    pub fn each(&self, mut each: impl FnMut(Edge)) -> Result<(), Damaged> {
        for block in &self.blocks {
            let mut reader = Reader::new(varint::checked(block).ok_or(Damaged)?);
            if reader.byte() != Some(VERSION) {
                return Err(Damaged);
            }
            let edges = reader.number().ok_or(Damaged)?;
            read(reader, edges, &mut each)?;
        }
        read(Reader::new(&self.open.body), self.open.edges, &mut each)
    }

    /// Takes the edges of the rows in `again` out, and puts those in that they have now.
    pub fn replace(&self, again: &[i64], now: &[Edge]) -> Result<Replaced, Damaged> {
        let pair = |edge: &Edge| (edge.parent, edge.child);
        let mut edges = Self::default();
        let mut taken = Vec::new();
        self.each(|edge| {
            if again.binary_search(&edge.source_id).is_ok() {
                taken.push(edge);
            } else {
                edges.push(edge);
            }
        })?;
        let same = sorted(taken.clone()) == sorted(now.to_vec());
        let pairs_of = |edges: &[Edge]| sorted(edges.iter().map(pair).collect());
        let (taken, put) = (pairs_of(&taken), pairs_of(now));
        let (mut pairs, mut come) = (taken.clone(), put.clone());
        subtract(&mut pairs, &put);
        subtract(&mut come, &taken);
        pairs.append(&mut come);
        pairs.sort_unstable();
        // A pair that stands in another row as well is joined before and after.
        let mut elsewhere = Vec::new();
        edges.each(|edge| {
            if pairs.binary_search(&pair(&edge)).is_ok() {
                elsewhere.push(pair(&edge));
            }
        })?;
        subtract(&mut pairs, &sorted(elsewhere));
        for &edge in now {
            edges.push(edge);
        }
        Ok(Replaced { edges, same, pairs })
    }

    fn close(&mut self) {
        let Open { edges, body, .. } = std::mem::take(&mut self.open);
        if edges == 0 {
            return;
        }
        let mut bytes = Vec::with_capacity(body.len() + 8);
        bytes.push(VERSION);
        varint::push(&mut bytes, edges);
        bytes.extend_from_slice(&body);
        varint::seal(&mut bytes);
        self.blocks.push(bytes);
    }
}

/// Reads so many edges, and nothing may stand behind them.
fn read(mut reader: Reader<'_>, edges: u64, each: &mut impl FnMut(Edge)) -> Result<(), Damaged> {
    let mut last = Edge::default();
    for _ in 0..edges {
        let mut next = |before: i64| Some(before.wrapping_add(reader.signed()?));
        let (source_id, parent, child) = (next(last.source_id), next(last.parent), next(last.child));
        let ((source_id, parent), child) = source_id.zip(parent).zip(child).ok_or(Damaged)?;
        last = Edge { parent, child, source_id };
        each(last);
    }
    if reader.is_empty() { Ok(()) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edge(source_id: i64, parent: i64, child: i64) -> Edge {
        Edge { parent, child, source_id }
    }

    fn pack(all: &[Edge]) -> Edges {
        let mut edges = Edges::default();
        for &edge in all {
            edges.push(edge);
        }
        edges
    }

    fn unpack(edges: &Edges) -> Result<Vec<Edge>, Damaged> {
        let mut all = Vec::new();
        edges.each(|edge| all.push(edge))?;
        Ok(all)
    }

    #[test]
    fn edges_come_back_whether_their_block_is_closed_or_not() {
        let all: Vec<_> = (0..10_000).map(|n| edge(n, n / 7 + 100, -n * 13)).collect();
        let edges = pack(&all);
        assert_eq!(unpack(&edges), Ok(all.clone()));
        let blocks = edges.into_blocks();
        assert_eq!(blocks.len(), 3);
        assert!(blocks.iter().map(Vec::len).sum::<usize>() < 10_000 * 5);
        assert_eq!(unpack(&Edges::of_blocks(blocks)), Ok(all));
        let odd = [edge(i64::MIN, i64::MAX, 0), edge(i64::MAX, i64::MIN, -1)];
        assert_eq!(unpack(&pack(&odd)), Ok(odd.to_vec()));
        assert_eq!(Edges::default().into_blocks(), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn a_wrong_bit_and_a_missing_end_are_damage() {
        let block = pack(&[edge(1, 2, 3), edge(4, 2, 900)]).into_blocks().remove(0);
        let read = |bytes: &[u8]| unpack(&Edges::of_blocks(vec![bytes.to_vec()]));
        for bit in 0..block.len() * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bad), Err(Damaged), "bit {bit}");
        }
        for end in 0..block.len() {
            assert_eq!(read(&block[..end]), Err(Damaged), "cut at {end}");
        }
    }

    #[test]
    fn rows_read_again_give_the_edges_that_they_have_now_and_the_pairs_that_changed() {
        let edges =
            pack(&[edge(1, 10, 11), edge(2, 11, 12), edge(3, 11, 13), edge(4, 11, 12), edge(5, 20, 21)]);
        // 1 is as it was; 2 goes, but its pair stands in 4, too; 3 has another parent; 5 is gone; 6 is new.
        let now = [edge(1, 10, 11), edge(3, 10, 13), edge(6, 12, 14)];
        let replaced = edges.replace(&[1, 2, 3, 5, 6], &now).expect("good edges");
        assert_eq!(replaced.pairs, [(10, 13), (11, 13), (12, 14), (20, 21)]);
        let mut all = unpack(&replaced.edges).expect("good edges");
        all.sort_by_key(|edge| edge.source_id);
        assert_eq!(all, [edge(1, 10, 11), edge(3, 10, 13), edge(4, 11, 12), edge(6, 12, 14)]);
        let same = edges.replace(&[5], &[edge(5, 20, 21)]).expect("good edges");
        assert_eq!((same.pairs, same.same, replaced.same), (vec![], true, false));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_even_with_a_good_checksum(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            bytes.insert(0, VERSION);
            varint::seal(&mut bytes);
            let _ = unpack(&Edges::of_blocks(vec![bytes]));
        }
    }
}
