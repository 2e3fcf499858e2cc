//! The digest of a pipeline: the same as long as the same document gives the same rows.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::model::{ColumnSpec, DriftPolicy, PipelineSpec, Position};
use crate::error::{Error, Result};
use crate::schema::ColumnSchema;

/// Raised when a value is cast in another way than the version before did, whatever the version's number is.
const SEMANTICS: u32 = 1;

/// The digest of a pipeline, of the contents of its lookup files, of the columns of its targets, and of the
/// program's version. Where in the file something stands, its tests, its comments and what drift does do not
/// count.
///
/// # Errors
/// A lookup file that cannot be read.
pub fn digest<'s>(
    spec: &PipelineSpec,
    targets: impl IntoIterator<Item = &'s [ColumnSchema]>,
) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{} {SEMANTICS}\n", env!("CARGO_PKG_VERSION")));
    let mut bare = spec.clone();
    bare.file.clear();
    bare.drift = DriftPolicy::default();
    bare.tests.clear();
    let targets_of_spec = bare.targets.iter_mut().chain(bare.derived.iter_mut().map(|d| &mut d.target));
    for column in targets_of_spec.flat_map(|target| &mut target.columns) {
        column.position = Position::default();
        hash_lookup(column, &mut hash)?;
    }
    // The derived form names each field, so nothing of a spec can be forgotten here.
    hash.update(format!("{bare:?}\n"));
    for columns in targets {
        for column in columns {
            hash.update(format!("{column:?}\n"));
        }
        hash.update("\n");
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The content of a file counts, not where it lies.
fn hash_lookup(column: &mut ColumnSpec, hash: &mut Sha256) -> Result<()> {
    let Some(path) = column.rules.lookup.as_mut() else { return Ok(()) };
    let content = fs::read(&*path).map_err(|error| {
        Error::usage(format!("cannot read the lookup file {}: {error}", path.display()))
            .hint("a lookup is found from the folder of its pipeline file")
    })?;
    hash.update(Sha256::digest(content));
    *path = PathBuf::new();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const PIPELINE: &str = "entity = \"people\"\nsource = \"v1\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                            [target.person.columns]\nid = \"$id\"\nstate = { type = \"text\", lookup = \"states.csv\" }\n";

    fn folder(name: &str, lookup: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xdoflow-digest-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("states.csv"), lookup).expect("a file");
        folder
    }

    fn file(folder: &Path) -> String {
        folder.join("people.toml").display().to_string()
    }

    fn digest_of(text: &str, folder: &Path) -> String {
        let spec = PipelineSpec::parse(&file(folder), text).expect("a good file");
        digest(&spec, []).expect("a digest")
    }

    #[test]
    fn what_decides_about_rows_counts_and_what_does_not_does_not() {
        let (here, there) =
            (folder("a", "key,value\nCO,Colorado\n"), folder("b", "key,value\nCO,Colorado\n"));
        let other = folder("c", "key,value\nCO,Columbia\n");
        let plain = digest_of(PIPELINE, &here);
        assert_eq!(plain.len(), 64);
        let commented = format!("# About people\n\n{PIPELINE}");
        assert_eq!(digest_of(&commented, &there), plain);
        assert_ne!(digest_of(PIPELINE, &other), plain);
        let changed = PIPELINE.replace("type = \"text\"", "type = \"text\", trim = true");
        assert_ne!(digest_of(&changed, &here), plain);
        let spec = PipelineSpec::parse(&file(&here), PIPELINE).expect("a good file");
        let column = ColumnSchema {
            name: "id".to_owned(),
            type_name: "bigint".to_owned(),
            column_type: None,
            not_null: true,
            filled_by_server: false,
            read_only: false,
        };
        let with = digest(&spec, [[column.clone()].as_slice()]).expect("a digest");
        let loose = ColumnSchema { not_null: false, ..column };
        assert_ne!(with, digest(&spec, [[loose].as_slice()]).expect("a digest"));
        fs::remove_file(here.join("states.csv")).expect("removed");
        assert_eq!(digest(&spec, []).expect_err("no file").exit_code(), 2);
        for folder in [here, there, other] {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
