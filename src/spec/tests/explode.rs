//! `explode`: what a target reads of elements and of documents, its key, and every mistake with it.

use super::*;
use crate::spec::model::{Base, KeyPath, Origin, TargetSpec};

const CHILD: &str = "entity = \"orders\"
source = \"v1\"
[target.line]
table = \"line\"
explode = \"cart.lines\"
[target.line.columns]
order_id = \"$id\"
position = \"$position\"
";

/// The target of a file that ends with these lines.
fn target(lines: &str) -> TargetSpec {
    let pipeline = PipelineSpec::parse("a/b.toml", &format!("{CHILD}{lines}\n"));
    pipeline.unwrap_or_else(|problems| panic!("{problems}")).targets.remove(0)
}

fn path(base: Base, steps: &[&str]) -> KeyPath {
    KeyPath { base, steps: steps.iter().map(|step| (*step).to_owned()).collect() }
}

#[test]
fn a_path_is_of_the_element_and_says_where_it_is_not() {
    let of =
        |from: &str| target(&format!("c = {{ from = {from}, type = \"text\" }}")).columns.remove(2).origin;
    assert_eq!(of("\"a.b\""), Origin::Keys(vec![path(Base::Element, &["a", "b"])]));
    assert_eq!(of("\"$element\""), Origin::Keys(vec![path(Base::Element, &[])]));
    assert_eq!(of("'$document.\"a.b\".c'"), Origin::Keys(vec![path(Base::Document, &["a.b", "c"])]));
    assert_eq!(
        of("[\"a\", \"$document.a\", \"$element\"]"),
        Origin::Keys(vec![
            path(Base::Element, &["a"]),
            path(Base::Document, &["a"]),
            path(Base::Element, &[])
        ])
    );
    let explode = target("c = \"text\"").explode.expect("an array");
    assert_eq!((explode.path, explode.objects), (path(Base::Document, &["cart", "lines"]), true));
}

#[test]
fn elements_must_be_objects_only_where_nothing_but_their_keys_is_read() {
    let objects = |lines: &str| target(lines).explode.expect("an array").objects;
    assert!(objects("c = \"text\""));
    assert!(!objects(""));
    assert!(!objects("c = { from = \"$document.c\", type = \"text\" }"));
    assert!(!objects("c = \"text\"\nd = { from = [\"d\", \"$element\"], type = \"text\" }"));
    let filtered = CHILD.replace("explode", "filter = { from = \"kind\", keep = \"x\" }\nexplode");
    let pipeline = PipelineSpec::parse("a/b.toml", &filtered).expect("a pipeline");
    assert!(pipeline.targets[0].explode.as_ref().expect("an array").objects);
}

#[test]
fn the_usual_key_is_the_id_and_the_position_whatever_their_order() {
    assert_eq!(target("").key, [0, 1]);
    let with = |key: &str| {
        let text = CHILD.replace("explode", &format!("key = {key}\nexplode"));
        PipelineSpec::parse("a/b.toml", &format!("{text}sku = \"text\"\n")).expect("a pipeline").targets[0]
            .key
            .clone()
    };
    assert_eq!(with("[\"position\", \"order_id\"]"), [0, 1]);
    assert_eq!(with("[\"order_id\", \"sku\"]"), [0, 2]);
    assert_eq!(with("\"sku\""), [2]);
}

#[test]
fn a_key_that_tells_no_element_from_another_is_refused() {
    let of = |key: &str| {
        let text = CHILD.replace("explode", &format!("key = {key}\nexplode"));
        problems(&format!("{text}c = {{ from = \"$document.c\", type = \"text\" }}\n"))
    };
    let expected = [
        "6:1: the key is the same for all elements of an array | add the column with \"$position\" to it, or one with a key of the element",
    ];
    assert_eq!(of("\"order_id\""), expected);
    assert_eq!(of("[\"order_id\", \"c\"]"), expected);
    assert_eq!(of("[\"c\", \"position\"]"), [""; 0]);
    assert_eq!(
        problems(&CHILD.replace("position = \"$position\"\n", "")),
        [
            "3:9: target \"line\" has no \"key\", and no columns with \"$id\" and \"$position\" | add both columns, or key = \"…\""
        ]
    );
}

#[test]
fn the_words_of_an_element_mean_nothing_elsewhere() {
    let hint = "it is known in a target with explode";
    for word in ["$position", "$element", "$document.a"] {
        one_problem(
            &format!("c = {{ from = ¦\"{word}\", type = \"text\" }}"),
            &format!("unknown name {word:?} | {hint}"),
        );
    }
    one_problem("c = { from = ¦\"$idd\", type = \"text\" }", "unknown name \"$idd\" | did you mean \"$id\"?");
    let of = |lines: &str| problems(&format!("{CHILD}{lines}\n"));
    assert_eq!(
        of("c = { from = \"$parent.c\", type = \"text\" }"),
        ["9:14: unknown name \"$parent.c\" | write $id, $position, $element or $document.KEY"]
    );
    assert_eq!(
        of("c = { from = [\"$position\", \"c\"], type = \"text\" }"),
        ["9:15: \"$position\" stands in a list | it is never absent: write it alone"]
    );
    assert_eq!(
        of("c = \"$element\""),
        ["9:5: column \"c\" has no type | write { from = \"$element\", type = \"…\" }"]
    );
    assert_eq!(of("c = { from = \"$element\" }"), ["9:1: column \"c\" has no type | add type = \"…\""]);
    assert_eq!(
        problems(&CHILD.replace("\"cart.lines\"", "\"$document.lines\"")),
        ["5:11: unknown name \"$document.lines\" | it is known in a target with explode"]
    );
}

#[test]
fn a_test_lists_the_rows_of_an_array_and_reads_keys_of_the_document() {
    let of = |test: &str| {
        problems(&format!(
            "{CHILD}c = {{ from = \"$document.d\", type = \"text\" }}\n[[test]]\nname = \"n\"\n{test}\n"
        ))
    };
    assert_eq!(of("document = '{\"cart\": {}, \"d\": 1}'\nrows.line = []\nquarantined = \"line\""), [""; 0]);
    assert_eq!(
        of("document = '{}'\nrows.line = { c = \"x\" }"),
        ["13:13: expected a list of rows: the target has one for each element, found a table"]
    );
    assert_eq!(
        of("document = '{\"lines\": []}'"),
        ["12:12: the document has the key \"lines\", which no target reads | leave it out, or map it"]
    );
}
