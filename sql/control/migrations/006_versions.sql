-- Versions of specifications: who applied and activated them; the epoch of a pipeline that was taken over.

ALTER TABLE control.pipeline
  ADD COLUMN activated_by text NOT NULL DEFAULT 'start',
  -- Of its load ids, once it was adopted; null: that of control.identity.
  ADD COLUMN epoch bigint CHECK (epoch BETWEEN 1 AND 4194303);

-- id: the order in which versions came.
ALTER TABLE control.pipeline_version
  ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN created_by text NOT NULL DEFAULT 'start';
CREATE UNIQUE INDEX pipeline_version_order ON control.pipeline_version (pipeline, id DESC);

-- Each time a version became the active one.
CREATE TABLE control.pipeline_activation (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline     text        NOT NULL,
  hash         text        NOT NULL,
  activated_by text        NOT NULL,
  at           timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (pipeline, hash) REFERENCES control.pipeline_version (pipeline, hash)
);
CREATE INDEX pipeline_activation_of_version ON control.pipeline_activation (pipeline, hash, id DESC);
INSERT INTO control.pipeline_activation (pipeline, hash, activated_by, at)
SELECT name, active_hash, activated_by, applied_at FROM control.pipeline;
