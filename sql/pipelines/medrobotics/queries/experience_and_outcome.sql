-- Does experience make a difference?
-- A row for each band of years in practice on the day of the operation (the surgeon's version as of then), least first.
WITH operated AS (
  SELECT p.*, (CAST(p.start_time AT TIME ZONE 'UTC' AS date) - s.practising_since) / 365.25 AS years
    FROM fact_procedures p
    JOIN dim_surgeons s ON s.surgeon_key = p.surgeon_key
   WHERE p.surgeon_key <> -1
)
SELECT CASE WHEN years < 5 THEN 'a: under 5' WHEN years < 10 THEN 'b: 5 to 9' WHEN years < 20 THEN 'c: 10 to 19'
            ELSE 'd: 20 and more' END AS years_of_practice,
       count(DISTINCT surgeon_id) AS surgeons,
       count(*) AS procedures,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent,
       round(avg(duration_minutes), 1) AS average_minutes
  FROM operated
 WHERE years IS NOT NULL
 GROUP BY 1
 ORDER BY 1
