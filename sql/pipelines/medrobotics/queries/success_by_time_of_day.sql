-- Does the time of day make a difference?
-- A row for each part of the day (UTC), in its order: operations begun in it, success.
SELECT CASE WHEN hour < 6 THEN 'a: night' WHEN hour < 12 THEN 'b: morning' WHEN hour < 18 THEN 'c: afternoon'
            ELSE 'd: evening' END AS part_of_day,
       CAST(sum(procedures) AS bigint) AS procedures,
       round(100.0 * sum(successes) / nullif(sum(with_outcome), 0), 2) AS success_percent
  FROM vw_procedures_by_time_of_day
 GROUP BY 1
 ORDER BY 1
