"""Tokens and scopes; secrets that must show nowhere; and what is answered while the control database is away."""

import base64
import contextlib
import hashlib
import hmac
import json
import pathlib
import re
import time

import jwt
import pytest
import requests

import api
from api import problem, token
from service import wait_until

CANARY = "canary7f3a9c"


def get(service, path, text=None, **headers):
    if text is not None:
        headers["Authorization"] = text if " " in text or not text else f"Bearer {text}"
    return requests.get(service.url + path, headers=headers, timeout=20)


def encode(part):
    return base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()


def signed(header, claims, secret=api.SECRET):
    """A token whose header and claims are any text."""
    head = f"{encode(header)}.{encode(claims)}"
    return f"{head}.{encode(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())}"


HS = {"alg": "HS256", "typ": "JWT"}
SOON = int(time.time()) + 6000
CLAIMS = {"sub": "t", "scope": "admin", "exp": SOON}
GOOD = token()


@pytest.mark.parametrize("text", [
    None, "", "Bearer", "Bearer ", "Basic dGVzdDp0ZXN0", "Token " + GOOD, GOOD + "x", GOOD[:-4], GOOD + ".", "." + GOOD, "a.b.c", "..", "x" * 20000,
    GOOD.replace(".", "=.", 1), f"Bearer {GOOD} {GOOD}",
    jwt.encode(CLAIMS, None, "none"), signed({"alg": "none"}, CLAIMS), signed({"alg": "None"}, CLAIMS), signed({"alg": "NONE", "typ": "JWT"}, CLAIMS),
    encode({"alg": "none"}) + "." + encode(CLAIMS) + ".", encode({"alg": "HS256"}) + "." + encode(CLAIMS) + ".",
    token(secret="another-secret-of-the-tests-0123456789"), token(algorithm="HS384"), token(algorithm="HS512"),
    signed({"alg": "hs256"}, CLAIMS), signed({"alg": ["HS256"]}, CLAIMS), signed({}, CLAIMS), signed({"alg": "RS256", "typ": "JWT"}, CLAIMS),
    signed({"alg": "ES256", "typ": "JWT"}, CLAIMS), signed({**HS, "crit": ["exp"]}, CLAIMS), signed({**HS, "jwk": {"kty": "oct", "k": "eA"}}, CLAIMS),
    signed({**HS, "jku": "http://127.0.0.1/keys"}, CLAIMS), signed(b'{"alg":"HS256","alg":"none"}', CLAIMS), signed(b"[]", CLAIMS),
    signed(HS, {**CLAIMS, "exp": int(time.time()) - 60}), signed(HS, {"sub": "t", "scope": "admin"}), signed(HS, {**CLAIMS, "exp": float(SOON)}),
    signed(HS, b'{"sub":"t","scope":"admin","exp":%d.5}' % SOON), signed(HS, {**CLAIMS, "exp": str(SOON)}), signed(HS, {**CLAIMS, "exp": None}),
    signed(HS, b'{"sub":"t","scope":"admin","exp":1e30}'), signed(HS, b'{"sub":"t","scope":"admin","exp":99999999999999999999}'),
    signed(HS, {**CLAIMS, "nbf": SOON}), signed(HS, {**CLAIMS, "iat": SOON}), signed(HS, {**CLAIMS, "nbf": "now"}),
    signed(HS, {**CLAIMS, "sub": ""}), signed(HS, {"scope": "admin", "exp": SOON}), signed(HS, {**CLAIMS, "sub": 7}), signed(HS, {**CLAIMS, "sub": "s" * 256}),
    signed(HS, b"[1]"), signed(HS, b"not json"), signed(HS, b'{"sub":"t","exp":%d,"scope":"runs:read","scope":"admin"}' % SOON)])
def test_not_a_token(served, text):
    answer = get(served, "/v1/runs", text)
    body = problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert api.SECRET not in answer.text and (not text or len(text) < 20 or text not in answer.text), body


@pytest.mark.smoke
def test_tokens(served):
    for text in (GOOD, "bearer " + GOOD, "Bearer   " + GOOD, signed({"alg": "HS256"}, CLAIMS), signed({**HS, "kid": "x"}, {**CLAIMS, "x": [1]})):
        assert get(served, "/v1/runs", text).status_code == 200
    assert get(served, "/v1/runs", signed(HS, {**CLAIMS, "exp": int(time.time()) - 5})).status_code == 200, "clocks differ"


def test_public_paths_need_no_token(served):
    for path in ("/healthz", "/readyz", "/openapi.yaml"):
        for text in (None, "nonsense x"):
            assert get(served, path, text).status_code == 200


def test_each_route_asks_for_its_scope(served):
    run = f"/v1/runs/{served.first_run['id']}"
    needs = {("GET", "/v1/runs"): "runs:read", ("GET", run): "runs:read", ("GET", run + "/steps"): "runs:read", ("GET", run + "/logs"): "runs:read",
             ("GET", "/v1/pipelines"): "runs:read", ("GET", "/v1/pipelines/medrobotics"): "runs:read", ("POST", "/v1/runs"): "runs:write",
             ("POST", run + "/cancel"): "runs:write", ("POST", run + "/retry"): "runs:write", ("POST", run + "/pause"): "runs:write",
             ("POST", run + "/resume"): "runs:write", ("GET", "/metrics"): "metrics:read"}
    every = ["runs:read", "runs:write", "data:read", "pipelines:write", "events:write", "streams:write", "metrics:read"]
    for (method, path), scope in needs.items():
        ask = lambda scopes: requests.request(method, served.url + path, headers=api.bearer(token(scope=scopes)), timeout=20)
        for others in (" ".join(s for s in every if s != scope), "", scope + "x", scope.upper(), "adm", "admin:", f"{scope}:", f"x{scope}"):
            problem(ask(others), 403, "forbidden")
        for enough in (scope, "admin", f"  x {scope}  y"):
            assert ask(enough).status_code not in (401, 403), (path, enough)
    assert requests.get(served.url + "/v1/runs", headers=api.bearer(token(scope=["admin"])), timeout=20).status_code == 403
    assert requests.get(served.url + "/v1/runs", headers=api.bearer(token(scope=None)), timeout=20).status_code == 403


@pytest.mark.parametrize("scope", ["runs:read:other runs:write:other", "admin:other"])
def test_a_token_of_one_pipeline_sees_no_other(served, scope):
    other = api.bearer(token(scope=scope))
    run = f"/v1/runs/{served.first_run['id']}"
    ask = lambda method, path, **more: requests.request(method, served.url + path, headers=other, timeout=20, **more)
    for path in ("/v1/runs", "/v1/runs?pipeline=medrobotics", "/v1/runs?status=succeeded", "/v1/pipelines", "/v1/runs?pipeline=other,medrobotics"):
        answer = ask("GET", path)
        assert answer.status_code == 200 and answer.json() == {"items": [], "next_cursor": None}, path
    for path in (run, run + "?wait=1s", run + "/steps", run + "/logs", run + "/logs?follow=1", "/v1/pipelines/medrobotics"):
        assert problem(ask("GET", path), 404, "not_found")["detail"] == \
            problem(ask("GET", path.replace(served.first_run["id"], api.UNKNOWN).replace("medrobotics", "nothing")), 404, "not_found")["detail"]
    for action in ("cancel", "retry", "pause", "resume"):
        problem(ask("POST", f"{run}/{action}"), 404, "not_found")
    mine = problem(ask("POST", "/v1/runs", json={"pipeline": "medrobotics", "type": "full"}), 403, "forbidden")
    nobodys = problem(ask("POST", "/v1/runs", json={"pipeline": "medrobotic5", "type": "full"}), 403, "forbidden")
    assert mine["detail"].replace("medrobotics", "") == nobodys["detail"].replace("medrobotic5", "")
    problem(ask("GET", "/metrics"), 403, "forbidden")


def test_a_token_of_this_pipeline_sees_it(served):
    mine = api.bearer(token(scope="runs:read:medrobotics metrics:read:medrobotics"))
    assert requests.get(served.url + "/v1/runs", headers=mine, timeout=20).json()["items"]
    assert requests.get(f"{served.url}/v1/runs/{served.first_run['id']}", headers=mine, timeout=20).status_code == 200
    problem(requests.post(f"{served.url}/v1/runs/{served.first_run['id']}/cancel", headers=mine, timeout=20), 403, "forbidden")
    problem(requests.get(served.url + "/metrics", headers=mine, timeout=20), 403, "forbidden")


def test_metrics_without_the_setting_and_no_auth_on_loopback(make_replica):
    replica = make_replica(LOADSTAR_AUTH="none", LOADSTAR_ADMIN_LISTEN="127.0.0.1:0").start()
    assert get(replica, "/v1/runs").status_code == 200 and get(replica, "/metrics").status_code == 200
    assert get(replica, "/v1/runs", "nonsense x").status_code == 200
    answer = requests.post(replica.url + "/v1/runs", json={"pipeline": "medrobotics", "type": "full", "dry_run": True}, timeout=20)
    assert answer.status_code == 200
    for listen in ("0.0.0.0:0", "[::]:0"):
        refused = make_replica(LOADSTAR_AUTH="none", LOADSTAR_LISTEN=listen).start(expect_url=False)
        assert refused.process.wait(20) == 1 and "LOADSTAR_AUTH" in refused.log_tail()


def test_secrets_roll_over(make_replica):
    replica = make_replica(LOADSTAR_JWT_SECRET="the-newer-secret-0123456789abcdefghij\n" + api.SECRET,
                           LOADSTAR_JWT_ISSUER="me", LOADSTAR_JWT_AUDIENCE="loadstar").start()
    right = {"iss": "me", "aud": ["x", "loadstar"]}
    assert get(replica, "/v1/runs", token(right)).status_code == 200
    assert get(replica, "/v1/runs", token(right, secret="the-newer-secret-0123456789abcdefghij")).status_code == 200
    for wrong in ({}, {"iss": "me"}, {**right, "aud": "other"}, {**right, "iss": "you"}, {**right, "aud": []}):
        problem(get(replica, "/v1/runs", token(wrong)), 401, "unauthorized")
    assert get(replica, "/v1/runs", replica.token()).status_code == 200


# -- secrets


def files_with(folder, text):
    found = []
    for path in pathlib.Path(folder).rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(str(path))
    return found


def test_secrets_show_nowhere(served, make_replica):
    """Passwords of every kind, right and wrong, through starts, runs that fail and commands that complain."""
    secret = f"secret-{CANARY}-0123456789abcdefghijkl"
    with_password = {k: v.replace("loadstar@", f"loadstar:pw{CANARY}@") for k, v in api.urls(served).items()}
    replica = make_replica(**{**with_password, "LOADSTAR_JWT_SECRET": secret, "LOADSTAR_LOG_LEVEL": "debug",
                              "LOADSTAR_CONNECTION_NOWHERE": f"postgresql://u:pw{CANARY}@127.0.0.1:1/x"}).start()
    answers = [replica.get("/v1/runs"), replica.get("/metrics"), replica.post("/v1/runs", {}), get(replica, "/v1/runs", token(secret="x" * 40)),
               replica.post("/v1/runs", {"pipeline": "medrobotics", "type": "full", "dry_run": True}), replica.get("/v1/pipelines/medrobotics")]
    said = [a.text + str(a.headers) for a in answers]
    activity = served.sql("postgres", "SELECT application_name, query, usename FROM pg_stat_activity")
    said.append(str(activity))
    for arguments in (["settings"], ["pipelines"], ["runs"], ["plan", "medrobotics", "full"], ["serve", "--check"], ["version"]):
        done = replica.cli(*arguments, check=False)
        said.append(done.stdout + done.stderr)
    environ = pathlib.Path(f"/proc/{replica.process.pid}/cmdline").read_text()
    said.append(environ)
    assert replica.stop() == 0

    # a control database that refuses, one that is not there, and one that cannot be read as an address
    for url in (f"postgresql://nobody:pw{CANARY}@/loadstar?host={served.home}/socket", f"postgresql://u:pw{CANARY}@127.0.0.1:1/x",
                f"postgresql://u:pw{CANARY}@[bad/x", f"host=127.0.0.1 port=1 password=pw{CANARY} nonsense"):
        broken = make_replica(LOADSTAR_DATABASE_URL=url, LOADSTAR_JWT_SECRET=secret).start(expect_url=False)
        with contextlib.suppress(Exception):
            broken.process.wait(3)
        said.append(broken.process.stdout.read() if broken.process.poll() is not None else "")
        said.append(broken.log_tail(100))
        assert broken.process.poll() in (None, 1)
        broken.close()

    # runs whose source or warehouse does not let us in: done by a worker that has wrong passwords
    worker = make_replica(**{**with_password, "LOADSTAR_WORKERS": "2", "LOADSTAR_JWT_SECRET": secret, "LOADSTAR_LEASE": "1s",
                             "LOADSTAR_CONNECTION_MEDROBOTICS_SOURCE": f"postgresql://u:pw{CANARY}@127.0.0.1:1/x"}).start()
    run_id = worker.submit("full", note="x")
    time.sleep(1.5)
    said += [worker.get(f"/v1/runs/{run_id}{part}").text for part in ("", "/steps", "/logs?limit=1000")]
    answer = worker.post("/v1/runs", {"pipeline": "medrobotics", "type": "full", "dry_run": True})
    said.append(answer.text)
    worker.post(f"/v1/runs/{run_id}/cancel")
    worker.wait(run_id, 60)
    said += [worker.get(f"/v1/runs/{run_id}{part}").text for part in ("", "/steps", "/logs?limit=1000")]
    assert worker.stop() == 0
    said += [r.log_tail(10000) for r in (replica, worker)]

    for text in said:
        assert CANARY not in text, text[max(0, text.index(CANARY) - 300):text.index(CANARY) + 50]
    for home in (served.home, replica.home, worker.home):
        assert files_with(home, CANARY) == []
    assert files_with(served.home, api.SECRET) == []


# -- the control database is away


def quick(answer_of, seconds=1.5):
    began = time.monotonic()
    answer = answer_of()
    assert time.monotonic() - began < seconds
    return answer


@pytest.mark.timeout(120)
def test_probes_while_the_database_hangs(served, make_replica):
    """Nothing answers, nothing refuses: the worst kind. As many requests wait for it as there are threads."""
    replica = make_replica(LOADSTAR_ADMIN_LISTEN="127.0.0.1:0").start()
    path = f"/v1/runs/{served.first_run['id']}"
    assert replica.get(path).status_code == 200
    wait_until("it is ready", 10, lambda: get(replica, "/readyz").status_code == 200)
    assert get(replica, "/readyz").json() == {"status": "ready"}
    with api.stopped(served):
        assert quick(lambda: replica.get(path)).status_code == 200, "known runs are answered from memory"
        socks = [api.connection(replica) for _ in range(8)]
        try:
            entered = [sock.__enter__() for sock in socks]
            first = entered[0]
            for sock in entered:
                sock.sendall(f"GET /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {replica.token()}\r\n\r\n".encode())
            time.sleep(0.3)
            for _ in range(3):  # after 5 s memory is no longer trusted
                assert quick(lambda: replica.get(path)).status_code == 200, "nor do polls wait for those who ask the database"
            until = time.monotonic() + 22
            while get(replica, "/readyz").status_code == 200:
                assert quick(lambda: get(replica, "/healthz")).json() == {"status": "alive"}
                assert time.monotonic() < until, "never not ready"
                time.sleep(0.5)
            problem(quick(lambda: get(replica, "/readyz")), 503, "database_unreachable")
            assert "Retry-After" in get(replica, "/readyz").headers
            assert quick(lambda: get(replica, "/healthz")).status_code == 200
            answer = first.recv(65536).decode()
            assert api.statuses(answer) == [503], "who asks a database that hangs is told so in the end"
            # of its session, when it had one, or of the wait for one
            code = api.body_of(answer)["code"]
            assert code in ("connection_lost", "database_unreachable")
            api.check_problem(api.body_of(answer), 503, code, "/v1/runs")
        finally:
            for sock in socks:
                sock.__exit__(None, None, None)
    wait_until("ready again", 30, lambda: get(replica, "/readyz").status_code == 200)
    assert replica.get("/v1/runs").status_code == 200
    assert replica.stop() == 0


def test_sessions_cut_off(served, make_replica):
    """Every control session is ended at once: requests go on, the board comes back, nothing is lost."""
    replica = make_replica().start()
    for _ in range(3):
        served.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'loadstar' AND usename = 'loadstar'")
        assert get(replica, "/healthz").status_code == 200
        for _ in range(20):
            answer = replica.get("/v1/runs")
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 503:
                assert answer.json()["code"] in ("connection_lost", "database_unreachable") and "Retry-After" in answer.headers
    assert wait_until("lists are read again", 10, lambda: replica.get("/v1/runs").status_code == 200)
    run = served.load("dimensions")
    assert wait_until("the replica knows", 10, lambda: replica.run(run["id"])["status"] == "succeeded")
