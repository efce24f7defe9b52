-- How much has been done with the platform in all?
-- One row: operations, patients, surgeons, robots and facilities that took part, hours, success and complications.
SELECT count(*) AS procedures,
       count(DISTINCT patient_id) AS patients,
       count(DISTINCT surgeon_id) AS surgeons,
       count(DISTINCT robot_id) AS robots,
       count(DISTINCT facility_id) AS facilities,
       round(sum(duration_minutes) / 60.0, 1) AS duration_hours,
       round(sum(console_minutes) / 60.0, 1) AS console_hours,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent
  FROM fact_procedures
