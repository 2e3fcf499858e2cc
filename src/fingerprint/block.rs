//! Blocks of fingerprints: written while a scan goes on, read back row by row.

use super::varint::{self, Reader};
use super::{Fingerprint, PAGES_PER_BLOCK};

/// The version of the form, the first byte of each block.
const VERSION: u8 = 1;

/// The bits of a tag that say where the row stands.
const PLACE: u8 = 0b11;
/// The next place of the same page.
const NEXT: u8 = 0;
/// Further on in the same page; how much further, follows.
const SKIP: u8 = 1;
/// The first place of the next page.
const NEXT_PAGE: u8 = 2;
/// Both follow.
const FAR: u8 = 3;
/// The id is not the next one: its difference follows.
const ID: u8 = 0b100;
/// Another transaction than that of the last row: its difference follows.
const XMIN: u8 = 0b1000;

/// The rows of [`PAGES_PER_BLOCK`] pages; of none of them only where a block is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first page, a multiple of [`PAGES_PER_BLOCK`].
    pub first_page: u32,
    /// How many rows it holds.
    pub rows: u32,
    /// Their fingerprints.
    pub bytes: Vec<u8>,
}

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// A row that does not stand behind the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

/// Writes the rows of a scan into blocks.
#[derive(Debug, Default)]
pub struct BlockWriter {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    first_page: u32,
    rows: u32,
    last: Fingerprint,
    body: Vec<u8>,
}

/// The row before the first one.
fn before(first_page: u32) -> Fingerprint {
    Fingerprint { page: first_page, offset: 0, id: 0, xmin: 0 }
}

impl BlockWriter {
    /// Takes the next row; returns the block before it where the row begins another.
    pub fn push(&mut self, row: Fingerprint) -> Result<Option<Block>, OutOfOrder> {
        let first_page = row.page - row.page % PAGES_PER_BLOCK;
        match &mut self.open {
            Some(open) if open.first_page == first_page => {
                open.push(row)?;
                Ok(None)
            }
            Some(open) if open.first_page > first_page => Err(OutOfOrder),
            _ => {
                let capacity = self.open.as_ref().map_or(0, |open| open.body.len());
                let last = before(first_page);
                let mut next = Open { first_page, rows: 0, last, body: Vec::with_capacity(capacity) };
                next.push(row)?;
                Ok(self.open.replace(next).map(Open::close))
            }
        }
    }

    /// The last block.
    pub fn finish(self) -> Option<Block> {
        self.open.map(Open::close)
    }
}

impl Open {
    fn push(&mut self, row: Fingerprint) -> Result<(), OutOfOrder> {
        let last = self.last;
        if row.place() <= last.place() {
            return Err(OutOfOrder);
        }
        let step = row.page - last.page;
        let place = match (step, row.offset) {
            (0, offset) if offset == last.offset + 1 => NEXT,
            (0, _) => SKIP,
            (1, 1) => NEXT_PAGE,
            _ => FAR,
        };
        let id = row.id.wrapping_sub(last.id);
        let xmin = row.xmin.wrapping_sub(last.xmin).cast_signed();
        let tag = place | if id == 1 { 0 } else { ID } | if xmin == 0 { 0 } else { XMIN };
        self.body.push(tag);
        match place {
            SKIP => varint::push(&mut self.body, u64::from(row.offset - last.offset - 2)),
            FAR => {
                varint::push(&mut self.body, u64::from(step));
                varint::push(&mut self.body, u64::from(row.offset));
            }
            _ => {}
        }
        if id != 1 {
            varint::push_signed(&mut self.body, id);
        }
        if xmin != 0 {
            varint::push_signed(&mut self.body, i64::from(xmin));
        }
        self.last = row;
        self.rows += 1;
        Ok(())
    }

    fn close(self) -> Block {
        let mut bytes = Vec::with_capacity(self.body.len() + 8);
        bytes.push(VERSION);
        varint::push(&mut bytes, u64::from(self.rows));
        bytes.extend_from_slice(&self.body);
        varint::seal(&mut bytes);
        Block { first_page: self.first_page, rows: self.rows, bytes }
    }
}

/// The rows of a block, in the order of their places. It ends with an error where the bytes are no block.
pub struct Rows<'a> {
    reader: Reader<'a>,
    left: u64,
    last: Fingerprint,
    end_page: u64,
}

impl Block {
    /// Reads the rows.
    pub fn rows(&self) -> Result<Rows<'_>, Damaged> {
        let mut reader = Reader::new(varint::checked(&self.bytes).ok_or(Damaged)?);
        if reader.byte() != Some(VERSION) {
            return Err(Damaged);
        }
        let left = reader.number().ok_or(Damaged)?;
        let end_page = u64::from(self.first_page) + u64::from(PAGES_PER_BLOCK);
        Ok(Rows { reader, left, last: before(self.first_page), end_page })
    }
}

impl Rows<'_> {
    fn row(&mut self) -> Option<Fingerprint> {
        let tag = self.reader.byte().filter(|tag| *tag <= PLACE | ID | XMIN)?;
        let last = self.last;
        let (page, offset) = match tag & PLACE {
            NEXT => (u64::from(last.page), last.offset.checked_add(1)?),
            SKIP => {
                let skipped = u16::try_from(self.reader.number()?).ok()?;
                (u64::from(last.page), last.offset.checked_add(2)?.checked_add(skipped)?)
            }
            NEXT_PAGE => (u64::from(last.page) + 1, 1),
            _ => {
                let page = u64::from(last.page).checked_add(self.reader.number()?)?;
                (page, u16::try_from(self.reader.number()?).ok()?)
            }
        };
        let id = if tag & ID == 0 { 1 } else { self.reader.signed()? };
        let xmin = if tag & XMIN == 0 { 0 } else { i32::try_from(self.reader.signed()?).ok()? };
        if page >= self.end_page {
            return None;
        }
        let row = Fingerprint {
            page: u32::try_from(page).ok()?,
            offset,
            id: last.id.wrapping_add(id),
            xmin: last.xmin.wrapping_add(xmin.cast_unsigned()),
        };
        if row.place() <= last.place() {
            return None;
        }
        self.last = row;
        Some(row)
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Fingerprint, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            // What follows the last row is not ours.
            let end = std::mem::replace(&mut self.reader, Reader::new(&[]));
            return (!end.is_empty()).then_some(Err(Damaged));
        }
        let row = self.row();
        // Nothing behind damaged bytes can be read.
        self.left = if row.is_some() { self.left - 1 } else { 0 };
        if row.is_none() {
            self.reader = Reader::new(&[]);
        }
        Some(row.ok_or(Damaged))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(page: u32, offset: u16, id: i64, xmin: u32) -> Fingerprint {
        Fingerprint { page, offset, id, xmin }
    }

    fn write(rows: &[Fingerprint]) -> Vec<Block> {
        let mut writer = BlockWriter::default();
        let mut blocks: Vec<Block> =
            rows.iter().filter_map(|&row| writer.push(row).expect("in order")).collect();
        blocks.extend(writer.finish());
        blocks
    }

    fn read(block: &Block) -> Result<Vec<Fingerprint>, Damaged> {
        block.rows()?.collect()
    }

    #[test]
    fn rows_as_a_load_leaves_them_take_a_byte_each() {
        let rows: Vec<_> =
            (0..1000_u32).map(|n| row(n / 9, (n % 9) as u16 + 1, i64::from(n) + 5_000_000, 731)).collect();
        let blocks = write(&rows);
        assert_eq!((blocks.len(), blocks[0].rows), (1, 1000));
        // A byte a row; version, count of two bytes and checksum; the first id and transaction.
        assert_eq!(blocks[0].bytes.len(), 1000 + 7 + 4 + 2);
        assert_eq!(read(&blocks[0]), Ok(rows));
    }

    #[test]
    fn blocks_begin_at_multiples_of_their_pages_and_pages_may_be_missing() {
        let rows = [
            row(0, 3, -7, u32::MAX),
            row(127, 1, i64::MAX, 3),
            row(128, 1, i64::MIN, 3),
            row(128, u16::MAX, 0, 2),
            row(u32::MAX - 1, 291, 12, 2),
        ];
        let blocks = write(&rows);
        assert_eq!(blocks.iter().map(|block| block.first_page).collect::<Vec<_>>(), [0, 128, u32::MAX - 127]);
        let read: Vec<_> = blocks.iter().flat_map(|block| read(block).expect("good")).collect();
        assert_eq!(read, rows);
        assert_eq!(write(&[]), []);
    }

    #[test]
    fn a_row_before_the_last_one_is_refused() {
        for (first, second) in [((5, 2), (5, 2)), ((5, 2), (5, 1)), ((5, 2), (4, 9)), ((200, 1), (5, 1))] {
            let mut writer = BlockWriter::default();
            writer.push(row(first.0, first.1, 1, 1)).expect("the first row");
            assert_eq!(writer.push(row(second.0, second.1, 2, 1)), Err(OutOfOrder));
        }
        assert_eq!(BlockWriter::default().push(row(0, 0, 1, 1)), Err(OutOfOrder));
    }

    #[test]
    fn a_block_with_one_wrong_bit_is_damaged_and_one_cut_anywhere_too() {
        let block = write(&[row(1, 1, 4, 9), row(1, 2, 5, 9), row(3, 7, 90_000, 12)]).remove(0);
        for bit in 0..block.bytes.len() * 8 {
            let mut bad = block.clone();
            bad.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bad), Err(Damaged), "bit {bit}");
        }
        for end in 0..block.bytes.len() {
            let bad = Block { bytes: block.bytes[..end].to_vec(), ..block.clone() };
            assert_eq!(read(&bad), Err(Damaged), "cut at {end}");
        }
    }

    fn any_rows() -> impl Strategy<Value = Vec<Fingerprint>> {
        prop::collection::btree_map(
            (0..600_u32, 1..292_u16),
            (prop_oneof![any::<i64>(), 0..50_i64], prop_oneof![any::<u32>(), 3..9_u32]),
            0..400,
        )
        .prop_map(|rows| {
            rows.into_iter().map(|((page, offset), (id, xmin))| row(page, offset, id, xmin)).collect()
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(rows in any_rows()) {
            let blocks = write(&rows);
            let read: Vec<_> = blocks.iter().flat_map(|block| read(block).expect("good")).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_bytes_panic_even_with_a_good_checksum(
            first_page in any::<u32>(),
            mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = read(&Block { first_page, rows: 0, bytes: bytes.clone() });
            bytes.insert(0, VERSION);
            varint::seal(&mut bytes);
            let _ = read(&Block { first_page, rows: 0, bytes });
        }
    }
}
