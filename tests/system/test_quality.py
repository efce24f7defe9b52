"""Quality checks on a real service: the shipped ones pass on the sample, and each is seen to fail when the data is bent."""

import datetime
import json

import pytest

import api
from service import Service
from test_versions import files

FIELDS = {"run_id", "pipeline", "table", "check", "kind", "severity", "gate", "scope", "status", "expected", "observed",
          "rows_checked", "rows_failed", "sample", "at", "duration_ms", "error", "step_id", "attempt", "slice"}
CHECKS = {"surgeons_complete", "robots_serial_unique", "facilities_sane", "surgeons_facility_known", "procedures_complete",
          "procedures_outcome_known", "procedures_duration_sane", "procedures_console_within", "procedures_scores_in_range",
          "procedures_robot_known", "procedures_volume", "procedures_fresh", "history_overlaps", "telemetry_sane", "telemetry_robot_known"}
UNGUARD = """
DO $$ DECLARE c record; BEGIN
  FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'u') AND connamespace = 'public'::regnamespace
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$;
ALTER TABLE procedures ALTER procedure_type DROP NOT NULL; ALTER TABLE surgeons ALTER full_name DROP NOT NULL"""


def of_month(ago):
    return f"start_time >= '{api.month(ago)}' AND start_time < '{api.month(ago - 1)}'"


BENT = [  # of a month of operations each
    f"UPDATE procedures SET end_time = start_time - interval '1 hour', asa_class = 9 WHERE {of_month(3)}",
    f"UPDATE procedures SET procedure_type = NULL WHERE {of_month(4)}",
    f"DELETE FROM outcomes WHERE procedure_id IN (SELECT procedure_id FROM procedures WHERE {of_month(5)})",
    f"UPDATE procedures SET robot_id = 'RBT-999' WHERE {of_month(6)}",
    f"DELETE FROM procedures WHERE {of_month(7)} AND procedure_id NOT IN (SELECT min(procedure_id) FROM procedures WHERE {of_month(7)})",
    *[f"UPDATE {table} SET updated_at = updated_at - interval '60 days'"
      for table in ("procedures", "patients", "outcomes", "complications", "readmissions", "satisfaction")],
]


def results(service, path, **params):
    items = []
    while True:
        answer = service.get(path, params=params)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        params["cursor"] = answer.json()["next_cursor"]
        if params["cursor"] is None:
            return items


def statuses(items):
    found = {}
    for item in items:
        found.setdefault(item["check"], set()).add(item["status"])
    return found


@pytest.fixture(scope="module")
def checked():
    with Service(procedures=600) as service:
        service.first_run = service.load("full")
        yield service


def test_shipped_checks_pass(checked):
    run = checked.first_run
    items = results(checked, run["links"]["quality"], limit=20)
    assert statuses(items) == {check: {"passed"} for check in CHECKS}
    assert run["quality"] == {"passed": len(items), "warned": 0, "failed": 0, "errored": 0}
    assert all(set(item) == FIELDS and item["run_id"] == run["id"] for item in items)
    assert sum(i["rows_checked"] for i in items if i["check"] == "procedures_duration_sane") == 600
    steps = {step["id"]: step for step in checked.steps(run["id"])}
    assert {steps[i["step_id"]]["kind"] for i in items if i["gate"] == "run"} == {"check"}
    assert all(steps[i["step_id"]]["slice"] == i["slice"] for i in items)
    samples = api.metrics(checked)
    passed = samples["loadstar_check_results_total"]
    assert passed[("pipeline", "medrobotics"), ("status", "passed"), ("table", "dim_robots")] == 1
    fresh = samples["loadstar_table_freshness_seconds"]
    assert 0 <= fresh[("pipeline", "medrobotics"), ("table", "fact_procedures")] < 600


def test_declared_checks_and_their_sql_are_told(checked):
    declared = checked.get("/v1/pipelines/medrobotics").json()["checks"]
    assert {check["name"] for check in declared} == CHECKS
    plan = checked.post("/v1/runs", {"pipeline": "medrobotics", "type": "full", "dry_run": True}).json()
    told = {(entry["phase"], entry["name"]) for entries in plan["sql"].values() for entry in entries}
    assert ("check staging", "procedures_duration_sane") in told and ("check published", "procedures_robot_known") in told
    assert {entry["name"] for entry in plan["sql"]["checks of the run"]} == {
        "surgeons_facility_known", "procedures_fresh", "history_overlaps"}


def test_scope_table_is_asked_once_before_what_is_built_on_it(checked):
    shipped = checked.get("/v1/pipelines/medrobotics").json()["version"]
    scoped = files("checks:\n", "checks:\n  - { name: few, kind: volume, table: fact_procedures, gate: published, scope: table, max: 10 }\n",
                   "    on_error: continue", "")
    assert checked.post("/v1/pipelines", {"files": scoped}).status_code == 200
    submitted = checked.submit("range", **{"from": api.month(2), "to": api.month(0), "tables": ["fact_procedures", "fact_procedure_telemetry"]})
    run = checked.wait(submitted)
    assert run["status"] == "failed" and run["error"]["code"] == "quality_failed" and run["error"]["table"] == "fact_procedures", run["error"]
    steps = checked.steps(run["id"])
    assert [s["status"] for s in steps if s["kind"] == "fact" and s["table"] == "fact_procedures"] == ["succeeded"] * 2
    after = [s for s in steps if s["kind"] == "check" and s["table"] == "fact_procedures"]
    assert [(s["status"], s["slice"], len(s["attempts"])) for s in after] == [("failed", None, 1)]
    built = [s for s in steps if s["table"] == "fact_procedure_telemetry"]
    assert built and {s["status"] for s in built} == {"skipped"} and built[0]["reason"]["code"] == "upstream_failed"
    found = [i for i in results(checked, run["links"]["quality"]) if i["check"] == "few"]
    assert [(i["scope"], i["gate"], i["status"], i["rows_checked"]) for i in found] == [("table", "published", "failed", 600)]
    assert checked.post(f"/v1/pipelines/medrobotics/versions/{shipped}/activate", {}).status_code == 200
    assert checked.post(f"/v1/runs/{run['id']}/retry", {"spec": "current"}).status_code == 202
    run = checked.wait(submitted)
    assert run["status"] == "succeeded" and run["quality"]["failed"] == 0, run


def test_bent_operations(checked):
    for bend in [UNGUARD, *BENT]:
        checked.sql("medrobotics_source", "SET session_replication_role = replica; " + bend)
    before = checked.sql("warehouse", "SELECT count(*), sum(duration_minutes) FROM fact_procedures WHERE " + of_month(3))
    run = checked.wait(checked.submit("facts", mode="all", tables=["fact_procedures"], allow=["shrink", "change"]))
    assert run["status"] == "partial" and run["error"]["code"] == "quality_failed" and run["error"]["class"] == "quality"
    items = results(checked, run["links"]["quality"])
    failed = {check for check, found in statuses(items).items() if "failed" in found}
    warned = {check for check, found in statuses(items).items() if "warned" in found}
    assert failed == {"procedures_duration_sane", "procedures_console_within", "procedures_scores_in_range", "procedures_complete"}
    assert warned == {"procedures_outcome_known", "procedures_robot_known", "procedures_volume", "procedures_fresh"}
    assert run["quality"]["failed"] == 4 and run["quality"]["errored"] == 0
    assert run["quality"]["warned"] == sum(item["status"] == "warned" for item in items)
    # what failed is not there, and can be looked at
    assert checked.sql("warehouse", "SELECT count(*), sum(duration_minutes) FROM fact_procedures WHERE " + of_month(3)) == before
    evidence = [i for i in items if i["check"] == "procedures_duration_sane" and i["status"] == "failed"][0]
    assert evidence["slice"]["from"][:10] == api.month(3) and 1 <= len(evidence["sample"]) <= 10
    assert set(evidence["sample"][0]) == {"procedure_id", "duration_minutes", "start_time", "end_time"}
    step = [s for s in checked.steps(run["id"]) if s["id"] == evidence["step_id"]][0]
    assert step["status"] == "failed" and len(step["attempts"]) == 2  # asked once, then revoked
    # how far it came, of the attempt and in the warehouse; a success of the slice ends that
    read = step["attempts"][0]["rows"]["read"]
    kept = checked.sql("warehouse", "SELECT state, code, (counts -> 'rows' ->> 'read')::int, checks -> 0 ->> 'check', jsonb_array_length(checks -> 0 -> 'sample')"
                       f" FROM loadstar.slice_evidence WHERE step_id = '{step['id']}'")
    assert kept == [("aborted", "quality_failed", read, "procedures_duration_sane", len(evidence["sample"]))] and read > 0
    assert step["rows"] is None and step["attempts"][1]["rows"] is None


def test_who_sees_samples(checked):
    run = results(checked, "/v1/quality", status="failed")[0]["run_id"]
    for scope, sees in (("runs:read", False), ("runs:read data:read", True), ("runs:read data:read:another", False),
                        ("runs:read:medrobotics data:read:medrobotics", True)):
        for path in (f"/v1/runs/{run}/quality?limit=1000", "/v1/quality?status=failed"):
            items = checked.get(path, scope=scope).json()["items"]
            assert items and any(item["sample"] for item in items) == sees, (scope, path)
    assert checked.get("/v1/quality", scope="runs:read:another").json()["items"] == []
    assert checked.get(f"/v1/runs/{run}/quality", scope="runs:read:another").status_code == 404
    assert checked.get("/v1/quality", scope="data:read").status_code == 403


def test_over_time(checked):
    everything = results(checked, "/v1/quality", pipeline="medrobotics", limit=7)
    assert [i["at"] for i in everything] == sorted((i["at"] for i in everything), reverse=True)
    assert {i["run_id"] for i in everything} >= {checked.first_run["id"]}
    only = results(checked, "/v1/quality", table="fact_procedures", check="procedures_complete", status="failed")
    assert len(only) == 1 and only[0]["rows_failed"] > 0
    tomorrow = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)).isoformat()
    assert results(checked, "/v1/quality", since=tomorrow) == []
    assert len(results(checked, "/v1/quality", until=tomorrow)) == len(everything)
    for params, pointer in (({"status": "bad"}, "?status"), ({"table": "X"}, "?table"), ({"cursor": "x"}, "?cursor")):
        assert [e["pointer"] for e in checked.get("/v1/quality", params=params).json()["errors"]] == [pointer]


def test_across_tables(checked):
    checked.sql("warehouse", "UPDATE dim_surgeons SET facility_id = 'FAC-77' WHERE is_current AND surgeon_id = 'SRG-0001'")
    checked.sql("warehouse", "INSERT INTO dim_robots (robot_id, effective_from, effective_to, is_current, load_id, loaded_at)"
                " SELECT robot_id, '2000-01-01', '9999-12-31', false, 0, now() FROM dim_robots WHERE is_current AND robot_id = 'RBT-001'")
    done = checked.cli("run", "medrobotics", "dimensions", "--tables", "dim_surgeons", "--wait", "--json", check=False)
    run = json.loads(done.stdout)
    assert done.returncode == 4 and run["status"] == "failed", run
    found = statuses(results(checked, run["links"]["quality"]))
    assert found["history_overlaps"] == {"failed"} and found["surgeons_facility_known"] == {"warned"}


@pytest.mark.parametrize("table, check, bend", [
    ("dim_surgeons", "surgeons_complete", "UPDATE surgeons SET full_name = NULL WHERE surgeon_id = 'SRG-0002'"),
    ("dim_robots", "robots_serial_unique", "UPDATE robots SET serial_number = (SELECT min(serial_number) FROM robots)"),
    ("dim_facilities", "facilities_sane", "UPDATE facilities SET country = 'xx' WHERE facility_id = 'FAC-01'"),
])
def test_bent_dimensions(checked, table, check, bend):
    before = checked.sql("warehouse", f"SELECT sum(hashtextextended(t::text, 0)::numeric) FROM {table} t")
    checked.sql("medrobotics_source", bend)
    done = checked.cli("run", "medrobotics", "dimensions", "--tables", table, "--wait", "--json", check=False)
    run = json.loads(done.stdout)
    assert done.returncode == 4 and run["status"] == "failed" and f"the check {check} failed" in run["error"]["message"], run
    assert checked.sql("warehouse", f"SELECT sum(hashtextextended(t::text, 0)::numeric) FROM {table} t") == before
    assert statuses(results(checked, run["links"]["quality"]))[check] == {"failed"}


def test_command(checked):
    lines = checked.cli("quality", checked.first_run["id"]).stdout.splitlines()
    assert lines[0].split()[:3] == ["CHECK", "TABLE", "KIND"] and {line.split()[0] for line in lines[1:]} == CHECKS
    assert not [line for line in lines if " 0 of 0 rows" in line], "of many slices, the one shown has rows"
    bad = checked.cli("quality", "--pipeline", "medrobotics", "--status", "failed", "--check", "facilities_sane").stdout
    assert len(bad.splitlines()) == 2 and "1 of" in bad
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert json.loads(checked.cli("quality", "--pipeline", "medrobotics", "--date", today, "--limit", "5", "--json").stdout)
    assert json.loads(checked.cli("quality", "--pipeline", "medrobotics", "--date", "2001-01-01", "--json").stdout) == []
    for wrong in ([], ["--pipeline", "p", "--date", "today"], [checked.first_run["id"], "--table", "x"]):
        assert checked.cli("quality", *wrong, check=False).returncode == 1
