"""What of a table is loaded, over HTTP and on the command line."""

import json

import pytest

PATH = "/v1/pipelines/medrobotics/coverage"


def coverage(service, table, **params):
    answer = service.get(PATH, params={"table": table, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_loaded_table_has_no_gap(loaded):
    answer = coverage(loaded, "fact_procedures")
    spans = answer["spans"]
    assert [span["state"] for span in spans] == ["loaded", "open"]
    assert spans[0]["from"] == answer["from"] and spans[0]["to"] == spans[1]["from"] and spans[1]["to"] == answer["to"]
    items = answer["items"]
    assert sum(item["rows"] for item in items) == loaded.sql("warehouse", "SELECT count(*) FROM fact_procedures")[0][0]
    assert {item["run_id"] for item in items} <= {run["id"] for run in loaded.get("/v1/runs").json()["items"]}
    assert all(item["committed_at"] and int(item["load_id"]) > 0 and item["step"] is None for item in items)
    assert [item["from"] for item in items] == sorted(item["from"] for item in items)


def test_a_window_cuts(loaded):
    whole = coverage(loaded, "fact_procedures")
    first = whole["items"][1]
    part = coverage(loaded, "fact_procedures", **{"from": first["from"], "to": first["to"]})
    assert part["items"] == [first]


def test_a_dimension_is_one_item(loaded):
    answer = coverage(loaded, "dim_robots")
    assert [(item["from"], item["to"], item["state"]) for item in answer["items"]] == [(None, None, "loaded")]


@pytest.mark.parametrize("params, pointer", [
    ({}, "?table"), ({"table": "nothing"}, "?table"), ({"table": "../x"}, "?table"),
    ({"table": "fact_procedures", "from": "soon"}, "?from"),
    ({"table": "fact_procedures", "from": "2026-02-01", "to": "2026-01-01"}, "?to")])
def test_wrong_questions_are_named(loaded, params, pointer):
    answer = loaded.get(PATH, params=params)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_who_may_look(loaded):
    assert loaded.get(PATH, scope="runs:read:another", params={"table": "dim_robots"}).status_code == 404
    assert loaded.get(PATH, scope="data:read", params={"table": "dim_robots"}).status_code == 403


def test_command(loaded):
    lines = loaded.cli("coverage", "medrobotics", "fact_procedures").stdout.splitlines()
    assert lines[0].split() == ["FROM", "TO", "STATE", "LOADS", "COMMITTED"] and len(lines) == 3
    answer = json.loads(loaded.cli("coverage", "medrobotics", "dim_robots", "--json").stdout)
    assert answer["table"] == "dim_robots"


def test_files_have_batches(loaded):
    answer = coverage(loaded, "fact_procedure_telemetry")
    batches = loaded.sql("warehouse", "SELECT batch, count(*) FROM loadstar.file_ledger WHERE table_name ="
                         " 'public.fact_procedure_telemetry' GROUP BY batch, batch_at ORDER BY batch_at")
    assert batches and [(item["batch"], item["files"]) for item in answer["items"]] == batches
    assert [span["state"] for span in answer["spans"]] == ["loaded"] and answer["source_error"] is None
    assert all(item["files_missing"] == item["files_changed"] == item["files_failed"] == 0 for item in answer["items"])
    assert "BATCH" not in loaded.cli("coverage", "medrobotics", "fact_procedure_telemetry").stdout
    assert sum(item["rows"] for item in answer["items"]) == loaded.sql(
        "warehouse", "SELECT count(*) FROM fact_procedure_telemetry")[0][0]
    second = answer["items"][1]
    part = coverage(loaded, "fact_procedure_telemetry", **{"from": second["from"], "to": answer["items"][2]["from"]})
    assert part["items"] == [second]
