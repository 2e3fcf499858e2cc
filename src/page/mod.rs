//! The shell of an HTML page that is complete in itself: one for all commands that write one.
//!
//! A page opens offline, needs no script and asks for nothing: its policy forbids both, so that not even a mistake
//! in escaping could. It is light or dark as its reader is, reads at the width of a phone (a table scrolls in its own
//! box), and prints. Each command adds the style of its own parts.

const STYLE: &str = include_str!("page.css");

/// Styles in the page, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A page: its title as plain text, the style of its own parts, and its body as HTML.
pub fn page(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<title>{}</title>\n\
         <style>\n{STYLE}{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// A text as it stands in HTML, in attributes too.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_nothing_and_its_title_is_text() {
        let page = page("</title><script>alert(1)</script>", "", "<p>x</p>\n");
        assert!(page.starts_with("<!doctype html>\n") && page.ends_with("<p>x</p>\n</body>\n</html>\n"));
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
        for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(escape("a<'b'> & \"c\""), "a&lt;&#39;b&#39;&gt; &amp; &quot;c&quot;");
    }
}
