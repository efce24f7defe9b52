-- The control database: who we are, pipelines, runs, steps, attempts, run logs, and the outbox that readers follow.
--
-- json (not jsonb) holds documents that are only handed out, so that their members keep the contract's order; jsonb holds
-- what filters look into.

CREATE SCHEMA IF NOT EXISTS control;
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA control;

-- One row: the identity of this control database and the epoch of its load ids (load_id = epoch * 2^40 + number).
CREATE TABLE control.identity (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  control_id uuid    NOT NULL DEFAULT gen_random_uuid(),
  epoch      bigint  NOT NULL DEFAULT 1 CHECK (epoch BETWEEN 1 AND 4194303)
);
INSERT INTO control.identity DEFAULT VALUES;

CREATE SEQUENCE control.load_number AS bigint START 1 MINVALUE 1 MAXVALUE 1099511627775 NO CYCLE;

-- One heartbeat row per process. lease_until is not indexed, so that a heartbeat is a HOT update.
CREATE TABLE control.replica (
  boot_id     text        PRIMARY KEY,
  host        text        NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE control.pipeline (
  name        text        PRIMARY KEY,
  active_hash text        NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE control.pipeline_version (
  pipeline   text        NOT NULL,
  hash       text        NOT NULL,
  files      jsonb       NOT NULL CHECK (jsonb_typeof(files) = 'object'),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, hash)
);

CREATE TABLE control.run (
  id             uuid        PRIMARY KEY,
  pipeline       text        NOT NULL,
  type           text        NOT NULL CONSTRAINT run_type CHECK (type IN ('full', 'dimensions', 'facts', 'range')),
  mode           text        NOT NULL CONSTRAINT run_mode CHECK (mode IN ('auto', 'all', 'missing', 'failed')),
  status         text        NOT NULL DEFAULT 'queued' CONSTRAINT run_status CHECK (status IN
                   ('queued', 'running', 'paused', 'cancelling', 'succeeded', 'partial', 'failed', 'cancelled')),
  attempt        integer     NOT NULL DEFAULT 1,
  range_from     timestamptz,
  range_to       timestamptz,
  slice          text,
  tables         jsonb,
  params         jsonb       NOT NULL DEFAULT '{}',
  labels         jsonb       NOT NULL DEFAULT '{}',
  allow          jsonb       NOT NULL DEFAULT '[]',
  note           text,
  requested_by   text        NOT NULL,
  trigger_kind   text        NOT NULL CONSTRAINT run_trigger CHECK (trigger_kind IN
                   ('api', 'schedule', 'arrival', 'after', 'replay', 'undo')),
  trigger_ref    text,
  spec_version   text        NOT NULL,
  priority       bigint      NOT NULL DEFAULT 0,
  descending     boolean     NOT NULL DEFAULT false,
  max_parallel   bigint      NOT NULL DEFAULT 0,
  wave           integer     NOT NULL DEFAULT 0,          -- the wave now open
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at     timestamptz,
  finished_at    timestamptz,
  deadline_at    timestamptz,
  changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  steps_total    bigint      NOT NULL DEFAULT -1,         -- -1 until planned
  steps_done     bigint      NOT NULL DEFAULT 0,
  rows_read      bigint      NOT NULL DEFAULT 0,
  rows_written   bigint      NOT NULL DEFAULT 0,
  rows_rejected  bigint      NOT NULL DEFAULT 0,
  bytes_read     bigint      NOT NULL DEFAULT 0,
  checks_passed  bigint      NOT NULL DEFAULT 0,
  checks_warned  bigint      NOT NULL DEFAULT 0,
  checks_failed  bigint      NOT NULL DEFAULT 0,
  checks_errored bigint      NOT NULL DEFAULT 0,
  error          json,
  version        bigint      NOT NULL DEFAULT 1
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
-- Lists go by key (created_at, id), newest first.
CREATE INDEX run_newest ON control.run (created_at DESC, id DESC);
CREATE INDEX run_newest_of_pipeline ON control.run (pipeline, created_at DESC, id DESC);
CREATE INDEX run_newest_of_status ON control.run (status, created_at DESC, id DESC);
-- The order of the queue.
CREATE INDEX run_unfinished ON control.run (priority DESC, created_at, id)
  WHERE status IN ('queued', 'running', 'paused', 'cancelling');

CREATE TABLE control.idempotency (
  subject     text        NOT NULL,
  key         text        NOT NULL,
  fingerprint text        NOT NULL,
  run_id      uuid        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subject, key)
);

CREATE TABLE control.step (
  id            uuid        PRIMARY KEY,
  run_id        uuid        NOT NULL REFERENCES control.run ON DELETE CASCADE,
  pipeline      text        NOT NULL,
  kind          text        NOT NULL CONSTRAINT step_kind CHECK (kind IN
                  ('plan', 'ddl', 'stage', 'dimension', 'fact', 'repoint', 'check', 'export', 'sql', 'view')),
  table_name    text,
  wave          integer     NOT NULL CHECK (wave >= 0),
  scope         text        CONSTRAINT step_scope CHECK (scope IN ('table', 'time', 'key')),
  slice         text,
  slice_from    timestamptz,
  slice_to      timestamptz,
  ordinal       bigint      NOT NULL DEFAULT 0,
  fail_run      boolean     NOT NULL DEFAULT true,
  status        text        NOT NULL CONSTRAINT step_status CHECK (status IN
                  ('waiting', 'queued', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')),
  boot_id       text,                                     -- of the last attempt
  load_number   bigint,                                   -- of the last attempt
  attempt_count integer     NOT NULL DEFAULT 0,
  tries         integer     NOT NULL DEFAULT 0,           -- executions that count against the retry policy
  losses        integer     NOT NULL DEFAULT 0,           -- executions whose replica died
  touched       boolean     NOT NULL DEFAULT false,       -- an attempt may have a session or a registration left
  revoking      boolean     NOT NULL DEFAULT false,       -- the running attempt is a revocation
  end_as        text        CONSTRAINT step_end_as CHECK (end_as IN ('cancelled', 'failed')),
  ready_at      timestamptz,                              -- since when it could run
  retry_at      timestamptz,                              -- not before
  waiting_for   json,
  reason        json,
  rows          json,
  effects       json,
  error         json,
  bytes_read    bigint      NOT NULL DEFAULT 0,
  committed_at  timestamptz,                              -- warehouse time of the ledger row
  started_at    timestamptz,
  finished_at   timestamptz,
  -- What the step writes, for the constraint below; null for steps that touch no slice.
  warehouse_table text GENERATED ALWAYS AS
    (CASE WHEN scope IS NOT NULL THEN pipeline || '.' || table_name END) STORED,
  span tstzrange GENERATED ALWAYS AS
    (CASE WHEN scope IS NOT NULL THEN tstzrange(slice_from, slice_to) END) STORED,
  CONSTRAINT step_slice CHECK (scope IS NULL OR
    (table_name IS NOT NULL AND slice IS NOT NULL AND slice_from IS NOT NULL AND slice_to IS NOT NULL)),
  -- Conflicting steps never run together (protocol rule 4). Revocations are left out: they must always get through.
  CONSTRAINT step_no_overlap EXCLUDE USING gist (warehouse_table WITH =, span WITH &&)
    WHERE (status = 'running' AND end_as IS NULL)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX step_of_run ON control.step (run_id, wave, ordinal, id);
CREATE INDEX step_queued ON control.step (run_id, ordinal, id) WHERE status = 'queued' AND end_as IS NULL;
CREATE INDEX step_to_revoke ON control.step (id) WHERE end_as IS NOT NULL AND status IN ('queued', 'running');
CREATE INDEX step_unfinished ON control.step (run_id, wave) WHERE status IN ('waiting', 'queued', 'running');
-- Hash: it answers for a run alone, so that a look for overlaps has no choice but the constraint's index.
CREATE INDEX step_running ON control.step USING hash (run_id) WHERE status = 'running';
CREATE INDEX step_failed ON control.step (run_id) WHERE status = 'failed';
CREATE INDEX step_failed_of_table ON control.step (pipeline, table_name) WHERE status = 'failed';

CREATE TABLE control.attempt (
  step_id     uuid        NOT NULL REFERENCES control.step ON DELETE CASCADE,
  n           integer     NOT NULL,
  status      text        NOT NULL CONSTRAINT attempt_status CHECK (status IN
                ('running', 'succeeded', 'failed', 'lost', 'handed_back', 'superseded')),
  worker      text        NOT NULL,
  boot_id     text        NOT NULL,
  load_number bigint      NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  error       json,
  PRIMARY KEY (step_id, n)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX attempt_running ON control.attempt (boot_id) WHERE status = 'running';

-- Run logs: ids of one run are 1, 2, 3 … without gaps, given under the lock on its counter row.
CREATE TABLE control.log_counter (
  run_id uuid   PRIMARY KEY,
  last   bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE TABLE control.log (
  run_id  uuid        NOT NULL,
  id      bigint      NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  level   smallint    NOT NULL CHECK (level BETWEEN 0 AND 3),   -- debug info warn error
  step_id uuid,
  message text        NOT NULL,
  fields  json,
  PRIMARY KEY (run_id, id)
);

-- What changed, in the transaction that changed it. Readers tail it by id; a sweep removes what is a day old.
CREATE TABLE control.outbox (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT now(),
  run_id  uuid        NOT NULL,
  step_id uuid,
  kind    text        NOT NULL CONSTRAINT outbox_kind CHECK (kind IN ('run', 'step', 'log')),
  payload json
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_at ON control.outbox USING brin (at);
