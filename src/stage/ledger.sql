-- Not IF NOT EXISTS: that asks for CREATE on the database even where the schema is there.
DO $$
BEGIN
    IF to_regnamespace('xdoflow') IS NULL THEN
        CREATE SCHEMA xdoflow;
    END IF;
END
$$;

-- One row for each run; state is running, done, failed, interrupted or died.
CREATE TABLE IF NOT EXISTS xdoflow.runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL DEFAULT 'running',
    mode text NOT NULL,
    prune boolean NOT NULL,
    -- Whether only some rows of V1 were read.
    partial boolean NOT NULL,
    entities text[] NOT NULL,
    source text NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    message text
);
-- Whether everything was done but the commit of the targets: then run_entities and the tables below it tell what
-- would have been done. A ledger of version 0.1.0 lacks it.
ALTER TABLE xdoflow.runs ADD COLUMN IF NOT EXISTS dry_run boolean NOT NULL DEFAULT false;
-- The run that it went on with.
ALTER TABLE xdoflow.runs ADD COLUMN IF NOT EXISTS resumes bigint;
-- What else it was asked for, and what it measured of itself: the shapes RunSettings and Measured.
ALTER TABLE xdoflow.runs ADD COLUMN IF NOT EXISTS settings jsonb;
ALTER TABLE xdoflow.runs ADD COLUMN IF NOT EXISTS measured jsonb;

-- One row for each entity that a run has published, written in the transaction of its data.
CREATE TABLE IF NOT EXISTS xdoflow.run_entities (
    run_id bigint NOT NULL REFERENCES xdoflow.runs ON DELETE CASCADE,
    entity text NOT NULL,
    rows_read bigint NOT NULL,
    rejects bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, entity)
);

-- rows_read = loaded + quarantined + filtered, for each target with a row for each document.
CREATE TABLE IF NOT EXISTS xdoflow.run_targets (
    run_id bigint NOT NULL,
    entity text NOT NULL,
    target_table text NOT NULL,
    name text NOT NULL,
    loaded bigint NOT NULL,
    inserted bigint NOT NULL,
    updated bigint NOT NULL,
    deleted bigint NOT NULL,
    unchanged bigint NOT NULL,
    quarantined bigint NOT NULL,
    filtered bigint NOT NULL,
    surplus bigint NOT NULL,
    stale bigint NOT NULL,
    PRIMARY KEY (run_id, target_table),
    FOREIGN KEY (run_id, entity) REFERENCES xdoflow.run_entities ON DELETE CASCADE
);

-- What a run met in a column besides clean values: coercions and rejects, with up to three ids.
CREATE TABLE IF NOT EXISTS xdoflow.run_columns (
    run_id bigint NOT NULL,
    entity text NOT NULL,
    target_table text NOT NULL,
    target_column text NOT NULL,
    rule text NOT NULL,
    rejected boolean NOT NULL,
    count bigint NOT NULL,
    sample_ids bigint[] NOT NULL,
    PRIMARY KEY (run_id, target_table, target_column, rule),
    FOREIGN KEY (run_id, entity) REFERENCES xdoflow.run_entities ON DELETE CASCADE
);

-- The quarantine: one row for each rejected cell, or for each row that was set aside.
CREATE TABLE IF NOT EXISTS xdoflow.rejects (
    run_id bigint NOT NULL REFERENCES xdoflow.runs ON DELETE CASCADE,
    entity text NOT NULL,
    source_id bigint NOT NULL,
    target_table text NOT NULL,
    target_column text,
    key text,
    raw jsonb,
    reason_code text NOT NULL,
    reason text NOT NULL,
    whole_row boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolved_by bigint
);
CREATE INDEX IF NOT EXISTS rejects_run ON xdoflow.rejects (run_id, entity, source_id);
CREATE INDEX IF NOT EXISTS rejects_open ON xdoflow.rejects (entity, source_id) WHERE resolved_at IS NULL
;

-- Whether only rows that had changed were read; the rejects of the others are those of the runs before.
ALTER TABLE xdoflow.run_entities ADD COLUMN IF NOT EXISTS changed boolean NOT NULL DEFAULT false;
-- What was measured of it until its publish: for runs that never came to write runs.measured.
ALTER TABLE xdoflow.run_entities ADD COLUMN IF NOT EXISTS measured jsonb;

-- One row for each verify whose role may write here.
CREATE TABLE IF NOT EXISTS xdoflow.verifications (
    verification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    verified_at timestamptz NOT NULL DEFAULT now(),
    equal boolean NOT NULL,
    -- The percentage of the rows that was compared; NULL is all.
    sample double precision,
    elapsed_ms bigint NOT NULL,
    entities text[] NOT NULL,
    -- For each target: entity, table, rows_checked, difference_count.
    targets jsonb NOT NULL
);

-- What the fingerprints of an entity are worth; see fingerprint::state. Written in the transaction of its data,
-- deleted by a publish that they do not stand for.
CREATE TABLE IF NOT EXISTS xdoflow.fingerprint_state (
    entity text PRIMARY KEY,
    -- The run that has updated them last.
    run_id bigint NOT NULL,
    system_identifier text NOT NULL,
    timeline integer NOT NULL,
    database_oid oid NOT NULL,
    table_oid oid NOT NULL,
    table_file oid NOT NULL,
    table_columns smallint[] NOT NULL,
    snapshot bigint NOT NULL,
    pipeline text NOT NULL,
    targets text NOT NULL,
    rows bigint NOT NULL,
    leftovers bigint NOT NULL
);

-- The fingerprints of the rows of some pages. They are packed already, so the server need not try.
CREATE TABLE IF NOT EXISTS xdoflow.fingerprint_blocks (
    entity text NOT NULL,
    first_page bigint NOT NULL,
    rows integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (entity, first_page)
);
ALTER TABLE xdoflow.fingerprint_blocks ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- The keys that documents of an entity are known to have, with the kinds of their values as jsonb_typeof calls them:
-- those of the first run that read all of it, and what was accepted since.
CREATE TABLE IF NOT EXISTS xdoflow.known_keys (
    entity text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    -- The run that has met it first.
    run_id bigint NOT NULL,
    PRIMARY KEY (entity, key, kind)
);

-- How what a run has met differs from that; change is new, kind or gone.
CREATE TABLE IF NOT EXISTS xdoflow.drift (
    run_id bigint NOT NULL REFERENCES xdoflow.runs ON DELETE CASCADE,
    entity text NOT NULL,
    change text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    before text[] NOT NULL,
    count bigint NOT NULL,
    first_id bigint,
    accepted_at timestamptz,
    PRIMARY KEY (entity, run_id, change, key, kind)
);

-- Rows that V1 no longer has, or a pipeline now filters out, and that stay in V2 until a run with --prune.
CREATE TABLE IF NOT EXISTS xdoflow.fingerprint_pending (
    entity text NOT NULL,
    source_id bigint NOT NULL,
    PRIMARY KEY (entity, source_id)
);

-- The edges of the derived targets of an entity.
CREATE TABLE IF NOT EXISTS xdoflow.fingerprint_edges (
    entity text NOT NULL,
    derived integer NOT NULL,
    block integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (entity, derived, block)
);
ALTER TABLE xdoflow.fingerprint_edges ALTER COLUMN bytes SET STORAGE EXTERNAL
