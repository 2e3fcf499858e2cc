//! Tables for the elements of arrays: which arrays get one, and what its columns are.
//!
//! An array that is a column of the draft is proposed as a child table too: a row for each element, with the id of
//! its document and its position. Objects give a column for each of their keys, anything else one for the element
//! itself. Whether it loads what was seen is for the proof to say, as of any column.

use super::choose::choose;
use super::names::Names;
use super::plan::{Column, flatten};
use crate::name::TableName;
use crate::profile::{KeyProfile, Profile};

/// Child tables that a draft has at most.
const MOST_CHILDREN: usize = 20;
/// What the server keeps of a name, less a number behind it.
const NAME_BYTES: usize = 59;
/// What the name of an array takes of the name of its table.
const ARRAY_BYTES: usize = 28;

/// A table for the elements of an array.
#[derive(Debug)]
pub struct Child {
    /// Its name in the file.
    pub name: String,
    /// The table.
    pub target: TableName,
    /// The place of the array in the profile.
    pub array: usize,
    /// The columns of the parent's id and of the position: together its key.
    pub key: [String; 2],
    pub columns: Vec<Column>,
    /// Why it is not part of the draft, where a document would be set aside.
    pub refused: Option<String>,
}

impl Child {
    /// The names and types of the table's columns.
    pub fn table(&self) -> Vec<(String, String)> {
        let key = self.key.iter().map(|name| (name.clone(), "bigint".to_owned()));
        let columns = self.columns.iter().map(|one| (one.name.clone(), one.choice.column_type.to_owned()));
        key.chain(columns).collect()
    }
}

/// The child tables of the arrays among the columns of a draft.
pub fn children(
    profile: &Profile,
    columns: &[Column],
    entity: &str,
    target: &TableName,
    values: bool,
) -> Vec<Child> {
    let keys = &profile.keys;
    let (mut names, mut tables) = (Names::default(), Names::default());
    names.give(&[entity.to_owned()]);
    let arrays = columns.iter().filter(|column| keys[column.key].kinds.array > 0);
    let with_element = arrays.filter_map(|column| Some((column, element(keys, column.key)?)));
    let made = with_element.take(MOST_CHILDREN).map(|(column, element)| {
        let mut own = Names::default();
        let key = [own.give(&[format!("{entity}_id")]), own.give(&["position".to_owned()])];
        let mut inner = Vec::new();
        if !flatten(keys, element, 1, &mut inner) {
            inner = vec![element];
        }
        let columns = inner.into_iter().map(|at| {
            let name = match relative(&keys[column.key].path, &keys[at].path) {
                None => own.give(&["value".to_owned()]),
                Some(path) => own.give(&[path.to_owned()]),
            };
            Column { name, key: at, choice: choose(&keys[at], profile.complete, values) }
        });
        Child {
            name: names.give(std::slice::from_ref(&column.name)),
            target: beside(target, &column.name, &mut tables),
            array: column.key,
            key,
            columns: columns.collect(),
            refused: None,
        }
    });
    made.collect()
}

/// The path of a key of an element from the element on; `None` for the element itself.
pub fn relative<'k>(array: &str, path: &'k str) -> Option<&'k str> {
    path.strip_prefix(array)?.strip_prefix("[].")
}

/// The elements of an array in the profile; `None` where none was seen.
fn element(keys: &[KeyProfile], array: usize) -> Option<usize> {
    let path = format!("{}[]", keys[array].path);
    keys.iter().position(|key| key.path == path)
}

/// The name of a table beside the parent's.
pub fn beside(target: &TableName, array: &str, tables: &mut Names) -> TableName {
    let (parent, array) = (target.table(), cut(array, ARRAY_BYTES));
    let name = format!("{}_{array}", cut(parent, NAME_BYTES - 1 - array.len()));
    target.sibling(tables.number(&name))
}

/// The beginning of a text that takes at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_from_its_element_on() {
        assert_eq!(relative("items", "items[].price.amount"), Some("price.amount"));
        assert_eq!(relative("items", r#"items[]."a.b""#), Some(r#""a.b""#));
        assert_eq!(relative("items", "items[]"), None);
    }

    #[test]
    fn names_of_child_tables_fit_and_no_two_are_the_same() {
        let mut tables = Names::default();
        let parent = TableName::new("s", "é".repeat(40));
        let long = "x".repeat(40);
        let first = beside(&parent, &long, &mut tables);
        let second = beside(&parent, &format!("{long}y"), &mut tables);
        assert!(first.table().len() <= 63 && second.table().len() <= 63 && first != second);
        assert_eq!(
            beside(&TableName::new("s", "orders_v2"), "items", &mut tables).to_string(),
            "s.orders_v2_items"
        );
    }
}
