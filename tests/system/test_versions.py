"""Versions of a pipeline: applied, refused, listed, activated again; and what a start makes of a folder."""

import json
import shutil

import pytest

import api
from api import problem
from service import ROOT


def files(*changes, extra=None):
    """medrobotics' files by path, its pipeline.yaml edited."""
    folder = ROOT / "sql/pipelines/medrobotics"
    texts = {str(path.relative_to(folder)): path.read_text() for path in [folder / "pipeline.yaml", *folder.rglob("*.sql")]
             if "sample" not in path.parts}
    for old, new in zip(changes[::2], changes[1::2]):
        assert old in texts["pipeline.yaml"], old
        texts["pipeline.yaml"] = texts["pipeline.yaml"].replace(old, new)
    return {**texts, **(extra or {})}


def folder(path, *changes):
    path = path / "pipelines"
    for name, text in files(*changes).items():
        (path / "medrobotics" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "medrobotics" / name).write_text(text)
    return path


def apply(service, *changes, dry_run=False, **options):
    return service.post("/v1/pipelines" + ("?dry_run=1" if dry_run else ""), {"files": files(*changes)}, **options)


def active(service):
    return service.get("/v1/pipelines/medrobotics").json()["version"]


def versions(service):
    return service.get("/v1/pipelines/medrobotics/versions").json()["items"]


LAG = ("lag: 0s", "lag: 11m")


@pytest.fixture(scope="module")
def service(served):
    """The service of the API's tests, back at its first version afterwards."""
    first = active(served)
    yield served
    assert served.post(f"/v1/pipelines/medrobotics/versions/{first}/activate").status_code == 200


def test_dry_run_stores_nothing(service):
    before = versions(service)
    answer = apply(service, *LAG, dry_run=True)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["name"], told["before"], told["changed"], told["allowed"]) == ("medrobotics", active(service), True, True)
    assert [(c["path"], c["before"], c["after"]) for c in told["changes"]] == [("/tables/fact_procedures/lag_seconds", 0, 660)]
    assert versions(service) == before


def test_apply_list_and_go_back(service):
    first = active(service)
    applied = apply(service, *LAG).json()
    assert applied["changed"] and active(service) == applied["version"] != first
    assert not apply(service, *LAG).json()["changed"]
    newest, older = versions(service)[:2]
    assert (newest["version"], newest["active"], newest["applied_by"]) == (applied["version"], True, "tester")
    assert (older["version"], older["active"], older["applied_by"]) == (first, False, "start")
    back = service.post(older["links"]["activate"])
    assert back.status_code == 200 and back.json()["before"] == applied["version"]
    assert active(service) == first and versions(service)[1]["activated_by"] == "tester"
    page = service.get("/v1/pipelines/medrobotics/versions?limit=1").json()
    rest = service.get("/v1/pipelines/medrobotics/versions", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [page["items"][0]["version"], rest["items"][0]["version"]] == [newest["version"], first]


def test_every_finding_is_told_with_its_place(service):
    answer = apply(service, "grain: [procedure_id]", "grane: [procedure_id]", "scd: 2", "scd: 7")
    body = problem(answer, 422, "spec_invalid", {"/files/pipeline.yaml"})
    assert len(body["errors"]) > 2 and all(e["detail"].startswith("pipeline.yaml:") for e in body["errors"])


@pytest.mark.parametrize("old, new, pointer", [
    ("surrogate: procedure_key", "surrogate: procedure_number", "/tables/fact_procedures/surrogate"),
    ("duration_minutes: integer", "duration_minutes: smallint", "/tables/fact_procedures/columns/duration_minutes/type"),
    ("schema: public", "schema: elsewhere", "/schema")])
def test_what_would_lose_data_is_refused(service, old, new, pointer):
    version = active(service)
    before = files(old, new)["pipeline.yaml"].split(new)[0] + new.split()[0] + " "
    at = f"pipeline.yaml:{before.count(chr(10)) + 1}:{len(before.split(chr(10))[-1]) + 1}"
    told = apply(service, old, new, dry_run=True).json()
    assert told["allowed"] is False and [(c["path"], c["at"]) for c in told["changes"] if not c["allowed"]] == [(pointer, at)]
    body = problem(apply(service, old, new), 409, "spec_refused", {pointer})
    assert body["detail"].startswith(f"medrobotics: {at}: {pointer}: ") and body["errors"][0]["detail"].startswith(f"{at}: ")
    assert active(service) == version


@pytest.mark.parametrize("body, pointers", [
    ({}, {"/files"}), ({"files": []}, {"/files"}), ({"files": {}, "x": 1}, {"/x"}),
    ({"files": {"a.txt": "", "b.sql": 1}}, {"/files/a.txt", "/files/b.sql"})])
def test_wrong_bodies(service, body, pointers):
    problem(service.post("/v1/pipelines", body), 422, "invalid_request", pointers)


def test_who_may(service):
    unknown = "sha256:" + "0" * 64
    assert apply(service, dry_run=True, scope="runs:write").status_code == 403
    assert apply(service, dry_run=True, scope="pipelines:write:another").status_code == 403
    assert apply(service, dry_run=True, scope="pipelines:write:medrobotics").status_code == 200
    problem(service.post(f"/v1/pipelines/medrobotics/versions/{unknown}/activate"), 404, "not_found")
    problem(service.post(f"/v1/pipelines/another/versions/{unknown}/activate"), 404, "not_found")
    problem(service.post("/v1/pipelines/medrobotics/versions/x/activate"), 404, "not_found")
    problem(service.get("/v1/pipelines/another/versions"), 404, "not_found")


def test_commands(service, tmp_path):
    first = active(service)
    told = service.cli("apply", str(folder(tmp_path, "lag: 0s", "lag: 12m") / "medrobotics"), "--dry-run").stdout
    assert "would be activated" in told and "~ /tables/fact_procedures/lag_seconds 0 -> 720" in told
    applied = json.loads(service.cli("apply", str(tmp_path / "pipelines/medrobotics"), "--json").stdout)
    assert active(service) == applied["version"]
    lines = service.cli("versions", "medrobotics", "--limit", "2").stdout.splitlines()
    assert lines[1].split()[:2] == [applied["version"], "yes"] and len(lines) == 3
    assert "is active now" in service.cli("activate", "medrobotics", first).stdout
    refused = service.cli("apply", str(folder(tmp_path, "surrogate: procedure_key", "surrogate: procedure_number") / "medrobotics"),
                          check=False)
    assert refused.returncode == 1 and "/tables/fact_procedures/surrogate" in refused.stderr


def column(service, name):
    answer = service.get("/v1/pipelines/medrobotics/schema", params={"table": "fact_procedures"})
    assert answer.status_code == 200, answer.text
    [table] = answer.json()["items"]
    return next((c for c in table["columns"] if c["name"] == name), None), table


def test_schema_follows_the_versions(service):
    """A column comes, widens and goes; the warehouse follows with the next run, which is on record."""
    first = active(service)
    table = column(service, "load_id")
    assert table[0]["status"] == "bookkeeping" and [h["change"] for h in table[1]["history"]] == ["created"]
    grown = ("duration_minutes: integer", "duration_minutes: bigint\n      shift: {type: text, default: day}")
    query = {"extract/procedures.sql": files()["extract/procedures.sql"].replace("SELECT ", "SELECT NULL::text AS shift, ", 1)}
    told = service.post("/v1/pipelines?dry_run=1", {"files": files(*grown, extra=query)}).json()
    assert {(d["column"], d["change"], d["allowed"]) for d in told["ddl"]} == {
        ("duration_minutes", "widened", True), ("shift", "added", True)}
    assert service.post("/v1/pipelines", {"files": files(*grown, extra=query)}).status_code == 200
    assert column(service, "shift")[0]["status"] == "pending"
    run = service.load("range", **api.MONTH)
    shift, wide = column(service, "shift")[0], column(service, "duration_minutes")[0]
    assert (shift["status"], [h["run_id"] for h in shift["history"]]) == ("declared", [run["id"]])
    assert (wide["type"], [(h["before"], h["after"]) for h in wide["history"]]) == ("bigint", [("integer", "bigint")])
    lines = service.get(f"/v1/runs/{run['id']}/logs?limit=1000").json()["items"]
    assert {line["fields"]["column"] for line in lines if line["message"] == "a table was changed"} == {"shift", "duration_minutes"}
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures WHERE shift = 'day'")[0][0] > 0
    assert service.post(f"/v1/pipelines/medrobotics/versions/{first}/activate").status_code == 200
    service.load("range", **api.MONTH)
    assert column(service, "shift")[0]["status"] == "deprecated"
    assert (column(service, "duration_minutes")[0]["type"], column(service, "duration_minutes")[0]["declared_type"]) == ("bigint", "integer")


def failing(service, **fields):
    """A run that failed in its fact, after its ddl step: somebody's table refuses a row."""
    service.sql("warehouse", "ALTER TABLE fact_procedures ADD CONSTRAINT never CHECK (load_id < 0) NOT VALID")
    try:
        run = service.wait(service.submit("range", mode="all", **api.MONTH, **fields))
    finally:
        service.sql("warehouse", "ALTER TABLE fact_procedures DROP CONSTRAINT never")
    assert run["status"] in ("failed", "partial"), run
    return run["id"]


def retry(service, run):
    assert service.post(f"/v1/runs/{run}/retry", {"spec": "current"}).status_code == 202
    return service.wait(run)


def test_retry_with_the_current_version(service):
    """Its tables follow first, though its ddl step was done."""
    first = active(service)
    service.sql("medrobotics_source", "UPDATE procedures_all SET updated_at = now()")
    run = failing(service)
    query = {"extract/procedures.sql": files()["extract/procedures.sql"].replace("SELECT ", "SELECT 1 AS crew, ", 1)}
    applied = service.post("/v1/pipelines", {"files": files("duration_minutes: integer", "duration_minutes: integer\n      crew: integer",
                                                           extra=query)}).json()
    done = retry(service, run)
    assert (done["status"], done["spec_version"]) == ("succeeded", applied["version"]), done
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures WHERE crew = 1")[0][0] > 0
    [ddl] = [s for s in service.steps(run) if s["kind"] == "ddl"]
    assert len(ddl["attempts"]) == 2
    assert done["progress"]["steps_done"] == done["progress"]["steps_total"]
    assert service.post(f"/v1/pipelines/medrobotics/versions/{first}/activate").status_code == 200


def test_start_applies_what_is_new_and_nothing_else(service, make_replica, tmp_path):
    """Two services on one control database: a new folder wins once; no restart flips anything back."""
    first = active(service)
    new = str(folder(tmp_path, "lag: 0s", "lag: 13m"))
    replica = make_replica(LOADSTAR_PIPELINES=new).start()
    second = active(service)
    assert second != first and active(replica) == second
    old = make_replica().start()  # the folder `service` was started with
    assert active(old) == active(service) == active(replica) == second
    assert "the folder's version is not the active one" in old.log_tail(30)
    assert service.post(f"/v1/pipelines/medrobotics/versions/{first}/activate").status_code == 200
    replica.stop()
    replica.start()  # a person went back since: the new folder is not new any more
    assert active(replica) == active(service) == first


def test_start_goes_on_without_a_folder_that_is_refused(service, make_replica, tmp_path):
    first = active(service)
    bad = str(folder(tmp_path, "surrogate: procedure_key", "surrogate: procedure_number"))
    replica = make_replica(LOADSTAR_PIPELINES=bad).start()
    assert active(replica) == first
    assert "not applied" in replica.log_tail(30) and "spec_refused" in replica.log_tail(30)
    check = replica.cli("serve", "--check", check=False)
    assert check.returncode == 1 and "/tables/fact_procedures/surrogate" in check.stderr
    shutil.rmtree(bad)


THIEF = """spec: 1
pipeline: thief
warehouse: warehouse
sources:
  rds: { type: postgres, connection: medrobotics_source }
tables:
  fact_procedures:
    kind: fact
    source: { from: rds, query: none.sql }
    grain: [id]
    columns: { id: integer }
"""


def test_a_tenant_cannot_take_the_tables_of_another(service):
    """By declaring them: a load would add its columns, and take the rows for its own."""
    body = lambda text: {"files": {"pipeline.yaml": text, "none.sql": "SELECT 1 AS id"}}
    tenant = "pipelines:write:thief runs:read:thief"
    for path in ("/v1/pipelines", "/v1/pipelines?dry_run=1"):
        told = problem(service.post(path, body(THIEF), scope=tenant), 409, "spec_refused")
        assert "public.fact_procedures" in told["detail"] and "medrobotics" not in told["detail"]
    problem(service.post("/v1/pipelines", body(THIEF), scope=tenant + " pipelines:write:medrobotic"), 409, "spec_refused")
    for text in (THIEF.replace("sources:", "schema: thief\nsources:"), THIEF.replace("fact_procedures", "fact_thief")):
        assert service.post("/v1/pipelines?dry_run=1", body(text), scope=tenant).status_code == 200
    for scope in (tenant + " pipelines:write:medrobotics", "pipelines:write", "admin"):
        assert service.post("/v1/pipelines?dry_run=1", body(THIEF), scope=scope).status_code == 200, "who may write both may share"
    problem(service.get("/v1/pipelines/thief"), 404, "not_found")
