-- After which operations do patients come back to hospital?
-- A row a category, highest rate first: discharges, patients back within 30 days, the rate, days in hospital before.
SELECT category,
       count(discharged_at) AS discharges,
       count(*) FILTER (WHERE readmitted_30_days) AS readmissions,
       round(100.0 * count(*) FILTER (WHERE readmitted_30_days) / nullif(count(discharged_at), 0), 2) AS readmission_percent,
       round(CAST(avg(extract(epoch FROM discharged_at - end_time)) AS numeric) / 86400, 2) AS average_days_in_hospital
  FROM fact_procedures
 GROUP BY category
 ORDER BY readmission_percent DESC NULLS LAST, category
