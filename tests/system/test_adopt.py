"""Tables change hands: a control database that was replaced, and tables that somebody else filled."""

import json

import pytest

import api
from api import problem
from service import Service

ADOPT = "/v1/pipelines/medrobotics/adopt"


@pytest.fixture(scope="module")
def service():
    with Service() as service:
        service.load("full")
        yield service


def lose(service):
    """As if this control database had been made anew, or restored: others own the tables, and their numbers are ahead."""
    service.sql("warehouse", "UPDATE loadstar.control SET control_id = 'another', epoch = 7")
    service.sql("warehouse", "UPDATE loadstar.slice_fence SET load_id = load_id + (5::bigint << 40)")


def test_nothing_to_do(service):
    told = service.post(ADOPT).json()
    assert (told["changed"], told["epoch"]) == (False, 1)
    assert "ours already" in service.cli("adopt", "medrobotics").stdout


def test_adopt_after_a_loss(service):
    """Refused before, works afterwards in the same process, and nothing is loaded twice."""
    lose(service)
    failed = service.wait(service.submit("full", mode="all"))
    assert failed["status"] == "failed" and failed["error"]["code"] == "foreign_owner", failed
    told = service.post(ADOPT).json()
    assert (told["changed"], told["epoch"], told["before"]) == (True, 8, {"control_id": "another", "epoch": 7})
    assert "pipeline adopted" in service.log_tail(50)
    entry = service.get("/v1/audit?action=pipeline.adopt").json()["items"][0]
    assert (entry["subject"], entry["detail"]["before"], entry["detail"]["epoch"]) == ("tester", "another", 8)
    run = service.load("full", mode="all")
    assert sum(step["rows"]["inserted"] for step in service.steps(run["id"]) if step["rows"]) == 0
    newest = service.sql("warehouse", "SELECT max(load_id) >> 40, (SELECT epoch FROM loadstar.control) FROM loadstar.slice_ledger")
    assert newest == [(8, 8)]
    assert service.wait(service.submit("full"))["status"] == "succeeded"


def test_sessions_of_the_owner_are_in_the_way(service):
    lose(service)
    with service.connect("warehouse") as other:
        other.execute("INSERT INTO loadstar.slice_fence SELECT 'public.fact_procedures', 'x', 'time', '2024-01-01', '2024-01-02',"
                      " 1::bigint << 43, gen_random_uuid(), pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        problem(service.post(ADOPT), 409, "conflict")
        assert service.sql("warehouse", "SELECT control_id FROM loadstar.control") == [("another",)]
        told = json.loads(service.cli("adopt", "medrobotics", "--force", "--json").stdout)
        assert (told["changed"], told["sessions_ended"]) == (True, 1)
        with pytest.raises(Exception):
            other.execute("SELECT 1")
    assert service.load("full")["status"] == "succeeded"


def loaded_state(service, begin, end):
    path = "/v1/pipelines/medrobotics/coverage"
    answer = service.get(path, params={"table": "fact_procedures", "from": begin, "to": end})
    assert answer.status_code == 200, answer.text
    return {item["state"] for item in answer.json()["items"]}


def test_mark_what_is_there(service):
    """A month that the ledger knows nothing of is missing; marked, it is left alone."""
    begin, end = api.month(5), api.month(4)
    service.sql("warehouse", "DELETE FROM loadstar.slice_ledger WHERE slice_from = %s::date", begin)
    assert loaded_state(service, begin, end) == {"missing"}
    out = service.cli("adopt", "medrobotics", "--mark", "fact_procedures", "--from", begin, "--to", end).stdout
    assert "is loaded" in out and loaded_state(service, begin, end) == {"loaded"}
    run = service.load("range", mode="missing", **{"from": begin, "to": end})
    assert {step["reason"]["code"] for step in service.steps(run["id"]) if step["kind"] == "fact"} <= {"already_loaded"}


@pytest.mark.parametrize("mark, pointers", [
    ({"table": "dim_robots", "from": "2024-01-01", "to": "2024-02-01"}, {"/mark/table"}),
    ({"table": "fact_procedures", "from": "2024-01-05", "to": "x"}, {"/mark/from", "/mark/to"}),
    ({"table": "fact_procedures", "from": "2024-02-01", "to": "2024-01-01"}, {"/mark/to"}),
    ({"table": "fact_procedures"}, {"/mark"})])
def test_wrong_marks(service, mark, pointers):
    problem(service.post(ADOPT, {"mark": mark}), 422, "invalid_request", pointers)


def test_who_may(service):
    assert service.post(ADOPT, scope="pipelines:write").status_code == 403
    problem(service.post("/v1/pipelines/another/adopt"), 404, "not_found")
    assert service.cli("adopt", "medrobotics", "--from", "2024-01-01", check=False).returncode == 1
