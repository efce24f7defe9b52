"""Runs over HTTP: what is accepted, what is refused and how, idempotency, lists, and what each state allows."""

import base64
import concurrent.futures
import gzip
import hashlib
import http.client
import json
import re
import threading

import pytest
import requests

import api
from api import MONTH, UNKNOWN, problem
from service import wait_until


def counts(service):
    return service.sql("loadstar", "SELECT (SELECT count(*) FROM control.run), (SELECT count(*) FROM control.step),"
                       " (SELECT count(*) FROM control.log), (SELECT count(*) FROM control.idempotency)")


def send(service, body, **headers):
    return service.request("POST", "/v1/runs", data=body, headers={"Content-Type": "application/json", **headers})


# -- refused


def test_every_wrong_field_is_named_at_once(served):
    before = counts(served)
    body = {"pipeline": 7, "type": "fulll", "mode": "most", "from": "2024-02-30", "to": "yesterday", "slice": "P1X",
            "tables": [], "params": {"Bad Name": 1, "x": [1]}, "priority": 1000, "order": "up", "max_parallel": 0,
            "on_duplicate": "drop", "allow": ["shrink", "theft"], "dry_run": "yes", "labels": {"": "x", "k": 1}, "note": 5,
            "pipelin": "x", "a/b~c": 1}
    problem(served.post("/v1/runs", body), 422, "invalid_request", [
        "/pipeline", "/type", "/mode", "/from", "/to", "/slice", "/tables", "/params/Bad Name", "/params/x", "/priority", "/order",
        "/max_parallel", "/on_duplicate", "/allow/1", "/dry_run", "/labels/", "/labels/k", "/note", "/pipelin", "/a~1b~0c"])
    assert counts(served) == before


@pytest.mark.parametrize("fields,pointers", [
    ({}, ["/pipeline", "/type"]),
    ({"pipeline": "medrobotics", "type": "range"}, ["/from", "/to"]),
    ({"pipeline": "medrobotics", "type": "range", "from": "2024-02-01", "to": "2024-02-01"}, ["/to"]),
    ({"pipeline": "medrobotics", "type": "range", "from": "2024-02-02", "to": "2024-02-01"}, ["/to"]),
    ({"pipeline": "medrobotics", "type": "range", "to": "2024-02-01"}, ["/from"]),
    ({"pipeline": "medrobotics", "type": "full", **MONTH}, ["/from", "/to"]),
    ({"pipeline": "medrobotics", "type": "dimensions", "slice": "P1D"}, ["/slice"]),
    ({"pipeline": "medrobotics", "type": "full", "tables": ["dim_robots", "dim_robot"], "params": {"batch": "1"}},
     ["/tables/1", "/params/batch"]),
    ({"pipeline": "medrobotics", "type": "dimensions", "tables": ["fact_procedures"]}, ["/tables/0"]),
    ({"pipeline": "medrobotics", "type": "full", "tables": ["dim_robots", "dim_robots"]}, ["/tables/1"]),
    ({"pipeline": "medrobotics", "type": "range", "from": "1971-01-01", "to": "9999-01-01", "slice": "PT1H"}, ["/slice"]),
    ({"pipeline": "medrobotics", "type": "range", "from": "infinity", "to": "0000-01-01"}, ["/from", "/to"]),
    ({"pipeline": "no_such", "type": "full"}, ["/pipeline"]),
    ({"pipeline": "medrobotics", "type": "full", "labels": {str(i): "" for i in range(21)}}, ["/labels"]),
    ({"pipeline": "medrobotics", "type": "full", "labels": {"k" * 64: "", "k": "v" * 256}}, ["/labels/" + "k" * 64, "/labels/k"]),
    ({"pipeline": "medrobotics", "type": "full", "note": "n" * 2001}, ["/note"]),
    ({"pipeline": "medrobotics", "type": "full", "priority": 1.5}, ["/priority"]),
])
def test_wrong_fields(served, fields, pointers):
    problem(served.post("/v1/runs", fields), 422, "invalid_request", pointers)


def test_the_nearest_name_is_told(served):
    body = problem(served.post("/v1/runs", {"pipelin": "medrobotics", "pipeline": "medrobotics", "type": "full"}), 422, "invalid_request")
    assert "did you mean pipeline?" in body["errors"][0]["detail"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"nonsense", b'{"pipeline":"medrobotics","type":"full"} x', b'{"pipeline":"medrobotics","type":"full","type":"range"}',
    b'{"pipeline":"medrobotics","type":"full","note":"a\\u0000b"}', b'{"pipeline":"medrobotics","type":"full"}\0',
    b"[" * 30000, b'{"a":' * 10000, b'{"note":"\xff\xfe","pipeline":"medrobotics","type":"full"}',
    b'{"priority":99999999999999999999999}', b'{"note":"\\ud800"}'])
def test_not_json(served, body):
    problem(send(served, body), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_json_of_another_kind(served, body):
    problem(send(served, body), 422, "invalid_request", [""])


def test_many_unknown_fields_make_an_answer_of_bounded_size(served):
    body = json.dumps({f"f{i}": 1 for i in range(4000)})
    answer = send(served, body)
    problem(answer, 422, "invalid_request")
    assert answer.json()["errors"][100] == {"pointer": "", "detail": "3902 more are wrong"}
    assert len(answer.content) < 16 * 1024 and answer.elapsed.total_seconds() < 2


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_other_media_types(served, kind):
    problem(send(served, b'{"pipeline":"medrobotics","type":"full"}', **{"Content-Type": kind}), 415, "unsupported_media_type")


def test_media_type_with_parameters_is_json(served):
    body = json.dumps({"pipeline": "medrobotics", "type": "full", "dry_run": True})
    assert send(served, body, **{"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_compressed_bodies_are_not_read(served):
    body = json.dumps({"pipeline": "medrobotics", "type": "full", "dry_run": True})
    for coding in ("gzip", "br", "gzip, identity"):
        for sent in (body, gzip.compress(body.encode())):
            problem(send(served, sent, **{"Content-Encoding": coding}), 415, "unsupported_media_type")
    assert send(served, body, **{"Content-Encoding": "Identity"}).status_code == 200


BIG = 64 * 1024 + 1


def test_too_large_by_its_length_is_refused_before_the_body(served):
    head = (f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token()}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {BIG}\r\n")
    for more in ("", "Expect: 100-continue\r\n"):
        answer = api.raw(served, head + more + "\r\n")
        assert api.statuses(answer) == [413] and "connection: close" in answer.lower()
        api.check_problem(api.body_of(answer), 413, "payload_too_large", "/v1/runs")


def test_too_large_in_chunks(served):
    host = served.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("POST", "/v1/runs", body=(b" " * 8192 for _ in range(9)), encode_chunked=True, headers={
        **api.bearer(served.token()), "Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    assert answer.status == 413
    api.check_problem(json.loads(answer.read()), 413, "payload_too_large", "/v1/runs")
    connection.close()


def test_within_the_limit_in_chunks_and_with_expect(served):
    body = json.dumps({"pipeline": "medrobotics", "type": "full", "dry_run": True}).encode()
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=20)
    connection.request("POST", "/v1/runs", body=iter([body[:7], body[7:]]), encode_chunked=True, headers={
        **api.bearer(served.token()), "Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 200
    connection.close()
    with api.connection(served) as sock:
        sock.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token()}\r\nConnection: close\r\n"
                     f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(body)
        assert api.statuses(api.read_all(sock).decode()) == [200]


# -- dry run


@pytest.mark.smoke
def test_dry_run_shows_the_sql_and_writes_nothing(served):
    before = counts(served)
    for fields in ({"type": "full"}, {"type": "range", **MONTH, "slice": "P1D"}, {"type": "facts", "mode": "all"}):
        answer = served.post("/v1/runs", {"pipeline": "medrobotics", "dry_run": True, **fields}, headers={"Idempotency-Key": "dry"})
        assert answer.status_code == 200, answer.text
        plan = answer.json()
        assert plan["pipeline"] == "medrobotics" and plan["steps"]
        text = json.dumps(plan)
        assert "INSERT INTO" in text and "fact_procedures" in text
    assert counts(served) == before


# -- idempotency


def test_same_key_same_body_same_run(served):
    body = {"pipeline": "medrobotics", "type": "dimensions", "labels": {"a": "1", "b": "2"}}
    key = {"Idempotency-Key": "twice"}
    first = served.post("/v1/runs", body, headers=key)
    assert first.status_code == 202 and first.headers["Location"] == f"/v1/runs/{first.json()['id']}"
    again = send(served, json.dumps(dict(reversed(body.items())), indent=3), **key)
    assert again.status_code == 200 and again.json()["id"] == first.json()["id"] and again.headers["Location"] == first.headers["Location"]
    quoted = served.post("/v1/runs", body, headers={"Idempotency-Key": '"twice"'})
    assert quoted.status_code == 200 and quoted.json()["id"] == first.json()["id"]
    problem(served.post("/v1/runs", {**body, "note": "x"}, headers=key), 422, "idempotency_mismatch")
    other = served.request("POST", "/v1/runs", json=body, headers={**key, **api.bearer(served.token(subject="somebody"))})
    assert other.status_code == 202 and other.json()["id"] != first.json()["id"], "keys belong to who sends them"
    for bad in ("", "a b", "k" * 256, "\x7f"):
        assert served.post("/v1/runs", body, headers={"Idempotency-Key": bad}).status_code == 400
    for answer in (first, other):
        served.wait(answer.json()["id"])


def test_a_hundred_at_once_make_one_run(served):
    body = {"pipeline": "medrobotics", "type": "dimensions", "labels": {"crowd": "1"}}
    served.token()
    barrier = threading.Barrier(100)

    def one(_):
        barrier.wait()
        return served.post("/v1/runs", body, headers={"Idempotency-Key": "crowd"})

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(one, range(100)))
    assert sorted(a.status_code for a in answers) == [200] * 99 + [202], {a.status_code: a.text for a in answers}
    assert len({a.json()["id"] for a in answers}) == 1
    page = served.get("/v1/runs", params={"label": "crowd:1"}).json()
    assert [run["id"] for run in page["items"]] == [answers[0].json()["id"]]
    served.wait(answers[0].json()["id"])


def test_one_key_over_two_replicas_of_which_one_is_killed(served, make_replica):
    """Whoever gets no answer asks the other: it is one run, and everybody is told of it."""
    staying, dying = make_replica().start(), make_replica().start()
    body = {"pipeline": "medrobotics", "type": "dimensions", "labels": {"crowd": "2"}}
    barrier, answered = threading.Barrier(60), threading.Event()
    for replica in (staying, dying):
        replica.token()

    def one(number):
        barrier.wait()
        for replica in ((dying, staying), (staying, staying))[number % 2]:
            try:
                answer = replica.post("/v1/runs", body, headers={"Idempotency-Key": "crowd-2"})
            except requests.RequestException:
                continue  # dead, or dead before it answered
            answered.set()
            return answer
        raise AssertionError("nobody answered")

    with concurrent.futures.ThreadPoolExecutor(61) as pool:
        killed = pool.submit(lambda: answered.wait(30) and dying.kill9())
        answers = list(pool.map(one, range(60)))
        killed.result()
    assert {a.status_code for a in answers} <= {200, 202}
    assert len({a.json()["id"] for a in answers}) == 1
    page = served.get("/v1/runs", params={"label": "crowd:2"}).json()
    assert [run["id"] for run in page["items"]] == [answers[0].json()["id"]]
    served.wait(answers[0].json()["id"])


def test_keys_survive_a_restart(served, make_replica):
    replica = make_replica().start()
    body = {"pipeline": "medrobotics", "type": "dimensions"}
    key = {"Idempotency-Key": "over the restart".replace(" ", "-")}
    first = replica.post("/v1/runs", body, headers=key)
    assert first.status_code == 202
    replica.kill9()
    replica.start()
    again = replica.post("/v1/runs", body, headers=key)
    assert again.status_code == 200 and again.json()["id"] == first.json()["id"]
    problem(replica.post("/v1/runs", {**body, "type": "full"}, headers=key), 422, "idempotency_mismatch")
    served.wait(first.json()["id"])


def test_runs_and_their_keys_expire(served, make_replica):
    """LOADSTAR_RETENTION: a run that ended so long ago is gone, on every replica; its key makes a new one, with another body, too."""
    key = {"Idempotency-Key": "expires"}
    first = served.post("/v1/runs", {"pipeline": "medrobotics", "type": "dimensions"}, headers=key).json()["id"]
    served.wait(first)
    served.load("dimensions")  # the newest load of a table is never swept
    served.sql("loadstar", f"UPDATE control.run SET created_at = now() - interval '3 days', finished_at = now() - interval '3 days'"
                           f" WHERE id = '{first}' RETURNING 1")
    assert served.run(first)["id"] == first
    replica = make_replica(LOADSTAR_WORKERS="1", LOADSTAR_LEASE="1s", LOADSTAR_RETENTION="2d").start()
    wait_until("the run is gone", 30, lambda: served.get(f"/v1/runs/{first}").status_code == 404)
    problem(served.get(f"/v1/runs/{first}/logs"), 404, "not_found")
    again = served.post("/v1/runs", {"pipeline": "medrobotics", "type": "dimensions", "note": "another"}, headers=key)
    assert again.status_code == 202 and again.json()["id"] != first
    served.wait(again.json()["id"])
    assert served.run(served.first_run["id"])["status"] == "succeeded", "what is younger is there"
    swept = lambda: api.metrics(replica).get("loadstar_last_sweep_timestamp_seconds")
    wait_until("a sweep has ended", 30, swept)
    assert api.metrics(replica)["loadstar_swept_rows_total"][(("kind", "runs"),)] == 1


def test_on_duplicate(served):
    with api.running(served) as run_id:
        same = {"pipeline": "medrobotics", "type": "range", **MONTH}
        problem(served.post("/v1/runs", {**same, "on_duplicate": "reject"}), 409, "run_duplicate")
        answer = served.post("/v1/runs", {**same, "on_duplicate": "return"})
        assert answer.status_code == 200 and answer.json()["id"] == run_id


# -- states


def test_conflicts_and_controls(served):
    with api.running(served) as run_id:
        problem(served.post(f"/v1/runs/{run_id}/retry"), 409, "run_active")
        for action, status in (("pause", "paused"), ("pause", "paused"), ("resume", "running"), ("resume", "running")):
            answer = served.post(f"/v1/runs/{run_id}/{action}")
            assert answer.status_code == 202 and answer.json()["status"] == status, (action, answer.text)
            assert answer.headers["Location"] == f"/v1/runs/{run_id}"
            assert served.run(run_id)["status"] == status, "what was answered is what is read next"
        first = served.post(f"/v1/runs/{run_id}/cancel")
        assert first.status_code == 202 and first.json()["status"] in ("cancelling", "cancelled")
        assert served.wait(run_id, 60)["status"] == "cancelled"
        for action in ("cancel", "pause", "resume"):
            problem(served.post(f"/v1/runs/{run_id}/{action}"), 409, "run_finished")
        answer = served.post(f"/v1/runs/{run_id}/retry", {"spec": "current"})
        assert answer.status_code == 202 and answer.json()["attempt"] == 2 and answer.json()["status"] == "queued"
        assert served.run(run_id)["attempt"] == 2 and served.wait(run_id)["status"] == "succeeded"
    problem(served.post(f"/v1/runs/{run_id}/retry"), 409, "conflict")


def waits(service, run_id, kind):
    def find():
        return next((s for s in service.steps(run_id) if (s["waiting_for"] or {}).get("kind") == kind), None)
    return wait_until(f"a step waits for {kind}", 20, find)


def test_steps_say_for_what_they_wait(served):
    with api.running(served) as first:
        second = served.submit("range", **api.MONTH, tables=["fact_procedures"], max_parallel=1)
        step = waits(served, second, "overlap")
        assert step["status"] == "queued" and f"run {first} loads" in step["waiting_for"]["detail"] and step["waiting_for"]["since"]
        said = served.cli("status", second, check=False).stdout
        assert re.search(rf"waits    fact fact_procedures {api.MONTH['from']}: overlap, run {first} loads .*; since 20", said), said
        assert re.search(rf"fact_procedures .*  overlap: run {first} loads", served.cli("steps", second).stdout)
        views = [s for s in served.steps(second) if s["kind"] == "view"]
        assert [(s["status"], s["waiting_for"]["kind"], s["waiting_for"]["detail"]) for s in views] == [
            ("waiting", "dependency", "fact_procedures")]
        assert served.post(f"/v1/runs/{second}/pause").status_code == 202
        assert waits(served, second, "paused")["id"] == step["id"]
        assert served.post(f"/v1/runs/{second}/resume").status_code == 202
    assert served.wait(second)["status"] == "succeeded"
    assert all(s["waiting_for"] is None for s in served.steps(second))
    with served.connect("warehouse") as warehouse:
        warehouse.execute("SELECT pg_advisory_lock(hashtextextended('loadstar:public.dim_robots', 0))")
        third = served.submit("dimensions", tables=["dim_robots"])
        step = waits(served, third, "lock")
        assert step["status"] == "running" and step["waiting_for"]["detail"] == "public.dim_robots"
    assert served.wait(third)["status"] == "succeeded"


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_bodies_of_actions(served, action):
    path = f"/v1/runs/{served.first_run['id']}/{action}"
    problem(served.post(path, {"why/not": 1}), 422, "invalid_request", ["/why~1not"])
    problem(served.post(path, []), 422, "invalid_request", [""])
    problem(served.request("POST", path, data=b"{", headers={"Content-Type": "application/json"}), 400, "malformed_json")
    problem(served.request("POST", path, data=b"{}", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    if action == "retry":
        problem(served.post(path, {"spec": "newest"}), 422, "invalid_request", ["/spec"])
        problem(served.post(path, {"spec": 1}), 422, "invalid_request", ["/spec"])
    assert served.request("POST", path).status_code == 409, "no body is fine: the state is what refuses"


def test_unknown_and_malformed_ids(served):
    for run_id in (UNKNOWN, "x", "0", UNKNOWN + "0", UNKNOWN.replace("-", ""), "%27%20OR%201=1", "{" + UNKNOWN[1:]):
        problem(served.get(f"/v1/runs/{run_id}"), 404, "not_found")
        for part in ("steps", "logs", "logs?follow=1"):
            problem(served.get(f"/v1/runs/{run_id}/{part}"), 404, "not_found")
        for action in ("cancel", "retry", "pause", "resume"):
            problem(served.post(f"/v1/runs/{run_id}/{action}"), 404, "not_found")
    problem(served.get("/v1/pipelines/no_such"), 404, "not_found")
    problem(served.get("/v1/pipelines/No-Such"), 404, "not_found")


# -- lists


def pages(service, path, **params):
    while True:
        answer = service.get(path, params=params)
        assert answer.status_code == 200, answer.text
        yield answer.json()["items"]
        params["cursor"] = answer.json()["next_cursor"]
        if params["cursor"] is None:
            return


def ids(items):
    return [item["id"] for item in items]


def test_paging_is_stable_while_runs_come(served):
    old = [served.submit("dimensions", labels={"paging": "1"}) for _ in range(7)]
    seen = []
    for number, items in enumerate(pages(served, "/v1/runs", limit=2, label="paging:1")):
        assert len(items) <= 2
        seen += ids(items)
        old.append(served.submit("dimensions", labels={"paging": "1"})) if number < 3 else None
    assert seen == old[6::-1], "newest first, each once, and nothing that came later"
    for run_id in old:
        served.wait(run_id)


def test_filters(served):
    run_id = served.load("range", **MONTH, labels={"team": "a:b"}, tables=["fact_procedures"])["id"]
    run = served.run(run_id)
    by = lambda **params: ids(served.get("/v1/runs", params={"limit": 1000, **params}).json()["items"])
    everything = by()
    assert by(pipeline="medrobotics") == everything and by(pipeline="other") == [] and by(pipeline="other,medrobotics") == everything
    assert run_id in by(type="range") and run_id not in by(type="full,dimensions")
    assert served.first_run["id"] in by(type="full,range", status="succeeded,failed")
    assert run_id in by(status="succeeded") and run_id not in by(status="queued,running,paused,cancelling,failed")
    assert by(label="team:a:b") == [run_id] and by(label="team:a") == []
    assert run_id in by(table="fact_procedures") and run_id not in by(table="dim_robots")
    assert served.first_run["id"] in by(table="dim_robots"), "it named no table and loaded this one"
    assert run_id in by(requested_by="tester") and by(requested_by="nobody; DROP TABLE x") == []
    assert by(since=run["created_at"])[-1] == run_id and run_id not in by(until=run["created_at"])
    assert by(since="2020-01-01") == everything and by(until="2020-01-01") == [] and by(until="1970-01-01") == []
    assert by(since="0001-01-01") == everything and by(until="infinity") == everything and by(since="infinity") == []
    assert by(type="range", status="succeeded", pipeline="medrobotics", label="team:a:b", since="2020-01-01T00:00:00+01:00") == [run_id]


@pytest.mark.parametrize("path,pointer", [(f"{path}?{query}", "?" + query.split("=")[0])
                                          for path, queries in {
    "/v1/runs": ["limit=0", "limit=1001", "limit=x", "limit=", "limit=99999999999999999999", "cursor=x", "cursor=", "cursor=e30",
                 "cursor=MXx4", "type=half", "type=full,", "status=done", "status=", "since=now", "since=0000-01-01", "until=0000-12-31T23:59:59Z", "until=0001-01-01T00:00:00%2B01:00", "until=2024-13-01", "label=x",
                 "label=:x", "pipeline=Up", "table=a-b", "unknown=1", "limit=1&limit=1"],
    "/v1/runs/{}/steps": ["limit=0", "cursor=x", "status=done", "table=A", "after=1"],
    "/v1/runs/{}/logs": ["after=-1", "after=x", "level=loud", "step=x", "follow=2", "limit=1001", "cursor=x", "wait=1s"],
    "/v1/runs/{}": ["wait=x", "wait=56s", "wait=1h", "wait=-1s", "limit=1"],
    "/v1/pipelines": ["limit=0", "cursor=A b", "x=1"], "/healthz": ["x=1"]}.items() for query in queries])
def test_wrong_parameters(served, path, pointer):
    problem(served.get(path.format(served.first_run["id"])), 422, "invalid_request", [pointer])


def cursor(path, text):
    """One that the service cannot tell from its own: it is a check, and no secret."""
    sealed = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()[-8:] + text
    return base64.urlsafe_b64encode(sealed.encode()).decode().rstrip("=")


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**53, 2**62, 2**63 - 1])
def test_forged_cursors_are_no_failure_of_ours(served, number):
    for path, text in (("/v1/runs", f"{number}|{UNKNOWN}"), (f"/v1/runs/{served.first_run['id']}/steps", f"{number}|{number}|{UNKNOWN}")):
        assert served.get(path, params={"cursor": cursor(path, text)}).status_code == 200
    assert served.get(f"/v1/runs/{served.first_run['id']}/logs", params={"after": number}).status_code == 200


def test_steps_and_logs_by_pages(served):
    run_id = served.first_run["id"]
    whole = served.steps(run_id)
    assert len(whole) == served.first_run["progress"]["steps_total"] > 5
    assert sum((ids(p) for p in pages(served, f"/v1/runs/{run_id}/steps", limit=3)), []) == ids(whole)
    facts = served.steps(run_id, table="fact_procedures", status="succeeded")
    assert facts and all(s["table"] == "fact_procedures" for s in facts)
    lines = served.logs(run_id)
    assert ids(lines) == list(range(1, len(lines) + 1)) and len(lines) > 20
    assert sum((ids(p) for p in pages(served, f"/v1/runs/{run_id}/logs", limit=7)), []) == ids(lines)
    assert ids(served.get(f"/v1/runs/{run_id}/logs", params={"after": 5, "limit": 2}).json()["items"]) == [6, 7]
    assert served.get(f"/v1/runs/{run_id}/logs", params={"after": len(lines)}).json() == {"items": [], "next_cursor": None}
    step = next(s for s in whole if s["kind"] == "plan")["id"]
    of_step = served.get(f"/v1/runs/{run_id}/logs", params={"step": step}).json()["items"]
    assert of_step and {line["step_id"] for line in of_step} == {step}
    assert served.get(f"/v1/runs/{run_id}/logs", params={"level": "error"}).json()["items"] == []


def test_pipelines(served):
    page = served.get("/v1/pipelines").json()
    assert [p["name"] for p in page["items"]] == ["medrobotics"] and page["next_cursor"] is None
    for link in page["items"][0]["links"].values():
        assert served.get(link).status_code == 200
    assert served.get("/v1/pipelines", params={"cursor": "medrobotics"}).json()["items"] == []
    assert served.get("/v1/pipelines/medrobotics").json()
