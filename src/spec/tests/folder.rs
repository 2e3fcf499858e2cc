//! Pipelines from a folder.

use std::fs;
use std::path::PathBuf;

use super::HEAD;
use crate::spec::load_dir;

/// A folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
        let path = std::env::temp_dir().join(format!("xdoflow-spec-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        for (file, text) in files {
            fs::write(path.join(file), text).expect("a file");
        }
        Self(path)
    }

    /// What `load_dir` says, without the folder's own path.
    fn problems(&self) -> String {
        let shown = load_dir(&self.0).expect_err("problems").to_string();
        shown.replace(&self.0.to_string_lossy().into_owned(), "P")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder");
    }
}

#[test]
fn the_files_of_a_folder_are_read_in_the_order_of_their_names() {
    let other = HEAD
        .replace("users", "agents")
        .replace("$id\"", "$id\"\nc = { type = \"text\", lookup = \"l.csv\" }");
    let files: [(&str, &[u8]); 4] =
        [("b.toml", HEAD.as_bytes()), ("a.toml", other.as_bytes()), (".#a.toml", b"?"), ("a.toml~", b"?")];
    let folder = Folder::new("order", &files);
    fs::create_dir(folder.0.join("c.toml")).expect("a folder inside");
    let pipelines = load_dir(&folder.0).expect("two pipelines");
    let entities: Vec<&str> = pipelines.iter().map(|pipeline| pipeline.entity.as_str()).collect();
    assert_eq!(entities, ["agents", "users"]);
    assert_eq!(pipelines[0].file, folder.0.join("a.toml").to_string_lossy());
    assert_eq!(pipelines[0].targets[0].columns[1].rules.lookup, Some(folder.0.join("l.csv")));
}

#[test]
fn the_problems_of_all_files_come_together() {
    let twice = HEAD.replace("\"$id\"", "\"bigit\"");
    let files: [(&str, &[u8]); 4] = [
        ("a.toml", HEAD.as_bytes()),
        ("b.toml", twice.as_bytes()),
        ("c.toml", b"entity = \"users\"\nsource = \"x\""),
        ("d.toml", b"entity = \"\xff\""),
    ];
    let folder = Folder::new("together", &files);
    assert_eq!(
        folder.problems(),
        "P/b.toml:1:10: the entity \"users\" stands in P/a.toml too
hint: give each pipeline an entity of its own
P/b.toml:7:6: unknown type \"bigit\"
hint: did you mean \"bigint\"?
P/c.toml:1:1: the pipeline has no \"target\"
hint: add [target.NAME] with table, key and columns
P/c.toml:1:10: the entity \"users\" stands in P/a.toml too
hint: give each pipeline an entity of its own
P/d.toml: the file is not UTF-8"
    );
}

#[test]
fn a_reference_names_an_entity_of_the_set_whose_key_has_its_type() {
    let columns = "team = { type = \"reference\", references = \"teams\" }
friend = { type = \"reference\", references = \"user\" }
leader = { type = \"integer\", references = \"users\" }
name = { type = \"text\", references = \"users\" }
pair = { type = \"text\", references = \"pairs\" }
";
    let teams = HEAD
        .replace("users", "teams")
        .replace("\"id\"", "\"name\"")
        .replace("id = \"$id\"", "name = \"text\"");
    let pairs = HEAD.replace("users", "pairs").replace("\"id\"", "[\"id\", \"b\"]") + "b = \"text\"\n";
    let users = format!("{HEAD}{columns}");
    let files: [(&str, &[u8]); 3] =
        [("a.toml", users.as_bytes()), ("b.toml", teams.as_bytes()), ("c.toml", pairs.as_bytes())];
    assert_eq!(
        Folder::new("references", &files).problems(),
        "P/a.toml:8:1: \"team\" of the type bigint references \"teams\", whose key has the type text
hint: write \"text\", or leave out references
P/a.toml:9:1: \"friend\" references the unknown entity \"user\"
hint: did you mean \"users\"?
P/a.toml:11:1: \"name\" of the type text references \"users\", whose key has the type bigint
hint: write \"bigint\", or leave out references
P/a.toml:12:1: \"pair\" references \"pairs\", whose key has several columns
hint: leave out references"
    );
}

#[test]
fn an_empty_and_a_missing_folder_are_problems() {
    let folder = Folder::new("empty", &[]);
    assert_eq!(
        folder.problems(),
        "P: the folder holds no pipeline file\nhint: a pipeline file is called NAME.toml"
    );
    let missing = load_dir(&folder.0.join("gone")).expect_err("a problem").to_string();
    assert!(missing.contains("gone: cannot read the folder: "), "{missing}");
    assert!(missing.ends_with("hint: name a folder with pipeline files"), "{missing}");
}
