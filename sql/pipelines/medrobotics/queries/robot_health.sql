-- Which robots need a look?
-- Worst first: what the robots reported while they were used; robots that reported nothing come last.
SELECT robot_id, model, facility_id, health, samples, faults, warnings, faults_per_1000, average_latency_ms,
       average_tracking_error_deg, highest_temperature_c
  FROM vw_telemetry_system_health
 ORDER BY CASE health WHEN 'inspect' THEN 1 WHEN 'watch' THEN 2 WHEN 'good' THEN 3 ELSE 4 END,
          faults_per_1000 DESC NULLS LAST, warnings_per_1000 DESC NULLS LAST, robot_id
