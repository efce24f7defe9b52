"""Every operation of openapi.yaml, asked in every way that the contract speaks of; contract.py holds each answer against it.

A new operation is here as soon as openapi.yaml has it. What it does is the business of its resource's own tests.
"""

import json

import jsonschema_rs
import pytest
import yaml

import api
import contract
from api import problem

DOCUMENT = yaml.safe_load(contract.DOCUMENT.read_text())
QUERY = {"pipeline": "medrobotics", "table": "fact_procedures"}  # where an operation requires it


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in contract.METHODS:
            if method in item:
                given = [resolve(p) for p in item.get("parameters", []) + item[method].get("parameters", [])]
                yield pytest.param(method.upper(), path, item[method], given, id=item[method]["operationId"])


ALL = pytest.mark.parametrize("method,path,operation,given", list(operations()))


@pytest.fixture(scope="module")
def known(served):
    """A value for each name in a path."""
    pipeline = served.get("/v1/pipelines/medrobotics").json()
    views = pipeline["views"]
    return {"id": served.first_run["id"], "pipeline": "medrobotics", "view": views[0]["name"], "hash": pipeline["version"],
            "table": "fact_procedures"}


def url(path, values):
    return path.format_map(values)


def query(given):
    required = [p for p in given if p["in"] == "query" and p.get("required")]
    if any(p["schema"].get("type") == "object" for p in required):
        return {"procedure_id": "1"}  # the key of a table
    return {p["name"]: QUERY.get(p["name"], "x") for p in required}


@ALL
def test_it_answers(served, known, method, path, operation, given):
    """Reading succeeds; writing refuses what is no request before it does anything."""
    if method == "GET":
        answer = served.request(method, url(path, known), params=query(given))
        assert answer.status_code == 200, answer.text
        head = served.request("HEAD", url(path, known), params=query(given))
        assert head.status_code == 200 and head.content == b""
    else:
        text = {"data": "<a/>", "headers": {"Content-Type": "text/xml"}}
        problem(served.request(method, url(path, known), **text), 415, "unsupported_media_type")
        broken = served.request(method, url(path, known), data="{", headers={"Content-Type": "application/json"})
        problem(broken, 400, "malformed_json")
        unknown = served.request(method, url(path, known), json={"no_such_field": 1})
        problem(unknown, 422, "invalid_request")
        assert "/no_such_field" in {e["pointer"] for e in unknown.json()["errors"]}


@ALL
def test_it_refuses(served, known, method, path, operation, given):
    where = url(path, known)
    problem(served.request(method, where, params={**query(given), "no_such": "1"}), 422, "invalid_request")
    problem(served.request("DELETE", where), 405, "method_not_allowed")
    problem(served.session.request(method, served.url + where + "?a=%ff"), 400, "bad_request")
    if "406" in operation["responses"]:
        problem(served.request(method, where, params=query(given), headers={"Accept": "image/png"}), 406, "not_acceptable")
    if operation.get("security") == [{}]:
        return
    problem(served.session.request(method, served.url + where, params=query(given)), 401, "unauthorized")
    problem(served.request(method, where, params=query(given), scope="events:write"), 403, "forbidden")


@pytest.mark.parametrize("method,path,operation,given", [one for one in operations() if "{" in one.values[1]])
def test_what_is_not_there_is_not_found(served, method, path, operation, given):
    absent = {"id": api.UNKNOWN, "pipeline": "nowhere", "view": "nowhere", "hash": "sha256:" + "0" * 64, "table": "nowhere"}
    answer = served.request(method, url(path, absent), params=query(given), **({"json": {}} if method == "POST" else {}))
    problem(answer, 404, "not_found")


SEALED = [one for one in operations() if any(p["name"] == "cursor" and "pattern" in p["schema"] for p in one.values[3])]


@pytest.fixture(scope="module")
def cursors(served, known):
    """A cursor of each of some lists."""
    served.load("dimensions")  # a second run
    lists = ["/v1/runs", f"/v1/runs/{known['id']}/steps", "/v1/audit", "/v1/quality"]
    found = {one: served.get(one, params={"limit": 1}).json()["next_cursor"] for one in lists}
    assert all(found.values()), found
    return found


@pytest.mark.parametrize("method,path,operation,given", SEALED)
def test_cursors_of_others_are_refused(served, known, cursors, method, path, operation, given):
    """That of another list, of the same list elsewhere, and one that was changed on its way."""
    where = url(path, known)
    wrong = [cursor for one, cursor in cursors.items() if one != where]
    own = cursors.get(where)
    if own:
        assert served.get(where, params={"cursor": own}).status_code == 200
        wrong += [own[:place] + ("B" if own[place] == "A" else "A") + own[place + 1:] for place in range(0, len(own) - 1, 3)]
        wrong += [own[:-4], own + "AAAA"]
    for cursor in wrong:
        problem(served.get(where, params={**query(given), "cursor": cursor}), 422, "invalid_request", ["?cursor"])


def test_links_lead_somewhere(served):
    """Every path in a links member of every reading answer."""
    seen = set()

    def follow(node):
        if isinstance(node, dict):
            for name, link in node.get("links", {}).items() if isinstance(node.get("links"), dict) else []:
                assert link.startswith("/v1/"), (name, link)
                if link not in seen:
                    seen.add(link)
                    assert served.get(link).status_code == 200, (name, link)
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node[:5]:
                follow(value)

    for path in (f"/v1/runs/{served.first_run['id']}", "/v1/runs?limit=5", "/v1/pipelines", "/v1/pipelines/medrobotics"):
        follow(json.loads(served.get(path).text))
    assert len(seen) >= 6


def test_examples_are_of_their_schemas():
    """Media type examples, named ones too, of requests and responses."""
    count = 0

    def contents(node, place):
        if isinstance(node, dict):
            for kind, media in node.get("content", {}).items() if isinstance(node.get("content"), dict) else []:
                yield f"{place}/content/{kind}", media
            for name, value in node.items():
                yield from contents(value, f"{place}/{name}")

    for place, media in contents({"paths": DOCUMENT["paths"], "responses": DOCUMENT["components"]["responses"]}, ""):
        examples = [resolve(e)["value"] for e in media.get("examples", {}).values()] + ([media["example"]] if "example" in media else [])
        if examples and "schema" in media:
            validator = jsonschema_rs.Draft202012Validator({**DOCUMENT, **media["schema"]}, validate_formats=True)
        for example in examples:
            errors = [e.message for e in validator.iter_errors(json.loads(json.dumps(example, default=str)))]
            assert not errors, (place, errors)
            count += 1
    assert count > 20
