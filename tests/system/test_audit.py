"""The audit log over HTTP: who did what, from where, and who may know."""

import json

import api
from api import problem
from service import wait_until


def entries(service, **filters):
    answer = service.get("/v1/audit", params={"limit": 1000, **filters})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_what_is_done_to_a_run_is_told(served):
    with api.running(served) as run_id:
        trace = "0af7651916cd43dd8448eb211c80319c"
        pause = served.request("POST", f"/v1/runs/{run_id}/pause", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert pause.status_code == 202
        assert served.post(f"/v1/runs/{run_id}/resume").status_code == 202
        assert served.post(f"/v1/runs/{run_id}/cancel").status_code == 202
        assert served.post(f"/v1/runs/{run_id}/cancel").status_code == 202
        problem(served.post("/v1/runs", {"pipeline": "medrobotics", "type": "nothing"}), 422, "invalid_request")
    told = [e for e in entries(served, pipeline="medrobotics") if e["target"] == run_id]
    assert [e["action"] for e in told] == ["run.cancel", "run.resume", "run.pause", "run.submit"]
    assert {(e["subject"], e["client"], e["pipeline"]) for e in told} == {("tester", "127.0.0.1", "medrobotics")}
    assert told[2]["trace_id"] == trace
    assert told[3]["detail"]["type"] == "range" and told[3]["detail"]["trigger"] == "api"
    assert entries(served, action="run.pause", subject="tester")[0] == told[2]
    assert entries(served, since="2999-01-01") == [] == entries(served, subject="nobody")
    first = served.get("/v1/audit", params={"limit": 2}).json()
    second = served.get("/v1/audit", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [e["id"] for e in entries(served)[:3]] == [e["id"] for e in first["items"] + second["items"]]


def test_who_may_read_it(served):
    problem(served.get("/v1/audit", scope="runs:read runs:write data:read"), 403, "forbidden")
    mine = served.get("/v1/audit", scope="admin:medrobotics").json()["items"]
    assert mine and {e["pipeline"] for e in mine} == {"medrobotics"}
    assert served.get("/v1/audit", scope="admin:other").json()["items"] == []
    problem(served.get("/v1/audit", scope="admin:other", params={"pipeline": "medrobotics"}), 404, "not_found")
    problem(served.get("/v1/audit", params={"since": "x", "cursor": "x", "pipeline": "A"}), 422, "invalid_request",
            ["?since", "?cursor", "?pipeline"])


def test_it_is_sealed_by_the_service(served):
    wait_until("all is sealed", 30, lambda: served.sql("loadstar", "SELECT max(last_id) = (SELECT max(id) FROM control.audit)"
                                                       " FROM control.audit_seal")[0][0])
    assert served.sql("loadstar", "SELECT count(*) FROM control.audit_verify WHERE NOT intact") == [(0,)]


def test_anybody_who_administers_may_verify_it(served):
    chain = served.get("/v1/audit", params={"verify": 1, "limit": 1}).json()["chain"]
    assert chain["intact"] and chain["broken_at"] is None and chain["seals"] > 0
    assert "chain" not in served.get("/v1/audit").json()
    problem(served.get("/v1/audit", scope="admin:medrobotics", params={"verify": 1}), 403, "forbidden")
    done = served.cli("audit", "--verify")
    assert done.stdout.startswith("intact: ") and "NOT" not in done.stdout
    assert json.loads(served.cli("audit", "--verify", "--json").stdout)["sealed_to"] >= chain["sealed_to"]
    assert served.cli("audit", "--verify", "--subject", "x", check=False).returncode == 1
    lines = served.cli("audit", "--action", "run.submit", "--limit", "1").stdout.splitlines()
    assert len(lines) == 2 and "run.submit" in lines[1] and "tester" in lines[1]


def test_pipelines_that_are_paused(served):
    for action in ("pause", "pause", "resume", "resume"):
        assert served.post(f"/v1/pipelines/medrobotics/{action}").status_code == 200
    told = entries(served, pipeline="medrobotics", subject="tester")[:3]
    assert [e["action"] for e in told[:2]] == ["pipeline.resume", "pipeline.pause"] and told[2]["action"] != "pipeline.pause"


def test_versions_that_become_active(served):
    first = entries(served, action="pipeline.activate", pipeline="medrobotics")[-1]
    assert first["client"] is None and first["detail"] == {"before": None}, "applied at the start, by nobody's request"
    assert first["target"].startswith("sha256:")
