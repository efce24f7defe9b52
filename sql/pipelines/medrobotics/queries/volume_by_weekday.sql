-- On which days of the week is operated?
-- Seven rows, Monday (1) first: operations, the average of such a day, emergencies.
SELECT weekday,
       CAST(sum(procedures) AS bigint) AS procedures,
       round(avg(procedures), 2) AS average_a_day,
       CAST(sum(emergency) AS bigint) AS emergency
  FROM vw_daily_procedure_volume
 GROUP BY weekday
 ORDER BY weekday
