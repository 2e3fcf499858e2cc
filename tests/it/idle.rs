//! The shipped pipelines on a generated workspace: everything is loaded once, and a second run writes
//! nothing at all.

use std::process::Command;

use crate::support::{Database, assert_adds_up, server, stderr, stdout};

/// An entity, its V1 table, and its targets with their names.
type Entity = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The targets by entity, with their names and the rows of the template's V1.
const ENTITIES: [Entity; 5] = [
    (
        "users",
        "mvpw1_41",
        &[
            ("mvpw5_664", "user"),
            ("mvpw5_665", "user_credentials"),
            ("mvpw5_666", "user_subscriptions"),
            ("mvpw5_667", "user_settings"),
            ("mvpw5_668", "user_roles"),
        ],
    ),
    (
        "agents",
        "mvpw1_36",
        &[
            ("mvpw5_670", "agent"),
            ("mvpw5_671", "agent_cap_data"),
            ("mvpw5_672", "agent_commission"),
            ("mvpw5_673", "agent_performance"),
            ("mvpw5_674", "agent_hierarchy"),
        ],
    ),
    ("transactions", "mvpw1_34", &[("mvpw5_675", "transaction")]),
    ("participants", "mvpw1_39", &[("mvpw5_696", "participant")]),
    ("network", "mvpw1_48", &[("mvpw5_698", "network_member")]),
];

fn tables() -> impl Iterator<Item = &'static str> {
    ENTITIES.iter().flat_map(|(_, _, targets)| targets.iter().map(|(table, _)| *table))
}

/// Where every row of every target stands, and who wrote it.
fn rows(database: &Database) -> Vec<String> {
    let each: Vec<String> = tables()
        .map(|table| {
            format!(
                "SELECT '{table}', count(*), md5(string_agg(xmin::text || ctid::text || t::text, ';' ORDER BY ctid))
                 FROM {table} t"
            )
        })
        .collect();
    database.lines(&each.join(" UNION ALL "))
}

/// Rows ever written, by table.
fn written(database: &Database) -> Vec<String> {
    database.wait_for_end();
    database.lines(
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname LIKE 'mvpw5%' ORDER BY 1",
    )
}

/// What the server's log of changes says of the targets' files between two places.
fn wal(database: &Database, from: &str, to: &str) -> Vec<String> {
    let files: Vec<String> = tables()
        .flat_map(|table| {
            database.lines(&format!(
                "SELECT 'rel ' || d.dattablespace || '/' || d.oid || '/' || pg_relation_filenode(c.oid)
                 FROM pg_database d, pg_class c
                 WHERE d.datname = current_database()
                   AND (c.oid = '{table}'::regclass OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = '{table}'::regclass))"
            ))
        })
        .collect();
    assert_eq!(files.len(), 26, "13 tables and their primary keys");
    let program = server().bin_dir().join("pg_waldump");
    let text = if program.is_file() {
        let output = Command::new(program)
            .arg("-p")
            .arg(server().data_dir().join("pg_wal"))
            .args(["-s", from, "-e", to])
            .output()
            .expect("pg_waldump runs");
        assert!(stdout(&output).lines().count() > 3, "{}", stderr(&output));
        stdout(&output)
    } else if server().major_version() >= 16 {
        database.sql("CREATE EXTENSION IF NOT EXISTS pg_walinspect");
        let records = format!("SELECT block_ref || ' ' FROM pg_get_wal_records_info('{from}', '{to}')");
        database.lines(&records).join("\n")
    } else {
        // Nothing here reads the log of this version; what the rows and the statistics say has to do.
        return Vec::new();
    };
    let hit = |line: &&str| files.iter().any(|file| line.contains(&format!("{file} ")));
    text.lines().filter(hit).map(str::to_owned).collect()
}

#[test]
fn a_first_run_loads_all_thirteen_tables_and_a_second_writes_nothing() {
    let database = Database::workspace();
    for table in tables() {
        // A vacuum that comes by itself would write, too.
        database.sql(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)"));
    }
    // Keeps the log of changes from being recycled by a checkpoint of another test.
    database.sql("SELECT pg_create_physical_replication_slot('idle', true)");
    let place = || database.value("SELECT pg_current_wal_insert_lsn()");
    let first = database.json(&["run"]);
    assert_adds_up(&first);
    for (entity, (name, v1, targets)) in first["entities"].as_array().expect("entities").iter().zip(ENTITIES)
    {
        assert_eq!(entity["entity"], name);
        let rows: u64 = database.value(&format!("SELECT count(*) FROM {v1}")).parse().expect("a count");
        assert_eq!(entity["rows_read"], rows);
        for (target, (table, label)) in entity["targets"].as_array().expect("targets").iter().zip(targets) {
            assert_eq!((&target["table"], &target["name"]), (&(*table).into(), &(*label).into()));
            for (count, expected) in [
                ("inserted", rows),
                ("updated", 0),
                ("deleted", 0),
                ("unchanged", 0),
                ("quarantined", 0),
                ("filtered", 0),
            ] {
                assert_eq!(target[count], expected, "{table} {count}");
            }
            assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")), rows.to_string());
        }
    }
    // The measure is good for something: it sees one row.
    let from = place();
    database.sql("INSERT INTO mvpw5_667 (user_id) VALUES (0); DELETE FROM mvpw5_667 WHERE user_id = 0");
    let seen = wal(&database, &from, &place());
    assert!(seen.len() > 2 || server().major_version() < 15, "{seen:?}");

    for arguments in [
        ["run"].as_slice(),
        &["run", "--prune"],
        &["run", "--mode", "insert"],
        &["run", "--changed"],
        &["run", "--changed", "--prune"],
    ] {
        let (rows_before, written_before) = (rows(&database), written(&database));
        let from = place();
        let second = database.json(arguments);
        let to = place();
        for entity in second["entities"].as_array().expect("entities") {
            for target in entity["targets"].as_array().expect("targets") {
                assert_eq!(target["unchanged"], target["rows"], "{target}");
                for count in ["inserted", "updated", "deleted", "quarantined", "filtered", "surplus", "stale"]
                {
                    assert_eq!(target[count], 0, "{count} of {target}");
                }
            }
        }
        assert_eq!(rows(&database), rows_before, "{arguments:?}");
        assert_eq!(written(&database), written_before, "{arguments:?}");
        assert_eq!(wal(&database, &from, &to), [] as [&str; 0], "{arguments:?}");
    }
    database.sql("SELECT pg_drop_replication_slot('idle')");
    let text = stdout(&database.xdoflow(&["run"]));
    assert!(text.contains("nothing changed: V2 was already equal"), "{text}");
}

#[test]
fn each_entity_runs_alone_by_its_name_and_touches_no_other_table() {
    let database = Database::workspace();
    let mut filled: Vec<&str> = Vec::new();
    for (entity, _, targets) in ENTITIES {
        let summary = database.json(&["run", entity]);
        assert_eq!(summary["entities"].as_array().expect("entities").len(), 1);
        assert_eq!(summary["entities"][0]["entity"], entity);
        filled.extend(targets.iter().map(|(table, _)| table));
        for table in tables() {
            let any = database.value(&format!("SELECT EXISTS (SELECT FROM {table})"));
            assert_eq!(any == "t", filled.contains(&table), "{table} after {entity}");
        }
    }
}

#[test]
fn entities_are_told_in_the_order_of_the_command_line_and_each_once() {
    let database = Database::workspace();
    let summary = database.json(&["run", "network", "users", "network"]);
    let names: Vec<&str> = summary["entities"]
        .as_array()
        .expect("entities")
        .iter()
        .filter_map(|e| e["entity"].as_str())
        .collect();
    assert_eq!(names, ["network", "users"]);
    assert_eq!(database.value("SELECT entities FROM xdoflow.runs"), "{network,users}");
}

#[test]
fn an_unknown_entity_is_wrong_usage_with_a_suggestion() {
    let database = Database::empty();
    for command in ["run", "status", "check"] {
        let output = database.xdoflow(&[command, "users", "agent"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let text = stderr(&output);
        assert!(text.contains("there is no pipeline for \"agent\""), "{text}");
        assert!(text.contains("did you mean agents?"), "{text}");
        assert!(text.contains("users, agents, transactions, participants, network"), "{text}");
    }
    let text = stderr(&database.xdoflow(&["run", "zebras"]));
    assert!(!text.contains("did you mean"), "{text}");
}
