//! Arrays of one dimension, as `array_out` writes them: `{1,NULL,"a b"}`.
//!
//! The payload is described where it is written, in `transform::cast::array`.

use crate::schema::Scalar;

/// The text of an array of `element`; `None` where the payload is none.
pub(super) fn text(payload: &[u8], element: Scalar) -> Option<String> {
    let mut rest = payload;
    let dimensions = word(&mut rest)?;
    let _has_nulls = word(&mut rest)?;
    if word(&mut rest)?.cast_unsigned() != element.oid() {
        return None;
    }
    let length = match dimensions {
        0 => 0,
        1 => {
            let length = word(&mut rest)?;
            let _lower_bound = word(&mut rest)?;
            length
        }
        _ => return None,
    };
    let mut text = "{".to_owned();
    for index in 0..length {
        if index > 0 {
            text.push(',');
        }
        match word(&mut rest)? {
            -1 => text.push_str("NULL"),
            bytes => {
                let (payload, behind) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
                rest = behind;
                push_element(&super::output(payload, element)?, &mut text);
            }
        }
    }
    text.push('}');
    rest.is_empty().then_some(text)
}

fn word(rest: &mut &[u8]) -> Option<i32> {
    let (word, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(i32::from_be_bytes(*word))
}

fn push_element(element: &str, text: &mut String) {
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',' | ' ' | '\t'..='\r');
    let plain = !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(special);
    if plain {
        text.push_str(element);
        return;
    }
    text.push('"');
    for c in element.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(oid: u8, elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, u8::from(!elements.is_empty()), 0, 0, 0, 1, 0, 0, 0, oid];
        if !elements.is_empty() {
            bytes.extend([0, 0, 0, elements.len() as u8, 0, 0, 0, 1]);
        }
        for element in elements {
            match element {
                None => bytes.extend([0xFF; 4]),
                Some(element) => {
                    bytes.extend([0, 0, 0, element.len() as u8]);
                    bytes.extend_from_slice(element);
                }
            }
        }
        bytes
    }

    #[test]
    fn an_element_stands_in_quotes_where_it_would_be_read_otherwise() {
        let elements: [Option<&[u8]>; 7] =
            [Some(b"a"), None, Some(b"null"), Some(b""), Some(b"a b"), Some(br#"q"\"#), Some(b"x,y")];
        assert_eq!(
            text(&payload(25, &elements), Scalar::Text).as_deref(),
            Some(r#"{a,NULL,"null","","a b","q\"\\","x,y"}"#)
        );
        assert_eq!(text(&payload(25, &[]), Scalar::Text).as_deref(), Some("{}"));
        assert_eq!(text(&payload(16, &[Some(&[1]), Some(&[0])]), Scalar::Boolean).as_deref(), Some("{t,f}"));
    }

    #[test]
    fn an_array_of_another_type_or_a_cut_one_is_none() {
        let whole = payload(25, &[Some(b"ab")]);
        assert_eq!(text(&whole, Scalar::Uuid), None);
        for end in 0..whole.len() {
            assert_eq!(text(&whole[..end], Scalar::Text), None, "{end}");
        }
    }
}
