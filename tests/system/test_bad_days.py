"""What goes wrong around the service, one thing at a time: sources, values, tables, disks, the control database.

Each test says what the step must say, and that the run succeeds once the cause is gone.
"""

import os
import subprocess
import time

import pytest

import warehouse
from chaos import RETRY, pipelines
from service import wait_until

LONG = pytest.mark.skipif(not os.environ.get("LOADSTAR_CHAOS"), reason="LOADSTAR_CHAOS=1 runs it")
FAST_LEASE = {"LOADSTAR_LEASE": "1s", "LOADSTAR_DRAIN": "2s"}
PATIENT = "retry: { attempts: 60, backoff: 100ms, limit: 500ms }"
ONCE = "retry: { attempts: 2, backoff: 100ms, limit: 100ms }"


@pytest.fixture
def make(make_service, tmp_path):
    def start(retry=ONCE, *changes, **env):
        return make_service(pipelines=pipelines(tmp_path, RETRY, retry, *changes), env={**FAST_LEASE, **env}).start()
    return start


def failures(service, run_id):
    """The errors of failed steps."""
    return [s["error"] for s in service.steps(run_id, status="failed")]


def expect(service, run_id, code, kind, *words):
    """The run did not succeed, every failed step says this."""
    run = service.wait(run_id)
    errors = failures(service, run_id)
    assert run["status"] in ("failed", "partial") and errors, run
    for error in errors:
        assert (error["code"], error["class"]) == (code, kind), error
        for word in words:
            assert word in error["message"], error
    return run


def mended(service, run_id, rows=2000):
    """Retried, the same run succeeds, and nothing is half there."""
    assert service.post(f"/v1/runs/{run_id}/retry").status_code == 202
    run = service.wait(run_id)
    assert run["status"] == "succeeded", (run, failures(service, run_id))
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(rows,)]
    warehouse.check_invariants(service)


def source(service, text, *values):
    return service.sql("medrobotics_source", text, *values)


def allow(service, database, yes):
    service.sql("postgres", f"ALTER DATABASE {database} ALLOW_CONNECTIONS {'true' if yes else 'false'}")
    if not yes:
        service.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'loadstar'", database)


# -- what cannot be reached --------------------------------------------------------------------------------------------


def test_source_away_and_back(make):
    service = make(PATIENT)
    allow(service, "medrobotics_source", False)
    run_id = service.submit("full")
    step = wait_until("a step was tried twice", 20, lambda: [s for s in service.steps(run_id) if len(s["attempts"]) >= 2])[0]
    assert step["attempts"][0]["error"]["code"] == "database_unreachable"
    assert "source rds" in step["attempts"][0]["error"]["message"]
    allow(service, "medrobotics_source", True)
    assert service.wait(run_id)["status"] == "succeeded"
    warehouse.check_invariants(service)


@LONG
def test_slow_source_names_the_statement_timeout(make):
    service = make(ONCE, "statement: 10m", "statement: 500ms")
    source(service, "ALTER TABLE procedures RENAME TO procedures_fast")
    source(service, "CREATE VIEW procedures AS SELECT p.* FROM procedures_fast p, (SELECT pg_sleep(3)) AS s")
    month = service.sql("warehouse", "SELECT (date_trunc('month', now()) - interval '2 months')::date::text,"
                        " (date_trunc('month', now()) - interval '1 month')::date::text")[0]
    run_id = service.submit("range", **dict(zip(("from", "to"), month)))
    expect(service, run_id, "statement_timeout", "transient", "source rds")
    source(service, "DROP VIEW procedures; ALTER TABLE procedures_fast RENAME TO procedures")
    assert service.post(f"/v1/runs/{run_id}/retry").status_code == 202
    assert service.wait(run_id)["status"] == "succeeded"


def test_wrong_password_says_so_and_shows_none(make):
    service = make()
    superuser = service.connect("postgres", "postgres")
    superuser.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
    hba = f"{service.home}/postgres/pg_hba.conf"
    before = open(hba).read()
    open(hba, "w").write("host all reader 127.0.0.1/32 scram-sha-256\nlocal all reader scram-sha-256\n" + before)
    superuser.execute("SELECT pg_reload_conf()")
    superuser.close()
    service.stop()
    service.env["LOADSTAR_CONNECTION_MEDROBOTICS_SOURCE"] = f"postgresql://reader:s3cr3tw0rd@/medrobotics_source?host={service.home}/socket"
    service.start()
    run_id = service.submit("full")
    expect(service, run_id, "database_unreachable", "transient", "password authentication failed", "reader")
    everything = service.get(f"/v1/runs/{run_id}").text + str(service.logs(run_id)) + str(service.steps(run_id)) + service.log_tail(1000)
    assert "s3cr3tw0rd" not in everything


def test_control_database_away_for_five_seconds(make):
    """No connection to it for that long, and every session ended again and again: several leases."""
    service = make(PATIENT)
    source(service, "ALTER TABLE procedures RENAME TO procedures_fast")
    source(service, "CREATE VIEW procedures AS SELECT p.* FROM procedures_fast p, (SELECT pg_sleep(0.4)) AS s")
    run_id = service.submit("full")
    wait_until("a fact is loaded", 30, lambda: [s for s in service.steps(run_id, status="running") if s["kind"] == "fact"])
    end = time.monotonic() + 5
    while time.monotonic() < end:
        allow(service, "loadstar", False)
        time.sleep(0.2)
    allow(service, "loadstar", True)
    def final():
        answer = service.get(f"/v1/runs/{run_id}")
        return answer.status_code == 200 and answer.json()["status"] in ("succeeded", "partial", "failed") and answer.json()
    run = wait_until("the run is final", 120, final)
    assert run["status"] == "succeeded", (run, failures(service, run_id))
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(2000,)]
    warehouse.check_invariants(service)


# -- disks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path_factory):
    """4 MB that the cluster may use."""
    folder = tmp_path_factory.mktemp("disk")
    os.chmod(folder.parent, 0o755)
    disk = f"/tmp/lsd-{os.getpid()}"
    os.mkdir(disk)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        os.rmdir(disk)
        pytest.skip("needs root that may mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
    os.rmdir(disk)


def test_warehouse_disk_full(make, small_disk):
    """The fact table's disk fills in the middle of the run. With room again, the retry loads the rest."""
    service = make()
    service.load("dimensions")
    owner = os.stat(f"{service.home}/postgres")
    os.chown(small_disk, owner.st_uid, owner.st_gid)
    os.chmod(small_disk, 0o700)
    service.load("range", **{"from": "2024-01-01", "to": "2024-02-01"})  # the table, without rows
    with service.connect("postgres", "postgres") as db:
        db.execute(f"CREATE TABLESPACE small OWNER loadstar LOCATION '{small_disk}'")
    with service.connect("warehouse") as db:
        db.execute("ALTER TABLE fact_procedures SET TABLESPACE small")
        db.execute("CREATE TABLE filler (a text) TABLESPACE small")
        with pytest.raises(Exception, match="No space left"):
            db.execute("ALTER TABLE filler ALTER a SET STORAGE PLAIN")
            for _ in range(1000):
                db.execute("INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 20)")
    run_id = service.submit("facts", mode="all")
    expect(service, run_id, "disk_full", "transient", "No space left on device")
    loaded = {s["id"] for s in service.steps(run_id, status="succeeded") if s["kind"] == "fact"}
    rows = service.sql("warehouse", "SELECT count(*) FROM loadstar.slice_ledger WHERE run_id = %s AND table_name LIKE 'public.fact%%'", run_id)
    assert rows == [(len(loaded),)]
    warehouse.check_invariants(service)
    service.sql("warehouse", "DROP TABLE filler")
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    mended(service, run_id)
    service.sql("warehouse", "ALTER TABLE fact_procedures SET TABLESPACE pg_default")
    service.sql("warehouse", "DROP TABLESPACE small")


# -- values ------------------------------------------------------------------------------------------------------------


def free(service, column, type):
    """The source may hold anything in that column."""
    for (name,) in source(service, "SELECT conname FROM pg_constraint WHERE conrelid = 'procedures'::regclass AND contype = 'c'"):
        source(service, f"ALTER TABLE procedures DROP CONSTRAINT {name}")
    source(service, f"ALTER TABLE procedures ALTER {column} TYPE {type}")


def one_procedure(service):
    return source(service, "SELECT procedure_id FROM procedures ORDER BY start_time DESC OFFSET 300 LIMIT 1")[0][0]


def test_odd_values_load_as_they_are(make):
    service = make()
    free(service, "procedure_type", "text")
    values = {"procedure_type": "\x01\t\\N\\.\r\n'\"" + "\U0001f916 ‮" + "x" * 3_000_000, "category": "", "priority": "NULL", "console_minutes": -2**31}
    key = one_procedure(service)
    source(service, "UPDATE procedures SET procedure_type = %s, category = %s, priority = %s, console_minutes = %s WHERE procedure_id = %s",
           *values.values(), key)
    source(service, "UPDATE outcomes SET discharged_at = 'infinity' WHERE procedure_id = %s", key)
    other = source(service, "SELECT procedure_id FROM outcomes WHERE procedure_id <> %s LIMIT 1", key)[0][0]
    source(service, "UPDATE outcomes SET discharged_at = '0044-03-15 12:00:00+00 BC' WHERE procedure_id = %s", other)
    service.load("full")
    loaded = service.sql("warehouse", "SELECT procedure_type, category, priority, console_minutes, discharged_at = 'infinity'"
                         " FROM fact_procedures WHERE procedure_id = %s", key)
    assert loaded == [(*values.values(), True)]
    assert service.sql("warehouse", "SELECT discharged_at = '0044-03-15 12:00:00+00 BC' FROM fact_procedures WHERE procedure_id = %s", other) == [(True,)]
    again = service.load("full", mode="all")
    assert sum(s["rows"]["updated"] for s in service.steps(again["id"]) if s["rows"]) == 0
    warehouse.check_invariants(service)


def test_values_that_do_not_fit_name_their_column(make):
    """Only the slices that hold one fail, at the first attempt: trying again changes nothing."""
    service = make()
    free(service, "console_minutes", "text")
    free(service, "asa_class", "bigint")
    bad = [("console_minutes", "NaN"), ("console_minutes", "99999999999"), ("console_minutes", "twelve"), ("asa_class", "40000")]
    keys = [k for (k,) in source(service, "SELECT DISTINCT ON (date_trunc('month', start_time)) procedure_id FROM procedures"
                                 " ORDER BY date_trunc('month', start_time) LIMIT %s", len(bad))]
    source(service, "CREATE TABLE kept AS SELECT * FROM procedures WHERE procedure_id = ANY(%s)", keys)
    for key, (column, value) in zip(keys, bad):
        source(service, f"UPDATE procedures SET {column} = '{value}' WHERE procedure_id = %s", key)
    run_id = service.submit("full")
    run = expect(service, run_id, "sql_data", "data", "COPY loadstar_stage, line ")
    failed = sorted(service.steps(run_id, status="failed"), key=lambda s: s["slice"]["from"])
    assert run["status"] == "partial" and len(failed) == len(bad)
    for step, (column, _) in zip(failed, bad):
        assert f"column {column}" in step["error"]["message"], step
        assert len([a for a in step["attempts"] if a["error"] and a["error"]["code"] == "sql_data"]) == 1
    source(service, "UPDATE procedures p SET console_minutes = k.console_minutes, asa_class = k.asa_class FROM kept k"
           " WHERE k.procedure_id = p.procedure_id")
    mended(service, run_id)


def test_infinite_and_ancient_times(make):
    """valid_from of a dimension, the time of a fact: outside of every slice, or of history's bounds."""
    service = make()
    free(service, "procedure_type", "text")
    key = one_procedure(service)
    source(service, "UPDATE procedures SET start_time = '0044-03-15 12:00+00 BC' WHERE procedure_id = %s", key)
    source(service, "UPDATE surgeons SET updated_at = '-infinity' WHERE surgeon_id = 'SRG-0001'")
    source(service, "UPDATE robots SET updated_at = '0044-03-15 12:00+00 BC' WHERE robot_id = 'RBT-001'")
    source(service, "UPDATE facilities SET updated_at = 'infinity' WHERE facility_id = 'FAC-01'")
    run = service.wait(service.submit("dimensions"))
    errors = failures(service, run["id"])
    assert [e["table"] for e in errors] == ["dim_facilities"], errors  # the beginning of time is one
    assert errors[0]["class"] == "data" and "1 rows have infinity" in errors[0]["message"] and "updated_at" in errors[0]["message"]
    source(service, "UPDATE facilities SET updated_at = now() - interval '1 year' WHERE facility_id = 'FAC-01'")
    source(service, "UPDATE surgeons SET updated_at = now() - interval '1 year' WHERE surgeon_id = 'SRG-0001'")
    service.load("full")
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(1999,)]
    warehouse.check_invariants(service)


# -- sources and tables that are not what they were --------------------------------------------------------------------


def test_source_column_dropped(make):
    """Named by the source when the query asks for it; named by us when the query is a star."""
    service = make()
    query = f"{service.env['LOADSTAR_PIPELINES']}/medrobotics/extract/robots.sql"
    open(query, "w").write("SELECT * FROM robots\n")
    service.stop()
    service.start()
    source(service, "ALTER TABLE robots RENAME COLUMN software_version TO firmware")
    run_id = service.submit("full")
    run = expect(service, run_id, "source_columns", "permanent", "software_version", "firmware", "robots.sql")
    assert run["status"] == "failed"
    source(service, "ALTER TABLE robots RENAME COLUMN firmware TO software_version")
    mended(service, run_id)


@LONG
def test_source_column_dropped_below_a_written_query(make):
    service = make()
    source(service, "ALTER TABLE robots RENAME COLUMN software_version TO firmware")
    run_id = service.submit("full")
    expect(service, run_id, "sql_error", "permanent", "software_version", "source rds", "extract/robots.sql:")
    source(service, "ALTER TABLE robots RENAME COLUMN firmware TO software_version")
    mended(service, run_id)


def test_column_type_changed_by_hand(make):
    service = make()
    service.load("full")
    service.sql("warehouse", "ALTER TABLE fact_procedures ALTER asa_class TYPE numeric(3,1)")
    run_id = service.submit("full", mode="all")
    expect(service, run_id, "ddl_mismatch", "permanent", "asa_class is numeric(3,1), declared smallint")
    service.sql("warehouse", "ALTER TABLE fact_procedures ALTER asa_class TYPE smallint")
    mended(service, run_id)


@LONG
def test_column_dropped_by_hand(make):
    """A column that comes back empty is filled by the next load of everything."""
    service = make()
    service.load("full")
    before = warehouse.content_hash(service, "fact_procedures")
    service.sql("warehouse", "ALTER TABLE fact_procedures DROP asa_class")
    service.load("full", mode="all")
    order = service.sql("warehouse", "SELECT count(*) FROM fact_procedures WHERE asa_class IS NULL")
    assert order == [(0,)] and warehouse.content_hash(service, "fact_procedures")[0] == before[0]
    warehouse.check_invariants(service)


@LONG
@pytest.mark.parametrize("table", ["fact_procedures", "dim_robots"])
def test_table_dropped_midway(make, table):
    """The steps that miss it fail and name it; a new run makes it again, with everything that belongs in it."""
    service = make()
    source(service, "ALTER TABLE procedures RENAME TO procedures_fast")
    source(service, "CREATE VIEW procedures AS SELECT p.* FROM procedures_fast p, (SELECT pg_sleep(0.2)) AS s")
    run_id = service.submit("full")
    wait_until("facts are loaded", 60, lambda: [s for s in service.steps(run_id, status="succeeded") if s["kind"] == "fact"])
    service.sql("warehouse", f"DROP TABLE {table}")
    expect(service, run_id, "sql_error", "permanent", table)
    source(service, "DROP VIEW procedures")
    source(service, "ALTER TABLE procedures_fast RENAME TO procedures")
    service.load("full", mode="all")
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(2000,)]
    warehouse.check_invariants(service)


def test_source_that_lies_and_repeats(make):
    """Rows outside of :from and :to are left out, so that no slice writes into another one; of rows with one grain one
    stays. Both are counted."""
    service = make()
    query = f"{service.env['LOADSTAR_PIPELINES']}/medrobotics/extract/procedures.sql"
    text = open(query).read().rstrip().rstrip(";")
    assert "start_time < :to" in text and ">= :from" in text
    lie = text.replace("start_time < :to", "start_time < :to + interval '3 days'").replace(">= :from", ">= :from - interval '2 days'")
    open(query, "w").write(f"SELECT * FROM (\n{lie}\n) AS first\nUNION ALL\nSELECT * FROM (\n{text}\n) AS second\n")
    service.stop()
    service.start()
    run = service.load("full")
    steps = [s["rows"] for s in service.steps(run["id"]) if s["table"] == "fact_procedures" and s["rows"]]
    assert sum(s["filtered"] for s in steps) > 100
    assert sum(s["deduplicated"] for s in steps) == sum(s["inserted"] for s in steps) == 2000
    for rows in steps:
        assert rows["read"] == rows["inserted"] + rows["filtered"] + rows["deduplicated"]
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(2000,)]
    warehouse.check_invariants(service)


@LONG
def test_step_deadline_ends_a_dimension_and_the_run(make):
    """The wave that follows does not start."""
    service = make(ONCE, "step: 30m", "step: 1s")
    source(service, "ALTER TABLE robots RENAME TO robots_fast")
    source(service, "CREATE VIEW robots AS SELECT r.* FROM robots_fast r, (SELECT pg_sleep(20)) AS s")
    run_id = service.submit("full")
    began = time.monotonic()
    run = expect(service, run_id, "step_deadline", "transient")
    assert run["status"] == "failed" and time.monotonic() - began < 15
    assert {s["status"] for s in service.steps(run_id) if s["kind"] == "fact"} == {"skipped"}
    sessions = service.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'loadstar/%/%/%'")
    assert sessions == [(0,)]
    source(service, "DROP VIEW robots")
    source(service, "ALTER TABLE robots_fast RENAME TO robots")
    mended(service, run_id)
