-- What is kept how long, and lists that stay as quick with a million runs.

-- Sweeps go by the time a run ended. logs_kept: lines of its log may be there; a run that goes on after it ended has some again.
ALTER TABLE control.run ADD COLUMN logs_kept boolean NOT NULL DEFAULT true;
CREATE INDEX run_finished ON control.run (finished_at) WHERE finished_at IS NOT NULL AND NOT logs_kept;
CREATE INDEX run_finished_with_logs ON control.run (finished_at) WHERE finished_at IS NOT NULL AND logs_kept;
-- Keys go with their run.
CREATE INDEX idempotency_of_run ON control.idempotency (run_id);
-- The outbox is swept from its lowest id on.
DROP INDEX control.outbox_at;

-- Where the audit log begins since its older end was swept: the last seal whose rows are gone. The row of that seal stays, and
-- the seal after it names its hash.
CREATE TABLE control.audit_anchor (
  last_id bigint      PRIMARY KEY,
  hash    text        NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION control.audit_begin() RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(max(last_id), 0) FROM control.audit_anchor
$$;

-- Rows up to the anchor and seals before it may go; nothing else may.
CREATE FUNCTION control.audit_keep_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM gone WHERE gone.id > control.audit_begin()) THEN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION control.audit_keep_seals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM gone WHERE gone.last_id >= control.audit_begin()) THEN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER audit_append_only ON control.audit;
DROP TRIGGER audit_seal_append_only ON control.audit_seal;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR TRUNCATE ON control.audit
  FOR EACH STATEMENT EXECUTE FUNCTION control.audit_refuse();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR TRUNCATE ON control.audit_seal
  FOR EACH STATEMENT EXECUTE FUNCTION control.audit_refuse();
CREATE TRIGGER audit_anchor_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control.audit_anchor
  FOR EACH STATEMENT EXECUTE FUNCTION control.audit_refuse();
CREATE TRIGGER audit_keep AFTER DELETE ON control.audit
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION control.audit_keep_rows();
CREATE TRIGGER audit_seal_keep AFTER DELETE ON control.audit_seal
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION control.audit_keep_seals();

-- An anchor is a seal after the one before it, older than the least that is ever kept.
CREATE FUNCTION control.audit_anchor_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.last_id <= control.audit_begin() OR NOT EXISTS (SELECT FROM control.audit_seal s
      WHERE s.last_id = NEW.last_id AND s.hash = NEW.hash AND s.at < now() - interval '1 day') THEN
    RAISE EXCEPTION 'the audit log cannot begin after %', NEW.last_id USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_anchor_check BEFORE INSERT ON control.audit_anchor
  FOR EACH ROW EXECUTE FUNCTION control.audit_anchor_check();

-- Every seal since the anchor asked again, and whether the anchor is that seal: intact is false where rows or seals are not
-- what they were.
CREATE OR REPLACE VIEW control.audit_verify AS
SELECT s.last_id, s.at, s.hash,
  s.previous = coalesce(b.hash, '') AND s.hash = control.audit_hash(s.previous, coalesce(b.last_id, 0), s.last_id) AS intact
FROM control.audit_seal s
LEFT JOIN LATERAL (
  SELECT b.last_id, b.hash FROM control.audit_seal b WHERE b.last_id < s.last_id ORDER BY b.last_id DESC LIMIT 1) b ON true
WHERE s.last_id > control.audit_begin()
UNION ALL
SELECT a.last_id, a.at, a.hash,
  EXISTS (SELECT FROM control.audit_seal s WHERE s.last_id = a.last_id AND s.hash = a.hash) AS intact
FROM control.audit_anchor a
WHERE a.last_id = control.audit_begin();

-- Moves the anchor over seals from before that time, at most 1,000 of them: none when there are none. What is not intact is
-- evidence, and stays.
CREATE FUNCTION control.audit_move_anchor(until timestamptz) RETURNS SETOF control.audit_anchor LANGUAGE plpgsql AS $$
DECLARE
  target bigint;
BEGIN
  SELECT max(s.last_id) INTO target
  FROM (SELECT last_id, at FROM control.audit_seal WHERE last_id > control.audit_begin() ORDER BY last_id LIMIT 1000) s
  WHERE s.at < until;
  IF target IS NULL THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM control.audit_verify v WHERE v.last_id <= target AND NOT v.intact) THEN
    RAISE EXCEPTION 'the audit log is not intact up to entry %: it is not swept', target;
  END IF;
  RETURN QUERY INSERT INTO control.audit_anchor (last_id, hash)
    SELECT s.last_id, s.hash FROM control.audit_seal s WHERE s.last_id = target RETURNING *;
END $$;

-- Lists, newest first of each value of a filter, so that a page reads what it shows, however rare the value is. All columns go one
-- way, and what is looked for is one column (names have no spaces): a page then begins at a row of the index and ends with its first
-- column, and no other index gives its order, whatever the planner thinks of how the values are spread over time.
DROP INDEX control.run_newest_of_pipeline, control.run_newest_of_status;
CREATE INDEX run_of_pipeline ON control.run (pipeline, created_at, id);
CREATE INDEX run_of_pipeline_in_status ON control.run ((pipeline || ' ' || status), created_at, id);
CREATE INDEX run_of_status ON control.run (status, created_at, id);
CREATE INDEX run_of_type ON control.run (type, created_at, id);
CREATE INDEX run_of_requester ON control.run (requested_by, created_at, id);

-- What a run has many of: its labels (label:bytes of the key:key:value) and the tables it names or loads (table:name), with its
-- place in lists.
CREATE TABLE control.run_facet (
  run_id     uuid        NOT NULL REFERENCES control.run ON DELETE CASCADE,
  facet      text        NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, facet)
);
CREATE INDEX run_of_facet ON control.run_facet (facet, created_at, run_id);

CREATE FUNCTION control.run_facets(labels jsonb, tables jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'label:' || octet_length(l.key) || ':' || l.key || ':' || l.value
  FROM jsonb_each_text(labels) l
  UNION
  SELECT 'table:' || t
  FROM jsonb_array_elements_text(coalesce(tables, '[]')) t
$$;
INSERT INTO control.run_facet (run_id, facet, created_at)
SELECT r.id, f, r.created_at
FROM control.run r
CROSS JOIN LATERAL control.run_facets(r.labels, r.tables) f
UNION
SELECT s.run_id, 'table:' || s.table_name, r.created_at
FROM control.step s
JOIN control.run r ON r.id = s.run_id
WHERE s.table_name IS NOT NULL;

CREATE INDEX log_of_step ON control.log (step_id, id) WHERE step_id IS NOT NULL;
CREATE INDEX log_not_quiet ON control.log (run_id, level, id) WHERE level >= 2;

DROP INDEX control.quality_newest, control.quality_newest_not_passed;
CREATE INDEX quality_of_pipeline ON control.quality (pipeline, at, id);
CREATE INDEX quality_of_table ON control.quality ((pipeline || ' ' || table_name), at, id);
CREATE INDEX quality_of_check ON control.quality ((pipeline || ' ' || check_name), at, id);
CREATE INDEX quality_of_status ON control.quality ((pipeline || ' ' || status), at, id) WHERE status <> 'passed';

-- Ids of the audit log rise with time, but for those who write at once: where a list since that time ends. An hour is longer than
-- anybody writes.
CREATE INDEX audit_at ON control.audit (at, id);
CREATE FUNCTION control.audit_since(since timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN since IS NULL THEN 0 ELSE coalesce(
    (SELECT a.id FROM control.audit a WHERE a.at >= since - interval '1 hour' ORDER BY a.at LIMIT 1), 9223372036854775807) END
$$;
