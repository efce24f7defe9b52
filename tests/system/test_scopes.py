"""Every route of routes.def, with tokens that lack its scope and with tokens of another pipeline."""

import pathlib
import re

import pytest
import requests

import api
from api import problem, token

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUTES = re.findall(r'^ROUTE\((\w+), "([^"]+)", (\w+), "([^"]*)"', (ROOT / "handlers/routes.def").read_text(), re.M)
SCOPES = dict(re.findall(r'^SCOPE\((\w+), "([^"]+)"\)', (ROOT / "handlers/scopes.def").read_text(), re.M))
GUARDED = [(method, path, SCOPES[scope], query.split()) for method, path, scope, query in ROUTES if scope != "PUBLIC"]
FOLDER = ROOT / "sql/pipelines/medrobotics"
SPEC = {str(path.relative_to(FOLDER)): path.read_text() for path in [FOLDER / "pipeline.yaml", *FOLDER.rglob("*.sql")]
        if "sample" not in path.parts}

# What a route wants so that it is about medrobotics; a route that is not here has nothing but its path and ?pipeline=.
BODIES = {"/v1/runs": {"pipeline": "medrobotics", "type": "dimensions", "dry_run": True}, "/v1/pipelines": {"files": SPEC},
          "/v1/quarantine/replay": {"pipeline": "medrobotics"}, "/v1/quarantine/close": {"pipeline": "medrobotics", "reason": "x", "ids": [1]}}
WANTED = {"/v1/quarantine": {"pipeline": "medrobotics"}, "/v1/pipelines/{pipeline}/coverage": {"table": "fact_procedures"},
          "/v1/pipelines/{pipeline}/schema": {"table": "fact_procedures"},
          "/v1/pipelines/{pipeline}/tables/{table}/trace": {"procedure_id": "1"}}
# Whoever shows rows of the warehouse.
ROWS = ("/rejects", "/v1/quarantine", "/views/{view}", "/trace")


def values(served):
    return {"pipeline": "medrobotics", "id": served.first_run["id"], "hash": served.first_run["spec_version"],
            "view": "vw_robot_utilization", "table": "fact_procedures", "source": "rds"}


def ask(served, method, path, scope, query=None):
    """The route as it is asked about medrobotics, without effect where it succeeds by mistake."""
    known = values(served)
    filled = re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], "unknown"), path)
    query = {**WANTED.get(path, {}), **(query or {})}
    body = {"json": BODIES.get(path, {})} if method == "POST" else {}
    return requests.request(method, served.url + filled, params=query, headers=api.bearer(token(scope=scope)), timeout=20, **body)


@pytest.mark.parametrize("method, path, scope, query", GUARDED)
def test_no_other_scope_opens_it(served, method, path, scope, query):
    others = [other for other in SCOPES.values() if other not in (scope, "admin")]
    for wrong in ("", " ".join(others), f"x{scope}", f"{scope}x", f"{scope}:", scope.upper()):
        problem(ask(served, method, path, wrong), 403, "forbidden")
    problem(requests.request(method, served.url + path, timeout=20), 401, "unauthorized")


@pytest.mark.parametrize("method, path, scope, query", GUARDED)
def test_a_token_of_another_pipeline_reaches_nothing(served, method, path, scope, query):
    asked = [{}] + ([{"pipeline": "medrobotics"}] if "pipeline" in query else [])
    for restricted in (f"{scope}:other", "admin:other", f"{scope}:other {scope}:medrobotic {scope}:medrobotics2"):
        for more in asked:
            answer = ask(served, method, path, restricted, more)
            if answer.status_code == 200 and method == "GET":
                assert answer.json() == {"items": [], "next_cursor": None}, path
            else:
                assert answer.status_code in (403, 404), (answer.status_code, answer.text)
                assert "medrobotics" not in answer.json()["detail"] or path in BODIES, "nobody is told what is there"


@pytest.mark.parametrize("method, path, scope, query", [route for route in GUARDED if route[0] == "GET"])
def test_a_token_of_this_pipeline_reaches_what_is_of_it(served, method, path, scope, query):
    answer = ask(served, method, path, f"{scope}:medrobotics")
    if path == "/metrics":
        return problem(answer, 403, "forbidden")  # it tells of every pipeline
    assert answer.status_code == 200, (answer.url, answer.text)
    if answer.headers["Content-Type"] == "application/json" and "pipeline" in query:
        assert {item.get("pipeline", "medrobotics") for item in answer.json()["items"]} <= {"medrobotics"}


def test_rows_of_the_warehouse_need_data_read():
    for _, path, scope, _ in GUARDED:
        if path.endswith(ROWS) and not path.endswith(("/replay", "/close")):
            assert scope == "data:read", path
