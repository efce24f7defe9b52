-- Which types of operation have complications most often?
-- A row a type, highest rate first: operations, those with a complication, the rate of any and of severe ones (grade 3 up).
SELECT category, procedure_type, procedures, with_complications, complication_percent, severe_complication_percent
  FROM vw_procedure_outcomes
 ORDER BY complication_percent DESC, category, procedure_type
