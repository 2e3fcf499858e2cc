//! The keys of all documents, as a tree of paths, each with what was seen of its values.
//!
//! ```text
//! document ─► items ─► items[] ─► items[].price
//!          └► location ─► location.lat
//! ```
//! Memory is bounded by the number of paths, not by the rows: an object that uses ids or dates as keys would
//! make a path of each of them. Beyond [`MOST_PATHS`] values are counted with the object that holds them, and
//! below [`MOST_LEVELS`] an object or array is one value.

use std::collections::HashMap;

use super::seen::{Class, Seen};
use super::walk::Reader;
use crate::name::quote;
use crate::pgcopy::{Batch, jsonb_text};
use crate::transform::value::Value;

/// Paths that are told apart: ten times the keys of the widest tables of the field, some 20 kB for each.
pub const MOST_PATHS: usize = 2_000;
/// Levels of nesting that are looked into.
pub const MOST_LEVELS: usize = 12;

/// The place of the document itself.
const ROOT: usize = 0;

/// What documents look like.
#[derive(Debug)]
pub(super) struct Shape {
    nodes: Vec<Node>,
    /// Rows that were read, and those among them without a document.
    pub(super) rows: u64,
    pub(super) absent: u64,
    /// Bytes of all documents as text.
    pub(super) bytes: u64,
}

/// One path.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: usize,
    pub(super) step: Step,
    level: usize,
    pub(super) seen: Seen,
    /// Values of keys that were one too many.
    pub(super) crowded: u64,
    keys: HashMap<Box<str>, usize>,
    elements: Option<usize>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object.
    Key(Box<str>),
    /// Into an array.
    Elements,
}

impl Default for Shape {
    fn default() -> Self {
        let root = Node::new(ROOT, Step::Key("".into()), 0);
        Self { nodes: vec![root], rows: 0, absent: 0, bytes: 0 }
    }
}

impl Node {
    fn new(parent: usize, step: Step, level: usize) -> Self {
        let (seen, keys) = (Seen::default(), HashMap::new());
        Self { parent, step, level, seen, crowded: 0, keys, elements: None }
    }
}

impl Shape {
    /// Takes a batch of tuples `(id bigint, document jsonb)` in; a row without an id counts as row 0.
    pub(super) fn take(&mut self, batch: &Batch) {
        for mut tuple in batch.tuples() {
            let id = tuple.next().flatten().and_then(|id| id.first_chunk().copied());
            let id = id.map_or(0, i64::from_be_bytes);
            self.rows += 1;
            match tuple.next().flatten() {
                None => self.absent += 1,
                Some(payload) => {
                    self.bytes += payload.len() as u64;
                    // A jsonb is UTF-8 and JSON; one that were not is a document without keys.
                    let text = jsonb_text(payload).unwrap_or_default();
                    let _ = self.value(&mut Reader::new(text), text, ROOT, id);
                }
            }
        }
    }

    /// Takes the next value of a reader in. `None` where the text is no JSON.
    fn value(&mut self, reader: &mut Reader<'_>, text: &str, node: usize, id: i64) -> Option<()> {
        let first = reader.peek()?;
        if !matches!(first, b'{' | b'[') {
            let scalar;
            let value = if first == b'"' {
                scalar = reader.string()?;
                Value::String(&scalar)
            } else {
                match reader.word()? {
                    "null" => Value::Null,
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    number => Value::Number(number),
                }
            };
            self.nodes.get_mut(node)?.seen.scalar(&value, id);
            return Some(());
        }
        let start = reader.place();
        let class = if first == b'{' { Class::Object } else { Class::Array };
        let length = if self.nodes.get(node)?.level >= MOST_LEVELS {
            reader.skip()?;
            0
        } else if class == Class::Object {
            self.entries(reader, text, node, id)?
        } else {
            self.elements(reader, text, node, id)?
        };
        let json = text.get(start..reader.place())?;
        self.nodes.get_mut(node)?.seen.structure(class, length, id, json);
        Some(())
    }

    /// Takes the entries of an object in; says how many they are.
    fn entries(&mut self, reader: &mut Reader<'_>, text: &str, node: usize, id: i64) -> Option<u64> {
        reader.take(b'{');
        let mut count = 0;
        if reader.take(b'}') {
            return Some(count);
        }
        loop {
            let key = reader.string()?;
            reader.take(b':');
            count += 1;
            match self.key(node, &key) {
                Some(child) => self.value(reader, text, child, id)?,
                None => {
                    reader.skip()?;
                    self.nodes.get_mut(node)?.crowded += 1;
                }
            }
            if !reader.take(b',') {
                return reader.take(b'}').then_some(count);
            }
        }
    }

    /// Takes the elements of an array in; says how many they are.
    fn elements(&mut self, reader: &mut Reader<'_>, text: &str, node: usize, id: i64) -> Option<u64> {
        reader.take(b'[');
        let mut count = 0;
        if reader.take(b']') {
            return Some(count);
        }
        let child = self.element(node);
        loop {
            count += 1;
            match child {
                Some(child) => self.value(reader, text, child, id)?,
                None => reader.skip()?,
            }
            if !reader.take(b',') {
                return reader.take(b']').then_some(count);
            }
        }
    }

    /// The path of a key below another; `None` where it is one too many.
    fn key(&mut self, parent: usize, key: &str) -> Option<usize> {
        let node = self.nodes.get(parent)?;
        if let Some(&child) = node.keys.get(key) {
            return Some(child);
        }
        let child = self.add(parent, Step::Key(key.into()))?;
        self.nodes.get_mut(parent)?.keys.insert(key.into(), child);
        Some(child)
    }

    /// The path of the elements of another.
    fn element(&mut self, parent: usize) -> Option<usize> {
        let node = self.nodes.get(parent)?;
        if node.elements.is_some() {
            return node.elements;
        }
        let child = self.add(parent, Step::Elements)?;
        self.nodes.get_mut(parent)?.elements = Some(child);
        Some(child)
    }

    fn add(&mut self, parent: usize, step: Step) -> Option<usize> {
        if self.nodes.len() > MOST_PATHS {
            return None;
        }
        let level = self.nodes.get(parent)?.level + 1;
        self.nodes.push(Node::new(parent, step, level));
        Some(self.nodes.len() - 1)
    }

    /// Takes in what another has seen.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.absent += other.absent;
        self.bytes += other.bytes;
        // A node stands behind its parent.
        let mut places: Vec<Option<usize>> = Vec::with_capacity(other.nodes.len());
        for (index, node) in other.nodes.into_iter().enumerate() {
            let parent = places.get(node.parent).copied().flatten();
            let place = match (index, parent, &node.step) {
                (ROOT, _, _) => Some(ROOT),
                (_, Some(parent), Step::Key(key)) => self.key(parent, key),
                (_, Some(parent), Step::Elements) => self.element(parent),
                (_, None, _) => None,
            };
            if let Some(mine) = place.and_then(|place| self.nodes.get_mut(place)) {
                mine.crowded += node.crowded;
                mine.seen.merge(node.seen);
            } else if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.crowded += node.seen.values();
            }
            places.push(place);
        }
    }

    /// The documents themselves.
    pub(super) fn root(&self) -> &Node {
        &self.nodes[ROOT]
    }

    /// All paths but that of the document itself, each behind the one that it is in, in the order of their
    /// names: a key, what is in it, the next key.
    pub(super) fn paths(&self) -> Vec<(usize, &Node)> {
        let mut paths = Vec::with_capacity(self.nodes.len());
        let mut open = vec![ROOT];
        while let Some(index) = open.pop() {
            let node = &self.nodes[index];
            if index != ROOT {
                paths.push((index, node));
            }
            let mut children: Vec<(&str, usize)> =
                node.keys.iter().map(|(key, &child)| (&**key, child)).collect();
            // The last comes first off the stack.
            children.sort_by(|a, b| b.cmp(a));
            open.extend(children.into_iter().map(|(_, child)| child));
            open.extend(node.elements);
        }
        paths
    }

    /// A path by its number.
    pub(super) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The steps from the document to a path.
    pub(super) fn steps(&self, index: usize) -> Vec<&Step> {
        let mut steps = Vec::new();
        let mut at = index;
        while at != ROOT {
            let node = &self.nodes[at];
            steps.push(&node.step);
            at = node.parent;
        }
        steps.reverse();
        steps
    }
}

/// A path as a pipeline file writes it, with `[]` for the elements of an array, which it does not know.
pub(super) fn written(steps: &[&Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Elements => path.push_str("[]"),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                let odd = key.is_empty() || key.starts_with('$') || key.contains(['.', '"', '[']);
                path.push_str(&if odd { quote(key) } else { key.to_string() });
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgcopy::{Framer, JSONB_VERSION, RowBuffer, encode};

    fn batch(documents: &[Option<&str>]) -> Batch {
        let mut rows = RowBuffer::default();
        for (id, document) in (1_i64..).zip(documents) {
            rows.begin_row(2);
            rows.field(&id.to_be_bytes());
            match document {
                Some(text) => rows.field_parts([&[JSONB_VERSION], text.as_bytes()]),
                None => rows.null(),
            }
            rows.end_row();
        }
        let mut framer = Framer::new(2);
        for chunk in [&encode::header(), &rows.into_bytes(), encode::TRAILER.as_slice()] {
            framer.push(chunk).expect("a stream");
        }
        framer.finish().expect("its end").expect("rows")
    }

    fn paths(shape: &Shape) -> Vec<(String, u64)> {
        let paths = shape.paths();
        paths.iter().map(|(index, node)| (written(&shape.steps(*index)), node.seen.values())).collect()
    }

    const DOCUMENTS: [Option<&str>; 6] = [
        Some(r#"{"a": 1, "items": [{"price": 1.5}, {"price": null}, 3], "a.b": {"": true}}"#),
        Some(r#"{"location": {"lat": 1}, "items": []}"#),
        None,
        Some("[1, 2]"),
        Some("null"),
        Some("{}"),
    ];

    #[test]
    fn every_path_is_counted_below_the_one_it_is_in() {
        let mut shape = Shape::default();
        shape.take(&batch(&DOCUMENTS));
        let expected = [
            ("[]", 2),
            ("a", 1),
            (r#""a.b""#, 1),
            (r#""a.b"."""#, 1),
            ("items", 2),
            ("items[]", 3),
            ("items[].price", 2),
            ("location", 1),
            ("location.lat", 1),
        ];
        assert_eq!(paths(&shape), expected.map(|(path, count)| (path.to_owned(), count)));
        assert_eq!((shape.rows, shape.absent), (6, 1));
        let root = &shape.root().seen;
        let classes = [Class::Object, Class::Array, Class::Null];
        assert_eq!(classes.map(|class| root.count(class)), [3, 1, 1]);
        assert_eq!(root.entries, Some((0, 3)));
    }

    #[test]
    fn parts_that_were_read_apart_are_one_shape() {
        let mut whole = Shape::default();
        whole.take(&batch(&DOCUMENTS));
        for cut in 0..=DOCUMENTS.len() {
            let (mut first, mut second) = (Shape::default(), Shape::default());
            let (a, b) = DOCUMENTS.split_at(cut);
            for (shape, part) in [(&mut first, a), (&mut second, b)] {
                if !part.is_empty() {
                    shape.take(&batch(part));
                }
            }
            second.merge(first);
            assert_eq!(paths(&second), paths(&whole));
        }
    }

    #[test]
    fn keys_that_are_data_and_deep_nesting_take_no_more_than_their_room() {
        let mut shape = Shape::default();
        let keys: Vec<String> = (0..5_000).map(|key| format!("\"k{key}\": {key}")).collect();
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let text = format!("{{{}, \"z\": {deep}}}", keys.join(", "));
        shape.take(&batch(&[Some(&deep), Some(&text)]));
        assert_eq!(shape.paths().len(), MOST_PATHS);
        let inner = shape.paths().len() - MOST_LEVELS;
        assert_eq!(shape.root().crowded, 5_001 - inner as u64);
        assert_eq!(shape.root().seen.entries, Some((5_001, 5_001)));
    }
}
