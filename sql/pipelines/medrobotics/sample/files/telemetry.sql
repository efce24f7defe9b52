-- What the robots recorded during the operations of the last 30 days: ten points for each procedure of the source, 200,000 by default,
-- spread evenly over these operations. A row is a line of a file: telemetry/<day>/<maker>.json, one JSON object a line, by the day of
-- the point. Made once from the source, in order of path; every value is a hash, as in 020_data.sql.
WITH operation AS MATERIALIZED (
  SELECT p.procedure_id, p.robot_id, p.start_time, p.end_time - p.start_time AS length, substr(p.procedure_id, 5)::bigint AS no,
         substr(p.robot_id, 5)::integer AS robot_no, lower(split_part(r.manufacturer, ' ', 1)) AS maker, r.arms,
         row_number() OVER (ORDER BY p.start_time, p.procedure_id) AS place, count(*) OVER () AS places, t.procedures * 10 AS points
    FROM procedures p
    JOIN robots r USING (robot_id)
   CROSS JOIN sample.setting t
   WHERE p.start_time >= t.today - interval '30 days'
), point AS (
  SELECT o.*, k AS sample_no, (place * points / places - (place - 1) * points / places) AS samples, o.no * 100000 + k AS n
    FROM operation o
   CROSS JOIN LATERAL generate_series(1, place * points / places - (place - 1) * points / places) k
), recorded AS MATERIALIZED (
  SELECT p.*, date_trunc('milliseconds', p.start_time + p.length * ((p.sample_no - 0.5) / p.samples)) AS recorded_at,
         round((75 * sin(p.sample_no / 9.0 + p.robot_no) + 5 * sample.uniform(p.n, 'position') - 2.5)::numeric, 3) AS target,
         sample.uniform(p.n, 'lag') AS lag, sample.uniform(p.robot_no, 'wear') AS wear, sample.uniform(p.n, 'event') AS event
    FROM point p
)
SELECT format('telemetry/%s/%s.json', to_char(r.recorded_at AT TIME ZONE 'UTC', 'YYYYMMDD'), r.maker) AS path,
       json_build_object(
         'procedure_id', r.procedure_id, 'robot_id', r.robot_id, 'sample', r.sample_no,
         'recorded_at', to_char(r.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'arm', 1 + r.sample_no % r.arms,
         'joint', json_build_object('target_deg', r.target, 'position_deg', r.target - round((r.lag * 0.4)::numeric, 3),
                                    'torque_nm', round((0.4 + 1.1 * sample.uniform(r.n, 'torque') + 0.3 * r.wear)::numeric, 3)),
         'motor', json_build_object('current_a', round((0.25 + 0.9 * sample.uniform(r.n, 'current') + 0.2 * r.wear)::numeric, 3),
                                    'temperature_c', round((31 + 9.0 * r.sample_no / r.samples + 4 * r.wear + sample.uniform(r.n, 'heat'))::numeric, 1)),
         'latency_ms', round((6 + 10 * sample.uniform(r.n, 'latency') + CASE WHEN r.event > 0.995 THEN 60 ELSE 0 END)::numeric, 1),
         'status', CASE WHEN r.event < 0.0004 * (1 + 3 * r.wear) THEN 'fault' WHEN r.event < 0.006 * (1 + 3 * r.wear) THEN 'warning' ELSE 'ok' END,
         'error_code', CASE WHEN r.event < 0.0004 * (1 + 3 * r.wear)
                            THEN sample.pick(ARRAY['E-101', 'E-207', 'E-310'], r.n, 'code') END)::text AS line
  FROM recorded r
 ORDER BY path, r.recorded_at, r.procedure_id, r.sample_no;
