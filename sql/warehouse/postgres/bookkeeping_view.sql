-- Declared views as they were applied last. state: what the view was then, and what it was made of (view_state.sql).
CREATE TABLE IF NOT EXISTS loadstar.view (
    view_name      text PRIMARY KEY,
    pipeline       text NOT NULL,
    statement_hash text NOT NULL,
    state          text NOT NULL,
    run_id         uuid NOT NULL,
    applied_at     timestamptz NOT NULL DEFAULT clock_timestamp()
)
