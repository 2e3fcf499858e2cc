//! The whole of [`Program::transform`](xdoflow::transform::Program::transform) on batches as the
//! extract stage hands them out.

use divan::Bencher;

use crate::data::{ENTITIES, entity};

#[divan::bench(args = ENTITIES)]
fn whole(bencher: Bencher, name: &str) {
    let entity = entity(name);
    let (documents, bytes) = entity.counters();
    bencher.counter(documents).counter(bytes).bench(|| {
        let mut rows = 0;
        for batch in &entity.batches {
            let output = divan::black_box(entity.program.transform(divan::black_box(batch)));
            rows += output.rows;
        }
        rows
    });
}
