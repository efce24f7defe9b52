-- Schedules and what became of each fire; pauses; notices of how runs ended.

-- Paused: its schedule fires nothing.
ALTER TABLE control.pipeline ADD COLUMN paused_at timestamptz, ADD COLUMN paused_by text;

-- Whom the version's `notify` names: [{"to": …, "events": […]}].
ALTER TABLE control.pipeline_version
  ADD COLUMN notify jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(notify) = 'array');

-- A row for each pipeline whose active version has a schedule. Its lock is what replicas take turns by.
CREATE TABLE control.schedule (
  pipeline      text        PRIMARY KEY,
  rule          text        NOT NULL,   -- cron|timezone: another one begins anew
  decided_until timestamptz NOT NULL    -- fires up to this time are decided
);

-- What became of a fire. fires > 1: it stands for that many, and is the newest of them.
CREATE TABLE control.fire (
  pipeline     text        NOT NULL,
  scheduled_at timestamptz NOT NULL,
  outcome      text        NOT NULL CONSTRAINT fire_outcome CHECK (outcome IN ('run', 'skipped')),
  reason       text        CONSTRAINT fire_reason CHECK (reason IN
                 ('paused', 'overlap', 'backlog', 'missed', 'merged', 'changed', 'invalid')),
  detail       text,
  run_id       uuid,
  fires        bigint      NOT NULL DEFAULT 1 CHECK (fires > 0),
  decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pipeline, scheduled_at),
  CONSTRAINT fire_says_why CHECK ((outcome = 'skipped') = (reason IS NOT NULL))
);
CREATE INDEX fire_skipped ON control.fire (pipeline, scheduled_at) WHERE outcome = 'skipped';

-- A row while the runs of a pipeline end badly: the first success takes it away, and is a recovery.
CREATE TABLE control.incident (
  pipeline text        PRIMARY KEY,
  run_id   uuid        NOT NULL,
  since    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What somebody is to be told, written in the transaction that ended the run. next_at is also the lease of who delivers it.
CREATE TABLE control.notice (
  id          uuid        PRIMARY KEY,
  run_id      uuid        NOT NULL,
  attempt     integer     NOT NULL,
  pipeline    text        NOT NULL,
  event       text        NOT NULL CONSTRAINT notice_event CHECK (event IN
                ('failed', 'partial', 'succeeded', 'quality', 'recovered')),
  target      text        NOT NULL,
  body        json        NOT NULL,
  state       text        NOT NULL DEFAULT 'pending' CONSTRAINT notice_state CHECK (state IN
                ('pending', 'delivered', 'given_up')),
  tries       integer     NOT NULL DEFAULT 0,
  next_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  UNIQUE (run_id, attempt, event, target)
);
CREATE INDEX notice_due ON control.notice (next_at) WHERE state = 'pending';
CREATE INDEX notice_finished ON control.notice (finished_at) WHERE state <> 'pending';
