"""Schedules of a real service: the time is brought near by setting back up to when fires are decided.

Every case of catch-up, overlap and clocks is in tests/unit/test_schedule.c and tests/concurrency/test_schedule.c.
"""

import datetime
import json

import pytest

from api import metrics, problem
from chaos import kill_with_cluster_running, replica_of
from service import Service, wait_until
from test_recovery import pipelines_with

NIGHTLY = 'schedule: { cron: "0 3 * * *", run: full, overlap: skip, catchup: last }'
LAST = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0) - datetime.timedelta(minutes=30)
CRON = f"{LAST.minute} * * * *"  # half an hour ago, and not again before these tests are over
HOURLY = f"schedule: {{ cron: '{CRON}', run: dimensions }}"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = pipelines_with(tmp_path_factory.mktemp("hourly"), NIGHTLY, HOURLY)
    with Service(pipelines=folder, env={"LOADSTAR_SCHEDULER": "1"}) as service:
        wait_until("the schedule is armed", 10, lambda: service.sql("loadstar", "SELECT 1 FROM control.schedule"))
        yield service


def schedule(service):
    return service.get("/v1/schedules").json()["items"][0]


def miss_a_fire(service):
    """As if nobody had looked for half an hour: the last fire is due. Its time."""
    service.sql("loadstar", "UPDATE control.schedule SET decided_until = %s", LAST - datetime.timedelta(seconds=1))
    return LAST.strftime("%Y-%m-%dT%H:%M:%SZ")


def forget_fires(service):
    service.sql("loadstar", "DELETE FROM control.fire")


def fires(service):
    return service.sql("loadstar", "SELECT outcome, reason, fires FROM control.fire ORDER BY scheduled_at")


def test_fires_and_is_shown(service):
    before = schedule(service)
    assert before["pipeline"] == "medrobotics" and before["last_fire"] is None and before["skipped"] == []
    times = [datetime.datetime.fromisoformat(at) for at in before["next"]]
    assert len(times) == 10 and {b - a for a, b in zip(times, times[1:])} == {datetime.timedelta(hours=1)}
    assert 0 < (times[0] - datetime.datetime.now(datetime.UTC)).total_seconds() <= 3600
    at = miss_a_fire(service)
    fire = wait_until("it fired", 10, lambda: schedule(service)["last_fire"])
    assert fire["scheduled_at"] == at and fire["outcome"] == "run" and fire["reason"] is None
    run = service.wait(fire["run_id"])
    assert run["status"] == "succeeded" and run["type"] == "dimensions" and run["requested_by"] == "schedule"
    assert run["trigger"] == {"kind": "schedule", "ref": at}
    assert metrics(service)["loadstar_schedule_fires_total"] == {(("outcome", "run"), ("pipeline", "medrobotics")): 1}
    pipeline = service.get("/v1/pipelines/medrobotics").json()
    assert pipeline["schedule"]["last_fire"] == fire and pipeline["schedule"]["cron"] == CRON
    assert pipeline["schedule"]["next"] == schedule(service)["next"]


def test_pause_survives_a_restart(service):
    problem(service.post("/v1/pipelines/medrobotics/pause", scope="runs:write runs:read"), 403, "forbidden")
    problem(service.post("/v1/pipelines/nowhere/pause"), 404, "not_found")
    problem(service.post("/v1/pipelines/medrobotics/pause", {"for": "1h"}), 422, "invalid_request", ["/for"])
    forget_fires(service)
    told = service.cli("pause", "medrobotics").stdout
    assert told.startswith("medrobotics is paused since 20") and told.endswith("by cli\n")
    kill_with_cluster_running(service)
    service.start()
    assert schedule(service)["paused"] and schedule(service)["paused_by"] == "cli"
    assert "paused" in service.cli("pipelines").stdout
    at = miss_a_fire(service)
    skipped = wait_until("the fire is skipped", 10, lambda: schedule(service)["skipped"])
    assert [(f["scheduled_at"], f["reason"], f["run_id"]) for f in skipped] == [(at, "paused", None)]
    service.wait(service.submit("dimensions"))  # people may
    assert "fires next at" in service.cli("resume", "medrobotics").stdout
    assert not json.loads(service.cli("resume", "medrobotics", "--json").stdout)["paused"]
    assert not service.get("/v1/pipelines/medrobotics").json()["paused"]


def test_once_over_replicas(service):
    """Three processes, one of which dies and comes back; one run."""
    replicas = [replica_of(service, pipelines=service.env["LOADSTAR_PIPELINES"], LOADSTAR_SCHEDULER="1").start() for _ in range(2)]
    try:
        for turn in range(3):
            forget_fires(service)
            runs = service.sql("loadstar", "SELECT count(*) FROM control.run WHERE trigger_kind = 'schedule'")[0][0]
            if turn == 1:
                replicas[0].kill9()
            at = miss_a_fire(service)
            fire = wait_until("it fired", 10, lambda: schedule(service)["last_fire"])
            assert fire["scheduled_at"] == at and fire["outcome"] == "run"
            assert service.wait(fire["run_id"])["status"] == "succeeded"
            assert service.sql("loadstar", "SELECT count(*) FROM control.run WHERE trigger_kind = 'schedule'") == [(runs + 1,)]
            assert fires(service) == [("run", None, 1)]
            if turn == 1:
                replicas[0].start()
    finally:
        for replica in replicas:
            replica.close()


def test_a_token_sees_its_pipelines(service):
    assert service.get("/v1/schedules", scope="runs:read:other").json()["items"] == []
    assert len(service.get("/v1/schedules", scope="runs:read:medrobotics").json()["items"]) == 1
    assert service.get("/v1/schedules", params={"cursor": "medrobotics"}).json()["items"] == []
    problem(service.post("/v1/pipelines/medrobotics/pause", scope="admin:other"), 404, "not_found")


def test_pipeline_tells_what_is_made_of_what(service):
    pipeline = service.get("/v1/pipelines/medrobotics").json()
    edges = {(e["from"], e["to"], e["kind"]) for e in pipeline["lineage"]["edges"]}
    nodes = {n["id"] for n in pipeline["lineage"]["nodes"]}
    assert {n for edge in edges for n in edge[:2]} <= nodes
    assert {("source:rds", "table:dim_robots", "load"), ("table:dim_robots", "table:fact_procedures", "lookup")} <= edges
    # PostgreSQL's own opinion of the views.
    service.wait(service.submit("full"))
    known = service.sql("warehouse", "SELECT DISTINCT s.relname, s.relkind::text, v.relname FROM pg_depend d"
                        " JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass"
                        " JOIN pg_class v ON v.oid = w.ev_class JOIN pg_class s ON s.oid = d.refobjid"
                        " WHERE d.refclassid = 'pg_class'::regclass AND s.oid <> v.oid AND v.relnamespace = 'public'::regnamespace")
    declared = {v["name"] for v in pipeline["views"]}
    want = {(f"{'view' if kind == 'v' else 'table'}:{source}", f"view:{view}", "read") for source, kind, view in known if view in declared}
    assert want and want == {e for e in edges if e[1].startswith("view:")}
    assert {e[1] for e in edges if e[1].startswith("query:")} == {f"query:{q['name']}" for q in pipeline["queries"]}
