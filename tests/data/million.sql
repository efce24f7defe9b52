-- A million runs and what hangs on one of them, as tests/support/million.h says.
SET LOCAL session_replication_role = replica; -- what refers to what is not asked a million times
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL work_mem = '64MB';
TRUNCATE control.audit_seal, control.audit;

-- Indexes that no constraint needs come last: made at once they cost a third.
CREATE TEMP TABLE million_index ON COMMIT DROP AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = ANY ('{control.run, control.run_facet, control.step, control.quality, control.log, control.audit}'::regclass[])
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid);
DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM million_index LOOP EXECUTE 'DROP INDEX ' || i.name; END LOOP; END $$;

CREATE FUNCTION pg_temp.id(i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
  $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.time(i bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
  $$ SELECT timestamptz '2024-01-01 00:00:00Z' + i * interval '1 second' $$;

INSERT INTO control.pipeline (name, active_hash)
SELECT 'p' || i, 'h' FROM generate_series(0, 19) i UNION ALL SELECT 'old', 'h';

INSERT INTO control.run (id, pipeline, type, mode, status, requested_by, trigger_kind, spec_version, created_at, finished_at,
  steps_total)
SELECT pg_temp.id(i), CASE WHEN i > 100000 THEN 'p' || i % 20 ELSE 'old' END,
  CASE WHEN i = 4321 THEN 'full' WHEN i > 100000 THEN 'range' ELSE 'facts' END, 'all',
  CASE WHEN i = 4321 THEN 'queued' WHEN i <= 100000 THEN 'partial' WHEN i % 1000 = 0 THEN 'failed' ELSE 'succeeded' END,
  CASE WHEN i = 4321 THEN 'alice' WHEN i > 100000 THEN 'clock' ELSE 'bob' END, 'api', 'sha256:1', pg_temp.time(i),
  CASE WHEN i <> 4321 THEN pg_temp.time(i + 60) END, 1
FROM generate_series(1, 1000000) i;

INSERT INTO control.run_facet (run_id, facet, created_at)
SELECT pg_temp.id(i), CASE WHEN i > 100000 THEN 'table:t' || i % 10 ELSE 'table:gone' END, pg_temp.time(i)
FROM generate_series(1, 1000000) i
UNION ALL
SELECT pg_temp.id(i), 'label:4:team:t' || i / 10 % 100, pg_temp.time(i) FROM generate_series(10, 1000000, 10) i
UNION ALL
SELECT pg_temp.id(4321), f, pg_temp.time(4321) FROM unnest(ARRAY['table:once', 'label:6:ticket:OPS-7']) f;

INSERT INTO control.step (id, run_id, pipeline, kind, table_name, wave, ordinal, status)
SELECT pg_temp.id(1000000 + i), pg_temp.id(1000000), 'p0', 'fact', CASE i WHEN 777 THEN 'once' ELSE 't0' END, 1, i,
  CASE i WHEN 11500 THEN 'failed' ELSE 'succeeded' END
FROM generate_series(1, 12000) i;

INSERT INTO control.log (run_id, id, level, step_id, message)
SELECT pg_temp.id(1000000), i, CASE i WHEN 55555 THEN 3 WHEN 44444 THEN 2 ELSE 1 END, pg_temp.id(1000001 + i / 10 % 2), 'line'
FROM generate_series(1, 60000) i;

INSERT INTO control.quality (run_id, step_id, attempt, pipeline, table_name, check_name, kind, severity, gate, scope, status, at,
  duration_ms)
SELECT pg_temp.id(1000000), pg_temp.id(1000001 + i % 12000), 1, 'p' || i % 20,
  CASE WHEN i = 999 THEN 'once' WHEN i > 20000 THEN 't' || i % 10 ELSE 'gone' END,
  CASE WHEN i = 999 THEN 'seldom' ELSE 'c' || i / 12000 END, 'sql', 'error', 'run', 'table',
  CASE WHEN i = 999 THEN 'error' WHEN i % 5 = 0 THEN 'failed' ELSE 'passed' END, pg_temp.time(i), 1
FROM generate_series(1, 120000) i;

INSERT INTO control.audit (at, subject, action, pipeline)
SELECT pg_temp.time(i), CASE WHEN i = 999 THEN 'rare' WHEN i > 10000 THEN 'u' || i % 10 ELSE 'left' END,
  CASE i WHEN 999 THEN 'rare.deed' ELSE 'run.submit' END, CASE WHEN i = 999 THEN 'rare' WHEN i > 10000 THEN 'p' || i % 20 ELSE 'old' END
FROM generate_series(1, 60000) i;

DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM million_index LOOP EXECUTE i.definition; END LOOP; END $$;
ANALYZE control.run, control.run_facet, control.step, control.quality, control.log, control.audit;
