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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgcopy::ondisk::build::Built;
    use crate::pgcopy::{Framer, JSONB_VERSION, RowBuffer, encode};
    use crate::schema::ColumnSchema;
    use crate::transform::compile;

    fn program() -> Program {
        let specs = crate::spec::shipped().expect("the shipped pipelines");
        let spec = specs.iter().find(|spec| spec.entity == "users").expect("a shipped pipeline");
        let schema = |column: &crate::spec::model::ColumnSpec| ColumnSchema {
            name: column.name.clone(),
            type_name: column.cast.column_type.to_string(),
            column_type: Some(column.cast.column_type),
            not_null: false,
            filled_by_server: false,
            read_only: false,
        };
        let schemas: Vec<Vec<_>> =
            spec.targets.iter().map(|target| target.columns.iter().map(schema).collect()).collect();
        let schemas: Vec<&[_]> = schemas.iter().map(Vec::as_slice).collect();
        compile(spec, &schemas).expect("a pipeline fits its own types")
    }

    #[test]
    fn a_document_that_reads_otherwise_is_named_and_the_others_are_not() {
        let kept = |city| {
            Built::Object(vec![("city", Built::String(city)), ("email", Built::small(7))])
                .document(ByteOrder::Big)
        };
        let null = Built::Null.document(ByteOrder::Big);
        let rows = [
            (1_i64, Some(r#"{"city": "Denver", "email": 7}"#), Some(kept("Denver"))),
            (2, Some(r#"{"city": "Denver", "email": 8}"#), Some(kept("Denver"))),
            (3, None, None),
            (4, Some("null"), Some(null.clone())),
            (5, None, Some(null)),
            (6, Some("{}"), None),
            (7, Some(r#"{"city": "Denver", "email": 7}"#), Some(b"no document".to_vec())),
        ];
        let mut buffer = RowBuffer::default();
        for (id, text, kept) in &rows {
            buffer.begin_row(3);
            buffer.field(&id.to_be_bytes());
            match text {
                Some(text) => buffer.field_parts([&[JSONB_VERSION], text.as_bytes()]),
                None => buffer.null(),
            }
            match kept {
                Some(kept) => buffer.field(kept),
                None => buffer.null(),
            }
            buffer.end_row();
        }
        let mut framer = Framer::new(3);
        let stream = [encode::header(), buffer.into_bytes(), encode::TRAILER.to_vec()].concat();
        framer.push(&stream).expect("a stream");
        let sample = framer.finish().expect("a whole stream").expect("rows");
        let unlike: Vec<i64> = program().unlike(&sample, ByteOrder::Big).collect();
        assert_eq!(unlike, [2, 5, 6, 7]);
    }
}
