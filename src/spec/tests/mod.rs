//! The language and every mistake in it, as a user meets them.

mod explode;
mod folder;
mod language;
mod mistakes;
mod places;
mod selftest;

use super::PipelineSpec;

/// A file whose columns begin in line 8, behind the key `id`.
const HEAD: &str = "entity = \"users\"
source = \"mvpw1_41\"
[target.user]
table = \"mvpw5_664\"
key = \"id\"
[target.user.columns]
id = \"$id\"
";

/// The problems of a file as `line:column: message | hint`.
fn problems(text: &str) -> Vec<String> {
    let Err(problems) = PipelineSpec::parse("a/b.toml", text) else { return Vec::new() };
    let shown = problems.iter().map(|problem| {
        let shown = problem.to_string().replace("\nhint: ", " | ");
        shown.strip_prefix("a/b.toml:").expect("the file").to_owned()
    });
    shown.collect()
}

/// The problems of one column or more, from line 8 on.
fn column_problems(columns: &str) -> Vec<String> {
    problems(&format!("{HEAD}{columns}\n"))
}

/// Holds the one problem of one column against its message and hint; its place is where `¦` stands
/// in the text, which is taken out.
#[track_caller]
fn one_problem(marked: &str, expected: &str) {
    let (before, after) = marked.split_once('¦').expect("a mark");
    let place = before.chars().count() + 1;
    assert_eq!(column_problems(&format!("{before}{after}")), [format!("8:{place}: {expected}")], "{marked}");
}
