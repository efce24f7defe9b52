"""Every answer that a test sees, held against openapi.yaml: the operation knows the status, the media type and the body.

Service.request and Service.session pass their answers through check(); an answer that the contract does not have fails the test that
asked. What was exercised is remembered, for test_openapi.py.
"""

import json
import pathlib
import re
import urllib.parse

import jsonschema_rs
import yaml

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "openapi/openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
MOST_ITEMS = 25  # of a page; the rest are alike

exercised = set()  # (method, path template, status)
_operations = None
_validators = {}


def _escape(name):
    return name.replace("~", "~0").replace("/", "~1")


def _load():
    """[(regex of the path, template, {method: operation with its responses resolved})], literal paths first."""
    document = yaml.safe_load(DOCUMENT.read_text())
    found = []
    for template, item in document["paths"].items():
        regex = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)) + r"\Z")
        methods = {}
        for method in METHODS:
            if method not in item:
                continue
            methods[method] = responses = {}
            for status, response in item[method]["responses"].items():
                place = f"/paths/{_escape(template)}/{method}/responses/{status}"
                if "$ref" in response:
                    place = response["$ref"].removeprefix("#")
                    response = document["components"]["responses"][place.rpartition("/")[2]]
                responses[int(status)] = (place, response)
        found.append((regex, template, methods))
    return document, sorted(found, key=lambda row: row[1].count("{"))


def _validator(place, kind, document):
    if (place, kind) not in _validators:
        pointer = "#" + urllib.parse.quote(f"{place}/content/{_escape(kind)}/schema", safe="/~")
        schema = {**document, "$ref": pointer, "$schema": "https://json-schema.org/draft/2020-12/schema"}
        _validators[place, kind] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return _validators[place, kind]


def find(method, path):
    """The operation's template and responses; None where the path or the method is not of the API."""
    global _operations
    if _operations is None:
        _operations = _load()
    for regex, template, methods in _operations[1]:
        if regex.match(path):
            return (template, methods.get("get" if method == "head" else method))
    return None, None


def check(answer, *_, **__):
    """A hook of requests. Gives the answer back unread when it is a stream."""
    method, path = answer.request.method.lower(), answer.request.path_url.partition("?")[0]
    template, responses = find(method, path)
    if responses is None:
        assert answer.status_code in (204, 400, 404, 405, 501), f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer
    place, response = responses.get(answer.status_code, (None, None))
    assert place is not None, f"{method} {template} does not know {answer.status_code}: {answer.text[:500]}"
    exercised.add((method, template, answer.status_code))
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    known = response.get("content", {})
    assert kind in known or (not kind and not known), f"{method} {template} {answer.status_code} does not know {kind!r}"
    if kind in ("application/json", "application/problem+json") and method != "head":
        _check_body(answer, place, kind, f"{method} {path} {answer.status_code}")
    return answer


def _check_body(answer, place, kind, what):
    body = json.loads(answer.content)
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        body["items"] = body["items"][:MOST_ITEMS]
    errors = [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in _validator(place, kind, _operations[0]).iter_errors(body)]
    assert not errors, f"{what}: {errors[:5]}"
