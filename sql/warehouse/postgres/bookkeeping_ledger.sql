-- Every committed load. Rows are never updated or deleted. open: the slice's end was not over when it was extracted. undo: no load, but
-- what took one back; result ->> 'undoes' is that one's load_id, and neither of the two counts any more.
CREATE TABLE IF NOT EXISTS loadstar.slice_ledger (
    step_id      uuid PRIMARY KEY,
    run_id       uuid NOT NULL,
    pipeline     text NOT NULL,
    table_name   text NOT NULL,
    slice        text NOT NULL,
    scope        text NOT NULL,
    slice_from   timestamptz NOT NULL,
    slice_to     timestamptz NOT NULL,
    load_id      bigint NOT NULL,
    state        text NOT NULL CHECK (state IN ('loaded', 'open', 'undo')),
    spec_hash    text NOT NULL,
    result       jsonb NOT NULL,
    content_hash text,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (table_name, load_id)
)
