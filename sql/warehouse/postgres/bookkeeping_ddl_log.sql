-- Each change that a ddl step made to a pipeline's tables. column_name NULL: the table was created.
CREATE TABLE IF NOT EXISTS loadstar.ddl_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    pipeline    text NOT NULL,
    table_name  text NOT NULL,
    column_name text,
    change      text NOT NULL,
    before      text,
    after       text,
    run_id      uuid NOT NULL,
    step_id     uuid NOT NULL,
    spec_hash   text NOT NULL,
    statement   text
)
