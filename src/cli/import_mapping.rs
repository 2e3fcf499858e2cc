//! `xdoflow import-mapping`
//!
//! A folder gets all files or none as far as that is possible: every one is written under a temporary
//! name first, and only then are they renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::args::ImportMappingArgs;
use super::context;
use super::report;
use super::style::Style;
use crate::error::{Error, Result};
use crate::import::{Finding, Import, Imported, import};

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    /// Where the files were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a Path>,
    pipelines: &'a [Imported],
    findings: &'a [Finding],
}

pub fn execute(arguments: &ImportMappingArgs) -> Result<ExitCode> {
    let name = arguments.file.to_string_lossy();
    let cannot = |what: String| Error::usage(format!("cannot read {name}: {what}"));
    let bytes = fs::read(&arguments.file).map_err(|error| cannot(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| cannot("the file is not UTF-8".to_owned()))?;
    let imported = import(&name, &text)?;
    if let Some(folder) = &arguments.out
        && !imported.pipelines.is_empty()
    {
        write_files(folder, &imported.pipelines, arguments.force)?;
    }
    if arguments.json {
        let Import { pipelines, findings } = &imported;
        context::print_json(&Printed { folder: arguments.out.as_deref(), pipelines, findings })?;
    } else if arguments.out.is_none() {
        context::print(|out| print_files(out, &imported.pipelines))?;
    }
    // With --json the findings are data; told twice they would only hide other words.
    if !arguments.json {
        // Where standard error is closed there is nobody to tell.
        let _ = report::import(&mut anstream::stderr(), &imported, Style::stderr());
    }
    if imported.pipelines.is_empty() {
        return Err(Error::usage(format!("{name} gives no pipeline"))
            .hint("the findings say what is missing in each domain"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The files one after the other, each below a comment with its name.
fn print_files(out: &mut dyn Write, files: &[Imported]) -> io::Result<()> {
    for (index, file) in files.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write!(out, "# {}\n{}", file.file, file.text)?;
    }
    Ok(())
}

/// Writes the files into a folder, which is made where it is missing.
fn write_files(folder: &Path, files: &[Imported], force: bool) -> Result<()> {
    let cannot =
        |path: &Path, error: io::Error| Error::stop(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    let there: Vec<&str> = files
        .iter()
        .map(|file| file.file.as_str())
        .filter(|file| folder.join(file).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() && !force {
        return Err(Error::usage(format!("{} holds {} already", folder.display(), there.join(", ")))
            .detail("nothing was written")
            .hint("--force replaces them; --out takes another folder"));
    }
    let mut parts = Parts::default();
    for file in files {
        // Hidden, and not called .toml: a folder of pipelines may be read at any moment.
        let part = folder.join(format!(".{}.{}.part", file.file, std::process::id()));
        parts.0.push(part.clone());
        write_part(&part, &file.text).map_err(|error| cannot(&part, error))?;
    }
    for (part, file) in parts.0.iter().zip(files) {
        let path = folder.join(&file.file);
        fs::rename(part, &path).map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}

fn write_part(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Temporary files; those that were not renamed are removed.
#[derive(Default)]
struct Parts(Vec<PathBuf>);

impl Drop for Parts {
    fn drop(&mut self) {
        for part in &self.0 {
            // Gone already where it was renamed.
            let _ = fs::remove_file(part);
        }
    }
}
