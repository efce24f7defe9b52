"""Who asks, from where, how fast: TLS, proxies, pages of other origins, limits; all of them set on one replica."""

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import threading

import pytest

import api
from api import problem
from service import Service, wait_until

PAGE = "https://dash.example.org"
DIMENSIONS = {"pipeline": "medrobotics", "type": "dimensions", "dry_run": True}


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def edge(served, certificate):
    """A replica of `served` at the edge of a network: HTTPS, behind a proxy (us), for pages, slow."""
    with Service(env={"LOADSTAR_JWT_SECRET": api.SECRET, "LOADSTAR_WORKERS": "0", **api.urls(served), "LOADSTAR_LOG_LEVEL": "debug",
                      "LOADSTAR_TLS_CERT": f"{certificate}/cert.pem", "LOADSTAR_TLS_KEY": f"{certificate}/key.pem",
                      "LOADSTAR_ADMIN_LISTEN": "127.0.0.1:0", "LOADSTAR_TRUSTED_PROXIES": "127.0.0.0/8, 192.0.2.0/24",
                      "LOADSTAR_CORS_ORIGINS": f"{PAGE}, http://localhost:3000", "LOADSTAR_WRITE_RATE": "1"}) as service:
        service.session.verify, service.session.trust_env = f"{certificate}/cert.pem", False  # not the machine's authorities
        yield service


# -- TLS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_https_alone(edge, certificate):
    assert edge.url.startswith("https://127.0.0.1:")
    assert edge.get("/v1/runs", params={"limit": 1}).status_code == 200
    plain = api.raw(edge, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", timeout=5)
    assert "200" not in plain and "alive" not in plain
    host, port = edge.url.removeprefix("https://").split(":")
    for version, speaks in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.create_default_context(cafile=f"{certificate}/cert.pem")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with api.connection(edge) as sock:
            if not speaks:
                with pytest.raises((ssl.SSLError, ConnectionResetError)):
                    context.wrap_socket(sock, server_hostname=host)
                continue
            with context.wrap_socket(sock, server_hostname=host) as tls:
                tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert api.statuses(api.read_all(tls).decode()) == [200]


def test_waits_and_streams_over_tls(edge, served, certificate):
    """Suspended connections, and answers that are larger than a record."""
    context = ssl.create_default_context(cafile=f"{certificate}/cert.pem")
    host, port = edge.url.removeprefix("https://").split(":")

    async def ask(path, headers=""):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {edge.token()}\r\n{headers}\r\n".encode())
        text = (await reader.read()).decode()
        writer.close()
        return text

    async def scene(run_id, etag):
        waiting = [asyncio.create_task(ask(f"/v1/runs/{run_id}?wait=50s", f"If-None-Match: {etag}\r\n")) for _ in range(20)]
        following = [asyncio.create_task(ask(f"/v1/runs/{run_id}/logs", "Accept: text/event-stream\r\n")) for _ in range(20)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting + following)
        assert (await asyncio.to_thread(served.post, f"/v1/runs/{run_id}/cancel")).status_code == 202
        return await asyncio.wait_for(asyncio.gather(*waiting), 20), await asyncio.wait_for(asyncio.gather(*following), 60)

    edge.token()
    with api.running(served) as run_id:
        def still():
            before = edge.get(f"/v1/runs/{run_id}").headers["ETag"]
            threading.Event().wait(1)
            return before if edge.get(f"/v1/runs/{run_id}").headers["ETag"] == before else None
        waited, followed = asyncio.run(scene(run_id, wait_until("nothing changes", 20, still)))
    for text in waited:
        assert api.statuses(text) == [200] and api.body_of(text)["status"] in ("cancelling", "cancelled")
    for text in followed:
        assert "event: log" in text and "event: end" in text and text.endswith("0\r\n\r\n")
    page = edge.get("/openapi.yaml")
    assert page.status_code == 200 and len(page.content) > 32 * 1024, "more than a record"


@pytest.mark.parametrize("variables,named", [
    ({"LOADSTAR_TLS_CERT": "{folder}/cert.pem"}, "LOADSTAR_TLS_KEY"),
    ({"LOADSTAR_TLS_CERT": "{folder}/nowhere.pem", "LOADSTAR_TLS_KEY": "{folder}/key.pem"}, "nowhere.pem"),
    ({"LOADSTAR_CORS_ORIGINS": "dash.example.org"}, "LOADSTAR_CORS_ORIGINS"),
    ({"LOADSTAR_TRUSTED_PROXIES": "proxy.example.org"}, "LOADSTAR_TRUSTED_PROXIES")])
def test_wrong_settings_end_the_start(served, make_replica, certificate, variables, named):
    replica = make_replica(**{k: v.format(folder=certificate) for k, v in variables.items()})
    for arguments in (["serve", "--check"], ["serve"]):
        done = replica.cli(*arguments, check=False, timeout=20)
        assert done.returncode == 1 and named in done.stderr, done.stderr


def test_a_key_of_another_certificate_ends_the_start(served, make_replica, certificate, tmp_path):
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "other.pem"], check=True)
    replica = make_replica(LOADSTAR_TLS_CERT=f"{certificate}/cert.pem", LOADSTAR_TLS_KEY=f"{tmp_path}/other.pem")
    done = replica.cli("serve", check=False, timeout=20)
    assert done.returncode == 1 and "do LOADSTAR_TLS_CERT and LOADSTAR_TLS_KEY fit?" in done.stderr, done.stderr
    assert "PRIVATE KEY" not in done.stderr


def test_a_renewed_certificate(served, make_replica, tmp_path):
    """One file after the other is replaced: no connection is refused meanwhile, those that are there go on, new ones get the new one."""
    live, later = make_certificate(tmp_path), tmp_path / "later"
    later.mkdir()
    make_certificate(later)
    replica = make_replica(LOADSTAR_TLS_CERT=f"{live}/cert.pem", LOADSTAR_TLS_KEY=f"{live}/key.pem").start()
    known = {name: ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text()) for name, folder in (("before", live), ("after", later))}
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    @contextlib.contextmanager
    def connected():
        with api.connection(replica) as sock, context.wrap_socket(sock) as tls:
            yield tls

    def ask(tls):
        tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b'"alive"}'):
            assert (part := tls.recv(65536)), answer
            answer += part

    def told(what):
        return [line for line in open(f"{replica.home}/service.log") if what in line]

    def shown():
        with connected() as tls:
            ask(tls)
            return tls.getpeercert(True)

    def threads():
        return len(os.listdir(f"/proc/{replica.process.pid}/task"))

    def replace(name):
        os.replace(later / name, live / name)

    with connected() as kept, connected() as left:
        ask(kept), ask(left)
        before = threads()
        assert shown() == known["before"]
        replace("key.pem")
        wait_until("it tells that they do not fit", 15, lambda: told("the renewed certificate cannot be used"), 0.2)
        assert shown() == known["before"] and threads() == before
        replace("cert.pem")
        wait_until("new connections get it", 15, lambda: shown() == known["after"], 0.01)
        ask(kept), ask(left)
        assert threads() > before and len(told("the renewed certificate cannot be used")) == 1
    wait_until("nothing is left of the one before", 30, lambda: threads() == before, 0.2)
    with connected() as tls:
        ask(tls)
        assert replica.stop() == 0, replica.log_tail()
    assert not told("PRIVATE KEY")


# -- pages of other origins


def test_preflight(edge):
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = edge.session.options(edge.url + "/v1/runs", headers=asks)
    assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Vary"] == "Origin" and answer.headers["Access-Control-Max-Age"] == "600"
    assert answer.headers["Access-Control-Allow-Methods"] == answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id"} <= allowed


def test_pages_of_known_origins_may_read(edge, served):
    run = f"/v1/runs/{served.first_run['id']}"
    etag = edge.get(run).headers["ETag"]
    for path, headers, status in (("/v1/runs?limit=1", {}, 200), (run, {"If-None-Match": etag}, 304), ("/v1/nothing", {}, 404),
                                  (run + "/logs?follow=1", {}, 200)):
        for origin in (PAGE, "http://localhost:3000"):
            answer = edge.get(path, headers={"Origin": origin, **headers})
            assert answer.status_code == status and answer.headers["Access-Control-Allow-Origin"] == origin
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"] and answer.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in answer.headers and "Access-Control-Allow-Methods" not in answer.headers
    refused = edge.session.delete(edge.url + "/v1/runs", headers={"Origin": PAGE})
    assert refused.status_code == 405 and refused.headers["Access-Control-Allow-Origin"] == PAGE, "refused before it is dispatched"
    unknown = edge.session.get(edge.url + run, headers={"Origin": PAGE})
    assert unknown.status_code == 401 and unknown.headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize("origin", ["https://evil.example.org", PAGE + ".evil", "null", "http://dash.example.org", PAGE + ":444", ""])
def test_pages_of_other_origins_may_not(edge, origin):
    for method in ("GET", "OPTIONS"):
        answer = edge.request(method, "/v1/runs", params={"limit": 1} if method == "GET" else None,
                              headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert answer.headers["Vary"] == "Origin", "a cache must not give this to a page that may"
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_without_the_setting_there_is_no_cors(served):
    answer = served.session.options(served.url + "/v1/runs", headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"})
    assert not {"Vary", "Access-Control-Allow-Origin"} & set(answer.headers)


# -- proxies


def test_the_client_is_who_the_proxy_says(edge, served):
    run_id = served.first_run["id"]
    for headers in ({"X-Forwarded-For": "203.0.113.9, 192.0.2.4"}, {"Forwarded": 'for="203.0.113.9";proto=https'}):
        answer = edge.get(f"/v1/runs/{run_id}/steps", headers={**headers, "X-Request-Id": "from-afar"})
        assert answer.status_code == 200
        said = [json.loads(line) for line in open(f"{edge.home}/service.log") if '"from-afar"' in line]
        assert said[-1]["client"] == "203.0.113.9" and said[-1]["subject"] == "tester"
    many = api.raw_tls(edge, f"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: from-many\r\n"
                       + "X-Forwarded-For: 192.0.2.8\r\n" * 300 + "X-Forwarded-For: 203.0.113.10\r\n\r\n")
    assert api.statuses(many) == [200]
    assert '"client":"203.0.113.10"' in next(line for line in open(f"{edge.home}/service.log") if '"from-many"' in line)


# -- limits


def test_writes_are_limited_and_told_when(edge):
    """One a second, ten at once. Others, and reads, go on."""
    headers = api.bearer(edge.token(subject="hasty"))
    answers = [edge.request("POST", "/v1/runs", json=DIMENSIONS, headers=headers) for _ in range(14)]
    refused = [a for a in answers if a.status_code != 200]
    assert 2 <= len(refused) <= 4 and not [a for a in answers[:10] if a.status_code != 200]
    for answer in refused:
        problem(answer, 429, "rate_limited")
        assert answer.headers["Retry-After"] == "1"
    assert edge.get("/v1/runs", params={"limit": 1}, headers=headers).status_code == 200
    assert edge.request("POST", "/v1/runs", json=DIMENSIONS, headers=api.bearer(edge.token(subject="calm"))).status_code == 200
    wait_until("it may write again", 3, lambda: edge.request("POST", "/v1/runs", json=DIMENSIONS, headers=headers).status_code == 200, 0.3)
