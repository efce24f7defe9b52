"""Rows that loads refused, over HTTP and on the command line."""

import json

import pytest

KEPT = ("INSERT INTO loadstar.quarantine (pipeline, table_name, slice, run_id, step_id, load_id, file, line, column_name, rule,"
        " raw_text, state) SELECT %s, 'public.' || %s, 'whole', %s, gen_random_uuid(), 1, 'a/b.json', n, 'amount', 'type',"
        " '{\"n\": ' || n || '}', %s FROM generate_series(1, %s) n")


@pytest.fixture(scope="module")
def refusing(loaded):
    """The service with rows in quarantine; gone again after the module's tests."""
    run = loaded.first_run["id"]
    with loaded.connect("warehouse") as connection:
        connection.execute(KEPT, ("medrobotics", "fact_procedures", run, "open", 5))
        connection.execute(KEPT, ("medrobotics", "dim_robots", run, "aborted", 2))
        connection.execute(KEPT, ("medrobotics", "fact_procedures", "019a2f10-7c00-7abc-8def-0123456789ab", "open", 1))
        connection.execute(KEPT, ("another", "fact_procedures", "019a2f10-7c00-7abc-8def-0123456789ab", "open", 1))
    yield loaded
    loaded.sql("warehouse", "DELETE FROM loadstar.quarantine")


def pages(service, path, **params):
    items = []
    while True:
        answer = service.get(path, params=params)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        params["cursor"] = answer.json()["next_cursor"]
        if params["cursor"] is None:
            return items
        assert len(answer.json()["items"]) == params["limit"]


def test_rejects_of_a_run_come_in_order_over_pages(refusing):
    run = refusing.first_run
    items = pages(refusing, run["links"]["rejects"], limit=3)
    assert [item["line"] for item in items] == [1, 2, 3, 4, 5, 1, 2]
    assert {key: items[0][key] for key in ("pipeline", "table", "run_id", "file", "column", "rule", "raw", "state")} == {
        "pipeline": "medrobotics", "table": "fact_procedures", "run_id": run["id"], "file": "a/b.json", "column": "amount",
        "rule": "type", "raw": '{"n": 1}', "state": "open"}


def test_quarantine_is_newest_first_and_filtered(refusing):
    everything = pages(refusing, "/v1/quarantine", pipeline="medrobotics", limit=3)
    assert len(everything) == 8 and [int(item["id"]) for item in everything] == sorted(
        (int(item["id"]) for item in everything), reverse=True)
    assert len(pages(refusing, "/v1/quarantine", pipeline="medrobotics", table="dim_robots", limit=10)) == 2
    assert len(pages(refusing, "/v1/quarantine", pipeline="medrobotics", state="open", limit=10)) == 6


def test_who_may_look(refusing):
    path = refusing.first_run["links"]["rejects"]
    assert refusing.get(path, scope="runs:read").status_code == 403
    assert refusing.get(path, scope="data:read:another").status_code == 404
    assert refusing.get("/v1/quarantine", scope="data:read:another", params={"pipeline": "medrobotics"}).status_code == 404


@pytest.mark.parametrize("params, pointer", [
    ({}, "?pipeline"), ({"pipeline": "medrobotics", "state": "gone"}, "?state"), ({"pipeline": "../x"}, "?pipeline"),
    ({"pipeline": "medrobotics", "cursor": "x"}, "?cursor")])
def test_wrong_parameters_are_named(refusing, params, pointer):
    answer = refusing.get("/v1/quarantine", params=params)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_command(refusing):
    run = refusing.first_run["id"]
    lines = refusing.cli("rejects", run).stdout.splitlines()
    assert lines[0].split() == ["TABLE", "STATE", "FILE", "LINE", "COLUMN", "RULE", "RAW"] and len(lines) == 8
    of_pipeline = refusing.cli("rejects", "medrobotics", "--state", "aborted", "--limit", "1", "--json").stdout
    assert [item["table"] for item in json.loads(of_pipeline)] == ["dim_robots"]


def test_what_a_row_says_is_no_command_to_a_terminal(refusing):
    refusing.sql("warehouse", "UPDATE loadstar.quarantine SET raw_text = %s, file = %s WHERE table_name = 'public.dim_robots'",
                 "x\x1b]0;owned\x07\x9b2J", "\x1b[2Ja.json")
    told = refusing.cli("rejects", "medrobotics", "--table", "dim_robots").stdout
    assert "owned" in told and not {"\x1b", "\x07", "\x9b"} & set(told)
