-- The newest registration of every slice: who may publish it, and in which session that one works.
CREATE TABLE IF NOT EXISTS loadstar.slice_fence (
    table_name    text NOT NULL,
    slice         text NOT NULL,
    scope         text NOT NULL CHECK (scope IN ('table', 'time', 'key', 'files')),
    slice_from    timestamptz NOT NULL,
    slice_to      timestamptz NOT NULL,
    load_id       bigint NOT NULL,
    step_id       uuid NOT NULL,
    backend_pid   int,
    backend_start timestamptz,
    PRIMARY KEY (table_name, slice)
)
