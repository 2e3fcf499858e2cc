//! The whole of [`Program::transform`](xdoflow::transform::Program::transform) on batches as the
//! extract stage hands them out.

use divan::Bencher;

use crate::data::{ENTITIES, entity};

#[divan::bench(args = ENTITIES)]
fn whole(bencher: Bencher, name: &str) {
    let entity = entity(name);
    entity.bench(bencher, |part| divan::black_box(entity.program.transform(&part.batch)).targets.len());
}
