"""How every table is, and where a row comes from: over HTTP and on the command line."""

import json

import pytest

TABLES = "/v1/tables"
TRACE = "/v1/pipelines/medrobotics/tables"


def tables(service, **params):
    answer = service.get(TABLES, params=params)
    assert answer.status_code == 200, answer.text
    return {item["table"]: item for item in answer.json()["items"]}


def test_loaded_tables_are_told(loaded):
    there = tables(loaded, pipeline="medrobotics")
    declared = [table["name"] for table in loaded.get("/v1/pipelines/medrobotics").json()["tables"]]
    assert list(there) == declared
    fact = there["fact_procedures"]
    assert fact["state"] in ("ok", "late") and fact["running"] == 0 and fact["last_error"] is None
    assert fact["last_load"]["scope"] == "time" and fact["last_load"]["committed_at"] is not None
    newest = loaded.sql("warehouse", "SELECT max(updated_at) FROM fact_procedures")[0][0]
    assert fact["newest_row"].startswith(newest.strftime("%Y-%m-%dT%H:%M:%S"))
    assert there["dim_robots"]["last_load"]["rows"] >= 1 and there["dim_robots"]["state"] == "ok"


def test_states_filter(loaded):
    everything, ok, late = tables(loaded), tables(loaded, status="ok"), tables(loaded, status="late,failed,never")
    assert everything.keys() == ok.keys() | late.keys() and not ok.keys() & late.keys()
    assert all(item["state"] == "ok" for item in ok.values())


def test_pollers_are_answered_from_memory(loaded):
    answer = loaded.get(TABLES)
    again = loaded.get(TABLES, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.content
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loadstar/overview'"
    for _ in range(20):
        assert loaded.get(TABLES).json() == answer.json()
    assert loaded.sql("warehouse", asked) == [(0,)]


@pytest.mark.parametrize("params, pointer", [({"status": "good"}, "?status"), ({"pipeline": "../x"}, "?pipeline")])
def test_wrong_parameters_are_named(loaded, params, pointer):
    answer = loaded.get(TABLES, params=params)
    assert answer.status_code == 422 and [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_token_sees_its_own(loaded):
    assert loaded.get(TABLES, scope="runs:read:another").json()["items"] == []
    assert loaded.get(TABLES, scope="runs:read:another", params={"pipeline": "medrobotics"}).status_code == 404
    assert loaded.get(TABLES, scope="data:read").status_code == 403


def test_status_shows_tables(loaded):
    lines = loaded.cli("status").stdout.splitlines()
    header = next(line for line in lines if line.startswith("PIPELINE"))
    assert header.split()[:3] == ["PIPELINE", "TABLE", "STATE"]
    assert any(line.split()[:2] == ["medrobotics", "fact_procedures"] for line in lines)
    answer = json.loads(loaded.cli("status", "--json").stdout)
    mine = next(item for item in answer if item["pipeline"] == "medrobotics")
    assert mine["run"]["id"] and "dim_robots" in [table["table"] for table in mine["tables"]]


# -- where a row comes from --------------------------------------------------------------------------------------------


def test_trace_of_a_member(loaded):
    robot, versions = loaded.sql(
        "warehouse", "SELECT robot_id, count(*) FROM dim_robots WHERE robot_key > 0 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1")[0]
    answer = loaded.get(f"{TRACE}/dim_robots/trace", params={"robot_id": robot}).json()
    assert answer["key"] == {"robot_id": robot} and len(answer["versions"]) == versions
    times = [version["row"]["effective_from"] for version in answer["versions"]]
    assert times == sorted(times)
    assert len(answer["observations"]) >= versions
    for part in answer["versions"] + answer["observations"]:
        assert part["load"]["run_id"] == loaded.first_run["id"] and part["load"]["table"] == "dim_robots"
        assert part["load"]["spec_version"].startswith("sha256:") and part["file"] is None


def test_trace_of_a_fact(loaded):
    procedure, load, start = loaded.sql("warehouse", "SELECT procedure_id, load_id, start_time FROM fact_procedures LIMIT 1")[0]
    answer = loaded.get(f"{TRACE}/fact_procedures/trace", params={"procedure_id": procedure}).json()
    [version] = answer["versions"]
    assert version["load"]["load_id"] == str(load) and version["row"]["procedure_id"] == procedure
    checks = {check["check"]: check["status"] for check in version["load"]["checks"]}
    assert checks["procedures_complete"] == "passed" and len(checks) > 3
    assert version["load"]["undone_at"] is None
    assert version["load"]["slice"].startswith(start.strftime("%Y-%m-01T")) and answer["observations"] is None
    assert loaded.get(f"{TRACE}/fact_procedures/trace", params={"procedure_id": "' OR true --"}).json()["versions"] == []


@pytest.mark.parametrize("table, params, pointers", [
    ("dim_robots", {}, ["?robot_id"]), ("dim_robots", {"robot_id": "x", "model": "y"}, ["?model"]),
    ("dim_date", {"full_date": "soon"}, ["?full_date"])])
def test_wrong_keys_are_named(loaded, table, params, pointers):
    answer = loaded.get(f"{TRACE}/{table}/trace", params=params)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


def test_who_may_trace(loaded):
    path = f"{TRACE}/dim_robots/trace"
    assert loaded.get(path, scope="runs:read", params={"robot_id": "x"}).status_code == 403
    assert loaded.get(path, scope="data:read:another", params={"robot_id": "x"}).status_code == 404
    assert loaded.get(f"{TRACE}/nothing/trace", params={"x": "y"}).status_code == 404


def test_trace_command(loaded):
    robot = loaded.sql("warehouse", "SELECT min(robot_id) FROM dim_robots WHERE robot_key > 0")[0][0]
    assert loaded.first_run["id"] in loaded.cli("trace", "medrobotics", "dim_robots", f"robot_id={robot}").stdout
    assert "no row has this key" in loaded.cli("trace", "medrobotics", "dim_robots", "robot_id=none such").stdout
    assert json.loads(loaded.cli("trace", "medrobotics", "dim_robots", f"robot_id={robot}", "--json").stdout)["versions"]
