//! What must hold for any bytes: the functions that the fuzzer calls without end, and that the tests call
//! with some thousand inputs.

use serde_json::value::RawValue;
use xdoflow::pgcopy::numeric::Decimal;
use xdoflow::pgcopy::ondisk::{ByteOrder, DiskValue};
use xdoflow::pgcopy::{Batch, Framer, Malformed, decode};
use xdoflow::schema::{ColumnType, Scalar};
use xdoflow::transform::document::{Found, Memo, NoKeys, Raw, TextValue, WantedKeys, follow};

/// The keys that are wanted of every document; among them the empty one, and two of one length.
const KEYS: [&str; 5] = ["", "a", "b", "id", "long key"];

/// The scanner finds what `serde_json` finds, wherever that takes the text for an object.
pub fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let wanted = WantedKeys::new(KEYS);
    let mut found = Found::default();
    let scanned = TextValue::document(text).find(&wanted, &mut found).is_ok();
    let mut scratch = String::new();
    let mut inner = Found::default();
    for key in KEYS {
        let slot = wanted.slot(key).expect("a wanted key");
        if let Some(raw) = found.get(slot) {
            let _ = raw.value(&mut scratch).expect("text is never corrupt");
            let _ = follow(*raw, &[WantedKeys::new(["a"])], &mut inner);
        }
    }
    let Ok(Object(entries)) = serde_json::from_str(text) else { return };
    assert!(scanned, "{text}");
    for key in KEYS {
        let slot = wanted.slot(key).expect("a wanted key");
        // The last of several counts.
        let expected = entries.iter().rev().find(|(name, _)| name == key).map(|(_, raw)| raw.get());
        assert_eq!(found.get(slot).map(|raw| raw.as_str()), expected, "{key:?} in {text}");
    }
}

/// The entries of an object in their order, repeated ones too.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Object<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> serde::de::Visitor<'de> for Entries {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Object)
    }
}

/// Bytes that are a document on disk read as the text that is printed of them: the same keys with the same
/// values. Others are refused, in whichever byte order.
pub fn ondisk(bytes: &[u8]) {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let document = DiskValue::document(bytes, order);
        let wanted = WantedKeys::new(KEYS);
        let mut kept = Found::default();
        let looked = document.find(&wanted, &mut kept);
        // What is kept of the first document is used for the second, which is the same.
        let mut memo = Memo::default();
        for _ in 0..2 {
            let mut again = Found::default();
            assert_eq!(document.find_alike(&wanted, &mut memo, &mut again), looked);
            let differs = |slot: &usize| looked.is_ok() && kept.get(*slot) != again.get(*slot);
            assert_eq!((0..wanted.len()).find(differs), None);
        }
        let mut printed = String::new();
        if document.print(&mut printed).is_err() {
            // A value that nobody wants may be corrupt; one that is asked for says so.
            for raw in (0..wanted.len()).filter_map(|slot| kept.get(slot)) {
                let _ = (raw.value(&mut String::new()), raw.json(&mut String::new()));
            }
            continue;
        }
        let _: &RawValue =
            serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        if looked == Err(NoKeys::Corrupt) {
            // Keys out of order can be printed, but not looked for.
            continue;
        }
        let mut shown = Found::default();
        assert_eq!(TextValue::document(&printed).find(&wanted, &mut shown), looked, "{printed}");
        for slot in 0..wanted.len() {
            let (kept, shown) = (kept.get(slot), shown.get(slot));
            assert_eq!(kept.is_some(), shown.is_some(), "{slot} of {printed}");
            let (Some(kept), Some(shown)) = (kept, shown) else { continue };
            let mut scratch = [const { String::new() }; 2];
            let [one, other] = &mut scratch;
            assert_eq!(kept.value(one), shown.value(other), "{printed}");
            assert_eq!(kept.json(one), shown.json(other), "{printed}");
            assert_eq!(kept.is_null(), shown.is_null(), "{printed}");
        }
    }
}

/// The COPY decoder gives the same tuples however a stream is cut, or refuses it in the same way.
pub fn copy(bytes: &[u8]) {
    let whole = decoded(bytes, bytes.len().max(1));
    for size in [1, 7] {
        assert_eq!(decoded(bytes, size), whole);
    }
}

type Fields = Vec<Vec<Option<Vec<u8>>>>;

fn decoded(bytes: &[u8], size: usize) -> Result<Fields, Malformed> {
    let mut framer = Framer::new(2);
    let mut batches = Vec::new();
    for chunk in bytes.chunks(size) {
        framer.push(chunk)?;
        batches.extend(framer.take());
    }
    batches.extend(framer.finish()?);
    let fields =
        |tuple: xdoflow::pgcopy::frame::Tuple<'_>| tuple.map(|field| field.map(<[u8]>::to_vec)).collect();
    Ok(batches.iter().flat_map(Batch::tuples).map(fields).collect())
}

/// A numeric that was encoded is printed and encoded again as the same bytes.
pub fn numeric(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(decimal) = Decimal::parse(text) else { return };
    let _ = (decimal.is_zero(), decimal.truncated(), decimal.fits());
    let mut payload = Vec::new();
    if decimal.encode(None, &mut payload).is_err() {
        assert!(payload.is_empty(), "{text}");
        return;
    }
    let shown = decode::text_of(&payload, ColumnType::scalar(Scalar::Numeric(None))).expect("a numeric");
    let mut again = Vec::new();
    let lost = Decimal::parse(&shown).expect("a number").encode(None, &mut again);
    assert_eq!((lost.is_ok(), &again), (true, &payload), "{text} as {shown}");
}
