-- After a night's load the planner should know what is there now: the morning's questions join all of these.
ANALYZE dim_surgeons;
ANALYZE dim_robots;
ANALYZE dim_facilities;
ANALYZE dim_date;
ANALYZE dim_time;
ANALYZE fact_procedures;
ANALYZE fact_procedure_telemetry;
