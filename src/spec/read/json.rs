//! A TOML value as JSON text: numbers exactly as written, dates and times as strings.

use toml::de::DeValue;

use super::access::{Reader, Value};

/// The JSON text of `default` or `const`; `None`, and a problem, where JSON has no such value.
pub(super) fn json_text(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let mut json = String::new();
    write_value(reader, value, &mut json).then_some(json)
}

/// Whether the value could be written. The TOML reader lets nothing nest deeper than 80, so the
/// recursion is bounded.
fn write_value(reader: &mut Reader<'_>, value: &Value<'_>, json: &mut String) -> bool {
    match value.get_ref() {
        DeValue::String(_) => match reader.string(value) {
            Some(text) => write_string(text, json),
            None => return false,
        },
        DeValue::Datetime(datetime) => write_string(&datetime.to_string(), json),
        DeValue::Boolean(value) => json.push_str(if *value { "true" } else { "false" }),
        DeValue::Integer(integer) if integer.radix() == 10 => json.push_str(unsigned(integer.as_str())),
        DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => json.push_str(&number.to_string()),
            Err(_) => {
                reader.report(value.span(), "the number is out of range", "write it in decimal".to_owned());
                return false;
            }
        },
        DeValue::Float(float) if float.as_str().contains(['n', 'N']) => {
            reader.report(value.span(), "JSON has no infinity and no NaN", None);
            return false;
        }
        DeValue::Float(float) => json.push_str(unsigned(float.as_str())),
        DeValue::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                if !write_value(reader, item, json) {
                    return false;
                }
            }
            json.push(']');
        }
        DeValue::Table(table) => {
            json.push('{');
            for (index, (key, item)) in table.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_string(key.get_ref(), json);
                json.push(':');
                if !write_value(reader, item, json) {
                    return false;
                }
            }
            json.push('}');
        }
    }
    true
}

fn write_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// TOML allows a plus sign before a number, JSON does not.
fn unsigned(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<String> {
        let value = DeValue::parse(text).expect("TOML");
        json_text(&mut Reader::new("a.toml", text), &value)
    }

    #[test]
    fn numbers_keep_every_digit_that_was_written() {
        for (toml, expected) in [
            ("12", "12"),
            ("+12", "12"),
            ("-1_000", "-1000"),
            ("0xFF", "255"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.50", "1.50"),
            ("+0.30000000000000004", "0.30000000000000004"),
            ("1e-7", "1e-7"),
        ] {
            assert_eq!(json(toml).as_deref(), Some(expected), "{toml}");
        }
        assert_eq!(json("nan"), None);
        assert_eq!(json("-inf"), None);
        assert_eq!(json("0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"), None);
    }

    #[test]
    fn strings_lists_tables_and_dates_become_json() {
        for (toml, expected) in [
            (r#""a\"\n\u00e9""#, "\"a\\\"\\n\u{e9}\""),
            ("true", "true"),
            ("[1, 'a', []]", r#"[1,"a",[]]"#),
            ("{ b = 1.0, a = { c = false } }", r#"{"b":1.0,"a":{"c":false}}"#),
            ("2025-01-15", r#""2025-01-15""#),
            ("2025-01-15T10:00:00Z", r#""2025-01-15T10:00:00Z""#),
        ] {
            assert_eq!(json(toml).as_deref(), Some(expected), "{toml}");
        }
        assert_eq!(json(r#"["\u0000"]"#), None);
    }
}
