//! `inspect --html`: a page that is complete in itself, with everything that is known of each key.
//!
//! The bars are the shares of the kinds; a key that is missing in some objects has a shorter one.

use super::{distinct, extent, heading, kinds, notes, odd_documents, share, visible};
use crate::page::{escape, page};
use crate::profile::{KeyProfile, Profile};

const STYLE: &str = include_str!("inspect.css");

/// The page.
pub fn inspect_html(profile: &Profile) -> String {
    let title = format!("xdoflow inspect {}", profile.table);
    let odd: String = odd_documents(profile)
        .iter()
        .map(|line| format!("<p class=\"odd\">{}</p>\n", escape(line)))
        .collect();
    let kinds: String = ["string", "number", "boolean", "object", "array", "null"]
        .iter()
        .map(|kind| format!("<li><i class=\"{kind}\"></i>{kind}</li>\n"))
        .collect();
    let rows: String = profile.keys.iter().map(row).collect();
    let body = format!(
        "<h1>{}</h1>\n<p>{}</p>\n{odd}<ul class=\"legend\">\n{kinds}</ul>\n\
         <div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        escape(&title),
        escape(&heading(profile)),
        HEADINGS.map(|heading| format!("<th scope=\"col\">{heading}</th>")).concat()
    );
    page(&title, STYLE, &body)
}

const HEADINGS: [&str; 7] = ["Key", "In", "Kinds", "Distinct", "Range", "Notes", "Such as"];

fn row(key: &KeyProfile) -> String {
    let class = match key.worst {
        worst if worst >= 0.3 => " class=\"bad\"",
        worst if worst >= 0.1 => " class=\"fair\"",
        _ => "",
    };
    let examples: String =
        key.examples.iter().map(|one| format!("<code>{}</code> ", escape(&visible(&one.value)))).collect();
    format!(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}{}</td><td>{}</td><td>{}</td><td{class}>{}</td>\
         <td>{examples}</td></tr>\n",
        escape(&visible(&key.path)),
        share(key.present, key.of),
        bar(key),
        kinds(key),
        distinct(key),
        escape(&visible(&extent(key))),
        escape(&visible(&notes(key)))
    )
}

/// The shares of the kinds in the objects that could have the key.
fn bar(key: &KeyProfile) -> String {
    let of = key.of.max(key.kinds.sum()).max(1) as f64;
    let parts = key.kinds.named().into_iter().map(|(kind, count)| {
        format!("<i class=\"{kind}\" style=\"width:{:.2}%\"></i>", count as f64 * 100.0 / of)
    });
    format!("<span class=\"bar\">{}</span>", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    #[test]
    fn a_page_is_complete_and_nothing_in_a_document_is_markup() {
        let mut profile = profile();
        profile.keys[0].path = "<script>alert(1)</script>".to_owned();
        profile.keys[0].examples[0].value = "\"><img src=x onerror=alert(2)>".to_owned();
        let page = inspect_html(&profile);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("http:"), "{page}");
        assert_eq!(page.matches("<tr><th scope=\"row\">").count(), 2);
        assert!(page.contains("style=\"width:50.00%\""), "half of the objects have location.lat");
    }
}
