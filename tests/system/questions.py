"""The saved questions of medrobotics as one would ask the source, without warehouse, views or extraction queries.

The source keeps current states, so it can answer these as the warehouse does only while no surgeon, robot or facility has
changed since the operations: before sample/changes.sql.
"""

OPERATIONS = """
WITH op AS (
  SELECT p.*,
         round(extract(epoch FROM p.end_time - p.start_time) / 60)::integer AS minutes,
         (p.start_time AT TIME ZONE 'UTC')::date AS day,
         (p.start_time AT TIME ZONE 'UTC')::timestamp AS local,
         o.outcome, o.discharged_at, o.converted_to_open,
         EXISTS (SELECT 1 FROM complications c WHERE c.procedure_id = p.procedure_id) AS complicated,
         EXISTS (SELECT 1 FROM complications c WHERE c.procedure_id = p.procedure_id AND c.severity >= 3) AS severe,
         EXISTS (SELECT 1 FROM readmissions r WHERE r.procedure_id = p.procedure_id
                    AND r.readmitted_at < o.discharged_at + interval '720 hours') AS readmitted,
         extract(epoch FROM o.discharged_at - p.end_time) AS stay,
         (SELECT s.score FROM satisfaction s WHERE s.procedure_id = p.procedure_id) AS score,
         d.sex, d.birth_date,
         date_part('year', age((p.start_time AT TIME ZONE 'UTC')::date, d.birth_date))::integer AS years
    FROM procedures p
    JOIN patients d USING (patient_id)
    LEFT JOIN outcomes o USING (procedure_id)
), cohort AS (
  SELECT *, CASE WHEN years >= 80 THEN '80 and over' WHEN years >= 70 THEN '70-79' WHEN years >= 55 THEN '55-69'
                 WHEN years >= 40 THEN '40-54' ELSE 'under 40' END AS age_group
    FROM op
)"""


def percent(part, whole):
    """Of the rows for which `whole` holds, how many have `part`, too."""
    return f"round(100.0 * sum(CASE WHEN {part} THEN 1 ELSE 0 END) / nullif(sum(CASE WHEN {whole} THEN 1 ELSE 0 END), 0), 2)"


SUCCESS = percent("outcome = 'success'", "outcome IS NOT NULL")
COMPLICATION = percent("complicated", "true")
SEVERE = percent("severe", "true")
READMISSION = percent("readmitted", "discharged_at IS NOT NULL")

ASKED = {
    "platform_totals": f"""
        SELECT count(*), count(DISTINCT patient_id), count(DISTINCT surgeon_id), count(DISTINCT robot_id),
               count(DISTINCT facility_id), round(sum(minutes) / 60.0, 1), round(sum(console_minutes) / 60.0, 1),
               {SUCCESS}, {COMPLICATION}
          FROM op""",
    "top_robots": """
        SELECT r.robot_id, r.model, r.facility_id, count(*), count(DISTINCT op.day), round(sum(minutes) / 60.0, 1),
               round(sum(console_minutes) / 60.0, 1)
          FROM op JOIN robots r ON r.robot_id = op.robot_id
         GROUP BY r.robot_id ORDER BY 4 DESC, 7 DESC, 1 LIMIT 10""",
    "monthly_volume": """
        , monthly AS (SELECT date_trunc('month', local)::date AS month, count(*) AS n FROM op GROUP BY 1)
        SELECT m.month, m.n, round(100.0 * (m.n - b.n) / b.n, 2)
          FROM monthly m LEFT JOIN monthly b ON b.month = (m.month - interval '1 month')::date ORDER BY 1""",
    "complications_by_procedure_type": f"""
        SELECT category, procedure_type, count(*), count(*) FILTER (WHERE complicated), {COMPLICATION}, {SEVERE}
          FROM op GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2""",
    "outcomes_by_robot_model": f"""
        SELECT r.manufacturer, r.model, count(DISTINCT robot_id), count(*), {SUCCESS}, {COMPLICATION}, {READMISSION}
          FROM op JOIN robots r USING (robot_id) GROUP BY 1, 2 ORDER BY 5 DESC NULLS LAST, 2""",
    "readmissions": f"""
        SELECT category, count(discharged_at), count(*) FILTER (WHERE readmitted), {READMISSION},
               round(avg(stay)::numeric / 86400, 2)
          FROM op GROUP BY 1 ORDER BY 4 DESC NULLS LAST, 1""",
    "top_surgeons": f"""
        SELECT s.surgeon_id, s.full_name, s.title, s.specialty, count(*), {SUCCESS}, {COMPLICATION}, round(avg(score), 2)
          FROM op JOIN surgeons s ON s.surgeon_id = op.surgeon_id
         WHERE s.is_active GROUP BY s.surgeon_id HAVING count(*) >= 10 ORDER BY 6 DESC NULLS LAST, 5 DESC, 1 LIMIT 10""",
    "experience_and_outcome": f"""
        , banded AS (SELECT op.*, (op.day - s.practising_since) / 365.25 AS practice
                       FROM op JOIN surgeons s USING (surgeon_id))
        SELECT CASE WHEN practice >= 20 THEN 'd: 20 and more' WHEN practice >= 10 THEN 'c: 10 to 19'
                    WHEN practice >= 5 THEN 'b: 5 to 9' ELSE 'a: under 5' END,
               count(DISTINCT surgeon_id), count(*), {SUCCESS}, {COMPLICATION}, round(avg(minutes), 1)
          FROM banded GROUP BY 1 ORDER BY 1""",
    "facility_comparison": f"""
        SELECT f.facility_id, f.name, f.facility_type, count(op.procedure_id), count(DISTINCT surgeon_id),
               {SUCCESS}, {percent("complicated", "procedure_id IS NOT NULL")}, {READMISSION}, round(avg(score), 2)
          FROM facilities f LEFT JOIN op ON op.facility_id = f.facility_id
         GROUP BY f.facility_id ORDER BY 4 DESC, 1""",
    "facility_efficiency": """
        SELECT f.facility_id, f.name, count(DISTINCT robot_id), f.operating_rooms,
               round(1.0 * count(procedure_id) / nullif(count(DISTINCT robot_id), 0), 1),
               round(1.0 * count(procedure_id) / f.operating_rooms, 1),
               round(avg(minutes), 1), round(100.0 * sum(console_minutes) / sum(minutes), 2)
          FROM facilities f LEFT JOIN op ON op.facility_id = f.facility_id
         GROUP BY f.facility_id ORDER BY 5 DESC NULLS LAST, 1""",
    "volume_by_weekday": """
        , days AS (SELECT generate_series(min(day)::timestamp, max(day)::timestamp, '1 day')::date AS day FROM op),
        daily AS (SELECT days.day, count(op.procedure_id) AS n, count(*) FILTER (WHERE op.priority = 'emergency') AS emergency
                    FROM days LEFT JOIN op ON op.day = days.day GROUP BY 1)
        SELECT date_part('isodow', day)::integer, sum(n)::bigint, round(avg(n), 2), sum(emergency)::bigint
          FROM daily GROUP BY 1 ORDER BY 1""",
    "success_by_time_of_day": f"""
        SELECT CASE WHEN local::time < '06:00' THEN 'a: night' WHEN local::time < '12:00' THEN 'b: morning'
                    WHEN local::time < '18:00' THEN 'c: afternoon' ELSE 'd: evening' END, count(*), {SUCCESS}
          FROM op GROUP BY 1 ORDER BY 1""",
    "year_over_year": """
        , monthly AS (SELECT to_char(local, 'YYYY-MM-01')::date AS month, count(*) AS n FROM op GROUP BY 1)
        SELECT m.month, m.n, y.n, round(100.0 * (m.n - y.n) / y.n, 2)
          FROM monthly m JOIN monthly y ON m.month = (y.month + interval '12 months')::date ORDER BY 1""",
    "patient_cohorts": f"""
        SELECT age_group, asa_class, count(DISTINCT patient_id), count(*), {SUCCESS}, {COMPLICATION}, {READMISSION}
          FROM cohort GROUP BY 1, 2 ORDER BY 1, 2""",
}
