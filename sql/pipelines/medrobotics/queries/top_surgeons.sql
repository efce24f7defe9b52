-- Who are the top surgeons?
-- Ten rows, highest success first, more operations breaking ties: surgeons in practice with ten operations or more. Fewer
-- say nothing, and even so the operations differ in difficulty.
SELECT surgeon_id, full_name, title, specialty, procedures, success_percent, complication_percent, average_satisfaction
  FROM vw_surgeon_performance
 WHERE is_active
   AND procedures >= 10
 ORDER BY success_percent DESC NULLS LAST, procedures DESC, surgeon_id
 LIMIT 10
