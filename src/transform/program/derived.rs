//! Rows of a derived target: from the links of a closure, as documents that are made here.

use std::ops::Range;

use super::reject::{Reject, write_reject};
use super::{Program, Scratch};
use crate::transform::closure::delta::Delta;
use crate::transform::closure::{BadEdge, Forest, Link, LinkChunk};
use crate::transform::document::TextValue;
use crate::transform::output::Output;
use crate::transform::value::Reason;

impl Program {
    /// Transforms documents that were made here, none of them NULL; `bytes` is about how long they are
    /// together.
    fn transform_documents<'d>(
        &self,
        documents: impl IntoIterator<Item = (i64, &'d str)>,
        bytes: usize,
    ) -> Output {
        let mut output = self.output(bytes);
        let mut scratch = Scratch::default();
        for (id, document) in documents {
            let document = Some(TextValue::document(document));
            if let Err(error) = self.row(id, document, &mut scratch, &mut output) {
                output.aborted = Some(error);
                break;
            }
        }
        output
    }

    /// Transforms some links of a forest into rows of a derived target, in the order of its key: so they can be
    /// compared with the rows of a table in that order.
    pub fn transform_links(&self, forest: &Forest, chunk: LinkChunk) -> Output {
        let mut text = String::new();
        let mut ends = Vec::new();
        for node in chunk.nodes {
            forest.links_below(node, chunk.places.clone(), |link| {
                link.write_document(&mut text);
                // A derived row has no id of its own; in messages it is known by its ancestor.
                ends.push((link.ancestor, text.len()));
            });
        }
        let mut start = 0;
        let documents = ends.iter().map(|&(ancestor, end)| {
            let document = &text[start..end];
            start = end;
            (ancestor, document)
        });
        self.transform_documents(documents, text.len())
    }

    /// Transforms the links below some ancestors of a delta that are new or have another chain; adds the ends of
    /// those that are gone to `gone`.
    pub fn transform_delta(
        &self,
        delta: &Delta,
        ancestors: Range<usize>,
        gone: &mut Vec<(i64, i64)>,
    ) -> Output {
        let mut links = Vec::new();
        let mut bytes = 0;
        for ancestor in ancestors {
            let come = |link: Link<'_>| {
                let document = link.document();
                bytes += document.len();
                links.push((link.ancestor, document));
            };
            delta.links(ancestor, come, |link| gone.push((link.ancestor, link.descendant)));
        }
        let documents = links.iter().map(|(ancestor, document)| (*ancestor, document.as_str()));
        self.transform_documents(documents, bytes)
    }

    /// Puts the edges that are in no tree into the quarantine of a derived target.
    pub fn reject_edges(&self, edges: &[BadEdge], key: &str) -> Output {
        let mut output = self.output(0);
        for bad in edges {
            let reason = if bad.cycle.len() == 1 { Reason::SelfEdge } else { Reason::Cycle };
            let ids: Vec<String> = bad.cycle.iter().map(i64::to_string).collect();
            let text = format!("{}: {}", reason.message(), ids.join(", "));
            let raw = format!("[{}]", ids.join(", "));
            for target in &self.targets {
                let slot = target.first_slot + target.columns.len();
                let reject = Reject {
                    key: Some(key),
                    text: Some(&text),
                    whole_row: false,
                    ..Reject::row(&target.table, Some(&raw), reason)
                };
                write_reject(&mut output, slot, bad.edge.source_id, reject);
            }
        }
        output
    }
}
