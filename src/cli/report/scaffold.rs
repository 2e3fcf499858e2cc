//! `scaffold`: what the draft is, and what comes next.

use std::io::{self, Write};
use std::path::Path;

use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::scaffold::Draft;

/// Writes the notes and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn scaffold(out: &mut dyn Write, draft: &Draft, file: Option<&Path>, style: Style) -> io::Result<()> {
    for note in &draft.notes {
        labelled(out, "", ("note", Tone::Warning), note, style)?;
    }
    let loaded = format!("{} loaded with no reject", format::counted(draft.rows - draft.quarantined, "row"));
    let children = match draft.children.as_slice() {
        [] => String::new(),
        children => format!(", and elements of arrays into {}", children.join(", ")),
    };
    writeln!(
        out,
        "{}: {} into {}{children}, tried: {}",
        draft.entity,
        format::counted(draft.columns as u64, "column"),
        draft.target,
        style.paint(Tone::Good, &loaded)
    )?;
    let folder = file.and_then(Path::parent).map(|folder| folder.to_string_lossy().into_owned());
    let folder = folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| "DIR".to_owned());
    let tables = if draft.children.is_empty() { "its table" } else { "its tables" };
    let hint = format!("--ddl prints {tables}; then xdoflow check --pipelines {folder}, run and verify");
    labelled(out, "", HINT, &hint, style)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, text};
    use super::*;

    #[test]
    fn a_draft_is_told_with_what_was_tried_and_what_comes_next() {
        let draft = Draft {
            entity: "movies".to_owned(),
            target: "public.movies_v2".to_owned(),
            children: Vec::new(),
            pipeline: String::new(),
            ddl: String::new(),
            columns: 17,
            rows: 3_201,
            quarantined: 1,
            notes: vec!["1 of 3201 rows would be quarantined".to_owned()],
        };
        let expected = "\
note: 1 of 3201 rows would be quarantined
movies: 17 columns into public.movies_v2, tried: 3,200 rows loaded with no reject
hint: --ddl prints its table; then xdoflow check --pipelines my, run and verify
";
        assert_eq!(text(|out| scaffold(out, &draft, Some(Path::new("my/movies.toml")), PLAIN)), expected);
        let with_child =
            Draft { children: vec!["public.movies_v2_cast".to_owned()], notes: Vec::new(), ..draft };
        let expected = "\
movies: 17 columns into public.movies_v2, and elements of arrays into public.movies_v2_cast, tried: 3,200 rows loaded \
with no reject
hint: --ddl prints its tables; then xdoflow check --pipelines DIR, run and verify
";
        assert_eq!(text(|out| scaffold(out, &with_child, None, PLAIN)), expected);
    }
}
