-- What each table has seen of each file, a row a load. loaded: the rows of the table are of this version; superseded: of a later
-- load (superseded_by is its load_id); failed: it could not be loaded. arrived_at: when the version was written.
CREATE TABLE IF NOT EXISTS loadstar.file_ledger (
    file_id       bigint NOT NULL,
    pipeline      text NOT NULL,
    source        text NOT NULL,
    table_name    text NOT NULL,
    path          text NOT NULL,
    identity      text NOT NULL,
    etag          text NOT NULL,
    version_id    text,
    size          bigint NOT NULL,
    batch         text,
    batch_at      timestamptz,
    state         text NOT NULL CHECK (state IN ('loaded', 'failed', 'superseded')),
    arrived_at    timestamptz NOT NULL,
    load_id       bigint NOT NULL,
    run_id        uuid NOT NULL,
    rows          bigint,
    rejected      bigint,
    error         text,
    superseded_by bigint,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_name, file_id, load_id)
)
