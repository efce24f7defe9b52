-- One row: a surgeon as he or she is now, and has been since updated_at.
SELECT surgeon_id,
       full_name,
       title,
       specialty,
       facility_id,
       practising_since,
       hired_on,
       is_active,
       updated_at
  FROM surgeons
