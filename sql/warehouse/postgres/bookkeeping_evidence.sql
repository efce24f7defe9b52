-- What slices came to that failed, written after their rollback: one row a slice, of its last failure. aborted: nothing was published
-- since; superseded: by the load closed_by. counts: as in the ledger's result, as far as the attempt came. checks: those that did not
-- pass, with samples. file_ids: of a slice of files.
CREATE TABLE IF NOT EXISTS loadstar.slice_evidence (
    table_name text NOT NULL,
    slice      text NOT NULL,
    scope      text NOT NULL,
    slice_from timestamptz NOT NULL,
    slice_to   timestamptz NOT NULL,
    file_ids   bigint[],
    pipeline   text NOT NULL,
    run_id     uuid NOT NULL,
    step_id    uuid NOT NULL,
    load_id    bigint NOT NULL,
    state      text NOT NULL CHECK (state IN ('aborted', 'superseded')),
    code       text NOT NULL,
    reason     text NOT NULL,
    counts     jsonb NOT NULL,
    checks     jsonb NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_by  bigint,
    PRIMARY KEY (table_name, slice)
)
