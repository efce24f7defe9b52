"""Notices of how runs end, at a real receiver that is down, slow, refuses, and after processes that died."""

import contextlib
import http.server
import json
import os
import threading
import time

import pytest

from api import metrics
from chaos import FAST_RETRY, RETRY, replica_of
from service import ROOT, Service, wait_until
from test_recovery import pipelines_with

FAILPOINTS = os.environ.get("LOADSTAR_FAILPOINTS_BINARY", str(ROOT / "build/loadstar-failpoints"))
CANARY = "canary-in-the-path"
NIGHTLY = 'schedule: { cron: "0 3 * * *", run: full, overlap: skip, catchup: last }'
NOTIFY = ("notify:\n  - { to: oncall, events: [failed, partial, succeeded, quality, recovered] }\n"
          "  - { to: chat, events: [failed, recovered] }\n  - { to: second, events: failed }\n")


class Receiver:
    """Takes POSTs; answers what `answers` says of the path: a status, (status, headers), or seconds of silence first."""

    def __init__(self, port=0):
        receiver = self
        self.got, self.answers, self.lock = [], {}, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver.lock:
                    receiver.got.append((self.path, dict(self.headers), body))
                    queue = receiver.answers.get(self.path, [])
                    answer = queue.pop(0) if queue else 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                if status < 100:
                    time.sleep(status)
                    status = 200
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in {"Content-Length": "0", **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def of(self, path):
        with self.lock:
            return [(headers, body) for p, headers, body in self.got if p.startswith(path)]

    def events(self, path="/hook"):
        return sorted(body["event"] for _, body in self.of(path))

    def clear(self):
        with self.lock:
            self.got.clear()
            self.answers.clear()


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory, receiver):
    folder = pipelines_with(tmp_path_factory.mktemp("notify"), NIGHTLY, NOTIFY, RETRY, FAST_RETRY)
    base = f"http://127.0.0.1:{receiver.port}"
    with Service(pipelines=folder, env={
            "LOADSTAR_NOTIFY_ONCALL": f"{base}/hook/{CANARY}", "LOADSTAR_NOTIFY_CHAT": f"slack:{base}/slack/{CANARY}",
            "LOADSTAR_NOTIFY_SECOND": f"{base}/second", "LOADSTAR_PUBLIC_URL": "https://etl.example.com/",
            "LOADSTAR_LEASE": "1s"}) as service:
        yield service


@pytest.fixture(autouse=True)
def clean(service, receiver):
    service.sql("loadstar", "DELETE FROM control.notice; DELETE FROM control.incident")
    receiver.clear()


@contextlib.contextmanager
def broken(service):
    service.sql("medrobotics_source", "ALTER TABLE surgeons RENAME TO surgeons_away")
    try:
        yield
    finally:
        service.sql("medrobotics_source", "ALTER TABLE surgeons_away RENAME TO surgeons")


def end(service, status, **fields):
    run = service.wait(service.submit("dimensions", **fields))
    assert run["status"] == status, run
    return run


def pending(service):
    return service.sql("loadstar", "SELECT count(*) FROM control.notice WHERE state = 'pending'")[0][0]


def hurry(service):
    """Waits between tries, and the lease of who died, are over."""
    service.sql("loadstar", "UPDATE control.notice SET next_at = now() WHERE state = 'pending'")


def all_told(service, seconds=15):
    wait_until("every notice is delivered or given up", seconds, lambda: pending(service) == 0)


def states(service):
    return dict(service.sql("loadstar", "SELECT target || ' ' || event, state FROM control.notice"))


def test_failure_and_recovery(service, receiver):
    with broken(service):
        run = end(service, "failed")
        all_told(service)
        assert receiver.events() == ["failed"]
        again = end(service, "failed")  # a new run, a new notice
        all_told(service)
    assert receiver.events() == ["failed", "failed"]
    headers, body = receiver.of("/hook")[0]
    assert headers["Loadstar-Notice-Id"] == body["id"] and headers["Content-Type"] == "application/json"
    assert body["pipeline"] == "medrobotics" and body["link"] == f"https://etl.example.com/v1/runs/{run['id']}"
    assert body["run"] == service.run(run["id"]) and body["run"]["error"]["code"] == "sql_error"
    text = receiver.of("/slack")[0][1]
    assert list(text) == ["text"] and text["text"].startswith(f"*failed*: dimensions run of medrobotics <{body['link']}|{run['id']}>\n")
    assert len(receiver.of("/second")) == 2
    receiver.clear()
    end(service, "succeeded")
    end(service, "succeeded")
    all_told(service)
    assert receiver.events() == ["recovered", "succeeded", "succeeded"] and len(receiver.of("/slack")) == 1
    told = [line for line in service.logs(again["id"]) if line["message"].startswith("notice ")]
    assert sorted(line["message"] for line in told) == [
        "notice failed to chat delivered", "notice failed to oncall delivered", "notice failed to second delivered"]
    assert {line["fields"]["answer"] for line in told} == {"status 200"}
    counts = metrics(service)["loadstar_notices_total"]
    assert counts[(("event", "failed"), ("outcome", "delivered"), ("pipeline", "medrobotics"))] == 6


def test_retried_run_tells_again(service, receiver):
    """The same run ends twice: failed, and then recovered."""
    with broken(service):
        run = end(service, "failed")
    assert service.post(f"/v1/runs/{run['id']}/retry").status_code == 202
    assert service.wait(run["id"])["status"] == "succeeded"
    all_told(service)
    assert receiver.events() == ["failed", "recovered", "succeeded"]


def test_cancelled_is_not_told(service, receiver):
    service.sql("medrobotics_source", "ALTER TABLE surgeons RENAME TO surgeons_away")
    service.sql("medrobotics_source", "CREATE VIEW surgeons AS WITH s AS MATERIALIZED (SELECT pg_sleep(30)) SELECT p.* FROM surgeons_away p, s")
    try:
        run_id = service.submit("dimensions")
        wait_until("it runs", 20, lambda: service.sql("medrobotics_source", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        service.cli("cancel", run_id)
    finally:
        service.sql("medrobotics_source", "DROP VIEW surgeons; ALTER TABLE surgeons_away RENAME TO surgeons")
    assert states(service) == {}


def test_answers_that_take_nothing(service, receiver):
    """500 and 429 are tried again, 410 is not; a notice keeps its id."""
    receiver.answers = {f"/hook/{CANARY}": [500, (429, {"Retry-After": "2"})], "/second": [410]}
    with broken(service):
        run = end(service, "failed")
    all_told(service)
    assert states(service) == {"oncall failed": "delivered", "chat failed": "delivered", "second failed": "given_up"}
    tries = receiver.of("/hook")
    assert len(tries) == 3 and len({headers["Loadstar-Notice-Id"] for headers, _ in tries}) == 1
    assert len(receiver.of("/second")) == 1
    told = {line["message"]: line["fields"]["answer"] for line in service.logs(run["id"]) if line["message"].startswith("notice ")}
    assert told["notice failed to oncall not taken; tried again later"] == "status 500"
    assert told["notice failed to second given up"] == "status 410"


def test_a_day_is_enough(service, receiver):
    receiver.answers = {f"/hook/{CANARY}": [500, 500]}
    with broken(service):
        end(service, "failed")
    wait_until("it was tried", 10, lambda: receiver.of("/hook"))
    service.sql("loadstar", "UPDATE control.notice SET created_at = now() - interval '25 hours', next_at = now() WHERE state = 'pending'")
    all_told(service)
    assert states(service)["oncall failed"] == "given_up"


def test_receiver_hangs(service, receiver):
    """Its target waits; others are told at once, and workers go on."""
    receiver.answers = {"/second": [8]}
    with broken(service):
        end(service, "failed")
        wait_until("it hangs", 10, lambda: receiver.of("/second"))
        began = time.monotonic()
        end(service, "failed")
        assert time.monotonic() - began < 4
    wait_until("the others are told", 15, lambda: len(receiver.events()) == 2 and len(receiver.of("/slack")) == 2)
    hurry(service)
    all_told(service, 20)
    assert set(states(service).values()) == {"delivered"}


def test_receiver_is_down(service, receiver):
    """Nobody listens for a while; a run ends meanwhile as if somebody did."""
    port = receiver.port
    receiver.close()
    try:
        with broken(service):
            run = end(service, "failed")
        wait_until("it was tried", 10, lambda: service.sql("loadstar", "SELECT 1 FROM control.notice WHERE tries > 0"))
        assert pending(service) == 3
    finally:
        receiver.__init__(port)
    all_told(service)
    assert receiver.events() == ["failed"]
    assert "Couldn't connect" in str([line["fields"] for line in service.logs(run["id"])])


@pytest.mark.skipif(not os.path.exists(FAILPOINTS), reason="needs make FAILPOINTS=1")
@pytest.mark.parametrize("point, copies", [("notice_claimed", 1), ("notice_sent", 2)])
def test_dies_while_telling(service, receiver, point, copies):
    """Killed between the run's commit and the sending, and between the sending and its note."""
    service.stop()
    service.binary, service.env["LOADSTAR_FAILPOINTS"] = FAILPOINTS, f"{point}=exit"
    try:
        service.start()
        with broken(service):
            service.submit("dimensions")
            assert service.process.wait(20) == 86
        service.process.stdout.close()
        del service.env["LOADSTAR_FAILPOINTS"]
        service.start()
        hurry(service)
        all_told(service)
    finally:
        service.env.pop("LOADSTAR_FAILPOINTS", None)
        if not service.is_running():
            service.start()
    ids = [headers["Loadstar-Notice-Id"] for path, headers, _ in receiver.got]
    assert len(set(ids)) == 3 and len(ids) == 3 + copies - 1


def test_worker_dies(service, receiver):
    """kill -9 in the middle of a run: another replica takes it over, it fails there, and that is told."""
    replica = replica_of(service, pipelines=service.env["LOADSTAR_PIPELINES"])
    service.stop()
    service.env["LOADSTAR_WORKERS"] = "0"
    try:
        service.start()
        replica.start()
        service.sql("medrobotics_source", "ALTER TABLE surgeons RENAME TO surgeons_away")
        service.sql("medrobotics_source", "CREATE VIEW surgeons AS WITH s AS MATERIALIZED (SELECT pg_sleep(60)) SELECT p.* FROM surgeons_away p, s")
        run_id = service.submit("dimensions")
        wait_until("it runs", 20, lambda: service.sql("medrobotics_source", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        replica.kill9()
        service.sql("medrobotics_source", "DROP VIEW surgeons")
        service.stop()
        del service.env["LOADSTAR_WORKERS"]
        service.start()
        assert service.wait(run_id, 60)["status"] == "failed"
        all_told(service)
        assert receiver.events() == ["failed"]
    finally:
        service.env.pop("LOADSTAR_WORKERS", None)
        replica.close()
        service.sql("medrobotics_source", "ALTER TABLE IF EXISTS surgeons_away RENAME TO surgeons")


def test_targets_are_secrets(service):
    """After everything above."""
    assert CANARY not in open(f"{service.home}/service.log", errors="replace").read()
    assert CANARY not in service.cli("logs", service.cli("runs", "--limit", "1").stdout.splitlines()[1].split()[0]).stdout
    assert service.sql("loadstar", f"SELECT count(*) FROM control.log WHERE message || coalesce(fields::text, '') LIKE '%%{CANARY}%%'") == [(0,)]


@pytest.mark.parametrize("value", ["sns:arn:aws:sns:eu-central-1:1:secret-part", "mailto:secret-part", "secret-part"])
def test_targets_of_other_kinds(make_service, value):
    service = make_service(env={"LOADSTAR_NOTIFY_ONCALL": value})
    done = service.cli("serve", "--check", check=False)
    assert done.returncode == 1 and "oncall must be https://" in done.stdout + done.stderr
    assert "secret-part" not in done.stdout + done.stderr
    assert ("sns: is not available yet" in done.stderr) == value.startswith("sns:")
