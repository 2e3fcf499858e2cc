//! The differences of one table: all counted, the first of them kept, whatever the order in which they
//! are found.

use std::collections::BTreeMap;

use super::report::{Difference, Kind};
use super::rows::Key;

/// Where a difference stands among those of its table: by key, by kind, by column; rows of one key in
/// the order in which they came.
type Place = (Key, Kind, usize, u64);

/// The differences of one table.
#[derive(Debug)]
pub struct Findings {
    limit: usize,
    count: u64,
    first: BTreeMap<Place, Difference>,
}

impl Findings {
    /// None yet; at most `limit` will be kept.
    pub fn new(limit: usize) -> Self {
        Self { limit, count: 0, first: BTreeMap::new() }
    }

    /// Counts a difference, and keeps it while it is among the first. `column` is the column's place and
    /// name, where it is about one.
    pub fn add(
        &mut self,
        key: &Key,
        kind: Kind,
        column: Option<(usize, &str)>,
        expected: Option<&str>,
        found: Option<&str>,
    ) {
        self.count += 1;
        let place = column.map_or(0, |(place, _)| place);
        let full = self.first.len() >= self.limit;
        let later = self.first.last_key_value().is_none_or(|((last, last_kind, last_place, _), _)| {
            (key, kind, place) >= (last, *last_kind, *last_place)
        });
        if full && later {
            return;
        }
        let difference = Difference {
            kind,
            key: key.to_string(),
            column: column.map(|(_, name)| name.to_owned()),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
        };
        self.first.insert((key.clone(), kind, place, self.count), difference);
        if full {
            self.first.pop_last();
        }
    }

    /// All, counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them, in order.
    pub fn first(&self) -> Vec<Difference> {
        self.first.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: i64) -> Key {
        Key::integer(id)
    }

    #[test]
    fn the_first_by_key_are_kept_and_all_are_counted() {
        let mut findings = Findings::new(3);
        for id in [50, 7, 30, 9, 8] {
            findings.add(&key(id), Kind::Missing, None, None, None);
        }
        findings.add(&key(7), Kind::Cell, Some((4, "b")), Some("1"), None);
        findings.add(&key(7), Kind::Cell, Some((2, "a")), Some("1"), None);
        let seen: Vec<(String, Kind, Option<String>)> =
            findings.first().into_iter().map(|one| (one.key, one.kind, one.column)).collect();
        assert_eq!(findings.count(), 7);
        assert_eq!(
            seen,
            [
                ("7".to_owned(), Kind::Missing, None),
                ("7".to_owned(), Kind::Cell, Some("a".to_owned())),
                ("7".to_owned(), Kind::Cell, Some("b".to_owned())),
            ]
        );
    }

    #[test]
    fn a_limit_of_none_keeps_none() {
        let mut findings = Findings::new(0);
        findings.add(&key(1), Kind::Stale, None, None, None);
        assert_eq!((findings.count(), findings.first().len()), (1, 0));
    }
}
