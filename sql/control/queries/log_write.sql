-- $1 run ids uuid[], $2 levels smallint[], $3 step ids uuid[], $4 messages text[], $5 fields text[]: a line each;
-- $6 true: tell the readers (a change of the run tells them itself)
-- Lines get the next ids of their runs, under the locks on the counter rows, taken in order of run id.
WITH line AS MATERIALIZED (
  SELECT *
  FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::text[]) WITH ORDINALITY
    AS l (run_id, level, step_id, message, fields, place)),
counter AS (
  INSERT INTO control.log_counter AS c (run_id, last)
  SELECT run_id, count(*) FROM line GROUP BY run_id ORDER BY run_id
  ON CONFLICT (run_id) DO UPDATE SET last = c.last + excluded.last
  RETURNING c.run_id, c.last),
written AS (
  INSERT INTO control.log (run_id, id, level, step_id, message, fields)
  SELECT line.run_id, counter.last - count(*) OVER (PARTITION BY line.run_id)
      + row_number() OVER (PARTITION BY line.run_id ORDER BY line.place),
    line.level, line.step_id, line.message, line.fields::json
  FROM line
  JOIN counter ON counter.run_id = line.run_id),
noted AS (
  INSERT INTO control.outbox (run_id, kind)
  SELECT run_id, 'log' FROM counter WHERE $6::boolean
  RETURNING 1)
SELECT pg_notify('loadstar_outbox', '') FROM noted
