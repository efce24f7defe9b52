"""Tables fed by files on a real service: by batch, by range, with rejects, through kills, cancels, runaways and files larger than
memory."""

import json
import os
import pathlib
import signal
import time

import pytest

from service import Service, wait_until

PIPELINE = """\
spec: 1
pipeline: points
warehouse: warehouse
params: { batch: { type: text, pattern: "[0-9]{8}" } }
sources:
  points: { type: files, connection: raw, path: "points/{batch}/*.json", batch: { date: "%Y%m%d" }, format: ndjson,
            on_bad_file: quarantine }
  robots: { type: files, connection: raw, path: "robots*.csv", format: csv }
  large: { type: files, connection: raw, path: "large/*.json", format: ndjson }
tables:
  dim_robot:
    kind: dimension
    source: { from: robots }
    key: [robot_id]
    columns: { robot_id: text, model: text }
  fact_point:
    kind: fact
    source: { from: points }
    surrogate: point_key
    grain: [robot_id, at]
    columns: { robot_id: text, at: timestamptz, value: "numeric(10,2)" }
    lookups: { robot_key: { dimension: dim_robot, match: robot_id, missing: infer } }
  fact_runaway:
    kind: fact
    source: { from: points, fields: { robot_id: text } }
    transform: runaway.sql
    grain: [id]
    columns: { id: bigint }
    on_error: continue
    retry: { attempts: 1 }
  fact_large:
    kind: fact
    source: { from: large }
    grain: [id]
    columns: { id: bigint, payload: text }
"""
RUNAWAY = "SELECT loadstar_file, len(list(a.range)) AS id FROM points, range(100000) a, range(100000) b GROUP BY loadstar_file"


def line(robot, day, second, value):
    at = f"{day[:4]}-{day[4:6]}-{day[6:]}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return json.dumps({"robot_id": robot, "at": at, "value": value}) + "\n"


class Files(Service):
    """A service with the pipeline above and a folder of files, read for the tests by the process that serves."""

    def __init__(self, folder, env=None):
        pipelines = folder / "pipelines"
        (pipelines / "points").mkdir(parents=True)
        (pipelines / "points/pipeline.yaml").write_text(PIPELINE)
        (pipelines / "points/runaway.sql").write_text(RUNAWAY)
        self.raw = folder / "raw"
        self.raw.mkdir()
        super().__init__(fresh=True, pipelines=pipelines, env={
            "LOADSTAR_CONNECTION_RAW": f"file://{self.raw}", "LOADSTAR_WORKERS": "2", "LOADSTAR_MEMORY": "128MiB",
            "LOADSTAR_SPOOL_LIMIT": "512MiB", "LOADSTAR_LEASE": "2s", **(env or {})})

    def put(self, path, text):
        path = self.raw / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def go(self, *tables, status="succeeded", **fields):
        run = self.wait(self.submit(pipeline="points", tables=list(tables), **fields))
        assert run["status"] == status, (run, self.log_tail())
        return run, [step for step in self.steps(run["id"]) if step["table"]]

    def large(self, megabytes):
        """A file of so many MiB, a KiB a line; how many lines."""
        path = self.raw / "large/one.json"
        path.parent.mkdir(exist_ok=True)
        lines = megabytes * 1024
        with open(path, "w") as file:
            for number in range(lines):
                file.write(f'{{"id":{number},"payload":"{number * 7919 % 1000003:07}{"x" * 980}"}}\n')
        return lines

    def readers(self):
        """Pids of the processes that read files for this service."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cmdline").read_bytes() == b"loadstar\0duck\0" and \
                        int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for parent in (folder, *list(folder.parents)[:3]):
        if str(parent) != "/tmp":
            parent.chmod(0o755)
    with Files(folder) as service:
        service.put("robots.csv", "model,robot_id\nAlpha,r1\nBeta,r2\n")
        for day in ("20240115", "20240116", "20240117"):
            service.put(f"points/{day}/a.json", "".join(line(f"r{n % 3}", day, n, n) for n in range(300)))
        yield service


def test_a_batch_a_range_and_the_rest(files):
    files.go("dim_robot")
    _, steps = files.go("fact_point", params={"batch": "20240116"})
    assert [step["slice"] for step in steps] == [
        {"batch": "20240116", "files": [{"path": "points/20240116/a.json", "size": os.stat(files.raw / "points/20240116/a.json").st_size}]}]
    assert steps[0]["rows"]["inserted"] == 300 and steps[0]["effects"]["members_inferred"] == 1
    _, steps = files.go("fact_point", type="range", **{"from": "2024-01-15", "to": "2024-01-17"})
    assert [step["slice"]["batch"] for step in steps] == ["20240115", "20240116"]
    assert [step["rows"]["unchanged"] for step in steps] == [0, 300]
    run, steps = files.go("fact_point")
    assert [step["slice"]["batch"] for step in steps] == ["20240117"]
    assert run["progress"]["rows_read"] == 300 and run["progress"]["bytes_read"] > 300 * 40
    _, steps = files.go("fact_point")
    assert [(step["status"], step["reason"]["code"]) for step in steps] == [("skipped", "already_loaded")]
    assert files.sql("warehouse", "SELECT count(*), count(DISTINCT file_id) FROM fact_point") == [(900, 3)]
    metrics = files.get("/metrics").text
    assert 'loadstar_bytes_read_total{pipeline="points",source="points"}' in metrics


def test_what_cannot_be_planned_is_said(files):
    answer = files.post("/v1/runs", {"pipeline": "points", "type": "full", "params": {"batch": "1"}})
    assert answer.status_code == 422
    _, steps = files.go("fact_point", params={"batch": "20990101"})
    assert [step["reason"]["code"] for step in steps] == ["no_files"]
    plan = files.post("/v1/runs", {"pipeline": "points", "type": "facts", "mode": "all", "tables": ["fact_point"],
                                   "dry_run": True}).json()
    assert [step["slice"]["batch"] for step in plan["steps"] if step["table"]] == ["20240115", "20240116", "20240117"]
    assert any("file_id = ANY" in item["sql"] for item in plan["sql"]["fact_point"])


def test_rejects_and_mending(files):
    day = "20240120"
    good = "".join(line("r1", day, n, n) for n in range(30))
    files.put(f"points/{day}/a.json", good + '{"robot_id":"r1"\n' + '{"robot_id":"r1","at":"noon","value":1}\n')
    run, steps = files.go("fact_point")
    assert steps[0]["rows"]["rejected"] == 2 and steps[0]["rows"]["read"] == 32
    rejects = files.get(f"/v1/runs/{run['id']}/rejects").json()["items"]
    assert [(r["file"], r["line"], r["rule"]) for r in rejects] == [
        (f"points/{day}/a.json", 31, "malformed"), (f"points/{day}/a.json", 32, "type")]
    files.put(f"points/{day}/a.json", "no\n" * 20 + good)
    run, steps = files.go("fact_point", status="failed")
    assert run["error"]["code"] == "file_rejects"
    assert files.sql("warehouse", "SELECT count(*) FROM fact_point WHERE at::date = '2024-01-20'") == [(30,)]
    files.put(f"points/{day}/a.json", good)
    answer = files.post(f"/v1/runs/{run['id']}/retry")
    assert answer.status_code == 202, answer.text
    assert files.wait(run["id"])["status"] == "succeeded"
    assert files.sql("warehouse", "SELECT count(*) FROM loadstar.quarantine WHERE state = 'open'") == [(0,)]


def test_the_ledger_is_shown(files):
    path = "/v1/pipelines/points/files"
    items, cursor = [], None
    while True:
        page = files.get(path, params={"limit": 2, "table": "fact_point", **({"cursor": cursor} if cursor else {})}).json()
        items, cursor = items + page["items"], page["next_cursor"]
        if cursor is None:
            break
    kept = files.sql("warehouse", "SELECT file_id::text, state FROM loadstar.file_ledger WHERE source = 'points'"
                     " ORDER BY load_id DESC, file_id DESC")
    assert [(item["id"], item["status"]) for item in items] == kept and len(kept) > 4
    loaded = files.get(path, params={"source": "points", "status": "loaded"}).json()["items"]
    assert [item["path"] for item in loaded] == [f"points/{day}/a.json" for day in ("20240120", "20240117", "20240116", "20240115")]
    assert all(item["rows"] > 0 and item["rejected"] == 0 and item["error"] is None for item in loaded)
    assert files.get(path, params={"since": "2999-01-01"}).json()["items"] == []
    assert files.get(path, params={"status": "gone"}).status_code == 422
    assert files.get("/v1/pipelines/other/files").status_code == 404
    assert files.get(path, scope="data:read").status_code == 403
    lines = files.cli("files", "points", "--status", "loaded", "--source", "points").stdout.splitlines()
    assert lines[0].startswith("TABLE") and len(lines) == 5 and lines[1].endswith("points/20240120/a.json")
    assert json.loads(files.cli("files", "points", "--limit", "1", "--json").stdout)[0]["pipeline"] == "points"


def test_a_runaway_ends_alone(files):
    run, steps = files.go("fact_point", "fact_runaway", mode="all", params={"batch": "20240115"}, status="partial")
    ends = {step["table"]: set() for step in steps}
    for step in steps:
        ends[step["table"]].add((step["status"], (step["error"] or {}).get("code")))
    assert ends["fact_point"] == {("succeeded", None)}
    assert len(ends["fact_runaway"]) == 1 and ends["fact_runaway"] <= {("failed", "memory_limit"), ("failed", "transform_failed")}
    assert files.get("/healthz").status_code == 200
    assert list(pathlib.Path(files.home, "duck").iterdir()) == []


def reading(service, run):
    """The pid of a reader that has begun to hand rows on."""
    def begun():
        return service.readers() if any(entry["message"] == "attempt started" and entry["fields"]["table"] == "fact_large"
                                        for entry in service.logs(run)) else None
    return wait_until("a reader", 30, begun, pause=0.02)[0]


@pytest.mark.timeout(600)
def test_larger_than_memory_through_kills_and_cancels(files):
    """Ten times LOADSTAR_MEMORY, twenty times the reader's share of it."""
    lines = files.large(1280)
    started = time.monotonic()

    run = files.submit(pipeline="points", tables=["fact_large"])
    reader = reading(files, run)
    time.sleep(0.5)
    assert files.post(f"/v1/runs/{run}/cancel").status_code == 202
    assert files.wait(run)["status"] == "cancelled"
    wait_until("the reader is gone", 5, lambda: not pathlib.Path(f"/proc/{reader}").exists())
    assert files.sql("warehouse", "SELECT count(*) FROM fact_large") == [(0,)]

    run = files.submit(pipeline="points", tables=["fact_large"])
    os.kill(reading(files, run), signal.SIGKILL)  # the attempt fails, and the next one loads
    time.sleep(2.5)
    reader = reading(files, run)
    files.kill9()
    wait_until("the reader is gone", 5, lambda: not pathlib.Path(f"/proc/{reader}").exists())
    files.start()
    assert files.wait(run)["status"] == "succeeded"
    step = [step for step in files.steps(run) if step["table"]][0]
    assert [attempt["status"] for attempt in step["attempts"]][0] == "failed" and len(step["attempts"]) >= 2
    assert step["rows"]["inserted"] == step["rows"]["read"] == lines
    assert files.sql("warehouse", "SELECT count(*), sum(id), count(DISTINCT file_id) FROM fact_large") == \
        [(lines, lines * (lines - 1) // 2, 1)]
    assert files.sql("warehouse", "SELECT path, state, rows FROM loadstar.file_ledger WHERE source = 'large'") == \
        [("large/one.json", "loaded", lines)]
    assert list(pathlib.Path(files.home, "duck").iterdir()) == []
    print(f"{time.monotonic() - started:.1f} s")
