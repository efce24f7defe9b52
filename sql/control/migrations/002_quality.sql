-- Results of quality checks: what was asked, expected and observed, also of slices that were not published.
--
-- attempt: the one that asked. latest: of the attempt that counts for the step; a retry's results take over from earlier ones.
CREATE TABLE control.quality (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id       uuid        NOT NULL,
  step_id      uuid        NOT NULL REFERENCES control.step ON DELETE CASCADE,
  attempt      integer     NOT NULL,
  latest       boolean     NOT NULL DEFAULT true,
  pipeline     text        NOT NULL,
  table_name   text,
  check_name   text        NOT NULL,
  kind         text        NOT NULL CONSTRAINT quality_kind CHECK (kind IN ('completeness', 'validity', 'consistency',
                 'freshness', 'uniqueness', 'referential', 'volume', 'distribution', 'reconciliation', 'sql', 'schema')),
  severity     text        NOT NULL CONSTRAINT quality_severity CHECK (severity IN ('error', 'warn')),
  gate         text        NOT NULL CONSTRAINT quality_gate CHECK (gate IN ('staging', 'published', 'run')),
  scope        text        NOT NULL CONSTRAINT quality_scope CHECK (scope IN ('slice', 'table')),
  status       text        NOT NULL CONSTRAINT quality_status CHECK (status IN ('passed', 'warned', 'failed', 'error')),
  expected     text,
  observed     text,
  rows_checked bigint,
  rows_failed  bigint,
  sample       json,
  error        text,
  at           timestamptz NOT NULL,
  duration_ms  bigint      NOT NULL,
  CONSTRAINT quality_once UNIQUE (step_id, attempt, check_name)
);
CREATE INDEX quality_of_run ON control.quality (run_id, id) WHERE latest;
CREATE INDEX quality_newest ON control.quality (pipeline, at DESC, id DESC);
CREATE INDEX quality_newest_not_passed ON control.quality (pipeline, at DESC, id DESC) WHERE status <> 'passed';

-- The newest load of each table, for its freshness.
CREATE INDEX step_committed ON control.step (pipeline, table_name, committed_at)
  WHERE status = 'succeeded' AND committed_at IS NOT NULL;
