//! Document readers side by side: each finds the values of the keys that the shipped pipeline wants.
//!
//! All answer with the number of values found, which must be the same for all. What each keeps of a
//! value differs, in favour of the others: the tape and the tree hold numbers as floats, which lose
//! digits (a test of `transform::document` shows it).

use std::borrow::Cow;

use divan::Bencher;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use simd_json::prelude::*;
use xdoflow::pgcopy::ondisk::DiskValue;
use xdoflow::transform::document::{Found, Raw, TextValue, WantedKeys};

use crate::data::{ENTITIES, Entity, entity};

/// A reader is run on the documents of a part; it answers with the values found.
fn bench(bencher: Bencher, name: &str, read: fn(&Entity, &[String]) -> usize) {
    let entity = entity(name);
    for part in &entity.text.parts {
        let found = canonical_scan(entity, &part.documents);
        assert_eq!(read(entity, &part.documents), found, "the readers disagree");
    }
    entity.text.bench(bencher, |part| read(entity, &part.documents));
}

/// The reader of the form on disk, on the same documents: no text to scan, and other bytes.
#[divan::bench(args = ENTITIES)]
fn on_disk(bencher: Bencher, name: &str) {
    let entity = entity(name);
    let read = |documents: &[Vec<u8>]| {
        let mut values = Found::default();
        let mut found = 0;
        for document in documents {
            let document = DiskValue::document(document, entity.order);
            document.find(&entity.wanted, &mut values).expect("an object");
            found += (0..entity.keys.len()).filter(|&slot| values.get(slot).is_some()).count();
        }
        found
    };
    let kept: usize = entity.kept.parts.iter().map(|part| read(&part.documents)).sum();
    let text: usize = entity.text.parts.iter().map(|part| canonical_scan(entity, &part.documents)).sum();
    assert_eq!(kept, text, "the readers disagree");
    entity.kept.bench(bencher, |part| read(&part.documents));
}

#[divan::bench(args = ENTITIES)]
fn scanner(bencher: Bencher, name: &str) {
    bench(bencher, name, canonical_scan);
}

#[divan::bench(args = ENTITIES)]
fn simd_json_tape(bencher: Bencher, name: &str) {
    bench(bencher, name, tape);
}

#[divan::bench(args = ENTITIES)]
fn serde_json_raw_value(bencher: Bencher, name: &str) {
    bench(bencher, name, raw_values);
}

#[divan::bench(args = ENTITIES)]
fn serde_json_value(bencher: Bencher, name: &str) {
    bench(bencher, name, tree);
}

/// What `transform` uses.
fn canonical_scan(entity: &Entity, documents: &[String]) -> usize {
    let mut values = Found::default();
    let mut found = 0;
    for document in documents {
        TextValue::document(document).find(&entity.wanted, &mut values).expect("an object");
        found += (0..entity.keys.len()).filter(|&slot| values.get(slot).is_some()).count();
    }
    found
}

/// simd-json writes into its input, so each document is copied first, into the same buffer; the buffers
/// and the tape are used again.
fn tape(entity: &Entity, documents: &[String]) -> usize {
    let mut input = Vec::new();
    let mut buffers = simd_json::Buffers::default();
    let mut tape = simd_json::Tape::null();
    let mut slots = Vec::new();
    let mut found = 0;
    for document in documents {
        input.clear();
        input.extend_from_slice(document.as_bytes());
        let mut filled = tape.reset();
        simd_json::fill_tape(&mut input, &mut buffers, &mut filled).expect("JSON");
        slots.clear();
        slots.resize(entity.keys.len(), false);
        for (key, value) in filled.as_value().as_object().expect("an object").iter() {
            if let Some(slot) = entity.wanted.slot(key) {
                // A value of the tape cannot outlive this turn: it is looked at and let go.
                divan::black_box(value);
                slots[slot] = true;
            }
        }
        found += slots.iter().filter(|&&found| found).count();
        tape = filled.reset();
    }
    found
}

/// The entries of an object as text, by slot.
struct RawSlots<'e, 'de> {
    wanted: &'e WantedKeys,
    slots: &'e mut [Option<&'de RawValue>],
}

impl<'de> Visitor<'de> for RawSlots<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), raw)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            if let Some(slot) = self.wanted.slot(&key) {
                self.slots[slot] = Some(raw);
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn raw_values(entity: &Entity, documents: &[String]) -> usize {
    let mut slots = Vec::new();
    let mut found = 0;
    for document in documents {
        slots.clear();
        slots.resize(entity.keys.len(), None);
        let mut reader = serde_json::Deserializer::from_str(document);
        reader.deserialize_map(RawSlots { wanted: &entity.wanted, slots: &mut slots }).expect("an object");
        found += slots.iter().flatten().count();
    }
    found
}

fn tree(entity: &Entity, documents: &[String]) -> usize {
    let mut found = 0;
    for document in documents {
        let value: serde_json::Value = serde_json::from_str(document).expect("JSON");
        found += entity.keys.iter().filter(|key| divan::black_box(value.get(key)).is_some()).count();
    }
    found
}
