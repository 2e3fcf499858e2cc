//! `--ids FILE`: the rows that alone are to be read.

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
