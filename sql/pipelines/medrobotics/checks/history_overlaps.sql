-- Versions of a surgeon, robot or facility that hold at the same time as the next one.
SELECT count(*)
  FROM (SELECT effective_to, lead(effective_from) OVER (PARTITION BY surgeon_id ORDER BY effective_from) AS next FROM dim_surgeons
        UNION ALL
        SELECT effective_to, lead(effective_from) OVER (PARTITION BY robot_id ORDER BY effective_from) FROM dim_robots
        UNION ALL
        SELECT effective_to, lead(effective_from) OVER (PARTITION BY facility_id ORDER BY effective_from) FROM dim_facilities) versions
 WHERE effective_to > next
