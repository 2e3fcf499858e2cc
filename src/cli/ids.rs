//! `--ids LIST` and `--ids-file FILE`: the rows that alone are to be read.

use std::path::Path;

use crate::error::{Error, Result};
use crate::spec::PipelineSpec;

/// Reads a file of ids, for each pipeline in turn: a line is an id, where there is one pipeline, or an
/// entity, a comma and an id. Blank lines mean nothing; ids may stand in any order, and twice.
///
/// # Errors
/// Where the file cannot be read, or a line is none of these.
pub fn read(file: &Path, specs: &[PipelineSpec]) -> Result<Vec<Vec<i64>>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::usage(format!("cannot read {}: {error}", file.display())))?;
    let mut ids = vec![Vec::new(); specs.len()];
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (place, id) = parse(line, specs).map_err(|message| {
            Error::usage(format!("{}, line {}: {message}", file.display(), number + 1))
                .hint("a line is an id, or an entity of this run, a comma and an id: agents,4711")
        })?;
        if let Some(of_entity) = ids.get_mut(place) {
            of_entity.push(id);
        }
    }
    for of_entity in &mut ids {
        of_entity.sort_unstable();
        of_entity.dedup();
    }
    Ok(ids)
}

/// Reads an id, or the first and the last of a range: `17`, `20-99`, `-9--3`.
///
/// # Errors
/// Where it is neither, or the range ends before it begins.
pub fn range(text: &str) -> Result<(i64, i64), String> {
    let number = |text: &str| text.trim().parse::<i64>();
    if let Ok(id) = number(text) {
        return Ok((id, id));
    }
    // A sign may stand before each number; the first hyphen behind a digit is that of the range.
    let digit = text.find(|letter: char| letter.is_ascii_digit()).unwrap_or(0);
    let hyphen = text[digit..].find('-').map(|place| digit + place);
    let ends = hyphen.map(|place| (number(&text[..place]), number(&text[place + 1..])));
    match ends {
        Some((Ok(first), Ok(last))) if first <= last => Ok((first, last)),
        Some((Ok(first), Ok(last))) => Err(format!("the range from {first} to {last} holds no id")),
        _ => Err("an id is a whole number, and a range is two of them: 20-99".to_owned()),
    }
}

fn parse(line: &str, specs: &[PipelineSpec]) -> Result<(usize, i64), String> {
    let (place, id) = match line.split_once(',') {
        Some((entity, id)) => {
            let entity = entity.trim();
            let place = specs.iter().position(|spec| spec.entity == entity);
            (place.ok_or_else(|| format!("this run has no entity {entity:?}"))?, id)
        }
        None if specs.len() == 1 => (0, line),
        None => return Err("there are several entities, and the line names none".to_owned()),
    };
    let id = id.trim();
    Ok((place, id.parse().map_err(|_| format!("{id:?} is not an id"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_id_or_two_of_either_sign() {
        assert_eq!(range("17"), Ok((17, 17)));
        assert_eq!(range(" 20-99 "), Ok((20, 99)));
        assert_eq!(range("-9--3"), Ok((-9, -3)));
        assert_eq!(range("-9-3"), Ok((-9, 3)));
        assert!(range("99-20").unwrap_err().contains("holds no id"));
        for wrong in ["", "-", "a", "1-", "-1-", "1-b", "9223372036854775808", "1.5", "é-1"] {
            assert!(range(wrong).unwrap_err().contains("a range is two"), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_an_id_or_an_entity_and_an_id() {
        let all = crate::spec::shipped().expect("pipelines");
        let one = &all[1..2];
        assert_eq!(parse(" 4711 ", one), Ok((0, 4711)));
        assert_eq!(parse("agents, -3", one), Ok((0, -3)));
        assert_eq!(parse("agents,7", &all), Ok((1, 7)));
        assert!(parse("7", &all).unwrap_err().contains("several entities"));
        assert!(parse("zebras,7", &all).unwrap_err().contains("zebras"));
        assert!(parse("agents,x", &all).unwrap_err().contains("not an id"));
    }
}
