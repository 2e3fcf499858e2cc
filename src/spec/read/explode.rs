//! A target with a row for each element of an array: the array, the usual key, and what a key must not be.

use toml::Spanned;
use toml::de::DeString;

use crate::spec::model::{Base, ColumnSpec, ExplodeSpec, KeyPath, Origin, TargetSpec};

use super::access::{Reader, Span, Value};
use super::column::read_path;

/// The path of the array.
pub(super) fn read_path_of_array(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<KeyPath> {
    let text = reader.string(value)?;
    read_path(reader, text, value.span(), Base::Document)
}

/// The merge key where none is written: the id of the parent and the position.
pub(super) fn usual_key(
    reader: &mut Reader<'_>,
    target: &Spanned<DeString<'_>>,
    columns: &[Option<ColumnSpec>],
) -> Option<Vec<usize>> {
    let place = |origin: &Origin| {
        columns.iter().position(|column| column.as_ref().is_some_and(|column| column.origin == *origin))
    };
    let key = (place(&Origin::Id), place(&Origin::Position));
    if let (Some(id), Some(position)) = key {
        return Some(vec![id, position]);
    }
    // A column that could not be read may be the one.
    if columns.iter().all(Option::is_some) {
        let name = target.get_ref();
        reader.missing(
            target.span(),
            format!("target {name:?} has no \"key\", and no columns with \"$id\" and \"$position\""),
            "add both columns, or key = \"…\"".to_owned(),
        );
    }
    None
}

/// Makes a target one that explodes the array at `path`; `whole` says that all its columns could be read.
pub(super) fn complete(
    reader: &mut Reader<'_>,
    place: Span,
    target: &mut TargetSpec,
    path: KeyPath,
    whole: bool,
) {
    let elements = || target.paths().filter(|path| path.base == Base::Element);
    let objects = elements().next().is_some() && elements().all(|path| !path.steps.is_empty());
    let origin = |index: &usize| target.columns.get(*index).map(|column| &column.origin);
    let differs = |index: &usize| match origin(index) {
        Some(Origin::Position) => true,
        Some(Origin::Keys(paths)) => paths.iter().any(|path| path.base == Base::Element),
        Some(Origin::Id | Origin::Const(_)) | None => false,
    };
    if whole && !target.key.is_empty() && !target.key.iter().any(differs) {
        reader.report(
            place,
            "the key is the same for all elements of an array",
            "add the column with \"$position\" to it, or one with a key of the element".to_owned(),
        );
    }
    // The order of a merge key means nothing, and this is the one in which the rows are made.
    if let [first, second] = target.key.as_slice()
        && let (Some(Origin::Position), Some(Origin::Id)) = (origin(first), origin(second))
    {
        target.key.swap(0, 1);
    }
    target.explode = Some(ExplodeSpec { path, objects });
}
