-- One row: a hospital or clinic as it is now, and has been since updated_at.
SELECT facility_id,
       name,
       facility_type,
       city,
       country,
       bed_count,
       operating_rooms,
       opened_on,
       updated_at
  FROM facilities
