-- What the owners look at every morning. Loadstar applies this file after the facts of every run.
--
-- Which version of a surgeon, robot or facility is meant stands above each view:
--   as of   the version that held when the operation began, which is what the fact's surrogate keys point to: where
--           somebody worked, where a robot stood;
--   last    the last version known, however long ago the operation was: what something is called today.
-- Dimensions have an unknown member, -1. Where a view is about surgeons, robots or facilities it is left out; views about
-- operations alone count every operation. Percentages are of what can be known: outcomes of the operations that have one,
-- readmissions of those whose patient was discharged. They are empty, never an error, where there is nothing to divide by.
-- Days, months and hours are UTC, like the pipeline.

-- A robot: how much it was used in all. Robot and facility: last. Robots never used are there, with zeros.
CREATE OR REPLACE VIEW vw_robot_utilization AS
WITH robot AS (
  SELECT DISTINCT ON (robot_id) * FROM dim_robots WHERE robot_key <> -1 ORDER BY robot_id, effective_from DESC
), facility AS (
  SELECT DISTINCT ON (facility_id) * FROM dim_facilities WHERE facility_key <> -1 ORDER BY facility_id, effective_from DESC
), used AS (
  SELECT robot_id,
         count(*) AS procedures,
         count(DISTINCT surgeon_id) AS surgeons,
         count(DISTINCT CAST(start_time AT TIME ZONE 'UTC' AS date)) AS days_in_use,
         sum(duration_minutes) AS duration_minutes,
         sum(console_minutes) AS console_minutes,
         min(start_time) AS first_used_at,
         max(start_time) AS last_used_at
    FROM fact_procedures
   WHERE robot_key <> -1
   GROUP BY robot_id
)
SELECT r.robot_id,
       r.manufacturer,
       r.model,
       r.software_version,
       r.status,
       r.facility_id,
       f.name AS facility_name,
       r.installed_on,
       coalesce(u.procedures, 0) AS procedures,
       coalesce(u.surgeons, 0) AS surgeons,
       coalesce(u.days_in_use, 0) AS days_in_use,
       round(coalesce(u.duration_minutes, 0) / 60.0, 1) AS duration_hours,
       round(coalesce(u.console_minutes, 0) / 60.0, 1) AS console_hours,
       round(100.0 * u.console_minutes / nullif(u.duration_minutes, 0), 2) AS console_percent,
       round(1.0 * u.procedures / nullif(u.days_in_use, 0), 2) AS procedures_per_day_in_use,
       u.first_used_at,
       u.last_used_at
  FROM robot r
  LEFT JOIN facility f ON f.facility_id = r.facility_id
  LEFT JOIN used u ON u.robot_id = r.robot_id;

-- A robot in a month, at the facility where it stood: as of. A robot that moved within the month has two rows.
CREATE OR REPLACE VIEW vw_robot_utilization_monthly AS
WITH used AS (
  SELECT CAST(date_trunc('month', p.start_time AT TIME ZONE 'UTC') AS date) AS month,
         p.robot_id,
         r.model,
         r.facility_id,
         count(*) AS procedures,
         count(DISTINCT CAST(p.start_time AT TIME ZONE 'UTC' AS date)) AS days_in_use,
         sum(p.duration_minutes) AS duration_minutes,
         sum(p.console_minutes) AS console_minutes
    FROM fact_procedures p
    JOIN dim_robots r ON r.robot_key = p.robot_key
   WHERE p.robot_key <> -1
   GROUP BY 1, 2, 3, 4
)
SELECT month,
       robot_id,
       model,
       facility_id,
       procedures,
       days_in_use,
       round(duration_minutes / 60.0, 1) AS duration_hours,
       round(console_minutes / 60.0, 1) AS console_hours,
       round(100.0 * console_minutes / nullif(duration_minutes, 0), 2) AS console_percent,
       round(100.0 * days_in_use / (CAST(month + interval '1 month' AS date) - month), 2) AS days_in_use_percent
  FROM used;

-- A type of operation: how it ends. No dimension: every operation counts.
CREATE OR REPLACE VIEW vw_procedure_outcomes AS
SELECT category,
       procedure_type,
       count(*) AS procedures,
       count(*) FILTER (WHERE outcome = 'success') AS successes,
       count(*) FILTER (WHERE outcome = 'partial') AS partial_successes,
       count(*) FILTER (WHERE outcome = 'failure') AS failures,
       count(*) FILTER (WHERE outcome = 'death') AS deaths,
       count(*) FILTER (WHERE complication_count > 0) AS with_complications,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent,
       round(100.0 * count(*) FILTER (WHERE complication_severity >= 3) / nullif(count(*), 0), 2) AS severe_complication_percent,
       round(100.0 * count(*) FILTER (WHERE converted_to_open) / nullif(count(converted_to_open), 0), 2) AS converted_percent,
       round(100.0 * count(*) FILTER (WHERE readmitted_30_days) / nullif(count(discharged_at), 0), 2) AS readmission_percent,
       round(avg(duration_minutes), 1) AS average_minutes,
       round(avg(blood_loss_ml), 1) AS average_blood_loss_ml,
       round(avg(pain_score), 2) AS average_pain_score,
       round(avg(satisfaction_score), 2) AS average_satisfaction,
       round(CAST(avg(extract(epoch FROM discharged_at - end_time)) AS numeric) / 86400, 2) AS average_days_in_hospital
  FROM fact_procedures
 GROUP BY category, procedure_type;

-- A model of robot: how operations with it end. Robot: as of.
CREATE OR REPLACE VIEW vw_outcomes_by_robot_model AS
SELECT r.manufacturer,
       r.model,
       count(DISTINCT p.robot_id) AS robots,
       count(*) AS procedures,
       count(*) FILTER (WHERE p.outcome = 'success') AS successes,
       count(*) FILTER (WHERE p.complication_count > 0) AS with_complications,
       round(100.0 * count(*) FILTER (WHERE p.outcome = 'success') / nullif(count(p.outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE p.complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent,
       round(100.0 * count(*) FILTER (WHERE p.complication_severity >= 3) / nullif(count(*), 0), 2) AS severe_complication_percent,
       round(100.0 * count(*) FILTER (WHERE p.converted_to_open) / nullif(count(p.converted_to_open), 0), 2) AS converted_percent,
       round(100.0 * count(*) FILTER (WHERE p.readmitted_30_days) / nullif(count(p.discharged_at), 0), 2) AS readmission_percent,
       round(avg(p.duration_minutes), 1) AS average_minutes,
       round(avg(p.blood_loss_ml), 1) AS average_blood_loss_ml
  FROM fact_procedures p
  JOIN dim_robots r ON r.robot_key = p.robot_key
 WHERE p.robot_key <> -1
 GROUP BY r.manufacturer, r.model;

-- A surgeon: how his or her operations go. Surgeon: last. Surgeons without an operation are there, with zeros.
CREATE OR REPLACE VIEW vw_surgeon_performance AS
WITH surgeon AS (
  SELECT DISTINCT ON (surgeon_id) * FROM dim_surgeons WHERE surgeon_key <> -1 ORDER BY surgeon_id, effective_from DESC
), done AS (
  SELECT surgeon_id,
         count(*) AS procedures,
         count(outcome) AS with_outcome,
         count(*) FILTER (WHERE outcome = 'success') AS successes,
         count(*) FILTER (WHERE complication_count > 0) AS with_complications,
         count(*) FILTER (WHERE readmitted_30_days) AS readmissions,
         count(discharged_at) AS discharges,
         count(*) FILTER (WHERE converted_to_open) AS conversions,
         count(converted_to_open) AS with_conversion_known,
         avg(duration_minutes) AS minutes,
         avg(satisfaction_score) AS satisfaction,
         max(start_time) AS last_operated_at
    FROM fact_procedures
   WHERE surgeon_key <> -1
   GROUP BY surgeon_id
)
SELECT s.surgeon_id,
       s.full_name,
       s.title,
       s.specialty,
       s.facility_id,
       s.is_active,
       s.practising_since,
       coalesce(d.procedures, 0) AS procedures,
       coalesce(d.successes, 0) AS successes,
       coalesce(d.with_complications, 0) AS with_complications,
       round(100.0 * d.successes / nullif(d.with_outcome, 0), 2) AS success_percent,
       round(100.0 * d.with_complications / nullif(d.procedures, 0), 2) AS complication_percent,
       round(100.0 * d.readmissions / nullif(d.discharges, 0), 2) AS readmission_percent,
       round(100.0 * d.conversions / nullif(d.with_conversion_known, 0), 2) AS converted_percent,
       round(d.minutes, 1) AS average_minutes,
       round(d.satisfaction, 2) AS average_satisfaction,
       d.last_operated_at
  FROM surgeon s
  LEFT JOIN done d ON d.surgeon_id = s.surgeon_id;

-- What a surgeon operates on. Name: last. Whether it was the specialty he or she had then: as of.
CREATE OR REPLACE VIEW vw_surgeon_procedure_categories AS
WITH surgeon AS (
  SELECT DISTINCT ON (surgeon_id) * FROM dim_surgeons WHERE surgeon_key <> -1 ORDER BY surgeon_id, effective_from DESC
), done AS (
  SELECT p.surgeon_id,
         p.category,
         count(*) AS procedures,
         count(*) FILTER (WHERE v.specialty = p.category) AS in_own_specialty,
         count(p.outcome) AS with_outcome,
         count(*) FILTER (WHERE p.outcome = 'success') AS successes,
         count(*) FILTER (WHERE p.complication_count > 0) AS with_complications,
         avg(p.duration_minutes) AS minutes
    FROM fact_procedures p
    JOIN dim_surgeons v ON v.surgeon_key = p.surgeon_key
   WHERE p.surgeon_key <> -1
   GROUP BY p.surgeon_id, p.category
)
SELECT d.surgeon_id,
       s.full_name,
       d.category,
       d.procedures,
       round(100.0 * d.procedures / nullif(sum(d.procedures) OVER (PARTITION BY d.surgeon_id), 0), 2) AS share_percent,
       d.in_own_specialty,
       round(100.0 * d.successes / nullif(d.with_outcome, 0), 2) AS success_percent,
       round(100.0 * d.with_complications / nullif(d.procedures, 0), 2) AS complication_percent,
       round(d.minutes, 1) AS average_minutes
  FROM done d
  JOIN surgeon s ON s.surgeon_id = d.surgeon_id;

-- A facility: what is done there and how it ends. Its name, beds and rooms: last. An operation belongs to the facility where
-- it was carried out, whatever surgeon and robot belong to now.
CREATE OR REPLACE VIEW vw_facility_performance AS
WITH facility AS (
  SELECT DISTINCT ON (facility_id) * FROM dim_facilities WHERE facility_key <> -1 ORDER BY facility_id, effective_from DESC
), done AS (
  SELECT facility_id,
         count(*) AS procedures,
         count(DISTINCT surgeon_id) AS surgeons,
         count(DISTINCT robot_id) AS robots,
         count(outcome) AS with_outcome,
         count(*) FILTER (WHERE outcome = 'success') AS successes,
         count(*) FILTER (WHERE complication_count > 0) AS with_complications,
         count(*) FILTER (WHERE readmitted_30_days) AS readmissions,
         count(discharged_at) AS discharges,
         sum(duration_minutes) AS duration_minutes,
         sum(console_minutes) AS console_minutes,
         avg(duration_minutes) AS minutes,
         avg(satisfaction_score) AS satisfaction,
         CAST(avg(extract(epoch FROM discharged_at - end_time)) AS numeric) / 86400 AS days_in_hospital
    FROM fact_procedures
   WHERE facility_key <> -1
   GROUP BY facility_id
)
SELECT f.facility_id,
       f.name,
       f.facility_type,
       f.city,
       f.country,
       f.bed_count,
       f.operating_rooms,
       coalesce(d.procedures, 0) AS procedures,
       coalesce(d.surgeons, 0) AS surgeons,
       coalesce(d.robots, 0) AS robots,
       round(1.0 * d.procedures / nullif(d.robots, 0), 1) AS procedures_per_robot,
       round(1.0 * d.procedures / nullif(f.operating_rooms, 0), 1) AS procedures_per_room,
       round(100.0 * d.console_minutes / nullif(d.duration_minutes, 0), 2) AS console_percent,
       round(d.minutes, 1) AS average_minutes,
       round(100.0 * d.successes / nullif(d.with_outcome, 0), 2) AS success_percent,
       round(100.0 * d.with_complications / nullif(d.procedures, 0), 2) AS complication_percent,
       round(100.0 * d.readmissions / nullif(d.discharges, 0), 2) AS readmission_percent,
       round(d.days_in_hospital, 2) AS average_days_in_hospital,
       round(d.satisfaction, 2) AS average_satisfaction
  FROM facility f
  LEFT JOIN done d ON d.facility_id = f.facility_id;

-- A day, also one without an operation, from the first operation to the last. No dimension: every operation counts.
CREATE OR REPLACE VIEW vw_daily_procedure_volume AS
WITH done AS (
  SELECT CAST(start_time AT TIME ZONE 'UTC' AS date) AS day,
         count(*) AS procedures,
         count(*) FILTER (WHERE priority = 'elective') AS elective,
         count(*) FILTER (WHERE priority = 'urgent') AS urgent,
         count(*) FILTER (WHERE priority = 'emergency') AS emergency,
         count(DISTINCT robot_id) AS robots,
         count(DISTINCT surgeon_id) AS surgeons,
         count(DISTINCT facility_id) AS facilities,
         sum(duration_minutes) AS minutes
    FROM fact_procedures
   GROUP BY 1
), calendar AS (
  SELECT CAST(generate_series(CAST(min(day) AS timestamp), CAST(max(day) AS timestamp), interval '1 day') AS date) AS day FROM done
)
SELECT c.day,
       CAST(extract(isodow FROM c.day) AS integer) AS weekday,
       coalesce(d.procedures, 0) AS procedures,
       coalesce(d.elective, 0) AS elective,
       coalesce(d.urgent, 0) AS urgent,
       coalesce(d.emergency, 0) AS emergency,
       coalesce(d.robots, 0) AS robots,
       coalesce(d.surgeons, 0) AS surgeons,
       coalesce(d.facilities, 0) AS facilities,
       coalesce(d.minutes, 0) AS duration_minutes,
       round(avg(coalesce(d.procedures, 0)) OVER (ORDER BY c.day ROWS 6 PRECEDING), 2) AS average_of_7_days
  FROM calendar c
  LEFT JOIN done d ON d.day = c.day;

-- The hour in which operations begin. No dimension: every operation counts. Hours without one are not there.
CREATE OR REPLACE VIEW vw_procedures_by_time_of_day AS
SELECT CAST(extract(hour FROM start_time AT TIME ZONE 'UTC') AS integer) AS hour,
       count(*) AS procedures,
       round(100.0 * count(*) / nullif(sum(count(*)) OVER (), 0), 2) AS share_percent,
       count(*) FILTER (WHERE priority = 'emergency') AS emergency,
       round(avg(duration_minutes), 1) AS average_minutes,
       count(outcome) AS with_outcome,
       count(*) FILTER (WHERE outcome = 'success') AS successes,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent
  FROM fact_procedures
 GROUP BY 1;

-- Patients by age on the day and sex. No dimension: every operation counts.
CREATE OR REPLACE VIEW vw_outcomes_by_demographics AS
SELECT age_group,
       sex,
       count(DISTINCT patient_id) AS patients,
       count(*) AS procedures,
       round(avg(age_at_procedure), 1) AS average_age,
       round(avg(bmi), 1) AS average_bmi,
       round(100.0 * count(*) FILTER (WHERE outcome = 'success') / nullif(count(outcome), 0), 2) AS success_percent,
       round(100.0 * count(*) FILTER (WHERE complication_count > 0) / nullif(count(*), 0), 2) AS complication_percent,
       round(100.0 * count(*) FILTER (WHERE readmitted_30_days) / nullif(count(discharged_at), 0), 2) AS readmission_percent,
       round(avg(duration_minutes), 1) AS average_minutes,
       round(CAST(avg(extract(epoch FROM discharged_at - end_time)) AS numeric) / 86400, 2) AS average_days_in_hospital,
       round(avg(satisfaction_score), 2) AS average_satisfaction
  FROM fact_procedures
 GROUP BY age_group, sex;

-- A robot: what it reported while it was used, and whether it needs a look. Robot and facility: last. Robots that reported nothing
-- are there, with zeros. Tracking error: how far a joint was from where it was told to be.
CREATE OR REPLACE VIEW vw_telemetry_system_health AS
WITH robot AS (
  SELECT DISTINCT ON (robot_id) * FROM dim_robots WHERE robot_key <> -1 ORDER BY robot_id, effective_from DESC
), reported AS (
  SELECT robot_id,
         count(*) AS samples,
         count(DISTINCT procedure_id) AS procedures,
         min(recorded_at) AS first_at,
         max(recorded_at) AS last_at,
         round(avg(latency_ms), 2) AS average_latency_ms,
         max(latency_ms) AS highest_latency_ms,
         round(avg(abs(target_deg - position_deg)), 4) AS average_tracking_error_deg,
         round(avg(torque_nm), 3) AS average_torque_nm,
         round(avg(current_a), 3) AS average_current_a,
         max(temperature_c) AS highest_temperature_c,
         count(*) FILTER (WHERE status = 'warning') AS warnings,
         count(*) FILTER (WHERE status = 'fault') AS faults,
         max(recorded_at) FILTER (WHERE status = 'fault') AS last_fault_at
    FROM fact_procedure_telemetry
   GROUP BY robot_id
)
SELECT r.robot_id,
       r.manufacturer,
       r.model,
       r.software_version,
       r.status,
       r.facility_id,
       coalesce(t.samples, 0) AS samples,
       coalesce(t.procedures, 0) AS procedures,
       t.first_at,
       t.last_at,
       t.average_latency_ms,
       t.highest_latency_ms,
       t.average_tracking_error_deg,
       t.average_torque_nm,
       t.average_current_a,
       t.highest_temperature_c,
       coalesce(t.warnings, 0) AS warnings,
       coalesce(t.faults, 0) AS faults,
       round(1000.0 * t.faults / nullif(t.samples, 0), 3) AS faults_per_1000,
       round(1000.0 * t.warnings / nullif(t.samples, 0), 3) AS warnings_per_1000,
       t.last_fault_at,
       CASE WHEN t.samples IS NULL THEN 'no data'
            WHEN 1000.0 * t.faults / t.samples >= 2 THEN 'inspect'
            WHEN t.faults > 0 OR 1000.0 * t.warnings / t.samples >= 20 THEN 'watch'
            ELSE 'good' END AS health
  FROM robot r
  LEFT JOIN reported t ON t.robot_id = r.robot_id;
