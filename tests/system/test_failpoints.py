"""The process fails on purpose at every point of the slice protocol, and connections break around COMMIT.

Whatever happens, the run ends by itself, and the tables equal those of a clean run. Random deaths are in test_kills.py.
"""

import os
import random
import time

import pytest
import requests

import warehouse
from chaos import FAST_RETRY, RETRY, Break, Proxy, clean_slate, kill_with_cluster_running, pipelines
from service import FINAL, ROOT, Service, wait_until

BINARY = os.environ.get("LOADSTAR_FAILPOINTS_BINARY", str(ROOT / "build/loadstar-failpoints"))
LONG = int(os.environ.get("LOADSTAR_CHAOS", "0"))  # rounds of what is random; all combinations
POINTS = ["after_open", "after_stage", "before_commit", "after_commit"]
EXIT_STATUS = 86

only_long = pytest.mark.skipif(not LONG, reason="LOADSTAR_CHAOS=3 runs it")


def choose(short, every):
    """Parameters: a few, or with LOADSTAR_CHAOS all."""
    return every if LONG else short


pytestmark = [
    pytest.mark.skipif(not os.path.exists(BINARY), reason="needs make FAILPOINTS=1"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = pipelines(tmp_path_factory.mktemp("fast"), RETRY, FAST_RETRY)
    service = Service(binary=BINARY, pipelines=folder, env={"LOADSTAR_LEASE": "1s", "LOADSTAR_DRAIN": "2s", "LOADSTAR_WORKERS": "2"})
    try:
        service.start()
        service.load("full")
        service.clean = warehouse.all_hashes(service)
        yield service
    finally:
        service.close()


def begin(service, failpoints=None, proxy=None):
    """An empty warehouse, a service with these failpoints."""
    clean_slate(service)
    set_env(service, failpoints, proxy)
    service.start()


def set_env(service, failpoints=None, proxy=None):
    for name, value in (("LOADSTAR_FAILPOINTS", failpoints), ("LOADSTAR_CONNECTION_WAREHOUSE", proxy and proxy.url)):
        service.env.pop(name, None)
        if value:
            service.env[name] = value


def status(service, run_id):
    try:
        return service.run(run_id)
    except requests.ConnectionError:
        return None


def finish(service, run_id, failpoints, seconds=120):
    """Starts the service again whenever it exits; steps that lost too many workers are retried. Deaths, and the run."""
    deaths, end = 0, time.monotonic() + seconds
    while True:
        assert time.monotonic() < end, (status(service, run_id), service.log_tail())
        if not service.is_running():
            assert service.process.returncode == EXIT_STATUS, service.log_tail()
            service.process.stdout.close()
            deaths += 1
            set_env(service, failpoints(deaths))
            try:
                service.start()
            except AssertionError:  # at the point already, before it could say where it listens
                service.process.wait(10)
            continue
        run = status(service, run_id)
        if run and run["status"] in FINAL:
            lost = {s["error"]["code"] for s in service.steps(run_id, status="failed")}
            if lost != {"worker_lost"}:
                return deaths, run
            try:
                service.post(f"/v1/runs/{run_id}/retry")
            except requests.ConnectionError:
                pass
        time.sleep(0.05)


def check(service, run):
    assert run["status"] == "succeeded", (run["error"], [a for s in service.steps(run["id"], status="failed") for a in s["attempts"]])
    assert warehouse.all_hashes(service) == service.clean
    warehouse.check_invariants(service)
    check_ledger(service, run["id"])


def check_ledger(service, run_id):
    """Every succeeded slice has exactly one ledger row, every other one none."""
    rows = dict(service.sql("warehouse", "SELECT step_id::text, count(*) FROM loadstar.slice_ledger WHERE run_id = %s GROUP BY 1", run_id))
    steps = [s for s in service.steps(run_id) if s["kind"] in ("stage", "dimension", "fact", "sql")]
    assert rows == {s["id"]: 1 for s in steps if s["status"] == "succeeded"}
    left = service.sql("warehouse", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'loadstar/%/%/%'")
    assert left == [(0,)]


@pytest.mark.parametrize("point", choose(["before_commit", "after_commit"], POINTS))
def test_exit(service, point):
    """Two deaths are forgiven to every step; the third start has no failpoint any more."""
    begin(service, f"{point}=exit")
    run_id = service.submit("full")
    deaths, run = finish(service, run_id, lambda n: f"{point}=exit" if n < 2 else None)
    assert deaths == 2
    check(service, run)


@only_long
@pytest.mark.parametrize("point", POINTS)
def test_exit_at_random(service, point):
    begin(service, f"{point}=1in5:exit")
    deaths, run = finish(service, service.submit("full"), lambda n: f"{point}=1in5:exit" if n < 8 else None)
    print(point, deaths, "deaths")
    check(service, run)


@pytest.mark.parametrize("points", choose([",".join(f"{p}=1in8:error" for p in POINTS)], [f"{p}=1in3:error" for p in POINTS]))
def test_error_at_random(service, points):
    begin(service, points)
    check(service, service.wait(service.submit("full")))


@only_long
@pytest.mark.parametrize("points", [
    "after_open=sleep:150ms", "after_stage=sleep:150ms,before_commit=1in5:sleep:1500ms", "after_commit=1in5:sleep:1500ms"])
def test_sleep(service, points):
    begin(service, points)
    check(service, service.wait(service.submit("full")))


@pytest.mark.parametrize("action", choose(["drop"], ["drop", "1in3:drop"]))
def test_lost_answer_to_commit(service, action):
    begin(service, f"lose_commit={action}")
    run = service.wait(service.submit("full"))
    check(service, run)
    told = [line for line in service.logs(run["id"]) if "answer to COMMIT was lost" in line["message"]]
    assert told


def test_everything_at_once(service):
    points = ",".join([f"{point}=1in12:exit,{point}=1in12:error" for point in POINTS] + ["lose_commit=1in4:drop", "after_open=1in9:sleep:1s"])
    begin(service, points)
    deaths, run = finish(service, service.submit("full"), lambda n: points if n < 10 else None)
    print(deaths, "deaths")
    check(service, run)


@pytest.mark.parametrize("action", choose(["1in3:error"], ["1in3:error", "sleep:1500ms", "exit"]))
def test_revocation_is_disturbed(service, action):
    """A cancel whose revocations fail, dawdle or die: it ends all the same, and nothing is published after it."""
    begin(service, "before_commit=1in3:sleep:3s,after_stage=1in3:sleep:3s,after_revoke=" + action)
    run_id = service.submit("full")
    wait_until("a fact is loaded", 30, lambda: [s for s in service.steps(run_id, status="running") if s["kind"] == "fact"])
    time.sleep(0.3)
    assert service.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    _, run = finish(service, run_id, lambda n: f"after_revoke={action}" if n < 3 else None, 150)  # revocations wait up to 30 s between tries
    assert run["status"] in ("cancelled", "succeeded"), run
    count = "SELECT count(*), max(load_id) FROM loadstar.slice_ledger"
    rows, hashes = service.sql("warehouse", count), warehouse.all_hashes(service)
    check_ledger(service, run_id)
    time.sleep(3.5)  # longer than any sleeper
    assert service.sql("warehouse", count) == rows and warehouse.all_hashes(service) == hashes
    if run["status"] == "cancelled":
        assert service.post(f"/v1/runs/{run_id}/retry").status_code == 202
        set_env(service)
        kill_with_cluster_running(service)
        service.start()
        run = service.wait(run_id)
    check(service, run)


# -- connections -------------------------------------------------------------------------------------------------------


def with_proxy(service, plan, seconds=120):
    """A full run through a proxy."""
    clean_slate(service)
    service.sql("postgres", "CREATE DATABASE warehouse")
    proxy = Proxy(service, plan)
    try:
        set_env(service, None, proxy)
        service.start()
        run = service.wait(service.submit("full"), seconds)
        check(service, run)
        return proxy, run
    finally:
        proxy.close()
        set_env(service)


@pytest.mark.parametrize("commit", choose(["unsent", "sent", "answered"], ["unsent", "sent", "answered", "held"]))
def test_cut_at_commit(service, commit):
    """Each second session breaks at its COMMIT: before the server has it, when it may have it, when it has committed."""
    proxy, run = with_proxy(service, lambda n: Break(commit=commit, stall=0.3 if commit == "held" else 0) if n % 2 else None)
    print(commit, proxy.breaks, "cuts")
    assert proxy.breaks > 5
    # ddl and views have no ledger: their COMMIT is made again, which changes nothing
    attempts = [a for s in service.steps(run["id"]) if s["kind"] in ("dimension", "fact") for a in s["attempts"]]
    if commit in ("answered", "held"):
        assert all(a["status"] == "succeeded" for a in attempts), "what the server has committed is no failure"
    if commit == "unsent":
        assert any(a["status"] == "failed" for a in attempts)


@pytest.mark.parametrize("stall", [0, 2.5])
def test_cut_or_stalled_anywhere(service, stall):
    """Cut at random byte counts of either direction, or nothing is passed on for longer than a lease."""
    for _ in range(LONG or 1):
        seed = int(os.environ.get("LOADSTAR_SEED", time.time_ns() % 1_000_000))
        print(f"LOADSTAR_SEED={seed}")
        rnd = random.Random(seed)

        def plan(n):
            if rnd.random() > (0.15 if stall else 0.35):
                return None
            where = int(rnd.choice([10 ** rnd.uniform(0, 3), 10 ** rnd.uniform(3, 5)]))
            return Break(stall=stall, **{rnd.choice(["bytes_to_server", "bytes_to_client"]): where})

        proxy, _ = with_proxy(service, plan)
        print(proxy.connections, "connections,", proxy.breaks, "broken")
