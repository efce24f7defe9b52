"""Answers that take their time: polls, waits and streams; that they cost no session, and that they end when the run or the service does."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import resource
import socket
import struct
import threading
import time

import pytest
import requests

import api
from service import wait_until


def sessions(service):
    return service.sql("loadstar", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'loadstar' AND backend_type = 'client backend'")[0][0]


def statements(service):
    return sum(api.metrics(service)["loadstar_control_statements_total"].values())


@contextlib.contextmanager
def held(service):
    """A run in which nothing happens until it is cancelled: paused before its first slice."""
    with api.running(service) as running, api.pace(service, 60):
        run_id = service.submit("range", **api.MONTH, max_parallel=1)
        assert service.post(f"/v1/runs/{run_id}/pause").status_code == 202
        settled = wait_until("it is paused and still", 30, lambda: still(service, run_id))
        try:
            yield run_id, settled
        finally:
            service.post(f"/v1/runs/{run_id}/cancel")
    service.wait(run_id, 60)
    assert running


def still(service, run_id):
    """Its ETag, once nothing has changed for a second."""
    before = service.get(f"/v1/runs/{run_id}").headers["ETag"]
    time.sleep(1)
    return before if service.get(f"/v1/runs/{run_id}").headers["ETag"] == before else None


def request(service, path, headers="", scope=None):
    return (f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {service.token(scope)}\r\n{headers}\r\n").encode()


async def ask(service, path, headers=""):
    """Status and everything else of one request on a connection of its own."""
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(service, path, headers))
    text = (await reader.read()).decode()
    writer.close()
    return int(text.split(" ", 2)[1]) if text else None, text


# -- one


@pytest.mark.smoke
def test_etag(served):
    path = f"/v1/runs/{served.first_run['id']}"
    answer = served.get(path)
    etag = answer.headers["ETag"]
    assert etag.startswith('"') and answer.headers["Cache-Control"] == "no-cache"
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = served.get(path, headers={"If-None-Match": value})
        assert again.status_code == 304 and again.content == b"" and again.headers["ETag"] == etag
    for value in ('"x"', etag.strip('"'), ""):
        assert served.get(path, headers={"If-None-Match": value}).status_code == 200
    head = served.request("HEAD", path)
    assert head.headers["ETag"] == etag
    began = time.monotonic()
    for wait in ("30s", "0s", "55s"):
        assert served.get(path, params={"wait": wait}, headers={"If-None-Match": etag}).status_code == 304
    assert time.monotonic() - began < 2, "a finished run is never waited for"


def test_wait_ends_at_the_deadline_or_with_a_change(served):
    with api.running(served) as run_id:
        path = f"/v1/runs/{run_id}"
        etag = wait_until("nothing changes", 20, lambda: still(served, run_id))
        began = time.monotonic()
        answer = served.get(path, params={"wait": "2s"}, headers={"If-None-Match": etag})
        assert answer.status_code == 304 and answer.headers["ETag"] == etag and 1.9 < time.monotonic() - began < 4
        assert served.request("HEAD", path, params={"wait": "1s"}, headers={"If-None-Match": etag}).status_code == 304
        assert served.get(path, params={"wait": "30s"}).status_code == 200, "nothing to compare with: at once"
        threading.Timer(0.5, lambda: served.post(f"{path}/pause")).start()
        began = time.monotonic()
        answer = served.get(path, params={"wait": "30s"}, headers={"If-None-Match": etag})
        assert answer.status_code == 200 and answer.json()["status"] == "paused" and time.monotonic() - began < 5
        assert answer.headers["ETag"] != etag


def test_polls_ask_no_database(served):
    path = f"/v1/runs/{served.first_run['id']}"
    served.get(path)
    busiest = 0
    for _ in range(5):  # the engine's own statements go on meanwhile: a quiet moment is enough
        before = api.metrics(served)["loadstar_control_statements_total"]
        for _ in range(200):
            assert served.get(path).status_code == 200
        after = api.metrics(served)["loadstar_control_statements_total"]
        moved = {dict(k)["statement"]: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}
        assert max(moved.values(), default=0) < 20, moved  # the tail of the board reads runs that change meanwhile
        busiest = max(busiest, sum(moved.values()))
    assert busiest < 50, "a thousand polls"


# -- many


def threads(service):
    return len(os.listdir(f"/proc/{service.process.pid}/task"))


def allow_many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))


def ask_to_wait(service, run_id, etag, waiters, followers):
    """Tasks of that many waiters, and of followers, half of them of each format."""
    wait, logs = f"/v1/runs/{run_id}?wait=50s", f"/v1/runs/{run_id}/logs"
    return ([asyncio.create_task(ask(service, wait, f"If-None-Match: {etag}\r\n")) for _ in range(waiters)],
            [asyncio.create_task(ask(service, logs, f"Accept: {('text/event-stream', 'application/x-ndjson')[i % 2]}\r\n"))
             for i in range(followers)])


def test_five_hundred_waiters_and_followers_hold_nothing(served):
    """No session of the database and no thread; others are served meanwhile; all hear of the end."""
    allow_many_files()

    async def scene(run_id, etag):
        before, threads_before = sessions(served), threads(served)
        waiting, following = ask_to_wait(served, run_id, etag, 300, 200)
        await asyncio.sleep(3)
        assert not any(task.done() for task in waiting + following)
        during = await asyncio.to_thread(sessions, served)
        assert during <= before + 2 and during < 25, (before, during)
        assert threads(served) <= threads_before, "a thread was made for who waits"
        began = time.monotonic()
        assert (await asyncio.to_thread(served.get, f"/v1/runs/{run_id}")).status_code == 200
        assert (await asyncio.to_thread(served.get, "/healthz")).status_code == 200
        assert time.monotonic() - began < 2, "others are served meanwhile"
        began = time.monotonic()
        answer = await asyncio.to_thread(served.post, f"/v1/runs/{run_id}/cancel")
        assert answer.status_code == 202
        answers = await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert time.monotonic() - began < 10
        assert {status for status, _ in answers} == {200}
        for _, text in answers:
            assert json.loads(text.partition("\r\n\r\n")[2])["status"] in ("cancelling", "cancelled")
        for status, text in await asyncio.wait_for(asyncio.gather(*following), 30):
            assert status == 200 and "run cancelled" in text and text.endswith("0\r\n\r\n")

    served.token()
    with held(served) as (run_id, etag):
        asyncio.run(scene(run_id, etag))


def sockets(service):
    """Connections that the service holds."""
    folder, count = f"/proc/{service.process.pid}/fd", 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
    return count


def test_dead_followers_are_noticed_by_the_heartbeat(served):
    """A stream on which nothing happens gets an empty line each 15 s: who went without a word is found then."""
    with held(served) as (run_id, _):
        before = sockets(served)
        with contextlib.ExitStack() as stack:
            alive = {kind: stack.enter_context(api.connection(served, 25)) for kind in ("text/event-stream", "application/x-ndjson")}
            dead = [api.connection(served) for _ in range(30)]
            for kind, sock in alive.items():
                sock.sendall(request(served, f"/v1/runs/{run_id}/logs", f"Accept: {kind}\r\n"))
            for connection in dead:
                sock = connection.__enter__()
                sock.sendall(request(served, f"/v1/runs/{run_id}/logs", "Accept: text/event-stream\r\n"))
                assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
                connection.__exit__(None, None, None)
            for kind, beat in (("text/event-stream", b"\r\n:\n\n\r\n"), ("application/x-ndjson", b"\r\n\n\r\n")):
                text = b""
                while beat not in text:
                    part = alive[kind].recv(65536)
                    assert part, text
                    text += part
            wait_until("the dead are gone", 40, lambda: sockets(served) <= before + 6)


# -- streams


def events(text):
    """(id, event, data) of a server-sent event stream; comments left out."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            yield fields.get("id"), fields["event"], json.loads(fields["data"])


def lines_of(answer):
    return [json.loads(line) for line in answer.text.splitlines() if line]


def test_streams_of_a_finished_run(served):
    path = f"/v1/runs/{served.first_run['id']}/logs"
    lines = served.logs(served.first_run["id"])
    for options in ({"params": {"follow": 1}}, {"headers": {"Accept": "application/x-ndjson"}}):
        answer = served.get(path, **options)
        assert answer.headers["Content-Type"] == "application/x-ndjson" and lines_of(answer) == lines
    assert lines_of(served.get(path, params={"follow": 1, "after": 7})) == lines[7:]
    assert lines_of(served.get(path, params={"follow": 1, "level": "warn"})) == [l for l in lines if l["level"] in ("warn", "error")]
    sse = {"Accept": "text/event-stream"}
    answer = served.get(path, headers=sse)
    assert answer.headers["Content-Type"] == "text/event-stream"
    found = list(events(answer.text))
    assert found[:-1] == [(str(line["id"]), "log", line) for line in lines] and found[-1] == (None, "end", {})
    resumed = list(events(served.get(path, headers={**sse, "Last-Event-ID": "10"}).text))
    assert resumed == found[10:]
    api.problem(served.get(path, headers={**sse, "Last-Event-ID": "x"}), 400, "bad_request")
    assert list(events(served.get(path, headers={**sse, "Last-Event-ID": "99999"}).text)) == [(None, "end", {})]


def test_follow_while_it_runs(served):
    """Followers from the first moment on, in both formats, one of them reconnecting all the time: each line once, no holes."""
    with api.pace(served, 0.3):
        run_id = served.submit("facts", mode="all")
        path = f"/v1/runs/{run_id}/logs"

        def reconnecting():
            seen, last = [], "0"
            while True:
                with served.session.get(served.url + path, stream=True, timeout=60, headers={
                        **api.bearer(served.token()), "Accept": "text/event-stream", "Last-Event-ID": last}) as answer:
                    block = []
                    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
                        if line:
                            block.append(line)
                            continue
                        for last_id, kind, data in events("\n".join(block)):
                            if kind == "end":
                                return seen
                            seen.append(data)
                            last = last_id
                        block = []
                        if len(seen) % 7 == 6:
                            seen_before = len(seen)
                            break
                    else:
                        continue
                assert seen_before

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            streams = [pool.submit(served.get, path, params={"follow": 1}) for _ in range(6)]
            resumed = pool.submit(reconnecting)
            results = [lines_of(stream.result()) for stream in streams] + [resumed.result()]
    assert served.run(run_id)["status"] == "succeeded"
    whole = served.logs(run_id)
    assert [line["id"] for line in whole] == list(range(1, len(whole) + 1)) and len(whole) > 30
    for result in results:
        assert result == whole


# -- the end


@pytest.mark.timeout(120)
def test_sigterm_with_waiters_and_streams_open(served, make_replica):
    async def scene(replica, run_id, etag):
        waiting, streams = ask_to_wait(replica, run_id, etag, 300, 200)
        await asyncio.sleep(3)
        assert not any(task.done() for task in waiting + streams)
        code = await asyncio.to_thread(replica.stop, 30)
        answers = await asyncio.wait_for(asyncio.gather(*waiting, *streams, return_exceptions=True), 10)
        return code, answers[:300], answers[300:]

    allow_many_files()
    with held(served) as (run_id, etag):
        replica = make_replica(LOADSTAR_DRAIN="2s").start()
        replica.token()
        began = time.monotonic()
        code, waited, streamed = asyncio.run(scene(replica, run_id, etag))
        assert code == 0, replica.log_tail()
        assert time.monotonic() - began < 15
        assert {status for status, _ in waited} == {304}
        for status, text in streamed:
            assert status == 200 and "run_id" in text and "event: end" not in text
            assert text.endswith("0\r\n\r\n") == ("text/event-stream" in text), "lines that end whole would pass for the whole log"
    log = open(f"{replica.home}/service.log").read()
    assert '"stopped"' in log and "HTTP library gave up" not in log and "abort" not in log.lower()
    for line in log.splitlines():
        assert json.loads(line)["level"] in ("info", "debug"), line


def test_a_drain_loses_no_answer(make_service):
    """Clients that write all the time while the service ends: what was accepted was answered; what was not answered, was not accepted."""
    service = make_service(env={"LOADSTAR_WORKERS": "0", "LOADSTAR_WRITE_RATE": "0", "LOADSTAR_DRAIN": "1s"}).start()
    service.token()
    told, over = {}, threading.Event()

    def write(client):
        """One connection after the other fails at last: then the service is gone."""
        session, count = requests.Session(), 0
        while not over.is_set():
            note, count = f"{client}-{count}", count + 1
            told[note] = None
            try:
                told[note] = session.post(service.url + "/v1/runs", json={"pipeline": "medrobotics", "type": "dimensions", "note": note},
                                          headers=api.bearer(service.token()), timeout=20).status_code
            except requests.exceptions.ConnectTimeout:
                return
            except requests.ConnectionError:
                if not service.is_running():
                    return

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(write, client) for client in range(8)]
        wait_until("runs are accepted", 20, lambda: sum(status == 202 for status in told.values()) > 100)
        assert service.stop() == 0
        over.set()
        for client in clients:
            client.result(60)
    service.start()
    accepted = {note for note, in service.sql("loadstar", "SELECT note FROM control.run")}
    assert set(told.values()) <= {202, 503, None}
    assert accepted == {note for note, status in told.items() if status == 202}
