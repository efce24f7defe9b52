-- Do outcomes differ by model of robot?
-- A row a model, highest success first: robots, operations, success, complications, readmissions.
SELECT manufacturer, model, robots, procedures, success_percent, complication_percent, readmission_percent
  FROM vw_outcomes_by_robot_model
 ORDER BY success_percent DESC NULLS LAST, model
