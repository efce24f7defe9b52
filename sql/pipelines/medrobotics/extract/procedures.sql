-- One row: an operation that started in the slice, with the patient on the day, the outcome, the complications, whether
-- the patient was back within 30 days of the discharge, and the survey. updated_at is the youngest of all it is made of,
-- so an answer that comes in weeks later shows as a change of the operation's month.
SELECT p.procedure_id,
       p.surgeon_id,
       p.robot_id,
       p.facility_id,
       p.patient_id,
       p.procedure_type,
       p.category,
       p.priority,
       p.asa_class,
       p.start_time,
       p.end_time,
       CAST(round(extract(epoch FROM p.end_time - p.start_time) / 60) AS integer) AS duration_minutes,
       p.console_minutes,
       d.sex,
       CAST(a.years AS integer) AS age_at_procedure,
       CASE WHEN a.years < 40 THEN 'under 40'
            WHEN a.years < 55 THEN '40-54'
            WHEN a.years < 70 THEN '55-69'
            WHEN a.years < 80 THEN '70-79'
            ELSE '80 and over' END AS age_group,
       CAST(d.weight_kg / (d.height_cm / 100.0) ^ 2 AS numeric(4,1)) AS bmi,
       o.outcome,
       o.blood_loss_ml,
       o.converted_to_open,
       o.pain_score,
       o.discharged_at,
       CAST(c.complications AS integer) AS complication_count,
       c.severity AS complication_severity,
       r.within_30_days AS readmitted_30_days,
       s.score AS satisfaction_score,
       s.would_recommend,
       greatest(p.updated_at, d.updated_at, o.updated_at, c.updated_at, r.updated_at, s.updated_at) AS updated_at
  FROM procedures p
  JOIN patients d ON d.patient_id = p.patient_id
 CROSS JOIN LATERAL (SELECT extract(year FROM age(CAST(p.start_time AT TIME ZONE 'UTC' AS date), d.birth_date)) AS years) a
  LEFT JOIN outcomes o ON o.procedure_id = p.procedure_id
 CROSS JOIN LATERAL (SELECT count(*) AS complications, max(severity) AS severity, max(updated_at) AS updated_at
                       FROM complications
                      WHERE procedure_id = p.procedure_id) c
 CROSS JOIN LATERAL (SELECT coalesce(bool_or(readmitted_at - o.discharged_at < interval '30 days'), false) AS within_30_days,
                            max(updated_at) AS updated_at
                       FROM readmissions
                      WHERE procedure_id = p.procedure_id) r
  LEFT JOIN satisfaction s ON s.procedure_id = p.procedure_id
 WHERE p.start_time >= :from
   AND p.start_time < :to
