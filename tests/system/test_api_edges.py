"""What strangers send: paths, methods, headers and framings that are wrong, slow or ambiguous; and what the contract says of all of it."""

import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

import pytest
import requests

import api
from api import problem
from service import ROOT, wait_until

GET = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def still_serves(service):
    began = time.monotonic()
    assert service.session.get(service.url + "/healthz", timeout=5).json() == {"status": "alive"}
    assert time.monotonic() - began < 2


# -- paths, methods, representations


@pytest.mark.smoke
def test_methods(served):
    run = f"/v1/runs/{served.first_run['id']}"
    allowed = {"/v1/runs": "GET, HEAD, POST, OPTIONS", run: "GET, HEAD, OPTIONS", run + "/cancel": "POST, OPTIONS",
               run + "/logs": "GET, HEAD, OPTIONS", "/healthz": "GET, HEAD, OPTIONS", "/v1/pipelines": "GET, HEAD, POST, OPTIONS"}
    for path, allow in allowed.items():
        answer = served.session.options(served.url + path)
        assert answer.status_code == 204 and answer.headers["Allow"] == allow and answer.content == b""
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "QUERY"):
            if method not in allow:
                answer = served.request(method, path)
                problem(answer, 405, "method_not_allowed")
                assert answer.headers["Allow"] == allow
        for method in ("BREW", "get"):
            answer = api.raw(served, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert api.statuses(answer) == [501]
            api.check_problem(api.body_of(answer), 501, "not_implemented", path)
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        problem(served.request(method, "/v1/nothing"), 404, "not_found")
    assert api.statuses(api.raw(served, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == [204]


def test_head_is_get_without_its_body(served):
    for path in ("/v1/runs", f"/v1/runs/{served.first_run['id']}", "/v1/pipelines", "/healthz", "/openapi.yaml", "/metrics"):
        get, head = served.get(path), served.request("HEAD", path)
        assert head.status_code == get.status_code == 200 and head.content == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        if path != "/metrics":
            assert int(head.headers["Content-Length"]) == len(get.content)
    head = served.request("HEAD", f"/v1/runs/{served.first_run['id']}/logs", params={"follow": 1}, headers={"Accept": "text/event-stream"})
    assert head.status_code == 200 and head.content == b""


def test_not_acceptable(served):
    run = f"/v1/runs/{served.first_run['id']}"
    for path, accept in (("/v1/runs", "text/html"), (run, "application/x-ndjson"), ("/v1/runs", "application/json;q=0"), ("/v1/runs", "image/*"),
                         (run + "/logs", "text/plain"), ("/metrics", "application/json"), ("/v1/runs", "*/*;q=0.0")):
        problem(served.get(path, headers={"Accept": accept}), 406, "not_acceptable")
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.1", "APPLICATION/JSON", "application/json; charset=utf-8"):
        assert served.get("/v1/runs", headers={"Accept": accept}).status_code == 200
    problem(served.post("/v1/runs", {}, headers={"Accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize("path,status", [
    ("/v1/runs%00", 400), ("/v1/runs/%00", 400), ("/v1/runs/a%2Fb", 400), ("/v1/runs/a%2fb", 400), ("/v1%2Fruns", 400),
    ("/v1/../v1/runs", 400), ("/v1/%2e%2E/v1/runs", 400), ("/v1/./runs", 400), ("/v1/pipelines/%ff", 400), ("/v1/pipelines/%zz", 400),
    ("/v1/pipelines/a%0d%0ab", 400), ("/v1/pipelines/%", 400), ("/v1/runs/", 404), ("//v1/runs", 404), ("/v1/runs//steps", 404),
    ("/v1/runs?a=%00", 400), ("/v1/runs?%00=a", 400), ("/v1/runs?label=%ff", 400), ("/v1/runs?label=k:a%0ab", 400),
    ("http://elsewhere/v1/runs", 400), ("/healthz;x", 404), ("/HEALTHZ", 404), ("/openapi.yaml/", 404)])
def test_paths(served, path, status):
    answer = api.raw(served, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token()}\r\nConnection: close\r\n\r\n")
    assert api.statuses(answer) == [status], answer
    api.check_problem(api.body_of(answer), status, {400: "bad_request", 404: "not_found"}[status], path.split("?")[0])


# -- framing: two readings of one message are refused, and nothing after them is read


BODY = '{"a":1}'
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("headers,status", [
    ("Content-Length: 7\r\nContent-Length: 7\r\n", 400),
    ("Content-Length: 7\r\nContent-Length: 70\r\n", 400),
    ("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: xchunked\r\n", 501),
    ("Transfer-Encoding: gzip, chunked\r\n", 501),
    ("Transfer-Encoding : chunked\r\n", 400),
    ("Content-Length : 7\r\n", 400),
    ("Content-Length: +7\r\n", 400),
    ("Content-Length: 7, 7\r\n", 400),
    ("Content-Length: 0x7\r\n", 400),
    ("Content-Length: -1\r\n", 400),
    ("Content-Length: 99999999999999999999999\r\n", None),
    ("Content-Length:\r\n", 400),
    ("Content-Length: 7\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n", 400),
    ("Content-Length: 7\r\nHost: y\r\n", 400),
    ("Content-Length: 7\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n", 400),
    ("Content-Length: 7\r\nX-A: a\x01b\r\n", 400),
    ("Content-Length: 7\r\nX-A: a\rX-B: b\r\n", 400),
    ("Content-Length: 7\r\nX-A: a\rContent-Length: 9\r\n", 400),
    ("X-A: a\r\rGET /smuggled HTTP/1.1\rHost: x\r\n", 400),
    ("Content-Length: 7\r\nX(A): a\r\n", 400),
    ("Content-Length: 7\r\ngarbage\r\n", 400),
    ("Transfer-Encoding: chunked\r\n: empty\r\n", 400),
])
def test_ambiguous_requests_end_the_connection(served, headers, status):
    answer = api.raw(served, f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{BODY}{SMUGGLED}", timeout=5)
    # what the library refuses by itself is a page of HTML whose head may come twice
    assert len(set(api.statuses(answer))) == 1 and api.statuses(answer)[0] in ([status] if status else [400, 413]), answer
    assert "/smuggled" not in answer and "404" not in answer
    still_serves(served)


@pytest.mark.parametrize("line,rest,status", [
    ("POST /v1/runs", "", 422),  # a body that reads as JSON
    ("POST /v1/runs", "X-A: b\r\n", 400),
    ("GET /v1/runs", "", 200),
    ("GET /v1/nothing", "", 404)])
def test_a_header_without_a_name(served, line, rest, status):
    """To the library (0.9.75) it is the end of the head, and the rest of the head begins the body, so that as much of the body's end is left
    over: here a whole request. We do not see such a line, but what it leads to: the connection ends after the answer."""
    seen = f"{rest}\r\n{BODY}"
    answer = api.raw(served, f"{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token()}\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(seen)}\r\n: empty\r\n{seen}{SMUGGLED}", timeout=5)
    assert api.statuses(answer) == [status] and "Connection: close" in answer and "/smuggled" not in answer, answer


def test_what_is_left_of_a_torn_head_is_no_request(served):
    """A length that comes after such a line: of a POST nothing more is read; of a GET the rest of its head is refused as a request of its
    own, and ends the connection."""
    answer = api.raw(served, "POST /v1/runs HTTP/1.1\r\nHost: x\r\n: empty\r\nContent-Length: 7\r\n\r\n" + BODY + SMUGGLED, timeout=5)
    assert api.statuses(answer) == [401] and "/smuggled" not in answer
    answer = api.raw(served, "GET /healthz HTTP/1.1\r\nHost: x\r\n: empty\r\nContent-Length: 7\r\n\r\n" + BODY + SMUGGLED, timeout=5)
    assert api.statuses(answer) in ([200, 400], [200, 501]) and "/smuggled" not in answer


def test_a_connection_is_kept_after_a_body(served):
    with requests.Session() as session:
        for body in ({}, {"dry_run": True}):
            assert "Connection" not in session.post(served.url + "/v1/runs", json=body).headers
        assert "Connection" not in session.post(served.url + "/v1/runs").headers, "Content-Length: 0"


@pytest.mark.parametrize("text", [
    b"\x00\x01\x02\x03\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n", b"\r\n" * 1000,
    b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n"])
def test_garbage_is_survived(served, text):
    pid = served.process.pid
    answer = api.raw(served, text, timeout=0.5)
    assert not any(status < 400 for status in api.statuses(answer)), answer
    still_serves(served)
    assert served.is_running() and served.process.pid == pid


def test_pipelined_requests_are_answered_in_order(served):
    answer = api.raw(served, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
    assert api.statuses(answer) == [200, 404, 200]


def test_answers_name_their_request(served):
    mine = served.get("/healthz", headers={"X-Request-Id": "mine-1"})
    assert mine.headers["X-Request-Id"] == "mine-1"
    other = served.get("/healthz", headers={"X-Request-Id": "a b\"<>"})
    assert re.fullmatch(r"[0-9a-f-]{36}", other.headers["X-Request-Id"])
    trace = "0af7651916cd43dd8448eb211c80319c"
    body = served.get("/v1/nothing", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}).json()
    assert body["trace_id"] == trace


def test_no_answer_is_a_page(served):
    """Nor may one be taken for a script, put into a frame, or kept by a cache on the way."""
    for path in ("/v1/runs", "/v1/nothing", f"/v1/runs/{served.first_run['id']}/logs?follow=1", "/openapi.yaml", "/healthz"):
        headers = served.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] in ("no-store", "no-cache")
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Server" not in headers and "X-Powered-By" not in headers
    assert "no-cache" == served.get(f"/v1/runs/{served.first_run['id']}").headers["Cache-Control"], "its ETag is asked for each time"


# -- slow clients


def test_slow_clients_do_not_hold_up_others(served):
    """Two hundred clients that send a byte now and then: the rest is served as ever."""
    connections = [api.connection(served) for _ in range(200)]
    socks = [c.__enter__() for c in connections]
    try:
        for sock in socks:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        for _ in range(5):
            for sock in socks:
                sock.sendall(b"a")
            still_serves(served)
            assert served.get("/v1/runs", params={"limit": 1}).elapsed.total_seconds() < 1
    finally:
        for c in connections:
            c.__exit__(None, None, None)


def test_drip_feeders_are_cut_off(served):
    """Bytes keep coming, so no idle time ever passes: the whole request has 30 s. Idle connections may stay."""
    with api.connection(served) as head, api.connection(served) as body, api.connection(served) as kept, api.connection(served) as mute:
        kept.sendall(GET.replace("Connection: close\r\n", "").encode())
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        head.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        body.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token()}\r\n"
                     "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode())
        began, ends = time.monotonic(), {}
        dripping = {"head": head, "body": body}
        while dripping and time.monotonic() - began < 45:
            time.sleep(0.5)
            for name, sock in list(dripping.items()):
                try:
                    sock.sendall(b" ")
                except OSError:
                    ends[name] = time.monotonic() - began
                    del dripping[name]
        assert set(ends) == {"head", "body"} and all(28 < seconds < 37 for seconds in ends.values()), ends
        kept.sendall(GET.encode())
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 "), "idle for 30 s, then used again"
        mute.settimeout(10)
        assert mute.recv(1) == b"", "one that never asked for anything"


def admin_url(service):
    """As the log says, just after the first line on stdout."""
    def find():
        lines = [line for line in open(f"{service.home}/service.log") if '"message":"listening"' in line]
        return json.loads(lines[-1])["admin"] if lines else None
    return wait_until("it says where it listens", 5, find)


def test_probes_answer_when_no_connection_is_left(served, make_replica):
    """More clients than connections: they queue in the backlog. The admin listener has its own, and serves nothing else."""
    replica = make_replica(LOADSTAR_HTTP_CONNECTIONS="16", LOADSTAR_ADMIN_LISTEN="127.0.0.1:0").start()
    probe = admin_url(replica)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(api.connection(replica)).sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with pytest.raises(requests.Timeout):
            replica.session.get(replica.url + "/healthz", timeout=2)
        for path in ("/healthz", "/readyz", "/metrics"):
            headers = api.bearer(replica.token()) if path == "/metrics" else None
            answer = replica.session.get(probe + path, headers=headers, timeout=5)
            assert answer.status_code == 200 and answer.elapsed.total_seconds() < 2
        problem(replica.session.get(probe + "/v1/runs", headers=api.bearer(replica.token()), timeout=5), 404, "not_found")
    wait_until("the API has connections again", 20, lambda: answers(replica))


def answers(service):
    try:
        return service.session.get(service.url + "/healthz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def test_as_many_files_as_the_system_allows(served):
    limits = pathlib.Path(f"/proc/{served.process.pid}/limits").read_text()
    soft, hard = re.search(r"^Max open files +(\w+) +(\w+)", limits, re.M).groups()
    assert soft == hard
    line = next(json.loads(text) for text in open(f"{served.home}/service.log") if '"open files"' in text)
    assert str(line["limit"]) == hard


# -- the contract


@pytest.mark.timeout(120)
def test_schemathesis(served, tmp_path):
    """Generated requests against openapi.yaml. What is left out, and why:

    - positive_data_acceptance: the schema cannot say that a pipeline exists, or that from and to belong to range alone.
    - runs:write is not given, so no generated run is loaded; POST bodies are in test_api_runs.py, and in make fuzz-api.
    """
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    if not program.exists():
        program = shutil.which("schemathesis")
    assert program is not None, "tests/requirements.txt names schemathesis"
    done = subprocess.run(
        [str(program), "--config-file", str(empty(tmp_path)), "run", str(ROOT / "openapi/openapi.yaml"), "--url", served.url,
         "--header", f"Authorization: Bearer {served.token('runs:read data:read metrics:read')}", "--max-examples", "25", "--seed", "1",
         "--phases", "examples,coverage,fuzzing,stateful", "--exclude-checks", "positive_data_acceptance",
         "--generation-database", "none", "--request-timeout", "10", "--max-time", "20", "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    still_serves(served)


def empty(folder):
    path = folder / "schemathesis.toml"
    path.write_text("")
    return path
