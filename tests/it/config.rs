//! `xdoflow.toml`: what beats what, what is shown, what is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Database, Pipelines, Temp, program, stderr, stdout};

const PIPELINE: &str = "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                        [target.person.columns]\nid = \"$id\"\n";

/// A folder with a file of the configuration and a pipeline, and the program in it.
fn folder(config: &str) -> Temp {
    let folder = Temp::new("config");
    std::fs::write(folder.path().join("xdoflow.toml"), config).expect("a file");
    std::fs::create_dir(folder.path().join("mine")).expect("a folder");
    std::fs::write(folder.path().join("mine/people.toml"), PIPELINE).expect("a file");
    folder
}

fn within(folder: &Path) -> Command {
    let mut command = program();
    command.current_dir(folder);
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

/// A database of which the source has so many rows.
fn with_rows(rows: usize) -> Database {
    let database = Database::with(&[], "CREATE TABLE person (id bigint PRIMARY KEY)");
    database.sql(&format!("INSERT INTO source SELECT n, '{{}}' FROM generate_series(1, {rows}) n"));
    database
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_profile_which_beats_the_file() {
    let databases: Vec<Database> = (1..=4).map(with_rows).collect();
    let url = |index: usize| databases[index].url.as_str();
    let folder = folder(&format!(
        "source = \"{}\"\npipelines = \"mine\"\n\n[profile.prod]\nsource = \"{}\"\n",
        url(0),
        url(1)
    ));
    let rows = |change: &dyn Fn(&mut Command)| {
        let mut command = within(folder.path());
        command.args(["status", "--json"]);
        change(&mut command);
        json(&command.output().expect("the program runs"))["entity_counts"][0]["v1"].as_u64()
    };
    assert_eq!(rows(&|_| {}), Some(1), "the file");
    assert_eq!(
        rows(&|command| {
            command.args(["--profile", "prod"]);
        }),
        Some(2),
        "the profile"
    );
    assert_eq!(
        rows(&|command| {
            command.env("XDOFLOW_PROFILE", "prod");
        }),
        Some(2)
    );
    let both = |command: &mut Command| {
        command.args(["--profile", "prod"]).env("XDOFLOW_SOURCE", url(2));
    };
    assert_eq!(rows(&both), Some(3), "the environment");
    let all = |command: &mut Command| {
        both(command);
        command.args(["--source", url(3)]);
    };
    assert_eq!(rows(&all), Some(4), "the command line");
    // From elsewhere, and in front of the command: the pipelines still lie beside the file.
    let file = folder.path().join("xdoflow.toml");
    let elsewhere =
        program().arg("--config").arg(&file).args(["status", "--json"]).output().expect("it runs");
    assert_eq!(json(&elsewhere)["entity_counts"][0]["v1"], 1);
    let variable =
        program().env("XDOFLOW_CONFIG", &file).args(["status", "--json"]).output().expect("it runs");
    assert_eq!(json(&variable)["entity_counts"][0]["v1"], 1);
}

#[test]
fn defaults_of_a_profile_hold_for_a_run_and_every_setting_has_a_variable() {
    let database =
        Database::with(&[(1, r#"{"age": "x"}"#)], "CREATE TABLE person (id bigint PRIMARY KEY, age bigint)");
    let folder = folder(&format!(
        "source = \"{}\"\npipelines = \"mine\"\n[profile.strict]\nmax_rejects = 0\n",
        database.url
    ));
    std::fs::write(folder.path().join("mine/people.toml"), format!("{PIPELINE}age = \"bigint\"\n"))
        .expect("a file");
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = within(folder.path());
        command.args(["run", "--progress", "none"]);
        change(&mut command);
        command.output().expect("the program runs").status.code()
    };
    assert_eq!(
        run(&|command| {
            command.args(["--profile", "strict"]);
        }),
        Some(1)
    );
    assert_eq!(
        run(&|command| {
            command.env("XDOFLOW_MAX_REJECTS", "0");
        }),
        Some(1)
    );
    assert_eq!(
        run(&|command| {
            command.args(["--profile", "strict", "--max-rejects", "1"]);
        }),
        Some(0)
    );
    assert_eq!(run(&|_| {}), Some(0));
    assert_eq!(
        run(&|command| {
            command.env("XDOFLOW_JOBS", "0");
        }),
        Some(2)
    );
}

#[test]
fn show_tells_each_value_with_its_place_and_hides_what_is_secret() {
    let folder = folder(
        "jobs = 3\n[profile.prod]\nsource = \"postgresql://reader:hush1@v1.example.com/xano\"\n\
         notify = \"curl https://hooks.example.com/hush2\"\n[profile.test]\nread = \"text\"\n",
    );
    let show = |more: &[&str]| {
        let mut command = within(folder.path());
        command.args(["config", "show", "--profile", "prod"]).args(more);
        command
            .env("XDOFLOW_TARGET", "postgresql://writer:hush3@v2.example.com/xano")
            .env("XDOFLOW_WAIT", "60");
        let output = command.output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output
    };
    let shown = json(&show(&["--json"]));
    assert_eq!((&shown["file"], &shown["profile"]), (&Value::from("xdoflow.toml"), &Value::from("prod")));
    assert_eq!(shown["profiles"], serde_json::json!(["prod", "test"]));
    let setting = |key: &str| {
        let settings = shown["settings"].as_array().expect("settings");
        let setting = settings.iter().find(|setting| setting["key"] == key).expect("a setting");
        ["value", "from", "place"].map(|part| setting[part].as_str().unwrap_or("-").to_owned()).join(" ")
    };
    assert_eq!(setting("source"), "postgresql://reader@v1.example.com:5432/xano profile xdoflow.toml:3");
    assert_eq!(setting("target"), "postgresql://writer@v2.example.com:5432/xano environment XDOFLOW_TARGET");
    assert_eq!(setting("jobs"), "3 file xdoflow.toml:1");
    assert_eq!(setting("wait"), "60 environment XDOFLOW_WAIT");
    assert_eq!(setting("read"), "auto default -");
    assert_eq!(setting("notify"), "curl … profile xdoflow.toml:4");
    let text = stdout(&show(&[]));
    assert!(text.contains("jobs                "), "{text}");
    for secret in ["hush1", "hush2", "hush3"] {
        assert!(!shown.to_string().contains(secret) && !text.contains(secret), "{text}");
    }
    // Who else may read the file is asked, as psql asks it of ~/.pgpass.
    let file = folder.path().join("xdoflow.toml");
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("its mode");
        let told = stderr(&show(&[]));
        assert_eq!(
            told.contains("warning: xdoflow.toml holds a password, and others may read it"),
            warned,
            "{told}"
        );
    }
    // Nor does the help of a command whose defaults come from the file.
    let help = within(folder.path()).args(["run", "--profile", "prod", "--help"]).output().expect("it runs");
    assert!(!stdout(&help).contains("hush"), "{}", stdout(&help));
}

#[test]
fn mistakes_in_the_file_are_told_with_their_lines_and_so_is_a_profile_that_is_not_there() {
    let refused = |config: &str, arguments: &[&str]| {
        let folder = folder(config);
        let output = within(folder.path()).args(arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    let told = refused("[profile.prod]\njbos = 4\njobs = \"many\"\n", &["status"]);
    assert!(told.contains("xdoflow.toml:2:1: unknown setting \"jbos\"\n"), "{told}");
    assert!(told.contains("hint: did you mean \"jobs\"?"), "{told}");
    assert!(told.contains("xdoflow.toml:3:8: jobs: invalid value 'many'"), "{told}");
    let told = refused("[profile.prod]\njobs = 4\n", &["status", "--profile", "prd"]);
    assert!(
        told.contains("xdoflow.toml has no profile \"prd\"\n") && told.contains("hint: did you mean prod?"),
        "{told}"
    );
    let empty = Temp::new("config");
    let output = within(empty.path()).args(["status", "--profile", "prod"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no xdoflow.toml in this folder"), "{}", stderr(&output));
    let output = within(empty.path()).args(["status", "--config", "nowhere.toml"]).output().expect("it runs");
    assert!(stderr(&output).starts_with("error: cannot read nowhere.toml: "), "{}", stderr(&output));
    // What needs no setting works all the same.
    let broken = folder("jbos = 4\n");
    let output = within(broken.path()).args(["completions", "fish"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_fills_or_empties_a_database_takes_no_connection_from_the_file() {
    let database = with_rows(1);
    let folder = folder(&format!("source = \"{}\"\ntarget = \"{}\"\n", database.url, database.url));
    // A private server is started, and is refused its binaries: the database of the file is not asked.
    let mut bench = within(folder.path());
    bench.args(["bench", "users", "--scale", "0.01"]).env("XDOFLOW_PG_BIN", "/nonexistent");
    let output = bench.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("/nonexistent"), "{}", stderr(&output));
    assert_eq!(database.value("SELECT to_regclass('mvpw1_41') IS NULL"), "t");
}

#[test]
fn a_command_is_told_how_the_run_ended_and_its_failure_is_a_warning() {
    let database =
        Database::with(&[(1, r#"{"age": "x"}"#)], "CREATE TABLE person (id bigint PRIMARY KEY, age bigint)");
    let pipelines = Pipelines::new(&[("people.toml", &format!("{PIPELINE}age = \"bigint\"\n"))]);
    let folder = Temp::new("notify");
    let told = folder.path().join("told");
    let run = |notify: &str, more: &[&str]| {
        let mut command = program();
        command.env("XDOFLOW_SOURCE", &database.url).env("TOLD", &told);
        command.args([
            "run",
            "--json",
            "--progress",
            "none",
            "--pipelines",
            pipelines.path(),
            "--notify",
            notify,
        ]);
        command.args(more).output().expect("the program runs")
    };
    let keep =
        "printf '%s %s ' \"$XDOFLOW_OUTCOME\" \"$XDOFLOW_RUN\" > \"$TOLD\"; cat >> \"$TOLD\"; echo heard";
    let split = || {
        let text = std::fs::read_to_string(&told).expect("what was told");
        let mut parts = text.splitn(3, ' ');
        let (outcome, run) =
            (parts.next().expect("an outcome").to_owned(), parts.next().expect("a run").to_owned());
        let result: Value = serde_json::from_str(parts.next().expect("a result")).expect("JSON");
        (outcome, run, result)
    };
    let done = run(keep, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let (outcome, number, result) = split();
    assert_eq!((outcome.as_str(), number.as_str()), ("done", "1"));
    assert_eq!(result, json(&done), "standard output holds the result alone");
    assert!(stderr(&done).contains("heard"), "{}", stderr(&done));

    let failed = run(keep, &["--max-rejects", "0"]);
    assert_eq!(failed.status.code(), Some(1));
    let (outcome, number, result) = split();
    assert_eq!((outcome.as_str(), number.as_str()), ("failed", "2"));
    assert_eq!((&result["outcome"], &result["run_id"]), (&Value::from("failed"), &Value::from(2)));
    let message = result["error"].as_str().expect("an error");
    assert!(stderr(&failed).contains(message), "{} {message}", stderr(&failed));

    let deaf = run("exit 3", &[]);
    assert_eq!(deaf.status.code(), Some(0));
    assert!(
        stderr(&deaf).contains("warning: the command of --notify failed: exit status: 3\n"),
        "{}",
        stderr(&deaf)
    );
}
