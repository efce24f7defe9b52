-- How much does the volume grow from year to year?
-- A row a month that has the same month a year earlier, oldest first: both, and the growth in percent.
WITH monthly AS (
  SELECT CAST(date_trunc('month', day) AS date) AS month, CAST(sum(procedures) AS bigint) AS procedures
    FROM vw_daily_procedure_volume
   GROUP BY 1
)
SELECT m.month,
       m.procedures,
       y.procedures AS year_before,
       round(100.0 * (m.procedures - y.procedures) / nullif(y.procedures, 0), 2) AS growth_percent
  FROM monthly m
  JOIN monthly y ON y.month = CAST(m.month - interval '1 year' AS date)
 ORDER BY m.month
