//! Where values stand in a document: paths, the ends of an edge, the text that a filter asks for.

use super::{EdgePaths, Filter, Path, Row, Scratch, Start};
use crate::pgcopy::ondisk::Corrupt;
use crate::spec::model::FilterRule;
use crate::transform::closure::Edge;
use crate::transform::document::{Found, Raw, follow};
use crate::transform::value::Value;

/// The first value of some paths that is not absent.
pub(super) fn find_first<'d, R: Raw<'d>>(
    paths: &[Path],
    row: &Row<'_, R>,
    inner: &mut Found<R>,
) -> Result<Option<R>, Corrupt> {
    for path in paths {
        if let Some(raw) = path.find(row, inner)? {
            return Ok(Some(raw));
        }
    }
    Ok(None)
}

impl Path {
    /// The value; `None` where it is missing or null.
    pub(super) fn find<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        inner: &mut Found<R>,
    ) -> Result<Option<R>, Corrupt> {
        let found = match self.start {
            Start::Key(slot) => row.found.get(slot).copied(),
            Start::OfDocument(slot) => row.element.and_then(|element| element.document.get(slot).copied()),
            Start::Element => row.element.map(|element| element.value),
        };
        let Some(mut raw) = found else { return Ok(None) };
        if !self.steps.is_empty() {
            match follow(raw, &self.steps, inner)? {
                Some(found) => raw = found,
                None => return Ok(None),
            }
        }
        Ok((!raw.is_null()).then_some(raw))
    }
}

impl EdgePaths {
    pub(super) fn edge<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        scratch: &mut Scratch<R>,
    ) -> Result<Option<Edge>, Corrupt> {
        let Some(parent) = self.node(&self.parent, row, scratch)? else { return Ok(None) };
        let Some(child) = self.node(&self.child, row, scratch)? else { return Ok(None) };
        Ok(Some(Edge { parent, child, source_id: row.id }))
    }

    fn node<'d, R: Raw<'d>>(
        &self,
        path: &Path,
        row: &Row<'_, R>,
        scratch: &mut Scratch<R>,
    ) -> Result<Option<i64>, Corrupt> {
        let Some(raw) = path.find(row, &mut scratch.inner)? else { return Ok(None) };
        let mut payload = Vec::with_capacity(8);
        if self.reference.encode(&raw.value(&mut scratch.text)?, &mut payload).is_err() {
            return Ok(None);
        }
        // NULL has no payload.
        Ok(payload.try_into().ok().map(i64::from_be_bytes))
    }
}

impl Filter {
    pub(super) fn drops<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        scratch: &mut Scratch<R>,
    ) -> Result<bool, Corrupt> {
        let value = match self.path.find(row, &mut scratch.inner)? {
            Some(raw) => raw.value(&mut scratch.text)?,
            None => Value::Null,
        };
        let text = value.text().unwrap_or_default();
        Ok(match &self.rule {
            FilterRule::Keep(texts) => !texts.iter().any(|one| *one == text),
            FilterRule::Drop(texts) => texts.iter().any(|one| *one == text),
        })
    }
}
