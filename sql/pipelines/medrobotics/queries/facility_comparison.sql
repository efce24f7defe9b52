-- How do the facilities compare?
-- A row a facility, most operations first: as it is now, with operations, success, complications, readmissions, satisfaction.
SELECT facility_id, name, facility_type, procedures, surgeons, success_percent, complication_percent, readmission_percent,
       average_satisfaction
  FROM vw_facility_performance
 ORDER BY procedures DESC, facility_id
