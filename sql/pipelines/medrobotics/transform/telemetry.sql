-- A point of the robots' files, flat. DuckDB's SQL; `telemetry` is what the source gives. A number that is none fails the file.
SELECT procedure_id,
       sample AS sample_no,
       robot_id,
       recorded_at,
       arm,
       CAST(json_extract_string(joint, '$.target_deg') AS DECIMAL(9, 3)) AS target_deg,
       CAST(json_extract_string(joint, '$.position_deg') AS DECIMAL(9, 3)) AS position_deg,
       CAST(json_extract_string(joint, '$.torque_nm') AS DECIMAL(8, 3)) AS torque_nm,
       CAST(json_extract_string(motor, '$.current_a') AS DECIMAL(8, 3)) AS current_a,
       CAST(json_extract_string(motor, '$.temperature_c') AS DECIMAL(5, 1)) AS temperature_c,
       latency_ms,
       status,
       error_code,
       loadstar_file,
       loadstar_line
  FROM telemetry
