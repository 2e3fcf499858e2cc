//! Several pipeline files at once: those of a folder, and those that are built in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::model::{PipelineSpec, Position};
use super::problem::{Problem, Problems};
use super::read::{FileRead, read_file};
use super::references;

/// Reads every `*.toml` of a folder, in the order of their names.
///
/// # Errors
/// The problems of all files together; that two files name one entity, that a file or the folder
/// cannot be read, and that the folder holds no such file are problems too.
pub fn load_dir(folder: &Path) -> Result<Vec<PipelineSpec>, Problems> {
    let unreadable = |error: io::Error| {
        let hint = "name a folder with pipeline files".to_owned();
        Problems::found(vec![whole(folder, format!("cannot read the folder: {error}"), Some(hint))])
    };
    let paths = toml_files(folder).map_err(unreadable)?;
    if paths.is_empty() {
        let hint = "a pipeline file is called NAME.toml".to_owned();
        return Err(Problems::found(vec![whole(
            folder,
            "the folder holds no pipeline file".to_owned(),
            Some(hint),
        )]));
    }
    let files = paths.iter().map(|path| read_path(path)).collect();
    gather(files)
}

/// Puts the files of one set together: all pipelines, or all problems.
pub(super) fn gather(files: Vec<FileRead>) -> Result<Vec<PipelineSpec>, Problems> {
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut pipelines = Vec::new();
    // With the number of their file, which is their order.
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    let mut numbers = Vec::new();
    for (number, FileRead { file, entity, pipeline }) in files.into_iter().enumerate() {
        if let Some((name, position)) = entity {
            match seen.iter().find(|(known, _)| *known == name) {
                Some((_, first)) => problems.push((number, taken(&file, position, &name, first))),
                None => seen.push((name, file)),
            }
        }
        match pipeline {
            Ok(pipeline) => {
                pipelines.push(pipeline);
                numbers.push(number);
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| (number, problem))),
        }
    }
    let entities: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    for (pipeline, number) in pipelines.iter().zip(numbers) {
        let found = references::check(pipeline, &pipelines, &entities);
        problems.extend(found.into_iter().map(|problem| (number, problem)));
    }
    problems.sort_by_key(|(number, problem)| (*number, problem.position));
    if problems.is_empty() {
        return Ok(pipelines);
    }
    Err(Problems::found(problems.into_iter().map(|(_, problem)| problem).collect()))
}

/// An entity that an earlier file has.
fn taken(file: &str, position: Position, entity: &str, first: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        position: Some(position),
        message: format!("the entity {entity:?} stands in {first} too"),
        hint: Some("give each pipeline an entity of its own".to_owned()),
    }
}

/// The files, sorted by name. Hidden ones are left out: editors put their locks there.
fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_path(path: &Path) -> FileRead {
    let message = match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return read_file(&path.to_string_lossy(), &text),
        Ok(Err(_)) => "the file is not UTF-8".to_owned(),
        Err(error) => format!("cannot read the file: {error}"),
    };
    let problem = whole(path, message, None);
    FileRead { file: problem.file.clone(), entity: None, pipeline: Err(vec![problem]) }
}

/// A problem of a file or folder as a whole.
fn whole(path: &Path, message: String, hint: Option<String>) -> Problem {
    Problem { file: path.to_string_lossy().into_owned(), position: None, message, hint }
}
