"""The sample source of medrobotics: its data, its late changes and the queries that read it, on a private PostgreSQL."""

import decimal
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
from datetime import date, datetime, timedelta, timezone

import psycopg
import pytest
import yaml

PIPELINE = pathlib.Path(__file__).resolve().parents[2] / "sql" / "pipelines" / "medrobotics"
CREATE = sorted((PIPELINE / "sample").glob("0*.sql"))
CHANGES = PIPELINE / "sample" / "changes.sql"
TABLES = ["facilities", "surgeons", "robots", "patients", "procedures", "outcomes", "complications", "readmissions", "satisfaction"]
CHANGED = {
    "facilities": {"FAC-02", "FAC-07", "FAC-15"},
    "robots": {"RBT-004", "RBT-011", "RBT-019", "RBT-026", "RBT-033", "RBT-040", "RBT-047", "RBT-055"},
    "surgeons": {"SRG-0007", "SRG-0021", "SRG-0033", "SRG-0048", "SRG-0064", "SRG-0082", "SRG-0095", "SRG-0110"},
}
KEYS = {"facilities": "facility_id", "robots": "robot_id", "surgeons": "surgeon_id"}
LEAP_DAY = date(2028, 2, 29)  # 24 months before it is a day that does not exist


def bin_dir():
    """Where the server programs are: the newest that Debian installed, or what the path finds."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    found = shutil.which("initdb")
    assert found, "the packages that scripts/deps.sh installs bring a PostgreSQL server"
    return pathlib.Path(found).parent


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL of this test's own, on a socket in a temp folder; yields the folder."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sample-"))
    programs, who = bin_dir(), {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def run(program, *arguments):
        subprocess.run([programs / program, "-D", folder / "data", *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, **who)

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off"
        run("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def connect(cluster, database, **options):
    return psycopg.connect(host=str(cluster), user="postgres", dbname=database, autocommit=True, **options)


def make_source(cluster, database, settings=(), session_zone="UTC"):
    """A database filled as the service fills it: each file one simple query, all in one transaction."""
    with connect(cluster, "postgres") as admin:
        admin.execute(f'CREATE DATABASE "{database}"')
    connection = connect(cluster, database, options=f"-c timezone={session_zone}")
    for name, value in settings:
        connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
    with connection.transaction():
        for file in CREATE:
            connection.execute(file.read_text())
    return connection


@pytest.fixture(scope="session")
def source(cluster):
    """The source as it comes. Tests only read it."""
    with make_source(cluster, "source") as connection:
        yield connection


@pytest.fixture(scope="session")
def changed(cluster, source):
    """A small source with the late changes applied: (connection, rows before, what the script printed)."""
    with make_source(cluster, "changed", [("loadstar.sample_procedures", 4000)]) as connection:
        before = {table: rows_by_key(connection, table) for table in KEYS}
        yield connection, before, run_changes(connection)


def one(connection, query, *arguments):
    return connection.execute(query, arguments or None).fetchone()[0]


def contents(connection):
    """A hash of each table's rows."""
    return {table: one(connection, f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {table} t") for table in TABLES}


def rows_by_key(connection, table):
    return {row[0]: row for row in connection.execute(f"SELECT * FROM {table}").fetchall()}


def run_changes(connection):
    return connection.execute(CHANGES.read_text()).fetchall()


def extract(connection, name, start=None, end=None):
    """The rows of an extract query, as dicts, with its placeholders replaced as the service does."""
    sql = (PIPELINE / "extract" / f"{name}.sql").read_text()
    for placeholder, value in ((":from", start), (":to", end)):
        if value is not None:
            sql = re.sub(rf"(?<!:){placeholder}\b", lambda _, at=value: f"TIMESTAMPTZ '{at.isoformat()}'", sql)
    cursor = connection.execute(sql)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def months(first, last):
    """Half-open months that cover first to last."""
    at = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while at <= last:
        following = (at + timedelta(days=32)).replace(day=1)
        yield at, following
        at = following


def test_counts(source):
    counts = {table: one(source, f"SELECT count(*) FROM {table}") for table in TABLES}
    assert (counts["facilities"], counts["surgeons"], counts["robots"]) == (20, 120, 60)
    assert counts["procedures"] == counts["outcomes"] == 20000
    assert one(source, "SELECT count(DISTINCT procedure_id) FROM complications") / 20000 == pytest.approx(0.03, abs=0.006)
    assert 400 < counts["readmissions"] < 1200
    assert 0.4 < one(source, "SELECT count(score) FROM satisfaction") / 20000 < 0.7


def test_window_is_24_months_that_end_yesterday(source):
    first, today = source.execute("SELECT first_day, today FROM sample.setting").fetchone()
    assert abs(today - datetime.now(timezone.utc)) < timedelta(days=1, minutes=5)
    assert one(source, "SELECT %s = (%s AT TIME ZONE 'UTC' - interval '24 months') AT TIME ZONE 'UTC'", first, today)
    oldest, newest = source.execute("SELECT min(start_time), max(start_time) FROM procedures").fetchone()
    assert first <= oldest < first + timedelta(days=5)
    assert today - timedelta(days=5) < newest < today


def test_nothing_is_newer_than_today_and_every_dimension_is_older_than_the_facts(source):
    for table in TABLES[4:]:
        assert one(source, f"""SELECT count(*) FROM {table} x JOIN procedures p USING (procedure_id), sample.setting
                                WHERE x.updated_at > greatest(today, p.end_time)""") == 0, table
    for table in KEYS:
        assert one(source, f"SELECT max(updated_at) < (SELECT first_day FROM sample.setting) FROM {table}"), table
    assert one(source, "SELECT count(*) FROM procedures p JOIN patients d USING (patient_id) WHERE d.updated_at >= p.start_time") == 0


def test_shapes(source):
    """What makes the data look like operations, coarsely."""
    weekend = one(source, "SELECT avg((extract(isodow FROM start_time) > 5)::integer) FROM procedures")
    daytime = one(source, "SELECT avg((extract(hour FROM start_time) BETWEEN 7 AND 17)::integer) FROM procedures")
    growth = one(source, """SELECT count(*) FILTER (WHERE start_time >= today - interval '12 months') * 1.0
                                 / count(*) FILTER (WHERE start_time < today - interval '12 months') FROM procedures, sample.setting""")
    assert weekend < 0.08 and daytime > 0.9 and 1.1 < growth < 1.3
    rate = dict(source.execute("""SELECT model, count(DISTINCT c.procedure_id)::float8 / count(DISTINCT p.procedure_id)
                                    FROM procedures p JOIN robots USING (robot_id) LEFT JOIN complications c USING (procedure_id) GROUP BY model"""))
    assert rate["Corvid A2"] > 1.3 * rate["Lumen Duo"]
    older, younger = source.execute("""
        SELECT avg((c.procedure_id IS NOT NULL)::integer) FILTER (WHERE d.birth_date < p.start_time - interval '70 years'),
               avg((c.procedure_id IS NOT NULL)::integer) FILTER (WHERE d.birth_date > p.start_time - interval '55 years')
          FROM procedures p JOIN patients d USING (patient_id) LEFT JOIN (SELECT DISTINCT procedure_id FROM complications) c USING (procedure_id)""").fetchone()
    assert float(older) > 1.5 * float(younger)


def test_integrity(source):
    """The keys are declared; what a declaration cannot say is asked here."""
    unvalidated = one(source, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
    assert one(source, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'") >= 10 and unvalidated == 0
    for who in ("robot_id", "surgeon_id", "patient_id"):
        assert one(source, f"""SELECT count(*) FROM procedures a JOIN procedures b ON b.{who} = a.{who} AND b.procedure_id > a.procedure_id
                                  AND a.start_time < b.end_time AND b.start_time < a.end_time""") == 0, f"one {who} in two operations at once"
    assert one(source, """SELECT count(*) FROM outcomes o JOIN procedures p USING (procedure_id) JOIN procedures later USING (patient_id)
                           WHERE o.outcome = 'death' AND later.start_time > p.start_time""") == 0
    assert one(source, "SELECT count(*) FROM outcomes JOIN procedures USING (procedure_id) WHERE discharged_at < end_time") == 0
    assert one(source, "SELECT count(*) FROM readmissions JOIN outcomes USING (procedure_id) WHERE readmitted_at < discharged_at OR discharged_at IS NULL") == 0


@pytest.mark.parametrize("today", [date(2025, 6, 15), LEAP_DAY])
def test_same_settings_same_data(cluster, today):
    settings = [("loadstar.sample_procedures", 1500), ("loadstar.sample_today", today)]
    with make_source(cluster, f"one {today}", settings) as one_source, make_source(cluster, f"two {today}", settings, "Australia/Lord_Howe") as other:
        other.execute("SET timezone = 'UTC'")
        assert one(one_source, "SELECT count(*) FROM procedures") == 1500
        assert contents(one_source) == contents(other)


@pytest.mark.parametrize("procedures", [1, 37])
def test_few_procedures(cluster, procedures):
    with make_source(cluster, f"few {procedures}", [("loadstar.sample_procedures", procedures)]) as connection:
        assert one(connection, "SELECT count(*) FROM procedures") == procedures


def test_changes_touch_the_announced_keys(changed):
    connection, before, printed = changed
    assert {(table, key) for table, key, *_ in printed} == {(table, key) for table, keys in CHANGED.items() for key in keys}
    first, today = connection.execute("SELECT first_day, today FROM sample.setting").fetchone()
    for table, keys in CHANGED.items():
        after = rows_by_key(connection, table)
        assert {key for key in after if after[key] != before[table][key]} == keys
        for key in keys:
            assert after[key][:-1] != before[table][key][:-1], f"{key} changed in updated_at alone"
            assert first + timedelta(days=60) < after[key][-1] < today - timedelta(days=60)


def test_each_announced_value_is_new(changed):
    connection, before, _ = changed
    for table, log in (("surgeons", "surgeon_change"), ("robots", "robot_change"), ("facilities", "facility_change")):
        columns = [row[0] for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position", (table,))]
        cursor = connection.execute(f"SELECT * FROM sample.{log}")
        names = [column.name for column in cursor.description]
        for row in cursor.fetchall():
            for name, value in zip(names[2:], row[2:]):
                assert value is None or value != before[table][row[0]][columns.index(name)], (row[0], name)


def test_changes_run_twice_change_nothing_more(changed):
    connection, _, _ = changed
    before = contents(connection)
    assert run_changes(connection) == []
    assert contents(connection) == before


def test_procedures_follow_the_changes(changed):
    """As of start_time, surgeon and robot stand where the operation was; without the changes some do not."""
    connection, before, _ = changed
    at = {key: row for table in ("surgeons", "robots") for key, row in before[table].items()}
    now = {**rows_by_key(connection, "surgeons"), **rows_by_key(connection, "robots")}
    where = {**dict.fromkeys(before["surgeons"], 4), **dict.fromkeys(before["robots"], 6)}
    stale = 0
    for start_time, facility, *keys in connection.execute("SELECT start_time, facility_id, surgeon_id, robot_id FROM procedures"):
        for key in keys:
            version = now[key] if start_time >= now[key][-1] else at[key]
            assert version[where[key]] == facility
            stale += at[key][where[key]] != facility
    assert stale > 10
    for table, key, gone in (("surgeons", "surgeon_id", "NOT is_active"), ("robots", "robot_id", "status <> 'active'")):
        assert one(connection, f"SELECT count(*) FROM procedures p JOIN {table} x USING ({key}) WHERE {gone} AND p.start_time >= x.updated_at") == 0


def test_months_partition_the_procedures(source):
    first, today = source.execute("SELECT first_day, today FROM sample.setting").fetchone()
    seen = []
    for start, end in months(first, today):
        rows = extract(source, "procedures", start, end)
        assert all(start <= row["start_time"] < end for row in rows)
        seen += [row["procedure_id"] for row in rows]
    assert len(seen) == len(set(seen)) == 20000


def test_extracted_procedures_make_sense(source):
    first, today = source.execute("SELECT first_day, today FROM sample.setting").fetchone()
    rows = extract(source, "procedures", first, today)
    assert len(rows) == 20000
    newest = one(source, """SELECT max(updated_at) FROM (SELECT updated_at FROM procedures UNION ALL SELECT updated_at FROM outcomes UNION ALL
        SELECT updated_at FROM complications UNION ALL SELECT updated_at FROM readmissions UNION ALL SELECT updated_at FROM satisfaction) x""")
    assert max(row["updated_at"] for row in rows) == newest
    assert sum(row["complication_count"] for row in rows) == one(source, "SELECT count(*) FROM complications")
    for row in rows:
        assert 10 <= row["duration_minutes"] <= 900 and row["console_minutes"] <= row["duration_minutes"]
        assert 18 <= row["age_at_procedure"] <= 95 and row["updated_at"] >= row["end_time"]
        assert (row["complication_count"] == 0) == (row["complication_severity"] is None)
    back = sum(row["readmitted_30_days"] for row in rows)
    assert 0 < back < one(source, "SELECT count(DISTINCT procedure_id) FROM readmissions")


# What the driver says a column is, for each type that pipeline.yaml may declare.
TYPE_NAMES = {"text": "text", "integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "numeric": "numeric",
              "double": "float8", "date": "date", "timestamptz": "timestamptz", "timestamp": "timestamp", "uuid": "uuid", "jsonb": "jsonb"}


@pytest.mark.parametrize("table", ["dim_surgeons", "dim_robots", "dim_facilities", "fact_procedures"])
def test_declared_columns_are_the_extracted_ones(source, table):
    spec = yaml.safe_load((PIPELINE / "pipeline.yaml").read_text())["tables"][table]
    now = datetime.now(timezone.utc)
    sql = (PIPELINE / spec["source"]["query"]).read_text().replace(":from", f"TIMESTAMPTZ '{now}'").replace(":to", f"TIMESTAMPTZ '{now}'")
    declared = {name: kind["type"] if isinstance(kind, dict) else kind for name, kind in spec["columns"].items()}
    found = {column.name: psycopg.adapters.types[column.type_code].name for column in source.execute(sql).description}
    assert {name: TYPE_NAMES[kind.split("(")[0]] for name, kind in declared.items()} == found
    assert list(declared) == list(found)
    assert {*spec.get("key", []), *spec.get("grain", [])} <= set(declared)
    assert {lookup[part] for lookup in spec.get("lookups", {}).values() for part in ("match", "as_of") if part in lookup} <= set(declared)


# -- telemetry: lines of files by day ------------------------------------------------------------------------------------

TELEMETRY = (PIPELINE / "sample" / "files" / "telemetry.sql").read_text()


@pytest.fixture(scope="module")
def telemetry(source):
    return source.execute(TELEMETRY).fetchall()


def test_telemetry_has_ten_points_a_procedure_in_order_of_path(source, telemetry):
    assert len(telemetry) == 200000
    paths = [path for path, _ in telemetry]
    assert paths == sorted(paths)
    assert {re.fullmatch(r"telemetry/(\d{8})/(corvid|lumen)\.json", path) is not None for path in paths} == {True}
    today = one(source, "SELECT today FROM sample.setting")
    days = sorted({path.split("/")[1] for path in paths})
    assert days[0] >= (today - timedelta(days=30)).strftime("%Y%m%d") and 20 <= len(days) <= 31


def test_telemetry_points_lie_in_their_operation_and_day(source, telemetry):
    operations = {row[0]: row[1:] for row in source.execute(
        "SELECT procedure_id, start_time, end_time, robot_id FROM procedures").fetchall()}
    numbers, status = {}, {}
    for path, line in telemetry:
        point = json.loads(line, parse_float=decimal.Decimal)
        start, end, robot = operations[point["procedure_id"]]
        at = datetime.fromisoformat(point["recorded_at"].replace("Z", "+00:00"))
        assert start <= at < end and robot == point["robot_id"] and path.split("/")[1] == at.strftime("%Y%m%d")
        numbers.setdefault(point["procedure_id"], []).append(point["sample"])
        status[point["status"]] = status.get(point["status"], 0) + 1
        assert (point["status"] == "fault") == (point["error_code"] is not None)
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
    assert set(status) == {"ok", "warning", "fault"} and status["ok"] > 0.95 * len(telemetry)


def test_telemetry_is_the_same_each_time(source, telemetry):
    assert source.execute(TELEMETRY).fetchall() == telemetry
