//! A report for tests: of a table whose name is markup, with a value that is, too.

use crate::history::{ColumnRecord, EntityRecord, Rows, RunDetails, RunRecord, TargetRecord};
use crate::measured::{EntityMeasured, Measured, Sample, TargetMeasured, bottleneck};
use crate::rejects::{RejectSum, RejectedValue};
use crate::report::{EarlierRun, Guard, Outcome, Report, Verification, VerifiedTarget};
use crate::summary::{ReadPath, RunSettings};

const TABLE: &str = "<b>mvpw5_664";

pub(super) fn report() -> Report {
    let measured = Measured {
        elapsed_ms: 11_500,
        jobs: 2,
        cores: 2,
        peak_rss_bytes: Some(31_000_000),
        wal_bytes: Some(5_000_000),
        timeline: (0..20).map(sample).collect(),
        entities: vec![EntityMeasured {
            entity: "users".to_owned(),
            read_path: Some(ReadPath::Text),
            publish_began_ms: Some(10_000),
            ended_ms: 11_000,
            lanes: 2,
            lane_ms: 20_000,
            read_ms: 2_000,
            transform_ms: 1_500,
            rows_read: 37_376,
            bytes_read: 1_000_000,
            bytes_loaded: 2_000_000,
            targets: vec![TargetMeasured {
                table: TABLE.to_owned(),
                load_ms: 18_200,
                publish_ms: 800,
                ..TargetMeasured::default()
            }],
            ..EntityMeasured::default()
        }],
    };
    Report {
        run: run(),
        rows_per_s: Some(2_049),
        settings: Some(RunSettings { jobs: 2, max_rejects: Some(20), ..RunSettings::default() }),
        bottleneck: bottleneck(&measured),
        measured: Some(measured),
        guards: vec![Guard {
            name: "rejects of an entity",
            limit: Some("at most 20".to_owned()),
            found: Some("at most 14".to_owned()),
            outcome: Outcome::Held,
        }],
        rejected: vec![RejectSum {
            entity: "users".to_owned(),
            table: TABLE.to_owned(),
            column: Some("age".to_owned()),
            reason_code: "not_a_number".to_owned(),
            count: 14,
            sample_ids: vec![4711],
        }],
        samples: vec![RejectedValue {
            run_id: 17,
            entity: "users".to_owned(),
            source_id: 4711,
            table: TABLE.to_owned(),
            column: Some("age".to_owned()),
            key: Some("age".to_owned()),
            raw: Some("\"<img src=x onerror=alert(1)>\"".to_owned()),
            reason: "not a number".to_owned(),
            resolved: false,
        }],
        drift: Vec::new(),
        verification: Some(Verification {
            verified_at: "2025-01-15T10:01:00Z".to_owned(),
            equal: true,
            sample: None,
            elapsed_ms: 900,
            entities: vec!["users".to_owned()],
            rows_checked: 335,
            difference_count: 0,
            targets: vec![VerifiedTarget {
                entity: "users".to_owned(),
                table: TABLE.to_owned(),
                rows_checked: 335,
                difference_count: 0,
            }],
        }),
        earlier: vec![EarlierRun {
            run_id: 16,
            started_at: "2025-01-14T10:00:00Z".to_owned(),
            elapsed_ms: 20_000,
            rows_read: 37_000,
            rows_per_s: Some(1_850),
            written: 3,
            rejects: 14,
        }],
    }
}

fn sample(number: u64) -> Sample {
    Sample {
        at_ms: number * 600,
        rows_read: number * 2_000,
        rows_loaded: number * 1_900,
        bytes_read: number * 50_000,
        bytes_loaded: number * 100_000,
    }
}

fn run() -> RunDetails {
    let rows = Rows { inserted: 3, updated: 12, unchanged: 320, quarantined: 2, ..Rows::default() };
    let met = |rule: &str, rejected, count| ColumnRecord {
        table: TABLE.to_owned(),
        column: "a_column_with_quite_a_long_name_as_they_are".to_owned(),
        rule: rule.to_owned(),
        rejected,
        count,
        sample_ids: vec![4711, 4712, 4713],
    };
    RunDetails {
        run: RunRecord {
            run_id: 17,
            state: "done".to_owned(),
            mode: "merge".to_owned(),
            prune: true,
            partial: false,
            dry_run: false,
            resumes: None,
            entities: vec!["users".to_owned()],
            published: vec!["users".to_owned()],
            source: "postgresql://reader@v1/xano".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: "2025-01-15T10:00:00Z".to_owned(),
            finished_at: Some("2025-01-15T10:00:18Z".to_owned()),
            elapsed_ms: 18_240,
            message: None,
            rows_read: 37_376,
            rejects: 14,
            rows,
        },
        resolved: 0,
        details: vec![EntityRecord {
            entity: "users".to_owned(),
            rows_read: 37_376,
            rejects: 14,
            changed: false,
            published_at: "2025-01-15T10:00:17Z".to_owned(),
            targets: vec![TargetRecord {
                table: TABLE.to_owned(),
                name: "</script>".to_owned(),
                loaded: 335,
                rows,
                surplus: 0,
                stale: 0,
            }],
            columns: vec![met("blank_to_null", false, 1_200), met("not_a_number", true, 14)],
        }],
    }
}
