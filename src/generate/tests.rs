//! The whole generator, from the outside: documents parsed by serde_json, classes counted over rows.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::*;

const TABLES: [&str; 5] = ["users", "agents", "transactions", "participants", "network"];

fn plan<'a>(generator: &'a Generator, entity: &str) -> &'a TablePlan {
    generator.tables().iter().find(|plan| plan.entity == entity).expect("an entity")
}

fn row(generator: &Generator, plan: &TablePlan, index: u64) -> (i64, String) {
    let mut out = Vec::new();
    let id = generator.document(plan, index, &mut out);
    (id, String::from_utf8(out).expect("UTF-8"))
}

/// The documents of up to `rows` rows of a table, spread over it.
fn documents(generator: &Generator, entity: &str, rows: u64) -> Vec<(i64, Value)> {
    let plan = plan(generator, entity);
    let rows = rows.min(plan.rows);
    (0..rows)
        .map(|number| {
            let (id, text) = row(generator, plan, number * plan.rows / rows);
            (id, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
        })
        .collect()
}

#[test]
fn at_scale_1_the_tables_have_the_sizes_of_the_field() {
    let generator = Generator::new(1, 1.0);
    let sizes: Vec<_> = generator.tables().iter().map(|plan| (plan.entity, plan.table, plan.rows)).collect();
    let expected = [
        ("users", "mvpw1_41", 335),
        ("agents", "mvpw1_36", 37_041),
        ("transactions", "mvpw1_34", 55_023),
        ("participants", "mvpw1_39", 702_072),
        ("network", "mvpw1_48", 86_618),
    ];
    assert_eq!(sizes, expected);
    assert_eq!(row(&generator, plan(&generator, "users"), 334).0, 708);
    assert!(row(&generator, plan(&generator, "agents"), 37_040).0 > 48_671);
}

#[test]
fn other_scales_are_in_proportion_with_at_least_a_row_and_scale_0_is_empty() {
    let rows = |scale| Generator::new(1, scale).tables().iter().map(|plan| plan.rows).collect::<Vec<_>>();
    assert_eq!(rows(0.01), [3, 370, 550, 7021, 866]);
    assert_eq!(rows(2.0), [670, 74_082, 110_046, 1_404_144, 173_236]);
    assert_eq!(rows(1e-9), [1; 5]);
    for empty in [0.0, -1.0, f64::NAN] {
        assert_eq!(rows(empty), [0; 5]);
    }
    let tiny = Generator::new(1, 1e-9);
    for plan in tiny.tables() {
        let (_, text) = row(&tiny, plan, 0);
        assert!(serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object()), "{text}");
    }
}

#[test]
fn a_row_depends_on_seed_scale_table_and_index_alone() {
    let (first, second) = (Generator::new(7, 0.01), Generator::new(7, 0.01));
    let other = Generator::new(8, 0.01);
    for entity in TABLES {
        let rows = plan(&first, entity).rows;
        let forward: Vec<_> = (0..rows).map(|index| row(&first, plan(&first, entity), index)).collect();
        let mut backward: Vec<_> =
            (0..rows).rev().map(|index| row(&second, plan(&second, entity), index)).collect();
        backward.reverse();
        assert_eq!(forward, backward, "{entity}");
        let differing =
            (0..rows).filter(|&i| row(&other, plan(&other, entity), i).1 != forward[i as usize].1);
        assert_eq!(differing.count() as u64, rows, "{entity}");
    }
}

#[test]
fn a_document_is_appended_behind_what_the_buffer_holds() {
    let generator = Generator::new(1, 0.01);
    let plan = plan(&generator, "participants");
    let mut out = b"before".to_vec();
    generator.document(plan, 5, &mut out);
    assert_eq!(out, format!("before{}", row(&generator, plan, 5).1).into_bytes());
}

#[test]
fn ids_rise_strictly_and_leave_holes_in_each_table() {
    let generator = Generator::new(1, 0.1);
    for plan in generator.tables() {
        let step = (plan.rows / 4_000).max(1) as usize;
        let ids: Vec<i64> =
            (0..plan.rows).step_by(step).map(|index| row(&generator, plan, index).0).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{}", plan.entity);
        assert!(*ids.last().expect("rows") as u64 > plan.rows * 5 / 4, "{}", plan.entity);
    }
}

#[test]
fn all_449_keys_appear_and_no_others() {
    let generator = Generator::new(1, 0.01);
    let mut keys = 0;
    for table in &CATALOG.v1 {
        let wanted: HashSet<&str> = table.keys.iter().map(|key| key.key.as_str()).collect();
        let documents = documents(&generator, table.entity, 40);
        let met: HashSet<&str> = documents
            .iter()
            .filter_map(|(_, json)| json.as_object())
            .flat_map(|o| o.keys().map(String::as_str))
            .collect();
        assert_eq!(met, wanted, "{}", table.table);
        keys += met.len();
    }
    assert_eq!(keys, 449);
}

#[test]
fn documents_have_the_mean_sizes_of_the_field() {
    let generator = Generator::new(1, 1.0);
    for (entity, low, high) in [("participants", 770, 830), ("agents", 4_300, 4_700)] {
        let plan = plan(&generator, entity);
        let mut out = Vec::new();
        for number in 0..10_000 {
            generator.document(plan, number * plan.rows / 10_000, &mut out);
        }
        assert!((low..high).contains(&(out.len() / 10_000)), "{entity}: {}", out.len() / 10_000);
    }
}

#[test]
fn no_document_holds_a_character_that_jsonb_refuses_and_long_texts_are_there_but_rare() {
    let generator = Generator::new(1, 0.1);
    let plan = plan(&generator, "agents");
    let texts: Vec<String> = (0..3_000).map(|index| row(&generator, plan, index).1).collect();
    assert!(texts.iter().all(|text| !text.contains("\\u") && !text.bytes().any(|byte| byte < b' ')));
    // About 52 texts a row, one in ten dirty, one of 5,000 of these long: about 3 in 3,000 rows.
    let long = texts.iter().filter(|text| text.len() > 10_000).count();
    assert!((1..=12).contains(&long), "{long}");
}

/// What is dirty about a value of a class, by name; `None` for a clean one.
fn dirt_of(class: Class, value: Option<&Value>, key: &str) -> Option<&'static str> {
    let Some(value) = value else { return Some("missing") };
    match (class, value) {
        (Class::ObjBool, Value::Bool(false)) | (Class::Bool, Value::Bool(_)) => None,
        (Class::ObjBool, Value::Bool(true)) => Some("true"),
        (_, Value::Null) => Some("null"),
        (_, Value::String(text)) if text.is_empty() => Some("blank"),
        (Class::Obj, Value::Object(fields)) if !fields.is_empty() => None,
        (Class::Img | Class::Geo, Value::Object(_)) => None,
        (Class::ObjBool, Value::Object(fields)) if !fields.is_empty() => Some("object"),
        (Class::Dec, Value::Object(_)) => Some("object"),
        (_, Value::Object(_)) => Some("empty object"),
        (Class::List, Value::Array(items)) if !items.is_empty() => None,
        (_, Value::Array(_)) => Some("empty list"),
        (_, Value::Number(number)) => number_dirt(class, number, key),
        (_, Value::String(text)) => string_dirt(class, text),
        (_, Value::Bool(_)) => Some("boolean"),
    }
}

fn number_dirt(class: Class, number: &serde_json::Number, key: &str) -> Option<&'static str> {
    let value = number.as_f64().expect("a number");
    match class {
        Class::Int if number.is_f64() => Some("fraction"),
        Class::Int => (value > f64::from(i32::MAX)).then_some("beyond int32"),
        Class::Ref => (value == 0.0).then_some("zero"),
        Class::Dec if value > 1e20 => Some("30 digits"),
        Class::Dec if value == 0.300_000_000_000_000_04 => Some("float"),
        Class::Dec => (value < 0.0 && key != "longitude").then_some("negative"),
        Class::Ts if value == 0.0 => Some("zero"),
        Class::Ts if value < 1e11 => Some("seconds"),
        Class::Ts => (value > 3e13).then_some("far future"),
        Class::Bool if value == 0.0 => Some("0"),
        Class::Bool => Some("1"),
        _ => Some("number"),
    }
}

fn string_dirt(class: Class, text: &str) -> Option<&'static str> {
    let trimmed = text.trim() != text;
    match class {
        Class::Int if trimmed => Some("padded"),
        Class::Int if text.ends_with(".0") => Some("decimal text"),
        Class::Ref if text.len() == 36 => Some("uuid"),
        Class::Dec if text.starts_with('$') => Some("money"),
        Class::Dec if text.ends_with('%') => Some("percent"),
        Class::Bool if text == "True" => Some("True"),
        Class::Bool if text == "1" => Some("text 1"),
        Class::Bool if text == "false" => Some("text false"),
        Class::Ts if text.ends_with('Z') => Some("ISO"),
        Class::Date if text.ends_with('Z') => Some("ISO"),
        Class::Date if text.contains('/') => Some("american"),
        Class::Date if text == "0000-00-00" => Some("zero"),
        Class::Date if text.ends_with("-02-29") && text.as_bytes()[3] % 2 == 1 => Some("no such day"),
        Class::Text if text.len() > 10_000 => Some("10 kB"),
        Class::Text if text.contains('\n') => Some("newline"),
        Class::Text if text.contains('\t') => Some("tab"),
        Class::Text if text.contains('\\') => Some("backslash"),
        Class::Text if text.contains('"') => Some("quote"),
        Class::Text if text.chars().any(|c| c > '\u{FFFF}') => Some("emoji"),
        Class::Text if text.contains('\u{308}') => Some("combining"),
        Class::Text | Class::Email if trimmed => Some("padded"),
        Class::Enum if text == "LEGACY_VALUE" => Some("unknown"),
        Class::Email if text.contains(';') => Some("two"),
        Class::Email if text.starts_with("office") => Some("shared"),
        Class::Email if text.contains("EXAMPLE") => Some("upper"),
        Class::Uuid if text == "null" => Some("text null"),
        Class::Uuid if !text.contains('-') => Some("no dashes"),
        Class::Uuid if text.bytes().any(|byte| byte.is_ascii_uppercase()) => Some("upper"),
        Class::Date | Class::Text | Class::Enum | Class::Email | Class::Uuid | Class::Pw => None,
        _ => Some("text"),
    }
}

/// The bounds of the catalogue (1.5 each side of its 5 % where it gives one number) for the share of dirty rows, in percent, and the kinds of dirty values.
fn bounds(class: Class) -> (f64, f64, usize) {
    match class {
        Class::Int => (2.0, 8.0, 8),
        Class::Ref => (1.0, 3.0, 6),
        Class::Dec => (2.0, 6.0, 9),
        Class::Bool => (10.0, 30.0, 9),
        Class::Ts => (2.0, 5.0, 7),
        Class::Date => (2.0, 6.0, 7),
        Class::Text => (5.0, 15.0, 10),
        Class::Enum => (2.0, 10.0, 4),
        Class::Email => (2.0, 5.0, 5),
        Class::Uuid => (1.0, 3.0, 6),
        Class::Obj => (3.0, 10.0, 5),
        Class::ObjBool => (10.0, 40.0, 6),
        Class::List => (3.0, 10.0, 5),
        Class::Img => (10.0, 50.0, 3),
        Class::Pw => (3.5, 6.5, 2),
        Class::Geo => (3.5, 6.5, 3),
    }
}

#[test]
fn each_key_has_the_share_and_the_kinds_of_dirt_of_its_class() {
    const ROWS: u64 = 4_000;
    // More users than the field has: the shares of 335 rows say little.
    let generator = Generator::new(1, 12.0);
    for table in &CATALOG.v1 {
        let documents = documents(&generator, table.entity, ROWS);
        for key in &table.keys {
            let (low, high, kinds) = bounds(key.dirty_class);
            let mut met: BTreeMap<&str, usize> = BTreeMap::new();
            for (_, json) in &documents {
                if let Some(dirt) = dirt_of(key.dirty_class, json.get(&key.key), &key.key) {
                    *met.entry(dirt).or_default() += 1;
                }
            }
            let place = format!("{} of {}: {met:?}", key.key, table.entity);
            if key.dirty_class == Class::Ref {
                let zeros = met.remove("zero").unwrap_or_default() as f64 * 100.0 / ROWS as f64;
                assert!((20.0..=60.0).contains(&zeros), "{place}");
                // An id that no row has cannot be told by its looks.
                met.insert("dangling", met.values().sum::<usize>() / 5);
            }
            if key.dirty_class == Class::Enum {
                let words = super::words::enum_values(table.entity, &key.key);
                let other_case = documents
                    .iter()
                    .filter_map(|(_, json)| json.get(&key.key)?.as_str())
                    .filter(|word| !word.is_empty() && *word != "LEGACY_VALUE" && !words.contains(word));
                met.insert("other case", other_case.count());
            }
            met.remove("10 kB");
            let share = met.values().sum::<usize>() as f64 * 100.0 / ROWS as f64;
            assert!((low..=high).contains(&share), "{share} % for {place}");
            // A longitude is negative when it is clean.
            let kinds = kinds - usize::from(key.key == "longitude");
            assert_eq!(met.len(), kinds, "{place}");
        }
    }
}

#[test]
fn references_mostly_resolve_and_the_column_is_the_id() {
    let generator = Generator::new(1, 0.05);
    let ids = |entity| -> HashSet<i64> {
        let plan = plan(&generator, entity);
        (0..plan.rows).map(|index| row(&generator, plan, index).0).collect()
    };
    let (users, agents, transactions) = (ids("users"), ids("agents"), ids("transactions"));
    let participants = documents(&generator, "participants", 4_000);
    for (key, known) in [("agent_id", &agents), ("user_id", &users), ("transaction_id", &transactions)] {
        let references: Vec<i64> =
            participants.iter().filter_map(|(_, json)| json[key].as_i64()).filter(|&id| id != 0).collect();
        let dangling = references.iter().filter(|id| !known.contains(id)).count();
        assert!(
            dangling > 0 && dangling * 100 < references.len(),
            "{key}: {dangling} of {}",
            references.len()
        );
    }
    let same = participants.iter().filter(|(id, json)| json["id"].as_i64() == Some(*id)).count();
    assert!((3_680..3_920).contains(&same), "{same}");
}

#[test]
fn a_user_and_the_users_agent_refer_to_each_other_and_share_a_name() {
    let generator = Generator::new(1, 0.1);
    let agents: BTreeMap<i64, Value> = documents(&generator, "agents", u64::MAX).into_iter().collect();
    let mut pairs = 0;
    for (id, user) in documents(&generator, "users", u64::MAX) {
        let Some(agent) = user["agent_id"].as_i64().and_then(|agent| agents.get(&agent)) else { continue };
        let clean = |json: &Value| {
            let name = json["last_name"].as_str()?;
            (!name.is_empty() && name.chars().all(char::is_alphabetic)).then(|| name.to_owned())
        };
        let mutual = agent["user_id"].as_i64() == Some(id);
        if let (true, Some(left), Some(right)) = (mutual, clean(agent), clean(&user)) {
            assert_eq!(left, right);
            pairs += 1;
        }
    }
    assert!(pairs > 5, "{pairs}");
}

/// Whether the server's own cast takes a value of a class, once the empty string is NULL.
fn is_castable(class: Class, value: Option<&Value>) -> bool {
    match (class, value) {
        (_, None) => true,
        (Class::Obj, Some(Value::Null)) => false,
        (_, Some(Value::Null)) => true,
        (_, Some(Value::String(text))) if text.is_empty() => true,
        (Class::Int | Class::Ref | Class::Ts, Some(Value::String(text))) => {
            text.trim().parse::<i64>().is_ok()
        }
        (Class::Int | Class::Ref | Class::Ts, Some(value)) => value.is_i64(),
        (Class::Dec, Some(Value::String(text))) => text.parse::<f64>().is_ok(),
        (Class::Dec, Some(value)) => value.is_number(),
        (Class::Date, Some(Value::String(text))) => {
            matches!(string_dirt(class, text), None | Some("ISO"))
        }
        (Class::Date, Some(_)) => false,
        (Class::ObjBool, Some(value)) => value.is_boolean() || value == "true",
        _ => true,
    }
}

#[test]
fn castable_rows_are_the_fields_but_for_the_dirt_that_casts_refuse() {
    let field = Generator::new(1, 0.2);
    let castable = Generator::with_dirt(1, 0.2, Dirt::Castable);
    for table in &CATALOG.v1 {
        let of = |generator| documents(generator, table.entity, 2_000);
        let mut refused = 0;
        for ((id, dirty), (same_id, clean)) in of(&field).into_iter().zip(of(&castable)) {
            assert_eq!(id, same_id);
            for key in &table.keys {
                let (was, is) = (dirty.get(&key.key), clean.get(&key.key));
                let place = format!("{} of {}: {was:?}, {is:?}", key.key, table.entity);
                assert!(is_castable(key.dirty_class, is), "{place}");
                if was != is {
                    // As often dirty, but another way. A longitude that is dirty by being negative looks clean.
                    let dirt = dirt_of(key.dirty_class, was, &key.key);
                    assert!(dirt.is_some() || key.key == "longitude", "{place}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "{}", table.entity);
    }
}
