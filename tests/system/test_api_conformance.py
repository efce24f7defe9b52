"""Conformance cases that others made, against the real server: HTTP/1 requests as bytes, JSON texts as bodies."""

import base64
import json
import os
import pathlib

import pytest

import api
from api import problem
from service import ROOT

DATA = pathlib.Path(os.environ.get("LOADSTAR_TEST_DATA", ROOT.parent / "shared/data"))


def http_cases():
    """The strict ones, made to be about what they are about: with a Host, with the end of the head where it is missing, and with a
    method whose body we read."""
    for case in json.loads((DATA / "http1/llhttp_request_cases.json").read_text()):
        if case["type"] != "request" or case["outcome"] == "incomplete":
            continue
        line, end, rest = base64.b64decode(case["request_b64"]).partition(b"\r\n")
        text = line.replace(b"PUT ", b"POST ") + end + rest
        if b"\nhost:" not in text.lower():
            text = text.replace(b"\r\n", b"\r\nHost: x\r\n", 1)
        if b"\r\n\r\n" not in text:
            text = text.rstrip(b"\r\n") + b"\r\n\r\n"
        if text.endswith(b"0\r\n") and b"chunked" in text.lower():
            text += b"\r\n"
        yield pytest.param(text, case, id=case["name"])


# Whole requests of other servers; ours knows none of the paths, and these it does not even look for.
OTHERWISE = {
    "REPORT request": 501, "REPORT request / CONNECT request / PURGE request": 501, "REPORT request / CONNECT request / LINK request": 501,
    "`chunked` / POST with `chunked` as last transfer-encoding": 501,  # we know no other coding
    "REPORT request / CONNECT request / CONNECT with body": 400,  # we are no proxy: no authority and no absolute form
    "Quotes in URI / `host:port` terminated by a query string": 400, "Quotes in URI / `host:port` and basic auth": 400,
    "REPORT request / CONNECT request / OPTIONS request with RTSP": 400}


@pytest.mark.parametrize("text,case", list(http_cases()))
def test_http_requests(served, text, case):
    """What is whole has one answer. What is wrong is refused, or waited for when it may become right; nothing after it is read."""
    found = api.statuses(api.raw(served, text, timeout=2))
    if case["outcome"] == "accept":
        assert found == [OTHERWISE.get(case["name"], 404)]
    elif case["messages_complete"] == 1:
        assert found == [404], "the first one was right, and asked for the connection's end"
    else:  # the library's own pages may come twice
        assert set(found) <= {400, 501} and len(set(found)) <= 1, found
    assert served.session.get(served.url + "/healthz", timeout=5).status_code == 200


REFUSED_JSON = {"y_object_duplicated_key_and_value.json": "of two members of one name, two readers may take different ones",
                "y_object_duplicated_key.json": "the same", "y_object_escaped_null_in_key.json": "PostgreSQL has no NUL",
                "y_string_null_escape.json": "the same"}


def bodies():
    return [pytest.param(path, id=path.name) for path in sorted((DATA / "jsontestsuite/test_parsing").iterdir())]


@pytest.mark.parametrize("path", bodies())
def test_json_bodies(served, path):
    """y_ must be read (and is no request then), n_ must not, i_ is ours to decide."""
    answer = served.request("POST", "/v1/runs", data=path.read_bytes(), headers={"Content-Type": "application/json"})
    if path.name.startswith("n_") or path.name in REFUSED_JSON:
        problem(answer, 400, "malformed_json")
    elif path.name.startswith("y_") or answer.status_code != 400:
        problem(answer, 422, "invalid_request")
    else:
        problem(answer, 400, "malformed_json")


def test_the_cases_are_there():
    assert len(list(http_cases())) >= 40 and len(bodies()) >= 70
