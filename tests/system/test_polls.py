"""Polls: served from memory, on the thread that reads them, without the database; and what they do when memory cannot be trusted."""

import contextlib
import re
import subprocess
import threading
import time

import pytest

import api
from service import wait_until

SECONDS = 3
DASH = "https://dash.example.org"


@pytest.fixture
def polled(served, make_replica):
    """A replica that nobody else asks, and the path of a run on its board."""
    replica = make_replica(LOADSTAR_CORS_ORIGINS=DASH).start()
    path = f"/v1/runs/{served.first_run['id']}"
    wait_until("the board is there", 10, lambda: replica.get("/readyz").status_code == 200)
    assert replica.get(path).status_code == 200
    return replica, path


def wrk(service, path, seconds=SECONDS):
    """Polls as fast as sixteen clients can; how many were answered, each with 200."""
    argv = ["wrk", "-c16", "-t1", f"-d{seconds}s", "-H", f"Authorization: Bearer {service.token()}", service.url + path]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    return int(re.search(r"(\d+) requests in", text).group(1))


def transactions(service):
    """Of the control database, as PostgreSQL counts them; the question itself is asked elsewhere."""
    return service.sql("postgres", "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'loadstar'")[0][0]


def at_once(service):
    return sum(api.metrics(service).get("loadstar_http_at_once_total", {}).values())


@contextlib.contextmanager
def broken_tail(served):
    """Nobody can read the outbox, from which the board learns what happens."""
    with served.connect("loadstar") as db:
        db.execute("BEGIN")
        db.execute("LOCK TABLE control.outbox IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")


def moved_by(service, action):
    """Transactions while the action lasts, and what it says."""
    before = transactions(service)
    said = action()
    return transactions(service) - before, said


def test_polls_ask_no_database_and_a_broken_tail_makes_them(served, polled):
    replica, path = polled
    quiet, _ = moved_by(served, lambda: time.sleep(SECONDS))
    known = at_once(replica)
    moved, polls = moved_by(served, lambda: wrk(replica, path))
    # Leases, sweeps, the board's reading and two schedulers go on; they do not go on faster.
    assert polls > 2000 and moved <= 2 * quiet + 60, (moved, quiet, polls)
    assert at_once(replica) - known >= polls, "each on the thread that read it"
    # The same figures see it when polls do ask: a board that hears nothing is not believed.
    with broken_tail(served):
        time.sleep(5.5)
        known = at_once(replica)
        moved, polls = moved_by(served, lambda: wrk(replica, path, 2))
        assert polls > 100 and moved > polls / 4 and moved > 2 * quiet + 60, (moved, quiet, polls)
        assert at_once(replica) == known
    known = at_once(replica)
    wait_until("the board is believed again", 15, lambda: replica.get(path).status_code == 200 and at_once(replica) > known, 0.2)


def test_memory_is_not_trusted_for_long(served, polled):
    """The database hangs: for 5 s the board is believed, then a poll waits for the database, and is told of it."""
    replica, path = polled
    with api.stopped(served):
        began = time.monotonic()
        while (answer := replica.get(path)).status_code == 200:
            assert time.monotonic() - began < 7, "still from memory"
            time.sleep(0.2)
            trusted = time.monotonic() - began
        api.problem(answer, 503, answer.json()["code"])
        assert answer.json()["code"] in ("connection_lost", "database_unreachable") and "Retry-After" in answer.headers
        assert 3 < trusted, trusted
    wait_until("polls are served again", 30, lambda: replica.get(path).status_code == 200)


def test_a_cut_tail_comes_back(served, polled):
    """Its session is ended again and again while a run goes on: polls go on, and none shows an older picture than one before."""
    replica, _ = polled
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'loadstar/board'"
    ended, stop = [], threading.Event()

    def keep_cutting():
        while not stop.wait(0.2):
            ended.append(served.sql("postgres", cut)[0][0])

    cutter = threading.Thread(target=keep_cutting)
    run_id = served.submit("dimensions")
    cutter.start()
    try:
        seen = []
        until = time.monotonic() + 60
        while not seen or seen[-1]["finished_at"] is None:
            answer = replica.get(f"/v1/runs/{run_id}")
            assert answer.status_code == 200, answer.text
            version = int(answer.headers["ETag"].strip('"').rsplit("-", 1)[1], 16)
            seen.append({**answer.json(), "version": version})
            assert time.monotonic() < until, seen[-1]
            time.sleep(0.02)
    finally:
        stop.set()
        cutter.join()
    assert sum(ended) >= 2, "nothing was cut"
    assert seen[-1]["status"] == "succeeded"
    versions = [run["version"] for run in seen]
    assert versions == sorted(versions)


# -- two ways, one answer


def ask(service, method, path, token, headers):
    """The bytes of an answer without their date."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: one\r\nAuthorization: Bearer {token}\r\n{head}\r\n"
    return re.sub(r"\r\nDate: [^\r]*", "", api.raw(service, text))


def test_both_ways_give_the_same_bytes(served, polled):
    """A token's first request goes to a handler, which verifies it; its second is answered at once, unless something is wrong with it."""
    replica, path = polled
    etag = replica.get(path).headers["ETag"]
    trace = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}
    cases = [  # method, path, scope, headers, status, at once
        ("GET", path, "runs:read", {}, 200, 1),
        ("HEAD", path, "runs:read", {}, 200, 1),
        ("GET", path, "runs:read:medrobotics", {"Origin": DASH}, 200, 1),
        ("GET", path, "runs:read", {"Origin": "https://elsewhere.example.org"}, 200, 1),
        ("GET", path, "runs:read", {"If-None-Match": f'"x", W/{etag}'}, 304, 1),
        ("HEAD", path, "runs:read", {"If-None-Match": etag}, 304, 1),
        ("GET", path, "runs:read", {"If-None-Match": '"x"'}, 200, 1),
        ("GET", path + "?wait=20s", "runs:read", {"If-None-Match": etag}, 304, 1),
        ("GET", path + "?wait=20s", "runs:read", {}, 200, 1),
        ("GET", path + "?wait=60s", "runs:read", trace, 422, 0),
        ("GET", path + "?weight=1s", "runs:read", trace, 422, 0),
        ("GET", path, "runs:write", trace, 403, 0),
        ("GET", path, "runs:read:other", trace, 404, 0),
        ("GET", path, "runs:read", {"Accept": "text/html", **trace}, 406, 0),
        ("GET", "/healthz", "runs:read", {}, 200, 2),
        ("GET", "/openapi.yaml", "runs:read", {}, 200, 2),
    ]
    for number, (method, where, scope, headers, status, quick) in enumerate(cases):
        token = api.token(scope=scope, jti=str(number))
        before = at_once(replica)
        first, second = (ask(replica, method, where, token, headers) for _ in range(2))
        assert api.statuses(first)[:1] == [status], first
        assert first == second
        assert at_once(replica) - before == quick, (method, where, scope)


def test_a_wait_begun_at_once_ends_with_a_change(served, polled):
    """?wait= with a known token takes no handler; it is answered when the run changes, byte for byte as a poll is."""
    replica, _ = polled
    with api.running(served) as run_id:
        path = f"/v1/runs/{run_id}"
        token = api.token(scope="runs:read")
        assert "200 OK" in ask(replica, "GET", path, token, {})
        etag = wait_until("nothing changes", 20, lambda: still(replica, path))
        before = at_once(replica)
        threading.Timer(0.5, lambda: served.post(f"{path}/pause")).start()
        waited = ask(replica, "GET", path + "?wait=30s", token, {"If-None-Match": etag})
        assert at_once(replica) - before == 1
        assert api.statuses(waited) == [200] and api.body_of(waited)["status"] == "paused"


def still(service, path):
    before = service.get(path).headers["ETag"]
    time.sleep(1)
    return before if service.get(path).headers["ETag"] == before else None
