-- How do cohorts of patients fare?
-- A row for each age group and physical status before the operation (ASA 1 healthy to 5 moribund): patients, operations,
-- success, complications, readmissions.
SELECT age_group,
       asa_class,
       count(DISTINCT patient_id) AS patients,
       count(*) AS procedures,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent,
       round(100.0 * count(*) FILTER (WHERE readmitted_30_days) / nullif(count(discharged_at), 0), 2) AS readmission_percent
  FROM fact_procedures
 GROUP BY age_group, asa_class
 ORDER BY age_group, asa_class
