"""Bad days one at a time: each names what it breaks. Random ones are in test_kills.py."""

import shutil
import signal
import time

import warehouse
from service import ROOT, wait_until

FAST_LEASE = {"LOADSTAR_LEASE": "1s", "LOADSTAR_DRAIN": "2s"}


def slow_source(service, seconds):
    """Every extract of procedures takes at least this long: a view with a sleep in front of the table."""
    service.sql("medrobotics_source", "ALTER TABLE procedures RENAME TO procedures_fast")
    service.sql("medrobotics_source", "CREATE VIEW procedures AS SELECT p.* FROM procedures_fast p,"
                f" (SELECT pg_sleep({seconds})) AS s")


def running_fact(service, run_id):
    return [s for s in service.steps(run_id, status="running") if s["kind"] == "fact"]


def sessions(service, like="loadstar/%/%/%"):
    return service.sql("warehouse", "SELECT pid, application_name FROM pg_stat_activity WHERE application_name LIKE %s", like)


def test_cancel_ends_the_sessions_and_then_says_so(make_service):
    service = make_service(env=FAST_LEASE).start()
    slow_source(service, 30)
    run_id = service.submit("full")
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id) and sessions(service))
    began = time.monotonic()
    assert service.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    run = service.wait(run_id, 20)
    assert run["status"] == "cancelled" and time.monotonic() - began < 15
    wait_until("no session of the run is left", 5, lambda: not sessions(service))
    statuses = {s["status"] for s in service.steps(run_id)}
    assert statuses <= {"succeeded", "cancelled", "skipped"}
    assert service.post(f"/v1/runs/{run_id}/cancel").status_code == 409


def test_cancel_ends_a_stopped_workers_step(make_service):
    """The worker cannot help: its process is stopped. Another replica revokes its slice."""
    service = make_service(env=FAST_LEASE).start()
    other = make_service(env={**FAST_LEASE, "LOADSTAR_DATABASE_URL": f"postgresql://loadstar@/loadstar?host={service.home}/socket",
                              "LOADSTAR_JWT_SECRET_FILE": f"{service.home}/jwt_secret", "LOADSTAR_WORKERS": "0", **connections(service)})
    other.start()
    slow_source(service, 30)
    run_id = service.submit("full")
    wait_until("a fact is being extracted", 30, lambda: running_fact(other, run_id))
    service.signal(signal.SIGSTOP)
    try:
        other.stop()
        other.env["LOADSTAR_WORKERS"] = "2"
        other.start()
        assert other.post(f"/v1/runs/{run_id}/cancel").status_code == 202
        assert other.wait(run_id, 30)["status"] == "cancelled"
    finally:
        service.signal(signal.SIGCONT)
    wait_until("the stopped worker lets go", 20, lambda: not sessions(service))
    before = warehouse.content_hash(service, "fact_procedures")
    time.sleep(2)
    assert warehouse.content_hash(service, "fact_procedures") == before, "a ghost published after the final state"


def connections(service):
    url = lambda db: f"postgresql://loadstar@/{db}?host={service.home}/socket"
    return {"LOADSTAR_CONNECTION_WAREHOUSE": url("warehouse"), "LOADSTAR_CONNECTION_MEDROBOTICS_SOURCE": url("medrobotics_source"),
            "LOADSTAR_CONNECTION_MEDROBOTICS_FILES": f"file://{service.home}/files/medrobotics"}


def test_another_replica_takes_over(make_service):
    """kill -9 of one replica in the middle: the other finishes, nobody helps."""
    first = make_service(env=FAST_LEASE).start()
    second = make_service(env={**FAST_LEASE, "LOADSTAR_DATABASE_URL": f"postgresql://loadstar@/loadstar?host={first.home}/socket",
                               "LOADSTAR_JWT_SECRET_FILE": f"{first.home}/jwt_secret", "LOADSTAR_WORKERS": "0", **connections(first)})
    second.start()
    slow_source(first, 1)
    run_id = first.submit("full")
    wait_until("a fact is being extracted", 30, lambda: running_fact(second, run_id))
    second.stop()
    second.env["LOADSTAR_WORKERS"] = "2"
    second.start()
    first.kill9()
    run = second.wait(run_id, 120)
    assert run["status"] == "succeeded", run
    lost = [a for s in second.steps(run_id) for a in s["attempts"] if a["status"] == "lost"]
    assert lost, "somebody's attempt must have been lost"
    warehouse.check_invariants(first)


def test_sigterm_hands_back_without_using_a_try(make_service):
    service = make_service(env={"LOADSTAR_LEASE": "2s", "LOADSTAR_DRAIN": "300ms"}).start()
    slow_source(service, 3)
    run_id = service.submit("full", mode="all")
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id))
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 10
    service.start()
    handed = [a for s in service.steps(run_id) for a in s["attempts"] if a["status"] == "handed_back"]
    assert handed
    service.post(f"/v1/runs/{run_id}/cancel")
    service.wait(run_id, 60)


def test_warehouse_restart_in_the_middle(make_service):
    """Every session is cut at once; the run goes on by itself."""
    service = make_service(env=FAST_LEASE).start()
    slow_source(service, 0.3)
    run_id = service.submit("full")
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id))
    for _ in range(3):
        time.sleep(0.7)
        service.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('warehouse',"
                    " 'medrobotics_source', 'loadstar') AND pid <> pg_backend_pid() AND usename = 'loadstar'")
    run = service.wait(run_id, 180)
    assert run["status"] == "succeeded", run
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(2000,)]
    warehouse.check_invariants(service)


def test_step_deadline_and_statement_timeout_name_themselves(make_service, tmp_path):
    service = make_service(pipelines=pipelines_with(tmp_path, "step: 30m", "step: 1s", "attempts: 4", "attempts: 1")).start()
    slow_source(service, 20)
    run = service.wait(service.submit("full"), 120)
    assert run["status"] in ("partial", "failed")
    codes = {s["error"]["code"] for s in service.steps(run["id"], status="failed")}
    assert codes == {"step_deadline"}


def pipelines_with(tmp_path, *changes):
    folder = tmp_path / "pipelines"
    shutil.copytree(ROOT / "sql/pipelines", folder)
    spec = folder / "medrobotics/pipeline.yaml"
    text = spec.read_text()
    for old, new in zip(changes[::2], changes[1::2]):
        assert old in text, old
        text = text.replace(old, new)
    spec.write_text(text)
    return folder


def test_run_deadline(make_service, tmp_path):
    service = make_service(pipelines=pipelines_with(tmp_path, "run: 6h", "run: 2s"), env=FAST_LEASE).start()
    slow_source(service, 20)
    run = service.wait(service.submit("full"), 60)
    assert run["status"] == "failed" and run["error"]["code"] == "run_deadline", run


def test_failed_slices_make_a_partial_run_and_retry_finishes_it(make_service):
    """on_error: continue. A value the warehouse refuses, in one month's rows; mended, then retried. Retried again, when somebody has
    dropped the table meanwhile: it is made again, and the run says that it holds no more than what the run loaded."""
    service = make_service().start()
    service.load("full")
    bad = service.sql("medrobotics_source", "SELECT procedure_id FROM procedures ORDER BY start_time LIMIT 1")[0][0]
    service.sql("warehouse", f"DELETE FROM fact_procedures WHERE procedure_id = '{bad}'")
    service.sql("warehouse", f"ALTER TABLE fact_procedures ADD CONSTRAINT no_such CHECK (procedure_id <> '{bad}')")
    run = service.wait(service.submit("facts", mode="all"))
    assert run["status"] == "partial", run
    failed = service.steps(run["id"], status="failed")
    assert len(failed) == 1 and failed[0]["error"]["class"] == "data" and "no_such" in failed[0]["error"]["message"]
    service.sql("warehouse", "ALTER TABLE fact_procedures DROP CONSTRAINT no_such")
    assert service.post(f"/v1/runs/{run['id']}/retry").status_code == 202
    again = service.wait(run["id"])
    assert again["status"] == "succeeded" and again["attempt"] == 2
    step = [s for s in service.steps(run["id"]) if s["id"] == failed[0]["id"]][0]
    assert step["status"] == "succeeded" and len(step["attempts"]) >= 2, "the step keeps its identity"
    assert service.post(f"/v1/runs/{run['id']}/retry").status_code == 409
    warehouse.check_invariants(service)

    service.sql("warehouse", f"DELETE FROM fact_procedures WHERE procedure_id = '{bad}'")
    service.sql("warehouse", f"ALTER TABLE fact_procedures ADD CONSTRAINT no_such CHECK (procedure_id <> '{bad}')")
    run = service.wait(service.submit("range", mode="all", **{k: failed[0]["slice"][k] for k in ("from", "to")}))
    assert run["status"] == "partial", run
    service.sql("warehouse", "DROP TABLE fact_procedures CASCADE")
    assert service.post(f"/v1/runs/{run['id']}/retry").status_code == 202
    assert service.wait(run["id"])["status"] == "succeeded"
    warnings = service.get(f"/v1/runs/{run['id']}/logs", params={"level": "warn"}).json()["items"]
    said = [line["fields"]["table"] for line in warnings if line["message"] == "a table that was gone is made again"]
    assert said == ["fact_procedures"], warnings
    assert 0 < service.sql("warehouse", "SELECT count(*) FROM fact_procedures")[0][0] < 2000
    service.load("facts", mode="all")
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures") == [(2000,)]
    warehouse.check_invariants(service)


def test_foreign_control_database_is_refused(make_service):
    service = make_service().start()
    service.load("full")
    service.sql("warehouse", "UPDATE loadstar.control SET control_id = gen_random_uuid()")
    run = service.wait(service.submit("full"))
    assert run["status"] == "failed" and run["error"]["code"] == "foreign_owner", run


def test_mode_failed_runs_only_what_failed(make_service):
    service = make_service().start()
    service.load("full")
    bad = service.sql("medrobotics_source", "SELECT procedure_id FROM procedures ORDER BY start_time LIMIT 1")[0][0]
    service.sql("warehouse", f"DELETE FROM fact_procedures WHERE procedure_id = '{bad}'; DELETE FROM loadstar.slice_ledger"
                " WHERE table_name = 'public.fact_procedures'; "
                f"ALTER TABLE fact_procedures ADD CONSTRAINT no_such CHECK (procedure_id <> '{bad}')")
    run = service.wait(service.submit("facts", mode="all"))
    failed = service.steps(run["id"], status="failed")
    assert run["status"] == "partial" and len(failed) == 1
    service.sql("warehouse", "ALTER TABLE fact_procedures DROP CONSTRAINT no_such")
    again = service.load("facts", mode="failed")
    assert [s["slice"] for s in service.steps(again["id"], table="fact_procedures")] == [failed[0]["slice"]]
    third = service.load("facts", mode="failed")
    assert not service.steps(third["id"], table="fact_procedures")


def test_missing_looks_again_before_it_loads(make_service):
    """Two ask for what is missing; what the first has loaded meanwhile, the second leaves alone, and says so."""
    service = make_service(env={"LOADSTAR_WORKERS": "4"}).start()
    service.load("dimensions")
    service.load("range", **{"from": "2020-01-01", "to": "2020-01-02"})
    asked = {"from": "2020-01-01", "to": "2020-01-04", "slice": "P1D", "mode": "missing"}
    with service.connect("warehouse") as db:
        db.execute("SELECT pg_advisory_lock(hashtextextended('loadstar:public.fact_procedures', 0))")
        first, second = service.submit("range", **asked), service.submit("range", **asked)
        wait_until("both are planned", 20, lambda: [len(service.steps(run, table="fact_procedures")) for run in (first, second)] == [2, 2])
    assert service.wait(first)["status"] == service.wait(second)["status"] == "succeeded"
    both = [step for run in (first, second) for step in service.steps(run, table="fact_procedures")]
    assert sorted(step["status"] for step in both) == ["skipped", "skipped", "succeeded", "succeeded"]
    for step in both:
        assert (step["reason"] or {}).get("code") == ("already_loaded" if step["status"] == "skipped" else None)
        assert step["attempts"][-1]["status"] == "succeeded" and step["error"] is None
    assert service.sql("warehouse", "SELECT count(*) FROM loadstar.slice_ledger WHERE scope = 'time'") == [(3,)]


def test_a_claim_that_was_not_answered_is_given_back(make_service):
    """The claim's COMMIT took effect and its answer was lost: the step is the replica's, which does not know of it and lives on."""
    service = make_service(env=FAST_LEASE).start()
    slow_source(service, 1)
    run_id = service.submit("full", max_parallel=1)
    wait_until("facts wait for their turn", 60, lambda: running_fact(service, run_id))
    lost = service.sql("loadstar", """
        WITH taken AS (
          UPDATE control.step s SET status = 'running', touched = true, attempt_count = attempt_count + 1, tries = tries + 1,
            load_number = nextval('control.load_number'), boot_id = (SELECT boot_id FROM control.replica)
          WHERE s.id = (SELECT id FROM control.step WHERE run_id = %s AND status = 'queued' AND kind = 'fact' LIMIT 1)
          RETURNING s.*)
        INSERT INTO control.attempt (step_id, n, status, worker, boot_id, load_number)
        SELECT id, attempt_count, 'running', 'lost', boot_id, load_number FROM taken RETURNING step_id::text""", run_id)
    assert len(lost) == 1
    assert service.wait(run_id, 120)["status"] == "succeeded"
    step = next(s for s in service.steps(run_id) if s["id"] == lost[0][0])
    assert [a["status"] for a in step["attempts"]] == ["handed_back", "succeeded"]
