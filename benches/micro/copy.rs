//! COPY BINARY without a cast: framing what comes in, encoding what goes out.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use xdoflow::pgcopy::{Framer, RowBuffer};

use crate::data::{ENTITIES, entity};

/// Messages of the protocol, cut as a socket would cut them.
const CHUNK_BYTES: usize = 8 << 10;
const BATCH_BYTES: usize = 256 << 10;

#[divan::bench(args = ENTITIES)]
fn framing(bencher: Bencher, name: &str) {
    let entity = entity(name);
    bencher
        .counter(ItemsCount::new(entity.text.parts.iter().map(|part| part.documents.len()).sum::<usize>()))
        .counter(BytesCount::new(entity.stream.len()))
        .bench(|| {
            let mut framer = Framer::new(2);
            let mut tuples = 0;
            for chunk in entity.stream.chunks(CHUNK_BYTES) {
                framer.push(chunk).expect("a good stream");
                if framer.complete_bytes() >= BATCH_BYTES {
                    tuples += framer.take().map_or(0, |batch| batch.len());
                }
            }
            tuples + framer.finish().expect("a whole stream").map_or(0, |batch| batch.len())
        });
}

/// Rows of twenty fields, three of them NULL, about as wide as those of participants.
#[divan::bench]
fn encoding(bencher: Bencher) {
    const ROWS: usize = 1_000;
    let fields: [Option<&[u8]>; 20] = std::array::from_fn(|at| match at % 7 {
        0 => Some(&[7; 8][..]),
        3 => None,
        6 => Some(&[1][..]),
        _ => Some(&b"a text of twenty-six bytes"[..]),
    });
    let encode = || {
        let mut rows = RowBuffer::with_capacity(512 << 10);
        for _ in 0..ROWS {
            rows.begin_row(fields.len() as u16);
            for field in divan::black_box(&fields) {
                match field {
                    Some(payload) => rows.field(payload),
                    None => rows.null(),
                }
            }
            rows.end_row();
        }
        rows
    };
    let bytes = encode().len();
    bencher.counter(ItemsCount::new(ROWS)).counter(BytesCount::new(bytes)).bench(encode);
}
