//! The edges of a closure, kept in blocks like fingerprints: so that a run that fetched a few documents
//! knows the edges of all the others.
//!
//! ```text
//! block = version: u8  edges: varint  edge*  checksum: u32
//! edge  = source id, parent, child: zigzag varints, each the difference to the edge before
//! ```
//! Edges stand in the order of the rows that they are from. 86,618 of the field's take 5 bytes each.

use super::block::Damaged;
use super::varint::{self, Reader};

const VERSION: u8 = 1;

/// How many edges a block holds: some twenty kilobytes.
const EDGES_PER_BLOCK: u64 = 4_096;

/// An edge as it is kept: the row it stands in, the node above, the node below.
pub type KeptEdge = (i64, i64, i64);

/// Writes edges into blocks.
#[derive(Debug, Default)]
pub struct EdgeWriter {
    edges: u64,
    last: KeptEdge,
    body: Vec<u8>,
}

impl EdgeWriter {
    /// Takes the next edge; returns a block when it is full.
    pub fn push(&mut self, edge: KeptEdge) -> Option<Vec<u8>> {
        let last = self.last;
        for (now, before) in [(edge.0, last.0), (edge.1, last.1), (edge.2, last.2)] {
            varint::push_signed(&mut self.body, now.wrapping_sub(before));
        }
        self.last = edge;
        self.edges += 1;
        (self.edges == EDGES_PER_BLOCK).then(|| std::mem::take(self).close())
    }

    /// The last block, if there is any edge left.
    pub fn finish(self) -> Option<Vec<u8>> {
        (self.edges > 0).then(|| self.close())
    }

    fn close(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 8);
        bytes.push(VERSION);
        varint::push(&mut bytes, self.edges);
        bytes.extend_from_slice(&self.body);
        varint::seal(&mut bytes);
        bytes
    }
}

/// Reads a block, edge by edge.
pub fn read(bytes: &[u8], mut each: impl FnMut(KeptEdge)) -> Result<(), Damaged> {
    let mut reader = Reader::new(varint::checked(bytes).ok_or(Damaged)?);
    if reader.byte() != Some(VERSION) {
        return Err(Damaged);
    }
    let edges = reader.number().ok_or(Damaged)?;
    let mut last: KeptEdge = (0, 0, 0);
    for _ in 0..edges {
        let mut next = |before: i64| Some(before.wrapping_add(reader.signed()?));
        last = (|| Some((next(last.0)?, next(last.1)?, next(last.2)?)))().ok_or(Damaged)?;
        each(last);
    }
    if reader.is_empty() { Ok(()) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(edges: &[KeptEdge]) -> Vec<Vec<u8>> {
        let mut writer = EdgeWriter::default();
        let mut blocks: Vec<_> = edges.iter().filter_map(|&edge| writer.push(edge)).collect();
        blocks.extend(writer.finish());
        blocks
    }

    fn read_all(blocks: &[Vec<u8>]) -> Result<Vec<KeptEdge>, Damaged> {
        let mut edges = Vec::new();
        for block in blocks {
            read(block, |edge| edges.push(edge))?;
        }
        Ok(edges)
    }

    #[test]
    fn edges_come_back_in_blocks_of_some_thousand() {
        let edges: Vec<_> = (0..10_000).map(|n| (n, n / 7 + 100, -n * 13)).collect();
        let blocks = write(&edges);
        assert_eq!(blocks.len(), 3);
        assert!(blocks.iter().map(Vec::len).sum::<usize>() < 10_000 * 5);
        assert_eq!(read_all(&blocks), Ok(edges));
        let odd = [(i64::MIN, i64::MAX, 0), (i64::MAX, i64::MIN, -1)];
        assert_eq!(read_all(&write(&odd)), Ok(odd.to_vec()));
        assert_eq!(write(&[]), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn a_wrong_bit_and_a_missing_end_are_damage() {
        let block = write(&[(1, 2, 3), (4, 2, 900)]).remove(0);
        for bit in 0..block.len() * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bad, |_| {}), Err(Damaged), "bit {bit}");
        }
        for end in 0..block.len() {
            assert_eq!(read(&block[..end], |_| {}), Err(Damaged), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_even_with_a_good_checksum(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            bytes.insert(0, VERSION);
            varint::seal(&mut bytes);
            let _ = read(&bytes, |_| {});
        }
    }
}
