"""Declared views and saved questions: applied with every run, answered over HTTP, and true: the source says the same."""

import csv
import io
import itertools
import shutil

import pytest

from questions import ASKED, COMPLICATION, OPERATIONS, SUCCESS
from service import ROOT

FOLDER = ROOT / "sql/pipelines/medrobotics"
VIEWS = [
    "vw_robot_utilization", "vw_robot_utilization_monthly", "vw_procedure_outcomes", "vw_outcomes_by_robot_model",
    "vw_surgeon_performance", "vw_surgeon_procedure_categories", "vw_facility_performance", "vw_daily_procedure_volume",
    "vw_procedures_by_time_of_day", "vw_outcomes_by_demographics",
]
HEALTH = "vw_telemetry_system_health"  # of points, not of operations: test_telemetry.py


def rows(service, view, **options):
    answer = service.get(f"/v1/pipelines/medrobotics/views/{view}", **{"params": {"limit": 1000}, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def ask_source(service, text):
    return service.sql("medrobotics_source", OPERATIONS + text)


def total(items, column="procedures"):
    return sum(item[column] for item in items)


def view_step(service, run_id):
    return [step for step in service.steps(run_id) if step["kind"] == "view"]


# -- what they say -----------------------------------------------------------------------------------------------------


def test_pipeline_tells_its_views_and_questions(loaded):
    pipeline = loaded.get("/v1/pipelines/medrobotics").json()
    assert [view["name"] for view in pipeline["views"]] == [*VIEWS, HEALTH]
    assert {query["name"] for query in pipeline["queries"]} == {*ASKED, "robot_health"}
    assert all(query["question"].endswith("?") for query in pipeline["queries"])


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers_and_counts_every_operation(loaded, view):
    count = loaded.sql("medrobotics_source", "SELECT count(*) FROM procedures")[0][0]
    if view == "vw_robot_utilization_monthly":  # more rows than one answer holds
        assert loaded.sql("warehouse", f"SELECT sum(procedures) FROM {view}")[0][0] == count
        assert len(rows(loaded, view)) == 1000
    else:
        assert total(rows(loaded, view)) == count


def test_daily_volume_has_every_day_once(loaded):
    days = {row["day"]: row["procedures"] for row in rows(loaded, "vw_daily_procedure_volume")}
    there = ask_source(loaded, "SELECT day::text, count(*) FROM op GROUP BY 1")
    assert {day: n for day, n in days.items() if n} == dict(there)
    first, last = min(days), max(days)
    assert len(days) == loaded.sql("warehouse", "SELECT %s::date - %s::date + 1", last, first)[0][0]


def test_complication_rate_by_model(loaded):
    said = {row["model"]: (row["procedures"], row["success_percent"], row["complication_percent"])
            for row in rows(loaded, "vw_outcomes_by_robot_model")}
    want = ask_source(loaded, f"SELECT r.model, count(*), {SUCCESS}, {COMPLICATION} FROM op JOIN robots r USING (robot_id)"
                      " GROUP BY 1")
    assert said == {model: (n, float(success), float(rate)) for model, n, success, rate in want} and len(said) == 4


def test_monthly_volume_of_robots(loaded):
    want = ask_source(loaded, "SELECT date_trunc('month', local)::date, robot_id, count(*), count(DISTINCT day) FROM op"
                      " GROUP BY 1, 2 ORDER BY 1, 2")
    assert loaded.sql("warehouse", "SELECT month, robot_id, procedures, days_in_use FROM vw_robot_utilization_monthly"
                      " ORDER BY 1, 2") == want


def test_a_surgeons_shares_make_a_whole(loaded):
    assert loaded.sql("warehouse", "SELECT count(*) FROM (SELECT sum(share_percent) AS whole FROM"
                      " vw_surgeon_procedure_categories GROUP BY surgeon_id) x WHERE abs(whole - 100) > 0.05") == [(0,)]
    assert loaded.sql("warehouse", "SELECT sum(in_own_specialty) FROM vw_surgeon_procedure_categories") == \
        ask_source(loaded, "SELECT count(*) FROM op JOIN surgeons s USING (surgeon_id) WHERE s.specialty = op.category")


@pytest.mark.parametrize("question", sorted(ASKED))
def test_question_has_the_sources_answer(loaded, question):
    said = loaded.sql("warehouse", (FOLDER / "queries" / f"{question}.sql").read_text())
    assert said == ask_source(loaded, ASKED[question])
    assert said


# -- how they are asked ------------------------------------------------------------------------------------------------


def test_limit_and_formats(loaded):
    path = "/v1/pipelines/medrobotics/views/vw_daily_procedure_volume"
    assert len(loaded.get(path).json()["items"]) == 100
    assert len(loaded.get(path, params={"limit": 3}).json()["items"]) == 3
    assert loaded.get(path, params={"limit": 1001}).status_code == 422
    answer = loaded.get(path, params={"limit": 5}, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    items = loaded.get(path, params={"limit": 5}).json()["items"]
    assert [row["day"] for row in table] == [item["day"] for item in items]
    assert list(table[0]) == list(items[0])


def test_only_declared_views_and_only_with_the_scope(loaded):
    path = "/v1/pipelines/medrobotics/views/"
    assert loaded.get(path + "vw_robot_utilization", scope="runs:read").status_code == 403
    assert loaded.get(path + "vw_robot_utilization", scope="data:read:medrobotics").status_code == 200
    assert loaded.get(path + "vw_robot_utilization", scope="data:read:other").status_code == 404
    for name in ("fact_procedures", "pg_class", "vw_robot_utilization%22", "loadstar.control"):
        assert loaded.get(path + name).status_code == 404, name


# -- how they come to be -----------------------------------------------------------------------------------------------


def test_views_are_the_last_step_of_a_run_but_for_its_checks(loaded):
    steps = view_step(loaded, loaded.first_run["id"])
    assert len(steps) == 1 and steps[0]["status"] == "succeeded"
    assert steps[0]["table"] is None and steps[0]["slice"] is None and steps[0]["rows"] is None
    others = [s["started_at"] for s in loaded.steps(loaded.first_run["id"]) if s["kind"] != "check"]
    assert len(others) > 5 and max(others) == steps[0]["started_at"]


def test_sql_of_our_own_runs_after_the_facts(loaded):
    steps = {step["kind"]: step for step in loaded.steps(loaded.first_run["id"])}
    assert steps["sql"]["table"] == "statistics" and steps["sql"]["status"] == "succeeded" and steps["sql"]["rows"] is None
    assert steps["fact"]["started_at"] < steps["sql"]["started_at"] < steps["view"]["started_at"]


def test_broken_sql_of_our_own_leaves_the_run_partial(make_service, tmp_path):
    folder = tmp_path / "pipelines"
    shutil.copytree(FOLDER, folder / "medrobotics")
    tmp_path.chmod(0o755)
    (folder / "medrobotics/post_load/broken.sql").write_text("CREATE TABLE half (n int);\nSELECT * FROM nothing_like_it\n")
    service = make_service(pipelines=folder).start()
    run = service.wait(service.submit("dimensions"))
    steps = {step["table"]: step for step in service.steps(run["id"]) if step["kind"] == "sql"}
    assert run["status"] == "partial" and steps["statistics"]["status"] == "succeeded"
    assert steps["broken"]["error"]["code"] == "sql_error" and "post_load/broken.sql:2:15: " in steps["broken"]["error"]["message"]
    assert service.sql("warehouse", "SELECT to_regclass('public.half')") == [(None,)]


def test_views_change_break_and_heal(make_service, tmp_path):
    folder = tmp_path / "pipelines"
    shutil.copytree(FOLDER, folder / "medrobotics", ignore=shutil.ignore_patterns("queries"))
    spec, views = folder / "medrobotics/pipeline.yaml", folder / "medrobotics/views.sql"
    spec.write_text("\n".join(line for line in spec.read_text().splitlines() if not line.startswith("queries:")) + "\n")
    tmp_path.chmod(0o755)
    service = make_service(pipelines=folder)

    edition = itertools.count()

    def load(text, status="succeeded", before="SELECT"):
        views.write_text(f"{text}\n-- {next(edition)}\n")  # a start applies what was never there before
        service.start()
        service.sql("warehouse", before)
        run = service.wait(service.submit("dimensions"))
        assert run["status"] == status, run
        steps = view_step(service, run["id"])
        columns = service.sql("warehouse", "SELECT string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name,"
                              " ordinal_position) FROM information_schema.columns WHERE table_name LIKE 'vw_%'")[0][0]
        service.stop()
        return steps[0], columns

    # the first run of all makes every table a view may be made of
    first = ("CREATE OR REPLACE VIEW vw_a AS SELECT robot_id, model FROM dim_robots;"
             "CREATE OR REPLACE VIEW vw_b AS SELECT model, count(*) AS n FROM vw_a JOIN fact_procedures USING (robot_id) GROUP BY 1;")
    assert load(first)[1] == "vw_a.robot_id vw_a.model vw_b.model vw_b.n"
    # a column goes, under another view that uses what stays
    assert load(first.replace("robot_id, model FROM", "upper(model) AS model, robot_id FROM"))[1] == \
        "vw_a.model vw_a.robot_id vw_b.model vw_b.n"
    # a broken one: nothing of the file is applied, the run tells where, and what was loaded stays
    step, columns = load(first + "CREATE OR REPLACE VIEW vw_c AS SELECT nothing FROM dim_robots", "partial")
    assert step["status"] == "failed" and step["error"]["code"] == "sql_error"
    assert "view vw_c (views.sql:1)" in step["error"]["message"] and "nothing" in step["error"]["message"]
    assert columns == "vw_a.model vw_a.robot_id vw_b.model vw_b.n"
    # somebody else's view on top of one that must be made again is not dropped with it
    step, columns = load(first, "partial", before="CREATE VIEW of_somebody AS SELECT * FROM vw_a")
    assert "vw_a" in step["error"]["message"] and "depend" in step["error"]["message"]
    assert columns == "vw_a.model vw_a.robot_id vw_b.model vw_b.n"
    assert load(first, before="DROP VIEW of_somebody")[1] == "vw_a.robot_id vw_a.model vw_b.model vw_b.n"
