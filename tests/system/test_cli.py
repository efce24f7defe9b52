"""The command line against the real service, as scripts and people use it."""

import json
import os
import pty
import re
import select
import socket
import subprocess
import threading
import time

import pytest
import requests

from service import BINARY, ROOT, wait_until
from test_recovery import pipelines_with, running_fact, slow_source

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def background(service, *arguments):
    return subprocess.Popen([service.binary, *arguments], env={**service.env, "LOADSTAR_URL": service.url}, cwd=ROOT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def refused(**env):
    """A serve that must not start: what it says."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LOADSTAR_")}
    done = subprocess.run([BINARY, "serve"], env={**clean, **env}, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "listening on" not in done.stdout
    return done.stdout + done.stderr


# -- looking ---------------------------------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_version_and_help(loaded):
    assert re.fullmatch(r"loadstar \d+\.\d+\.\d+(\+\S+)?\n", loaded.cli("version").stdout)
    assert "exit codes: 0 succeeded" in loaded.cli("--help").stdout
    nothing = loaded.cli(check=False)
    assert nothing.returncode == 1 and "usage: loadstar COMMAND" in nothing.stderr
    unknown = loaded.cli("statsu", check=False)
    assert unknown.returncode == 1 and "unknown command statsu; did you mean status?" in unknown.stderr
    unknown = loaded.cli("runs", "--pipelin", "x", check=False)
    assert unknown.returncode == 1 and "did you mean --pipeline?" in unknown.stderr


@pytest.mark.smoke
def test_status_runs_and_steps(loaded):
    run_id = loaded.first_run["id"]
    assert re.search(rf"^{run_id} +medrobotics +full +auto +succeeded", loaded.cli("runs", "--limit", "1000").stdout, re.M)
    assert json.loads(loaded.cli("status", run_id, "--json").stdout) == loaded.run(run_id)
    assert "status     succeeded" in loaded.cli("status", run_id).stdout
    assert "medrobotics" in loaded.cli("status").stdout
    assert json.loads(loaded.cli("status", "--json").stdout)[0]["pipeline"] == "medrobotics"
    steps = json.loads(loaded.cli("steps", run_id, "--json").stdout)
    assert steps == loaded.steps(run_id)
    facts = json.loads(loaded.cli("steps", run_id, "--table", "fact_procedures", "--status", "succeeded", "--json").stdout)
    assert facts == [step for step in steps if step["table"] == "fact_procedures"]
    lines = loaded.cli("steps", run_id, "--table", "dim_robots").stdout.splitlines()
    assert len(lines) == 2 and lines[1].split()[:3] == ["dimension", "dim_robots", "succeeded"]
    assert json.loads(loaded.cli("pipelines", "--json").stdout)[0]["name"] == "medrobotics"
    assert re.search(r"^medrobotics +sha256:\w+  20\d\d-\d\d-\d\dT03:00:00Z$", loaded.cli("pipelines").stdout, re.M)
    missing = loaded.cli("status", "01900000-0000-7000-8000-000000000000", check=False)
    assert missing.returncode == 1 and "not_found" in missing.stderr


def test_runs_filters(loaded):
    done = loaded.cli("run", "medrobotics", "dimensions", "--wait", "--json", "--label", "why=a b&c", "--note", "hä?")
    run = json.loads(done.stdout)
    assert run["labels"] == {"why": "a b&c"} and run["note"] == "hä?"

    def found(*filters):
        return {r["id"] for r in json.loads(loaded.cli("runs", "--limit", "2000", "--json", *filters).stdout)}

    assert found("--label", "why=a b&c") == {run["id"]}
    assert run["id"] in found("--type", "full,dimensions", "--status", "succeeded,failed", "--pipeline", "medrobotics")
    assert run["id"] not in found("--type", "full")
    assert run["id"] not in found("--pipeline", "other") and run["id"] not in found("--status", "failed")
    assert run["id"] in found("--since", run["created_at"]) and run["id"] not in found("--until", run["created_at"])
    assert run["id"] in found("--requested-by", "cli") and run["id"] not in found("--requested-by", "somebody")
    wrong = loaded.cli("runs", "--status", "done", check=False)
    assert wrong.returncode == 1 and "status" in wrong.stderr and "done" in wrong.stderr


def test_logs_and_their_filters(loaded):
    run_id = loaded.first_run["id"]
    lines = loaded.cli("logs", run_id).stdout.splitlines()
    assert len(lines) == len(loaded.logs(run_id)) > 0
    entries = [json.loads(line) for line in loaded.cli("logs", run_id, "--json").stdout.splitlines()]
    assert entries == loaded.logs(run_id)
    step = next(entry["step_id"] for entry in entries if entry["step_id"])
    for follow in ([], ["-f"]):
        assert loaded.cli("logs", run_id, *follow).stdout.splitlines() == lines
        told = loaded.cli("logs", run_id, "--json", "--step", step, *follow).stdout.splitlines()
        assert [json.loads(line) for line in told] == [e for e in entries if e["step_id"] == step]
        told = loaded.cli("logs", run_id, "--json", "--level", "warn", *follow).stdout.splitlines()
        assert all(json.loads(line)["level"] in ("warn", "error") for line in told)
        wrong = loaded.cli("logs", "01900000-0000-7000-8000-000000000000", *follow, check=False)
        assert wrong.returncode == 1 and wrong.stderr


def test_plan_prints_the_sql(loaded):
    before = loaded.get("/v1/runs", params={"limit": 1000}).json()["items"]
    text = loaded.cli("plan", "medrobotics", "full", "--mode", "all").stdout
    assert re.search(r"^\d+ steps, version sha256:", text)
    assert "-- fact_procedures" in text and "CREATE TABLE" in text and re.search(r"^COPY ", text, re.M)
    assert re.search(r"fact +fact_procedures +\d{4}-\d\d-01T00:00:00", text)
    plan = json.loads(loaded.cli("plan", "medrobotics", "full", "--mode", "all", "--json").stdout)
    assert len(plan["steps"]) + 1 == plan["steps_total"] and "fact_procedures" in plan["sql"]
    assert json.loads(loaded.cli("run", "medrobotics", "full", "--mode", "all", "--dry-run", "--json").stdout) == plan
    assert loaded.get("/v1/runs", params={"limit": 1000}).json()["items"] == before, "nothing is written"


def test_token_opens_the_api(loaded):
    def status(token, method="GET", path="/v1/runs", **options):
        return requests.request(method, loaded.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=30,
                                **options).status_code

    assert status(loaded.cli("token").stdout.strip()) == 200
    reader = loaded.cli("token", "--sub", "eve", "--scope", "runs:read", "--ttl", "15m").stdout.strip()
    assert status(reader) == 200
    assert status(reader, "POST", json={"pipeline": "medrobotics", "type": "full"}) == 403
    done = loaded.cli("run", "medrobotics", "full", check=False, LOADSTAR_TOKEN=reader)
    assert done.returncode == 1 and "forbidden" in done.stderr and reader not in done.stderr
    assert loaded.cli("runs", "--token", "nonsense", check=False).returncode == 1
    wrong = loaded.cli("token", "--ttl", "soon", check=False)
    assert wrong.returncode == 1 and "--ttl is soon" in wrong.stderr


@pytest.mark.smoke
def test_psql(loaded):
    assert loaded.cli("psql", "-X", "-A", "-t", "-c", "select current_database()").stdout == "loadstar\n"
    assert loaded.cli("psql", "warehouse", "-X", "-A", "-t", "-c", "select 1").stdout == "1\n"


@pytest.mark.smoke
def test_check(loaded, tmp_path):
    assert re.search(r"medrobotics: 7 tables, version sha256:", loaded.cli("check", "sql/pipelines").stdout)
    assert "7 tables" in loaded.cli("check", "sql/pipelines/medrobotics").stdout
    folder = pipelines_with(tmp_path, "grain: [procedure_id]", "grane: [procedure_id]")
    done = loaded.cli("check", str(folder), check=False)
    assert done.returncode == 1
    line = 1 + (folder / "medrobotics/pipeline.yaml").read_text().split("grane:")[0].count("\n")
    assert re.search(rf"^{folder}/medrobotics/pipeline.yaml:{line}:5: .*gran", done.stderr, re.M), done.stderr
    empty = loaded.cli("check", str(tmp_path / "nowhere"), check=False)
    assert empty.returncode == 1 and "nowhere" in empty.stderr


# -- runs and their exit codes ---------------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_run_wait_succeeds(loaded):
    done = loaded.cli("run", "medrobotics", "dimensions", "--wait")
    lines = done.stdout.splitlines()
    assert re.fullmatch(f"run {UUID}", lines[0]) and lines[-1].startswith("succeeded")
    assert "\r" not in done.stdout and "\033" not in done.stdout, "no terminal, no bar"
    run_id = lines[0].split()[1]
    again = loaded.cli("retry", run_id, check=False)
    assert again.returncode == 1 and "409" in again.stderr
    again = loaded.cli("cancel", run_id, check=False)
    assert again.returncode == 1 and "run_finished" in again.stderr


def test_a_terminal_gets_a_bar(loaded):
    leader, follower = pty.openpty()
    with subprocess.Popen([loaded.binary, "run", "medrobotics", "full", "--wait"], cwd=ROOT, stdin=subprocess.DEVNULL,
                          env={**loaded.env, "LOADSTAR_URL": loaded.url}, stdout=follower, stderr=follower) as child:
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], 60)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
        assert child.wait(60) == 0
    os.close(leader)
    assert b"\r\033[K[" in shown and b"[" + b"#" * 24 + b"] succeeded" in shown


def test_wrong_requests_name_the_field(loaded):
    done = loaded.cli("run", "medrobotic", "full", "--wait", check=False)
    assert done.returncode == 1 and "/pipeline" in done.stderr and "medrobotic" in done.stderr
    done = loaded.cli("run", "medrobotics", "range", "--mode", "some", "--slice", "P1X", check=False)
    assert done.returncode == 1
    for pointer in ("/mode", "/slice", "/from", "/to"):
        assert pointer in done.stderr, done.stderr
    done = loaded.cli("run", "medrobotics", check=False)
    assert done.returncode == 1 and "run takes more arguments" in done.stderr


def test_nobody_there(loaded):
    began = time.monotonic()
    done = loaded.cli("runs", check=False, LOADSTAR_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1 and "cannot reach the service" in done.stderr
    assert time.monotonic() - began < 5, "a person waits for the answer"


def division_by_zero(tmp_path, on_error):
    folder = pipelines_with(tmp_path, "on_error: continue", f"on_error: {on_error}")
    query = folder / "medrobotics/extract/procedures.sql"
    text = query.read_text().rstrip().rstrip(";")
    query.write_text(f"SELECT * FROM (SELECT q.*, 1 / (q.procedure_id <> (SELECT min(procedure_id) FROM procedures))::int"
                     f" AS boom FROM (\n{text}\n) AS q) AS p WHERE boom = 1\n")
    return folder


@pytest.mark.parametrize("on_error, code, status", [("fail", 3, "failed"), ("continue", 2, "partial")])
def test_run_wait_tells_how_it_failed(make_service, tmp_path, on_error, code, status):
    service = make_service(pipelines=division_by_zero(tmp_path, on_error)).start()
    done = service.cli("run", "medrobotics", "full", "--wait", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"status     {status}" in done.stdout and "division by zero" in done.stdout
    run_id = done.stdout.split()[1]
    assert service.cli("status", run_id, check=False).returncode == code
    failed = service.steps(run_id, status="failed")
    assert len(failed) == 1 and failed[0]["error"]["class"] == "data", failed
    assert service.cli("retry", run_id, "--wait", check=False).returncode == code, "the row is still there"
    assert service.run(run_id)["attempt"] == 2


def test_missing_connection_is_named(make_service, tmp_path):
    folder = pipelines_with(tmp_path, "connection: medrobotics_source", "connection: elsewhere")
    service = make_service(pipelines=folder).start()
    done = service.cli("run", "medrobotics", "full", "--wait", check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "connection_missing" in done.stdout and "LOADSTAR_CONNECTION_ELSEWHERE" in done.stdout


def test_cancel_and_retry(make_service):
    service = make_service(env={"LOADSTAR_LEASE": "1s"}).start()
    slow_source(service, 20)
    waiting = background(service, "run", "medrobotics", "full", "--wait")
    run_id = waiting.stdout.readline().split()[1]
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id))
    done = service.cli("cancel", run_id)
    assert done.stdout.splitlines()[-1].startswith("cancelled") or "status     cancelled" in done.stdout
    output, errors = waiting.communicate(timeout=30)
    assert waiting.returncode == 5, output + errors
    service.sql("medrobotics_source", "DROP VIEW procedures; ALTER TABLE procedures_fast RENAME TO procedures")
    done = service.cli("retry", run_id, "--spec", "current", "--wait", "--json")
    run = json.loads(done.stdout)
    assert run["id"] == run_id and run["status"] == "succeeded" and run["attempt"] == 2


def follow_by_curl(service, run_id):
    """The loops of docs/cli.md: {name: process}, whose stdout is a line of JSON a log line."""
    scripts = re.findall(r"^```bash\n# (follow-\w+) RUN\n(.*?)^```$", (ROOT / "docs/cli.md").read_text(), re.M | re.S)
    assert [name for name, _ in scripts] == ["follow-events", "follow-lines"]
    env = {**os.environ, "LOADSTAR_URL": service.url, "LOADSTAR_TOKEN": service.token()}
    return {name: subprocess.Popen(["bash", "-c", text, name, run_id], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True) for name, text in scripts}


def test_following_survives_a_restart(make_service):
    """run --wait, logs -f and curl -N in a loop, through SIGTERM and kill -9, on the same port: no line lost, none doubled."""
    service = make_service(env={"LOADSTAR_LEASE": "1s", "LOADSTAR_DRAIN": "500ms",
                                "LOADSTAR_LISTEN": f"127.0.0.1:{free_port()}"}).start()
    slow_source(service, 0.3)
    waiting = background(service, "run", "medrobotics", "full", "--wait")
    run_id = waiting.stdout.readline().split()[1]
    followers = {"wait": waiting, "tail": background(service, "logs", run_id, "-f", "--json"), **follow_by_curl(service, run_id)}
    output = {}
    readers = [threading.Thread(target=lambda n=n, p=p: output.update({n: p.communicate(timeout=150)})) for n, p in followers.items()]
    for reader in readers:
        reader.start()
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id))
    time.sleep(1)
    service.stop()
    time.sleep(1)
    service.start()
    before = service.logs(run_id)[-1]["id"]
    wait_until("lines are written meanwhile", 30, lambda: service.logs(run_id)[-1]["id"] > before + 5)
    service.kill9()
    service.start()
    assert service.wait(run_id, 120)["status"] == "succeeded"
    for reader in readers:
        reader.join(60)
    assert {name: process.returncode for name, process in followers.items()} == dict.fromkeys(followers, 0), output
    whole = service.logs(run_id)
    assert 100 < len(whole) < 1000 and [line["id"] for line in whole] == list(range(1, len(whole) + 1))
    for name in ("tail", "follow-events", "follow-lines"):
        assert [json.loads(line) for line in output[name][0].splitlines()] == whole, name


# -- starts that are refused -----------------------------------------------------------------------------------------------


def test_no_authentication_only_on_loopback(tmp_path):
    told = refused(LOADSTAR_HOME=str(tmp_path), LOADSTAR_AUTH="none", LOADSTAR_LISTEN="0.0.0.0:0",
                   LOADSTAR_DATABASE_URL="postgresql://db/x")
    assert "LOADSTAR_AUTH" in told and "LOADSTAR_LISTEN" in told


def test_no_embedded_database_beyond_loopback(tmp_path):
    assert "LOADSTAR_DATABASE_URL" in refused(LOADSTAR_HOME=str(tmp_path), LOADSTAR_LISTEN="0.0.0.0:0")


@pytest.mark.parametrize("setting, value", [
    ("LOADSTAR_AUTH", "basic"), ("LOADSTAR_LEASE", "soon"), ("LOADSTAR_LOG_LEVEL", "loud"), ("LOADSTAR_WORKERS", "-1")])
def test_wrong_settings_are_named(tmp_path, setting, value):
    told = refused(**{"LOADSTAR_HOME": str(tmp_path), "LOADSTAR_DATABASE_URL": "postgresql://127.0.0.1:9/x", setting: value})
    assert setting in told and value in told
    assert not os.listdir(tmp_path), "nothing is made for a service that cannot start"


def test_an_unreachable_database_is_named_without_its_password(tmp_path):
    for url in ("postgresql://keeper:c4n4ry@127.0.0.1:9/control", "postgresql://keeper@127.0.0.1:9/control?password=c4n4ry"):
        told = refused(LOADSTAR_HOME=str(tmp_path), LOADSTAR_DATABASE_URL=url, LOADSTAR_JWT_SECRET="c4n4ry" * 8)
        assert "127.0.0.1" in told and "database_unreachable" in told
        assert "c4n4ry" not in told


def test_serve_check(make_service):
    service = make_service()
    done = service.cli("serve", "--check")
    assert "the service can start" in done.stdout and service.postmaster() is None
    done = service.cli("serve", "--chek", check=False)
    assert done.returncode == 1 and "--chek" in done.stderr
