-- Rows that were refused, with where they came from and why. open: somebody has to look; superseded: its slice was loaded again
-- without it; aborted: its slice was not published, kept as evidence; replayed and closed: dealt with. row_time: the row's
-- place in time, where it is known.
CREATE TABLE IF NOT EXISTS loadstar.quarantine (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline    text NOT NULL,
    table_name  text NOT NULL,
    slice       text NOT NULL,
    run_id      uuid NOT NULL,
    step_id     uuid NOT NULL,
    load_id     bigint NOT NULL,
    file_id     bigint,
    file        text,
    line        bigint,
    column_name text,
    rule        text NOT NULL,
    raw_text    text,
    row_time    timestamptz,
    state       text NOT NULL CHECK (state IN ('open', 'superseded', 'aborted', 'replayed', 'closed')),
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_by   text,
    reason      text
)
