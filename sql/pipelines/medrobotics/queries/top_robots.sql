-- Which ten robots are used most?
-- Ten rows, most operations first: the robot as it is now, its operations and hours.
SELECT robot_id, model, facility_id, procedures, days_in_use, duration_hours, console_hours
  FROM vw_robot_utilization
 ORDER BY procedures DESC, console_hours DESC, robot_id
 LIMIT 10
