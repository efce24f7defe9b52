-- Who did what: rows that are only ever added, and seals that chain them, so that a row changed behind our back is found.

CREATE TABLE control.audit (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  subject  text        NOT NULL,
  client   text,                                          -- address it was asked from; null: by the service itself
  trace_id text,
  action   text        NOT NULL CONSTRAINT audit_action CHECK (action ~ '^[a-z]+\.[a-z_]+$'),
  pipeline text,
  target   text,                                          -- id or name of what was acted on
  detail   json        NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_of_subject ON control.audit (subject, id);
CREATE INDEX audit_of_pipeline ON control.audit (pipeline, id);
CREATE INDEX audit_of_action ON control.audit (action, id);

-- A seal covers the rows after the one before it up to last_id. One successor a seal: the chain cannot fork.
CREATE TABLE control.audit_seal (
  last_id  bigint      PRIMARY KEY,
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  previous text        NOT NULL UNIQUE,                   -- hash of the seal before; '' for the first
  hash     text        NOT NULL
);

CREATE FUNCTION control.audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control.audit
  FOR EACH STATEMENT EXECUTE FUNCTION control.audit_refuse();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control.audit_seal
  FOR EACH STATEMENT EXECUTE FUNCTION control.audit_refuse();

-- The hash of a seal: of the one before, and of all rows between, in texts that no setting of a session changes.
CREATE FUNCTION control.audit_hash(previous text, after_id bigint, last_id bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT encode(sha256(convert_to(audit_hash.previous || coalesce(string_agg(
      json_build_array(a.id, extract(epoch FROM a.at), a.subject, a.client, a.trace_id, a.action, a.pipeline, a.target,
        a.detail)::text, E'\n' ORDER BY a.id), ''), 'UTF8')), 'hex')
  FROM control.audit a
  WHERE a.id > audit_hash.after_id AND a.id <= audit_hash.last_id
$$;

-- Seals what is not sealed; true when it did. The lock is had at once or not at all, so writers never wait for a sealer
-- that waits; with it no transaction is open that has an id and is not seen, so no row is ever added behind a seal.
CREATE FUNCTION control.audit_make_seal() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  before control.audit_seal;
  newest bigint;
BEGIN
  SELECT * INTO before FROM control.audit_seal s ORDER BY s.last_id DESC LIMIT 1;
  IF NOT EXISTS (SELECT FROM control.audit a WHERE a.id > coalesce(before.last_id, 0)) THEN
    RETURN false;
  END IF;
  BEGIN
    LOCK TABLE control.audit IN SHARE ROW EXCLUSIVE MODE NOWAIT;
  EXCEPTION WHEN lock_not_available THEN
    RETURN false;
  END;
  SELECT * INTO before FROM control.audit_seal s ORDER BY s.last_id DESC LIMIT 1;
  SELECT max(a.id) INTO newest FROM control.audit a WHERE a.id > coalesce(before.last_id, 0);
  IF newest IS NULL THEN
    RETURN false;
  END IF;
  INSERT INTO control.audit_seal (last_id, previous, hash) VALUES (newest, coalesce(before.hash, ''),
    control.audit_hash(coalesce(before.hash, ''), coalesce(before.last_id, 0), newest));
  RETURN true;
END $$;

-- Every seal asked again: intact is false where rows or seals are not what they were.
CREATE VIEW control.audit_verify AS
SELECT s.last_id, s.at, s.hash,
  s.previous = coalesce(b.hash, '') AND s.hash = control.audit_hash(s.previous, coalesce(b.last_id, 0), s.last_id) AS intact
FROM control.audit_seal s
LEFT JOIN LATERAL (
  SELECT b.last_id, b.hash FROM control.audit_seal b WHERE b.last_id < s.last_id ORDER BY b.last_id DESC LIMIT 1) b ON true;
