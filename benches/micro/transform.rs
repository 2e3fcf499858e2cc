//! The whole of [`Program::transform`](xdoflow::transform::Program::transform) on batches as the
//! extract stage hands them out, in both forms. Bytes are those of the form.

use divan::Bencher;

use crate::data::{ENTITIES, entity};

#[divan::bench(args = ENTITIES)]
fn text(bencher: Bencher, name: &str) {
    let entity = entity(name);
    entity.text.bench(bencher, |part| divan::black_box(entity.program.transform(&part.batch)).targets.len());
}

#[divan::bench(args = ENTITIES)]
fn raw(bencher: Bencher, name: &str) {
    let entity = entity(name);
    entity.kept.bench(bencher, |part| divan::black_box(entity.program.transform(&part.batch)).targets.len());
}
