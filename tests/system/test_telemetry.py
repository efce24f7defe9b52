"""What the robots report: JSON files by day into fact_procedure_telemetry, each point once, whatever is killed."""

import decimal
import gzip
import json
import os
import pathlib
import random
import time
from datetime import date, datetime, timedelta, timezone

import pytest

from service import ROOT, wait_until

TABLE = "fact_procedure_telemetry"
DATA = pathlib.Path(os.environ.get("LOADSTAR_TEST_DATA", ROOT.parent / "shared/data"))
DAVINCI = DATA / "davinci_tool/Tool_4_Maryland_L_2_00.TXT.gz"
CONTENT = (f"SELECT count(*), sum(hashtextextended(ROW(procedure_id, sample_no, robot_id, recorded_at, arm, target_deg, position_deg,"
           f" torque_nm, current_a, temperature_c, latency_ms, status, error_code)::text, 0)::numeric) FROM {TABLE}")
MARKS = f"SELECT count(*), sum(hashtextextended(ROW(t.*)::text, 0)::numeric) FROM {TABLE} t"


def files(service):
    return pathlib.Path(service.home, "files/medrobotics/telemetry")


def points(service, pattern="*/*.json"):
    for path in sorted(files(service).glob(pattern)):
        for line in path.read_text().splitlines():
            yield json.loads(line, parse_float=decimal.Decimal)


def telemetry_steps(service, run_id):
    return [step for step in service.steps(run_id) if step["table"] == TABLE]


def counts(steps):
    return {name: sum(step["rows"][name] for step in steps) for name in ("read", "inserted", "updated", "unchanged", "rejected")}


def last_day(service):
    return sorted(path.name for path in files(service).iterdir())[-1]


# -- the night's load ----------------------------------------------------------------------------------------------------


def test_every_point_is_there_once(loaded):
    there = {(p["procedure_id"], p["sample"]): p for p in points(loaded)}
    rows = loaded.sql("warehouse", f"SELECT procedure_id, sample_no, robot_id, recorded_at, arm, target_deg, position_deg, torque_nm,"
                      f" current_a, temperature_c, latency_ms, status, error_code FROM {TABLE}")
    assert len(rows) == len(there) == 20000
    for row in rows:
        point = there[row[0], row[1]]
        assert row[2:] == (
            point["robot_id"], datetime.fromisoformat(point["recorded_at"].replace("Z", "+00:00")), point["arm"],
            point["joint"]["target_deg"], point["joint"]["position_deg"], point["joint"]["torque_nm"], point["motor"]["current_a"],
            point["motor"]["temperature_c"], point["latency_ms"], point["status"], point["error_code"])


def test_points_refer_to_their_operation_and_robot(loaded):
    assert loaded.sql("warehouse", f"SELECT count(*) FROM {TABLE} t JOIN fact_procedures p USING (procedure_key)"
                      f" JOIN dim_robots r ON r.robot_key = t.robot_key WHERE p.procedure_id = t.procedure_id AND r.robot_id = t.robot_id"
                      f" AND t.recorded_at >= r.effective_from AND t.recorded_at < r.effective_to") == [(20000,)]


def test_a_step_for_each_day_with_its_files(loaded):
    steps = telemetry_steps(loaded, loaded.first_run["id"])
    assert sorted(step["slice"]["batch"] for step in steps) == sorted(path.name for path in files(loaded).iterdir())
    assert counts(steps) == {"read": 20000, "inserted": 20000, "updated": 0, "unchanged": 0, "rejected": 0}


def test_health_is_what_the_points_say(loaded):
    robots = {}
    for point in points(loaded):
        robot = robots.setdefault(point["robot_id"], {"samples": 0, "faults": 0, "warnings": 0, "hot": 0, "error": 0, "late": 0})
        robot["samples"] += 1
        robot["faults"] += point["status"] == "fault"
        robot["warnings"] += point["status"] == "warning"
        robot["hot"] = max(robot["hot"], point["motor"]["temperature_c"])
        robot["error"] += abs(point["joint"]["target_deg"] - point["joint"]["position_deg"])
        robot["late"] += point["latency_ms"]
    rows = loaded.get("/v1/pipelines/medrobotics/views/vw_telemetry_system_health", params={"limit": 1000}).json()["items"]
    assert len(rows) == 60 and sum(row["samples"] for row in rows) == 20000
    for row in rows:
        robot = robots.get(row["robot_id"])
        if robot is None:
            assert (row["samples"], row["health"], row["average_latency_ms"]) == (0, "no data", None)
            continue
        assert (row["samples"], row["faults"], row["warnings"]) == (robot["samples"], robot["faults"], robot["warnings"])
        assert row["highest_temperature_c"] == pytest.approx(float(robot["hot"]))
        assert row["average_tracking_error_deg"] == pytest.approx(float(robot["error"] / robot["samples"]), abs=0.0001)
        assert row["average_latency_ms"] == pytest.approx(float(robot["late"] / robot["samples"]), abs=0.01)
        assert row["health"] == ("inspect" if 1000 * robot["faults"] / robot["samples"] >= 2 else "watch"
                                 if robot["faults"] or 1000 * robot["warnings"] / robot["samples"] >= 20 else "good")
    assert {row["health"] for row in rows} > {"good"}


def test_which_robots_need_a_look(loaded):
    """The saved question, asked of the files."""
    asked = (ROOT / "sql/pipelines/medrobotics/queries/robot_health.sql").read_text()
    answer = loaded.sql("warehouse", asked)
    robots = {robot: [0, 0, 0] for (robot,) in loaded.sql("medrobotics_source", "SELECT robot_id FROM robots")}
    for point in points(loaded):
        for place, counts in enumerate((True, point["status"] == "fault", point["status"] == "warning")):
            robots[point["robot_id"]][place] += counts

    def rank(robot):
        samples, faults, warnings = robots[robot]
        if samples == 0:
            return 4, 0, 0, robot
        share, warned = round(1000 * faults / samples, 3), round(1000 * warnings / samples, 3)
        return 1 if share >= 2 else 2 if faults or warned >= 20 else 3, -share, -warned, robot

    assert [row[0] for row in answer] == sorted(robots, key=rank)
    assert [list(row[4:7]) for row in answer] == [robots[row[0]] for row in answer]


def test_checks_are_asked_of_each_day(loaded):
    for check, gate in (("telemetry_sane", "staging"), ("telemetry_robot_known", "published")):
        items = loaded.get("/v1/quality", params={"check": check, "limit": 1000}).json()["items"]
        items = [item for item in items if item["run_id"] == loaded.first_run["id"]]
        assert len(items) == len(list(files(loaded).iterdir())) and sum(item["rows_checked"] for item in items) == 20000
        assert {(item["gate"], item["status"], item["rows_failed"]) for item in items} == {(gate, "passed", 0)}


# -- batches, ranges, repeats --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(make_module_service):
    one = make_module_service().start()
    one.load("full")
    return one


def test_nothing_new_is_no_work(service):
    before = service.sql("warehouse", MARKS)
    run = service.load("full")
    assert [step["status"] for step in telemetry_steps(service, run["id"])] == ["skipped"]
    assert service.sql("warehouse", MARKS) == before


def test_one_batch_by_parameter(service):
    day, before = last_day(service), service.sql("warehouse", MARKS)
    run = service.load("facts", tables=[TABLE], mode="all", params={"batch": day})
    steps = telemetry_steps(service, run["id"])
    assert [step["slice"]["batch"] for step in steps] == [day]
    expected = sum(1 for _ in points(service, f"{day}/*.json"))
    assert counts(steps) == {"read": expected, "inserted": 0, "updated": 0, "unchanged": expected, "rejected": 0}
    assert service.sql("warehouse", MARKS) == before


def test_days_by_range(service):
    days = sorted(path.name for path in files(service).iterdir())[3:6]
    start = datetime.strptime(days[0], "%Y%m%d").date()
    end = datetime.strptime(days[-1], "%Y%m%d").date()
    run = service.load("range", tables=[TABLE], **{"from": start.isoformat(), "to": end.isoformat()})
    assert sorted(step["slice"]["batch"] for step in telemetry_steps(service, run["id"])) == days[:-1]  # to is exclusive


def test_a_corrected_file_replaces_its_rows(service):
    path = sorted(files(service).glob("*/*.json"))[-1]
    text, day = path.read_text(), path.parent.name
    lines = text.splitlines(keepends=True)
    total = service.sql("warehouse", f"SELECT count(*) FROM {TABLE}")[0][0]
    bent = lines[1].replace('"status" : "ok"', '"status" : "warning"').replace('"arm" : ', '"arm" : 1')
    path.write_text("".join([lines[0], bent, *lines[3:]]))  # one changed, one gone
    steps = telemetry_steps(service, service.load("full")["id"])
    others = sum(1 for _ in points(service, f"{day}/*.json")) - len(lines) + 1
    assert [step["slice"]["batch"] for step in steps] == [day]
    assert counts(steps)["updated"] == 1 and counts(steps)["inserted"] == 0
    assert steps[0]["effects"]["rows_deleted"] == 1 and counts(steps)["unchanged"] in (len(lines) - 2, len(lines) - 2 + others)
    assert service.sql("warehouse", f"SELECT count(*) FROM {TABLE}")[0][0] == total - 1
    path.write_text(text)
    service.load("full")
    assert service.sql("warehouse", f"SELECT count(*) FROM {TABLE}")[0][0] == total


def test_points_of_an_unknown_operation_go_to_quarantine(service):
    folder = files(service) / "20990101"
    good = next(points(service, f"{last_day(service)}/*.json"))
    folder.mkdir()
    lines = [{**good, "sample": 900001}, {**good, "procedure_id": "PRC-99999999"}, {**good, "sample": 900002}]
    (folder / "x.json").write_text("".join(json.dumps(line, default=float) + "\n" for line in lines) + '{"procedure_id": \n')
    run = service.load("full")
    steps = telemetry_steps(service, run["id"])
    assert counts(steps) == {"read": 4, "inserted": 2, "updated": 0, "unchanged": 0, "rejected": 2}
    rejects = service.get(f"/v1/runs/{run['id']}/rejects").json()["items"]
    assert {reject["file"] for reject in rejects} == {"telemetry/20990101/x.json"}
    by_line = {reject["line"]: reject for reject in rejects}
    assert by_line[2]["column"] == "procedure_key" and "PRC-99999999" in by_line[2]["raw"] and by_line[4]["raw"].startswith('{"proc')
    assert run["progress"]["rows_rejected"] == 2


def test_they_come_in_once_the_operation_is_known(service):
    before = service.sql("warehouse", f"SELECT count(*) FROM {TABLE}")[0][0]
    service.sql("medrobotics_source", "CREATE TABLE late AS SELECT * FROM procedures ORDER BY start_time DESC LIMIT 1;"
                " UPDATE late SET procedure_id = 'PRC-99999999', updated_at = now();"
                " INSERT INTO procedures SELECT * FROM late; DROP TABLE late")
    steps = telemetry_steps(service, service.load("full")["id"])
    assert [step["slice"]["batch"] for step in steps] == ["20990101"]
    assert counts(steps) == {"read": 4, "inserted": 1, "updated": 0, "unchanged": 2, "rejected": 1}
    assert service.sql("warehouse", f"SELECT count(*), count(*) FILTER (WHERE procedure_key = -1) FROM {TABLE}") == [(before + 1, 0)]
    states = [item["state"] for item in service.get("/v1/quarantine", params={"pipeline": "medrobotics"}).json()["items"]]
    assert states == ["open", "superseded"]  # the broken line stays, newest first
    assert [step["status"] for step in telemetry_steps(service, service.load("full")["id"])] == ["skipped"]


def test_a_day_that_fails_a_check_is_not_there(service):
    before = service.sql("warehouse", MARKS)
    folder = files(service) / "20990102"
    good = next(points(service, f"{last_day(service)}/*.json"))
    folder.mkdir()
    (folder / "x.json").write_text(json.dumps({**good, "sample": 900101, "status": "melted"}, default=float) + "\n")
    run = service.wait(service.submit("full"))
    assert run["status"] == "partial" and run["error"]["code"] == "quality_failed" and run["quality"]["failed"] == 1, run["error"]
    assert service.sql("warehouse", MARKS) == before
    found = service.get(run["links"]["quality"], params={"limit": 1000}).json()["items"]
    failed = [item for item in found if item["status"] == "failed"]
    assert [item["check"] for item in failed] == ["telemetry_sane"] and failed[0]["sample"][0]["status"] == "melted"
    (folder / "x.json").unlink()
    folder.rmdir()
    assert service.load("full")["error"] is None


# -- the real thing ------------------------------------------------------------------------------------------------------


def davinci_lines():
    """The bench run as points of one operation: counts as thousandths, samples a millisecond apart."""
    at = datetime(2026, 1, 2, 8, tzinfo=timezone.utc)
    for number, line in enumerate((line for line in gzip.open(DAVINCI, "rt").read().splitlines() if not line.startswith("%")), 1):
        seconds, encoder, torque, current, _, _, _, _, _, target = map(decimal.Decimal, line.split(","))
        recorded = at + timedelta(milliseconds=int(seconds * 1000))
        yield number, recorded, encoder, torque / 1000, current, target


def write_davinci(service, path):
    procedure = service.sql("medrobotics_source", "SELECT procedure_id, robot_id FROM procedures ORDER BY start_time LIMIT 1")[0]
    with open(path, "w") as out:
        for number, recorded, encoder, torque, current, target in davinci_lines():
            out.write(f'{{"procedure_id":"{procedure[0]}","robot_id":"{procedure[1]}","sample":{number},'
                      f'"recorded_at":"{recorded.isoformat(timespec="milliseconds")}","arm":1,"joint":{{"target_deg":{target},'
                      f'"position_deg":{encoder},"torque_nm":{torque}}},"motor":{{"current_a":{current}}},"status":"ok"}}\n')
    return procedure[0]


@pytest.mark.skipif(not DAVINCI.exists(), reason="no shared data here")
def test_davinci_bench_run_survives_kills(make_service):
    clean, killed = make_service(env={"LOADSTAR_LEASE": "2s"}).start(), make_service(env={"LOADSTAR_LEASE": "2s"}).start()
    for service in (clean, killed):
        service.load("full")
        (files(service) / "20260102").mkdir()
        procedure = write_davinci(service, files(service) / "20260102/davinci.json")
    clean.load("full")
    rows = clean.sql("warehouse", f"SELECT sample_no, recorded_at, position_deg, torque_nm, current_a, target_deg FROM {TABLE}"
                     " WHERE procedure_id = %s AND recorded_at < '2026-01-03' AND recorded_at >= '2026-01-02' ORDER BY sample_no", procedure)
    assert rows == list(davinci_lines()) and len(rows) == 19994

    run_id = killed.submit("full")
    for _ in range(4):
        wait_until("the file is being loaded", 60, lambda: [
            s for s in telemetry_steps(killed, run_id) if s["status"] in ("running", "succeeded")] or killed.run(run_id)["finished_at"])
        time.sleep(random.uniform(0, 0.4))
        killed.kill9()
        killed.start()
    assert killed.wait(run_id)["status"] == "succeeded"
    assert killed.sql("warehouse", CONTENT) == clean.sql("warehouse", CONTENT)
    assert killed.sql("warehouse", f"SELECT count(*) - count(DISTINCT (procedure_id, sample_no)) FROM {TABLE}") == [(0,)]
