-- How does the volume develop from month to month?
-- A row a month, oldest first: operations, and the change against the month before in percent. The first and the last month
-- may be cut off.
WITH monthly AS (
  SELECT CAST(date_trunc('month', day) AS date) AS month, CAST(sum(procedures) AS bigint) AS procedures
    FROM vw_daily_procedure_volume
   GROUP BY 1
)
SELECT month,
       procedures,
       round(100.0 * (procedures - lag(procedures) OVER (ORDER BY month)) / nullif(lag(procedures) OVER (ORDER BY month), 0), 2)
         AS change_percent
  FROM monthly
 ORDER BY month
