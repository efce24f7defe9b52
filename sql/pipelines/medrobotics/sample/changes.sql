-- The master data catches up: surgeons, robots and facilities that changed 14, 9 and 3 months ago, heard of only now.
-- Run it by hand after a first load:  loadstar psql medrobotics_source -f sql/pipelines/medrobotics/sample/changes.sql
-- The next load opens versions in the past, and the facts since then point to them. From then on each procedure's
-- facility is the facility of its surgeon and of its robot as of start_time.
--
-- updated_at is the time of the change, not of this script. A second run finds every row as new as it should be and
-- changes nothing. Prints the keys it changed.

WITH surgeon AS (
  UPDATE surgeons s
     SET title = coalesce(c.title, s.title), specialty = coalesce(c.specialty, s.specialty),
         facility_id = coalesce(c.facility_id, s.facility_id), is_active = coalesce(c.is_active, s.is_active), updated_at = c.at
    FROM sample.surgeon_change c
   WHERE c.surgeon_id = s.surgeon_id AND s.updated_at < c.at
  RETURNING s.surgeon_id, c.at, concat_ws(', ', 'title ' || c.title, 'specialty ' || c.specialty, 'facility ' || c.facility_id,
                                          CASE WHEN NOT c.is_active THEN 'left' END)
), robot AS (
  UPDATE robots r
     SET software_version = coalesce(c.software_version, r.software_version), facility_id = coalesce(c.facility_id, r.facility_id),
         status = coalesce(c.status, r.status), updated_at = c.at
    FROM sample.robot_change c
   WHERE c.robot_id = r.robot_id AND r.updated_at < c.at
  RETURNING r.robot_id, c.at, concat_ws(', ', 'software ' || c.software_version, 'facility ' || c.facility_id, 'status ' || c.status)
), facility AS (
  UPDATE facilities f
     SET name = coalesce(c.name, f.name), bed_count = coalesce(c.bed_count, f.bed_count), updated_at = c.at
    FROM sample.facility_change c
   WHERE c.facility_id = f.facility_id AND f.updated_at < c.at
  RETURNING f.facility_id, c.at, concat_ws(', ', 'name ' || c.name, 'beds ' || c.bed_count)
)
SELECT 'surgeons' AS changed, v.key, v.since, v.now FROM surgeon v (key, since, now)
UNION ALL
SELECT 'robots', v.key, v.since, v.now FROM robot v (key, since, now)
UNION ALL
SELECT 'facilities', v.key, v.since, v.now FROM facility v (key, since, now)
ORDER BY changed, key;
