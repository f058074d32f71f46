-- Tables of version 1. Times are milliseconds since 1970 (UTC); documents are JSON.

CREATE TABLE experiments (
    row       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL UNIQUE,
    deleted   INTEGER NOT NULL DEFAULT 0,
    tags      TEXT NOT NULL,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL
);

CREATE TABLE runs (
    row            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    experiment     INTEGER NOT NULL REFERENCES experiments (row),
    name           TEXT NOT NULL,
    status         TEXT NOT NULL,
    -- 0 in use, 1 deleted, 2 deleted with its experiment
    deleted        INTEGER NOT NULL DEFAULT 0,
    parent         TEXT,
    source_kind    TEXT,
    source_name    TEXT,
    source_version TEXT,
    user           TEXT,
    start          INTEGER NOT NULL,
    "end"          INTEGER,
    -- what it was created from, to tell a repeat from a clash
    origin         TEXT NOT NULL
);
CREATE INDEX runs_by_start ON runs (experiment, deleted, start DESC, id);

CREATE TABLE params (
    run   INTEGER NOT NULL REFERENCES runs (row),
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE TABLE tags (
    run   INTEGER NOT NULL REFERENCES runs (row),
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE TABLE metric_keys (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);

-- The latest point of each metric; a value of NULL is NaN.
CREATE TABLE metric_latest (
    run   INTEGER NOT NULL REFERENCES runs (row),
    key   INTEGER NOT NULL REFERENCES metric_keys (row),
    step  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

-- The history, in chunks; see metrics.rs for the layout of `points`.
CREATE TABLE metric_chunks (
    run    INTEGER NOT NULL REFERENCES runs (row),
    key    INTEGER NOT NULL REFERENCES metric_keys (row),
    number INTEGER NOT NULL,
    points BLOB NOT NULL,
    UNIQUE (run, key, number)
);

CREATE TABLE inputs (
    row     INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs (row),
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    role    TEXT NOT NULL,
    body    TEXT NOT NULL,
    UNIQUE (run, name, version, role)
);

CREATE TABLE outputs (
    row    INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL REFERENCES runs (row),
    model  TEXT NOT NULL,
    step   INTEGER NOT NULL,
    body   TEXT NOT NULL,
    UNIQUE (run, model, step)
);

-- Batches that have been applied.
CREATE TABLE applied (
    run INTEGER NOT NULL REFERENCES runs (row),
    key TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE TABLE models (
    row         INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    tags        TEXT NOT NULL,
    created     INTEGER NOT NULL
);

CREATE TABLE versions (
    model   INTEGER NOT NULL REFERENCES models (row),
    number  INTEGER NOT NULL,
    key     TEXT NOT NULL,
    stage   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (model, number),
    UNIQUE (model, key)
);

CREATE TABLE aliases (
    model  INTEGER NOT NULL,
    alias  TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, number) REFERENCES versions (model, number)
) WITHOUT ROWID;

CREATE TABLE audit (
    model    INTEGER NOT NULL REFERENCES models (row),
    sequence INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (model, sequence)
) WITHOUT ROWID;

CREATE TABLE manifests (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE data_versions (
    row     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL REFERENCES manifests (id),
    dataset TEXT NOT NULL,
    body    TEXT NOT NULL,
    UNIQUE (dataset, id)
);
CREATE INDEX data_versions_by_id ON data_versions (id);

CREATE TABLE streams (
    row     INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    epoch   INTEGER NOT NULL DEFAULT 0,
    owner   TEXT,
    expires INTEGER
);

CREATE TABLE entries (
    stream   INTEGER NOT NULL REFERENCES streams (row),
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    entry    TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID;
