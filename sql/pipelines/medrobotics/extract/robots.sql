-- One row: a surgical robot as it is now, and has been since updated_at.
SELECT robot_id,
       serial_number,
       manufacturer,
       model,
       arms,
       software_version,
       facility_id,
       status,
       installed_on,
       updated_at
  FROM robots
