-- Which facilities make most of their robots and rooms?
-- A row a facility, most operations a robot first: operations by robot and room, minutes an operation, share of them with the
-- robot in use.
SELECT facility_id, name, robots, operating_rooms, procedures_per_robot, procedures_per_room, average_minutes, console_percent
  FROM vw_facility_performance
 ORDER BY procedures_per_robot DESC NULLS LAST, facility_id
