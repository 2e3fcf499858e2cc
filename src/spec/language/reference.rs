//! The reference of the language, as a page in Markdown.

use super::{CLOSURE, COLUMN, DERIVED, FILTER, Field, Kind, PIPELINE, REJECT, SOURCE, TARGET, TEST, Types};

/// A table of the file, and what is to be said of it.
struct Part {
    heading: &'static str,
    text: &'static str,
    fields: &'static [Field],
}

const INTRODUCTION: &str = "\
# The pipeline files: reference

Made by `xdoflow schema --markdown` from the definitions that the reader of the files uses itself; a test keeps it
fresh. `xdoflow schema` prints the same as a JSON Schema, for editors.

A file is TOML. Every mistake in it is told with its line and column, all of them at once.
";

const PARTS: [Part; 10] = [
    Part { heading: "The file", text: "", fields: &PIPELINE },
    Part { heading: "`source`", text: "The name of the table alone, or a table of these.", fields: &SOURCE },
    Part { heading: "`[target.NAME]`", text: "", fields: &TARGET },
    Part { heading: "`explode`", text: EXPLODE, fields: &[] },
    Part {
        heading: "`filter`",
        text: "Such as `filter = { from = \"status\", drop = [\"TEST\"] }`.",
        fields: &FILTER,
    },
    Part {
        heading: "A column",
        text: "A type alone (`password = \"text\"`: the column is its key), `\"$id\"`, or a table of options. A list of \
               one may be written without brackets. The text rules work in the order of this table, from `trim` to \
               `allowed`, before the cast. `default` and `const` are kept as JSON text with every digit as written; \
               TOML's dates and times become strings.",
        fields: &COLUMN,
    },
    Part {
        heading: "`[derived.NAME]`",
        text: "A table that is filled from all documents together: a row for each node and each one below it.",
        fields: &DERIVED,
    },
    Part { heading: "`closure`", text: "", fields: &CLOSURE },
    Part {
        heading: "`[[test]]`",
        text: "A value of a row is written as the server prints it, `column::text` in UTC: `\"450000.50\"`, \
               `\"{1,NULL}\"`, `\"2025-01-15 10:00:00+00\"`; what TOML has a form for may be written in it (`true`, `12`, \
               `1.50`, `2025-01-15`). `COLUMN.null = true` is NULL. No database is asked: each column has the type that \
               the pipeline names, and takes NULL unless it belongs to the key.",
        fields: &TEST,
    },
    Part { heading: "`rejects`", text: "", fields: &REJECT },
];

const EXPLODE: &str = "\
A child table: `explode = \"items\"` makes a row for each element of the array at that path of the document, in their
order. In such a target a key or a path is one of the element.

```toml
[target.order_item]
table = \"order_item\"
explode = \"items\"                                         # key = [\"order_id\", \"position\"]

[target.order_item.columns]
order_id = \"$id\"                                          # the row's id: the parent's
position = \"$position\"                                    # the place of the element, from 1
sku = \"text\"                                              # a key of the element
price = { from = \"price.amount\", type = \"numeric\" }
currency = { from = \"$document.currency\", type = \"text\" }   # a key of the document
whole = { from = \"$element\", type = \"jsonb\" }           # the element itself, of an array of texts or numbers its value
```

Casts, options, `filter` and `on_reject` work on elements as on documents, and each element is a row that is loaded,
quarantined or filtered.

* No rows come of a key that is absent or null, and of `[]`. A blank string, 0 and `false` mean the same, and are counted
  as a coercion.
* Anything else that is no array, a string that holds JSON among it, is a reject of the document: `not_an_array`. The
  rows that it has in the target are left alone.
* An element that is null is an element: its keys are absent. One that is neither an object nor null, where the target
  reads keys of elements and nowhere `$element`, is a reject of its row: `not_an_object`.";

const TYPES: &str = "\
## Types

One of PostgreSQL's: `text`, `varchar(n)`, `smallint`, `integer`, `bigint`, `numeric`, `numeric(p,s)`, `real`,
`double precision`, `boolean`, `date`, `timestamp`, `timestamptz`, `uuid`, `json`, `jsonb`, and `T[]`; or a word for a
`bigint` with a meaning: `epoch_ms` is `{ type = \"bigint\", time = \"epoch_ms\" }`, `reference` is
`{ type = \"bigint\", none = [0] }`.
";

/// The page.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for part in &PARTS {
        page.push_str(&format!("\n## {}\n\n", part.heading));
        if !part.text.is_empty() {
            page.push_str(&format!("{}\n", part.text));
        }
        if !part.text.is_empty() && !part.fields.is_empty() {
            page.push('\n');
        }
        page.push_str(&table(part.fields));
        if std::ptr::eq(part.fields, &COLUMN) {
            page.push_str(&format!("\n{TYPES}"));
        }
    }
    page
}

fn table(fields: &[Field]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    // Only options of columns depend on a type.
    let by_type = fields.iter().any(|field| field.of != Types::All);
    let mut text = String::from(if by_type {
        "| option | for | takes | meaning |\n| --- | --- | --- | --- |\n"
    } else {
        "| key | takes | meaning |\n| --- | --- | --- |\n"
    });
    for field in fields {
        let of = if by_type { format!(" {} |", field.of.label()) } else { String::new() };
        let needed = if field.needed { "; needed" } else { "" };
        text.push_str(&format!(
            "| `{}` |{of} {}{needed} | {} |\n",
            field.name,
            takes(field.kind),
            field.meaning
        ));
    }
    text
}

fn takes(kind: Kind) -> String {
    let text = match kind {
        Kind::Words(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            return match quoted.as_slice() {
                [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
                quoted => quoted.concat(),
            };
        }
        Kind::Entity => "an entity's name",
        Kind::Table => "a table's name",
        Kind::Source => "a table's name, or `{ table, id, document }`",
        Kind::Name | Kind::Text => "a string",
        Kind::Boolean => "`true` or `false`",
        Kind::Integer => "an integer",
        Kind::Integers => "an integer, or a list",
        Kind::Texts => "a string, or a list",
        Kind::Path => "a key or a path",
        Kind::Paths => "a key or a path, or a list",
        Kind::Patterns => "a pattern, or a list",
        Kind::Type => "a type",
        Kind::Json => "a value",
        Kind::Map => "a table of strings",
        Kind::Closure => "`{ parent, child }`",
        Kind::Filter => "`{ from, keep }` or `{ from, drop }`",
        Kind::Columns => "a table of columns",
        Kind::Targets | Kind::Derived => "tables",
        Kind::Tests => "a list of tables",
        Kind::Rows => "a table of rows",
        Kind::Rejects => "a list of `{ target, column, reason }`",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_one_that_is_made() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pipeline-reference.md");
        let page = std::fs::read_to_string(path).expect("docs/pipeline-reference.md");
        assert!(
            page == reference(),
            "docs/pipeline-reference.md is stale: xdoflow schema --markdown > docs/pipeline-reference.md"
        );
    }

    #[test]
    fn every_key_and_every_word_of_the_language_stands_on_the_page() {
        let page = reference();
        for part in &PARTS {
            for field in part.fields {
                assert!(page.contains(&format!("\n| `{}` |", field.name)), "{}", field.name);
            }
        }
        for word in crate::spec::KNOWN_REASONS.iter().chain(crate::spec::KNOWN_FUNCTIONS) {
            assert!(page.contains(&format!("`\"{word}\"`")), "{word}");
        }
    }
}
