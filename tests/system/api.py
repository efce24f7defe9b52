"""What the tests of the API share: problem documents, raw connections, runs that take as long as a test needs."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import time

import jwt

from service import wait_until

SECRET = "a-secret-of-the-tests-0123456789abcdef"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def problem(answer, status, code, pointers=None):
    """Checks that an answer is a whole problem document (RFC 9457); gives it."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    return check_problem(answer.json(), status, code, answer.request.path_url.split("?")[0], pointers)


def check_problem(body, status, code, path, pointers=None):
    assert body["status"] == status and body["code"] == code, body
    assert body["type"] == f"urn:loadstar:problem:{code}"
    assert body["title"] and body["detail"] and body["instance"] == path
    if pointers is not None:
        assert {e["pointer"] for e in body["errors"]} == set(pointers), body["errors"]
    for error in body.get("errors", []):
        assert set(error) == {"pointer", "detail"} and error["detail"]
        assert error["pointer"] == "" or error["pointer"][0] in "/?"
    if code == "invalid_request":
        assert body["errors"]
    return body


def token(claims=None, secret=SECRET, algorithm="HS256", headers=None, **more):
    """A token made by another library than the service's."""
    whole = {"sub": "tester", "scope": "admin", "exp": int(time.time()) + 600, **(claims or {}), **more}
    return jwt.encode({k: v for k, v in whole.items() if v is not None}, secret, algorithm, headers)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


# -- raw connections


@contextlib.contextmanager
def connection(service, timeout=20):
    host, port = service.url.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), timeout) as sock:
        yield sock


def read_all(sock):
    """What comes until the server closes, or is silent for the socket's timeout."""
    parts = []
    with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def raw(service, text, timeout=20):
    """Everything the server says to these bytes; the requests in it must close the connection."""
    with connection(service, timeout) as sock:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        return read_all(sock).decode("utf-8", "replace")


def raw_tls(service, text, timeout=20):
    """As raw, to a service whose session trusts its certificate."""
    context = ssl.create_default_context(cafile=service.session.verify)
    with connection(service, timeout) as sock, context.wrap_socket(sock, server_hostname="127.0.0.1") as tls:
        tls.sendall(text.encode("latin-1"))
        return read_all(tls).decode("utf-8", "replace")


def statuses(answer):
    return [int(status) for status in re.findall(r"HTTP/1\.1 (\d{3}) ", answer)]


def body_of(answer):
    return json.loads(answer.partition("\r\n\r\n")[2])


# -- runs that last


def make_pace(service):
    """From now on every extract of procedures takes as long as the table pace says."""
    service.sql("medrobotics_source", "ALTER TABLE procedures RENAME TO procedures_all")
    service.sql("medrobotics_source", "CREATE TABLE pace AS SELECT 0::double precision AS seconds")
    service.sql("medrobotics_source", "CREATE VIEW procedures AS WITH s AS MATERIALIZED (SELECT pg_sleep(seconds) FROM pace)"
                " SELECT p.* FROM procedures_all AS p, s")


@contextlib.contextmanager
def pace(service, seconds):
    service.sql("medrobotics_source", "UPDATE pace SET seconds = %s", seconds)
    try:
        yield
    finally:
        service.sql("medrobotics_source", "UPDATE pace SET seconds = 0")


def month(ago):
    """The first of a month, counted back from this one."""
    at = datetime.date.today().replace(day=1)
    for _ in range(ago):
        at = (at - datetime.timedelta(days=1)).replace(day=1)
    return at.isoformat()


MONTH = {"from": month(3), "to": month(2)}  # the sample has the last 24 months


def is_extracting(service):
    return service.sql("medrobotics_source", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


@contextlib.contextmanager
def running(service, **fields):
    """A run whose extract sleeps until the end of the block, where it is cancelled."""
    with pace(service, 60):
        run_id = service.submit("range", **{**MONTH, **fields})
        wait_until("it is extracting", 30, lambda: is_extracting(service))
    try:
        yield run_id
    finally:
        service.post(f"/v1/runs/{run_id}/cancel")
        service.wait(run_id, 60)


def urls(service):
    """Connections of another process to the databases of this one."""
    url = lambda db: f"postgresql://loadstar@/{db}?host={service.home}/socket"
    return {"LOADSTAR_DATABASE_URL": url("loadstar"), "LOADSTAR_CONNECTION_WAREHOUSE": url("warehouse"),
            "LOADSTAR_CONNECTION_MEDROBOTICS_SOURCE": url("medrobotics_source"),
            "LOADSTAR_CONNECTION_MEDROBOTICS_FILES": f"file://{service.home}/files/medrobotics"}


# -- the control database is away


@contextlib.contextmanager
def stopped(service):
    """The embedded cluster, stopped in the middle of whatever it does."""
    postmaster = service.postmaster()
    children = [int(p) for p in pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
    for pid in [postmaster, *children]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in [*children, postmaster]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


# -- metrics

SAMPLE = re.compile(r'^(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text):
    """{name: {labels as a sorted tuple of pairs: value}}; fails on a line that is no sample and no comment."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"^# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram))$", line), line
            continue
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match.groups()
        key = tuple(sorted(LABEL.findall(labels or "")))
        assert key not in found.setdefault(name, {}), f"twice: {line}"
        found[name][key] = float(value)
    return found


def metrics(service):
    return parse_metrics(service.get("/metrics").text)
