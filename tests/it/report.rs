//! Reports on runs: what the ledger has kept is what is told, as JSON, as Markdown and as a page, which a real browser
//! opens without a word in its console.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Database, Pipelines, Temp, program, stderr, stdout};

/// How long a browser may take.
const PATIENCE: Duration = Duration::from_secs(60);

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = '"</script><b>"'
key = "id"
[target.person.columns]
id = "$id"
age = "bigint"
"#;

/// Rows of which one is no object, and one has an age that is markup; the table's name is, too.
fn people() -> (Database, Pipelines) {
    let documents = [
        (1, r#"{"age": "<img src=x onerror=alert(1)>"}"#),
        (2, r#"{"age": "2"}"#),
        (3, r#"{"age": ""}"#),
        (4, "[4]"),
    ];
    let table = r#"CREATE TABLE "</script><b>" (id bigint PRIMARY KEY, age bigint);"#;
    (Database::with(&documents, table), Pipelines::new(&[("people.toml", PIPELINE)]))
}

fn run(database: &Database, pipelines: &Pipelines, more: &[&str]) -> Option<i32> {
    let all = [&["run", "--pipelines", pipelines.path(), "--progress", "none"], more].concat();
    database.xdoflow(&all).status.code()
}

#[test]
fn a_run_is_reported_with_what_it_did_what_it_was_asked_and_where_its_time_went() {
    let (database, pipelines) = people();
    assert_eq!(run(&database, &pipelines, &["--max-rejects", "5", "--jobs", "1"]), Some(0));
    let report = database.json(&["report"]);
    assert_eq!((&report["run_id"], &report["state"]), (&json!(1), &json!("done")));
    let target = &report["details"][0]["targets"][0];
    assert_eq!((&target["inserted"], &target["quarantined"]), (&json!(3), &json!(1)));
    let settings = &report["settings"];
    assert_eq!(
        (&settings["max_rejects"], &settings["jobs"], &settings["changed"], &settings["read"]),
        (&json!(5), &json!(1), &json!(false), &json!("auto"))
    );

    let measured = &report["measured"];
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number: {value}"));
    assert!(
        number(&measured["peak_rss_bytes"]) > 1 << 20 && number(&measured["wal_bytes"]) > 0,
        "{measured}"
    );
    let entity = &measured["entities"][0];
    assert_eq!(
        (&entity["entity"], &entity["rows_read"], &entity["lanes"], &entity["read_path"]),
        (&json!("people"), &json!(4), &json!(1), &json!("text"))
    );
    assert!(number(&entity["bytes_read"]) > 40 && number(&entity["bytes_loaded"]) > 40, "{entity}");
    let (began, published, ended) =
        (number(&entity["began_ms"]), number(&entity["publish_began_ms"]), number(&entity["ended_ms"]));
    assert!(began <= published && published <= ended && ended <= number(&measured["elapsed_ms"]), "{entity}");
    assert!(number(&entity["lane_ms"]) <= ended - began, "one lane works no longer than the copy: {entity}");
    assert_eq!(
        (&entity["targets"][0]["table"], &entity["targets"][0]["direct"]),
        (&json!("</script><b>"), &json!(true))
    );
    let timeline = measured["timeline"].as_array().expect("a timeline");
    let last = timeline.last().expect("a last point");
    assert_eq!((&last["rows_read"], &last["rows_loaded"]), (&json!(4), &json!(4)));
    assert!(timeline.len() < 125, "{}", timeline.len());

    let guard = |name: &str| {
        let all = report["guards"].as_array().expect("guards");
        all.iter().find(|guard| guard["name"] == name).cloned()
    };
    assert_eq!(
        guard("rejects of an entity"),
        Some(
            json!({ "name": "rejects of an entity", "limit": "at most 5", "found": "at most 2", "outcome": "held" })
        )
    );
    assert_eq!(guard("rows of a target that V1 no longer has"), None, "nothing is deleted without --prune");
    let samples: Vec<(&Value, &Value, &Value)> = report["samples"]
        .as_array()
        .expect("samples")
        .iter()
        .map(|sample| (&sample["source_id"], &sample["column"], &sample["raw"]))
        .collect();
    assert_eq!(
        samples,
        [
            (&json!(1), &json!("age"), &json!("\"<img src=x onerror=alert(1)>\"")),
            (&json!(4), &json!(null), &json!("[4]")),
        ]
    );
    let without = database.json(&["report", "--no-values"]);
    assert!(!without.to_string().contains("onerror"), "{without}");

    // Beside the run before.
    assert_eq!(run(&database, &pipelines, &["--max-rejects", "5"]), Some(0));
    assert_eq!(run(&database, &pipelines, &["--dry-run"]), Some(0));
    let second = database.json(&["report", "2"]);
    let earlier: Vec<&Value> =
        second["earlier"].as_array().expect("runs").iter().map(|run| &run["run_id"]).collect();
    assert_eq!(earlier, [&json!(1)]);
    assert_eq!((&second["earlier"][0]["written"], &second["earlier"][0]["rejects"]), (&json!(3), &json!(2)));
    assert_eq!(database.json(&["report"])["earlier"], json!([]), "a dry run is compared with dry runs");

    let unknown = database.xdoflow(&["report", "77"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).starts_with("error: there is no run 77\n"), "{}", stderr(&unknown));
    let both = database.xdoflow(&["report", "--md", "--json"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

#[test]
fn a_run_that_failed_tells_its_message_and_what_was_measured_until_then() {
    let (database, pipelines) = people();
    assert_eq!(run(&database, &pipelines, &["--max-rejects", "0"]), Some(1));
    let report = database.json(&["report"]);
    assert_eq!((&report["state"], &report["details"]), (&json!("failed"), &json!([])));
    let entity = &report["measured"]["entities"][0];
    assert_eq!((&entity["entity"], &entity["publish_began_ms"]), (&json!("people"), &json!(null)));
    assert!(report["guards"].as_array().expect("guards").iter().all(|guard| guard["outcome"] == "unreached"));
    let text = stdout(&database.xdoflow(&["report", "--md"]));
    let first = text.lines().next().expect("a line");
    assert!(
        first.starts_with("Run 1 failed after ")
            && first.contains(": more than 0 rejects; no target was changed."),
        "{first}"
    );
    let none = Database::empty().xdoflow(&["report"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).starts_with("error: there is no run to report on\n"), "{}", stderr(&none));
}

#[test]
fn a_verify_stands_in_the_report_until_the_entity_is_run_again() {
    let (database, pipelines) = people();
    let verify = || database.xdoflow(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(verify().status.code(), Some(1), "V2 is empty, and there is no ledger to note that in");
    assert_eq!(database.value("SELECT to_regclass('xdoflow.verifications') IS NULL"), "t");
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    assert_eq!(database.json(&["report"])["verification"], json!(null));
    assert_eq!(verify().status.code(), Some(0));
    let found = database.json(&["report"])["verification"].clone();
    assert_eq!(
        (&found["equal"], &found["sample"], &found["difference_count"], &found["entities"]),
        (&json!(true), &json!(null), &json!(0), &json!(["people"]))
    );
    assert_eq!(found["targets"][0]["table"], "</script><b>");
    assert!(found["rows_checked"].as_u64().is_some_and(|rows| rows >= 3), "{found}");
    database.sql(r#"UPDATE "</script><b>" SET age = 7 WHERE id = 2"#);
    assert_eq!(verify().status.code(), Some(1));
    let found = database.json(&["report"])["verification"].clone();
    assert_eq!((&found["equal"], &found["difference_count"]), (&json!(false), &json!(1)));

    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    assert_eq!(database.json(&["report"])["verification"], json!(null), "another run has written since");
    assert_eq!(database.json(&["report", "1"])["verification"]["difference_count"], 1);
    // A role that may not write there may verify all the same.
    let (url, role) = database.role("reads");
    database.sql(&format!(r#"GRANT SELECT ON source, "</script><b>" TO {role}"#));
    let output = program()
        .args(["verify", "--pipelines", pipelines.path(), "--progress", "none", "--source", &url])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.verifications"), "2");
}

#[test]
fn what_an_older_version_or_a_killed_run_has_not_kept_is_left_out() {
    let (database, pipelines) = people();
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    // Killed before it wrote the whole: what was published tells of itself.
    database.sql("UPDATE xdoflow.runs SET measured = NULL");
    let report = database.json(&["report"]);
    assert_eq!(report["measured"]["entities"][0]["rows_read"], 4);
    assert_eq!(report["measured"]["wal_bytes"], json!(null));
    database.sql(
        "ALTER TABLE xdoflow.runs DROP COLUMN settings, DROP COLUMN measured, DROP COLUMN dry_run;
         ALTER TABLE xdoflow.run_entities DROP COLUMN measured;
         DROP TABLE xdoflow.verifications",
    );
    let report = database.json(&["report"]);
    for name in ["settings", "measured", "bottleneck", "verification"] {
        assert_eq!(report[name], json!(null), "{name}");
    }
    assert_eq!(report["details"][0]["targets"][0]["inserted"], 3);
    for form in ["--md", "--html=-"] {
        assert_eq!(database.xdoflow(&["report", form]).status.code(), Some(0), "{form}");
    }
    // The next run brings its ledger up to date.
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    assert_eq!(database.json(&["report"])["measured"]["entities"][0]["rows_read"], 4);
}

#[test]
fn only_the_target_is_asked() {
    let (database, pipelines) = people();
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    let output = program().args(["report", "--target", &database.url]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("Run 1 done in ") && text.contains("\nRejected values\n"), "{text}");
}

/// A browser that was asked for one page.
struct Browsed {
    /// The page as the browser has it, when all of it is loaded.
    dom: String,
    /// What was logged.
    log: String,
}

/// Opens a page in a browser without a window and without a network.
fn browse(folder: &Temp, file: &Path) -> Browsed {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.iter().find(|name| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|path| path.join(name).is_file())
    });
    let log = folder.path().join("log");
    let mut child = Command::new(found.expect("a browser; .ci/tools installs it"))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-extensions"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).expect("a file"))
        .spawn()
        .expect("the browser starts");
    let mut out = child.stdout.take().expect("a pipe");
    let (told, dom) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = out.read_to_end(&mut bytes);
        let _ = told.send(bytes);
    });
    let dom = dom.recv_timeout(PATIENCE);
    if dom.is_err() {
        child.kill().expect("it is ours");
    }
    let status = child.wait().expect("a process");
    let log = String::from_utf8_lossy(&fs::read(log).expect("the file")).into_owned();
    assert!(status.success(), "{status}: {log}");
    Browsed { dom: String::from_utf8(dom.expect("the page in time")).expect("UTF-8"), log }
}

/// Shows a page in frames of some widths, and tells what a reader of each meets.
fn frames(page: &str, widths: &[u32]) -> String {
    let attribute = page.replace('&', "&amp;").replace('"', "&quot;");
    let frames: String = widths
        .iter()
        .map(|width| format!("<iframe width=\"{width}\" height=\"844\" style=\"border:0\" srcdoc=\"{attribute}\"></iframe>\n"))
        .collect();
    format!(
        r##"<!doctype html><meta charset="utf-8"><body>{frames}<script>
addEventListener("load", () => {{
  const seen = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument, root = page.documentElement;
    const texts = (query) => [...page.querySelectorAll(query)].map((one) => one.textContent);
    return {{
      inner: frame.contentWindow.innerWidth, scroll: root.scrollWidth,
      headings: texts("h1, h2"), values: [...page.querySelectorAll("#targets td data")].map((one) => one.value),
      shown: texts("#targets td data"), codes: texts("#targets td code"), rejected: texts("#rejects td.value"),
      foreign: page.querySelectorAll("script, img, b, link, iframe").length,
      charts: [...page.querySelectorAll("svg")].map((one) => one.getBoundingClientRect().width > 100),
    }};
  }});
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(seen);
}});
</script>"##
    )
}

#[test]
fn the_page_opens_in_a_browser_with_the_figures_of_the_json_and_fits_a_phone() {
    let (database, pipelines) = people();
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    database.sql(r#"UPDATE source SET xdo = '{"age": 30}' WHERE id = 2"#);
    assert_eq!(run(&database, &pipelines, &[]), Some(0));
    let folder = Temp::new("report");
    let file = folder.path().join("report.html");
    let made = database.xdoflow(&["report", "1", "--html", file.to_str().expect("UTF-8")]);
    assert_eq!((made.status.code(), stdout(&made).as_str()), (Some(0), ""), "{}", stderr(&made));
    let report = database.json(&["report", "1"]);
    let page = fs::read_to_string(&file).expect("the page");

    // As it is, under its own policy.
    let itself = browse(&folder, &file);
    assert!(!itself.log.contains("CONSOLE"), "{}", itself.log);
    assert!(itself.dom.contains("<h2 id=\"h-targets\">Targets</h2>"), "{}", itself.dom);

    let wrapper = folder.path().join("frames.html");
    fs::write(&wrapper, frames(&page, &[390, 1280])).expect("a file");
    let framed = browse(&folder, &wrapper);
    assert!(!framed.log.contains("CONSOLE"), "{}", framed.log);
    let (_, rest) = framed.dom.split_once("<pre>").expect("what was seen");
    let (text, _) = rest.split_once("</pre>").expect("its end");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let seen: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let target = &report["details"][0]["targets"][0];
    let counts = ["loaded", "inserted", "updated", "deleted", "unchanged", "quarantined", "filtered"];
    let counts: Vec<String> = counts.iter().map(|name| target[*name].to_string()).collect();
    for (frame, width) in seen.iter().zip([390, 1280]) {
        assert_eq!(frame["inner"], width);
        let scroll = frame["scroll"].as_u64().expect("a width");
        assert!(scroll <= width, "{scroll} of {width}: {frame}");
        assert_eq!(frame["headings"][0], "xdoflow run 1 done");
        assert_eq!((&frame["values"], &frame["shown"]), (&json!(counts), &json!(counts)), "{frame}");
        assert_eq!((&frame["codes"], &frame["foreign"]), (&json!(["</script><b>"]), &json!(0)));
        assert_eq!(frame["rejected"][0], "\"<img src=x onerror=alert(1)>\"");
        let charts = frame["charts"].as_array().expect("charts");
        assert!(!charts.is_empty() && charts.iter().all(|is_wide| *is_wide == json!(true)), "{frame}");
    }
    assert_eq!(seen.len(), 2);
}
