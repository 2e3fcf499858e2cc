//! Whether documents read the same in both of their forms: the same text, and the same rows, rejects, edges
//! and counts. What a run asks of a sample before it trusts the form on disk.

use super::document::{Raw, TextValue};
use super::output::Output;
use super::program::{Program, Scratch};
use crate::pgcopy::ondisk::{ByteOrder, DiskValue};
use crate::pgcopy::{Batch, jsonb_text};

impl Program {
    /// The ids of the documents of a sample that do not read the same in both forms. Its tuples are `(id,
    /// document as jsonb, document as it is kept)`.
    pub fn unlike<'b>(&'b self, sample: &'b Batch, order: ByteOrder) -> impl Iterator<Item = i64> + 'b {
        sample.tuples().filter_map(move |mut tuple| {
            let id = tuple.next().flatten().and_then(|id| id.try_into().ok()).map_or(0, i64::from_be_bytes);
            let (text, kept) = (tuple.next().flatten(), tuple.next().flatten());
            let text = text.and_then(jsonb_text);
            let kept = kept.map(|bytes| DiskValue::document(bytes, order));
            let printed = kept.map(|kept| {
                let mut printed = String::new();
                kept.print(&mut printed).is_ok().then_some(printed)
            });
            let alike = printed.as_ref().map(Option::as_deref) == text.map(Some)
                && same(&self.one(id, text.map(TextValue::document)), &self.one(id, kept));
            (!alike).then_some(id)
        })
    }

    /// What comes of one document.
    fn one<'d, R: Raw<'d>>(&self, id: i64, document: Option<R>) -> Output {
        let mut output = self.output(0);
        output.aborted = self.row(id, document, &mut Scratch::default(), &mut output).err();
        output
    }
}

fn same(a: &Output, b: &Output) -> bool {
    (&a.targets, &a.rejects, &a.edges, &a.tally) == (&b.targets, &b.rejects, &b.edges, &b.tally)
        && a.aborted.as_ref().map(ToString::to_string) == b.aborted.as_ref().map(ToString::to_string)
}
