"""openapi.yaml and handlers/routes.def are two descriptions of one API: this holds them to each other."""
import pathlib
import re

import openapi_spec_validator
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUTE = re.compile(
    r'^ROUTE\((\w+), "([^"]+)", (\w+), "([^"]*)", "([^"]*)", (?:MEMORY|DATABASE), \w+, "(\w+)"\)$', re.MULTILINE
)
SCOPE = re.compile(r'^SCOPE\((\w+), "([^"]+)"\)$', re.MULTILINE)
FAIL = re.compile(r'^FAIL\((\w+), "(\w+)", (\d+),', re.MULTILINE)


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((ROOT / "openapi/openapi.yaml").read_text())


@pytest.fixture(scope="module")
def routes():
    text = (ROOT / "handlers/routes.def").read_text()
    found = ROUTE.findall(text)
    assert len(found) == text.count("\nROUTE("), "a row of routes.def was not understood"
    return {(method.lower(), path): rest for method, path, *rest in found}


@pytest.fixture(scope="module")
def operations(document):
    methods = {"get", "post", "put", "patch", "delete"}
    return {
        (method, path): (operation, item.get("parameters", []))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in methods
    }


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def test_document_is_valid(document):
    openapi_spec_validator.validate(document)


def test_same_operations(routes, operations):
    assert set(routes) == set(operations)
    for key, (_, _, _, operation_id) in routes.items():
        assert operations[key][0]["operationId"] == operation_id, key


def test_same_parameters(document, routes, operations):
    for key, (_, query, _, _) in routes.items():
        operation, shared = operations[key]
        parameters = [resolve(document, p) for p in shared + operation.get("parameters", [])]
        names = {"*" if p["schema"].get("type") == "object" else p["name"] for p in parameters if p["in"] == "query"}
        assert names == set(query.split()), key
        assert [p["name"] for p in parameters if p["in"] == "path"] == re.findall(r"\{(\w+)\}", key[1]), key


def test_same_media_types(document, routes, operations):
    for key, (_, _, produces, _) in routes.items():
        if not produces:
            continue
        given = set()
        for status, response in operations[key][0]["responses"].items():
            if status.startswith("2"):
                given |= set(resolve(document, response).get("content", {}))
        assert given == set(produces.split()), key


def test_scopes_are_told(routes, operations):
    names = dict(SCOPE.findall((ROOT / "handlers/scopes.def").read_text()))
    for key, (scope, _, _, _) in routes.items():
        operation = operations[key][0]
        if scope == "PUBLIC":
            assert operation["security"] == [{}], key
        else:
            assert f"`{names[scope]}`" in operation["description"], key


def test_problem_examples_are_real(document):
    kinds = {name: int(status) for _, name, status in FAIL.findall((ROOT / "base/fail_table.def").read_text())}
    for name, response in document["components"]["responses"].items():
        example = response["content"]["application/problem+json"]["example"]
        assert kinds[example["code"]] == example["status"], name


def test_every_operation_tells_its_errors(routes, operations):
    for key, (scope, _, _, _) in routes.items():
        statuses = set(operations[key][0]["responses"])
        assert "500" in statuses, key
        if scope not in ("PUBLIC", "METRICS_READ"):
            assert {"401", "403", "422", "503"} <= statuses, key
        if key[0] == "post":
            assert {"413", "415", "429"} <= statuses, key


def test_schemas_are_used(document):
    text = (ROOT / "openapi/openapi.yaml").read_text()
    for kind, parts in document["components"].items():
        if kind == "securitySchemes":
            continue
        for name in parts:
            assert f"#/components/{kind}/{name}'" in text, f"{kind}/{name} is never used"
