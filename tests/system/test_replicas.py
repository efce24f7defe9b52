"""Three replicas on one control database, killed, stopped and ended at random under several runs at once that overlap.

Nobody helps but a supervisor that starts what died. Afterwards every run is final, every succeeded slice has exactly one
ledger row, the warehouse equals the source wherever it was loaded. LOADSTAR_CHAOS=n makes n long rounds of it.
"""

import os
import random
import signal
import time

import pytest
import requests

import warehouse
from chaos import RETRY, UNGUARDED, pipelines, replica_of
from service import FINAL, ROOT, Service, wait_until

LONG = int(os.environ.get("LOADSTAR_CHAOS", "0"))
SECONDS = 90 if LONG else 20  # of trouble, a round
LEASE = 1
ENV = {"LOADSTAR_LEASE": f"{LEASE}s", "LOADSTAR_DRAIN": "500ms", "LOADSTAR_WORKERS": "2"}

EXTRACT = (ROOT / "sql/pipelines/medrobotics/extract/procedures.sql").read_text()


class Supervisor:
    """Breaks replicas and starts them again; counts what it did."""

    def __init__(self, replicas, rnd):
        self.replicas, self.rnd = replicas, rnd
        self.counts = {"kill": 0, "stop": 0, "term": 0}
        self.wake = {}  # stopped replica: when it goes on

    def tick(self):
        for replica, at in list(self.wake.items()):
            if time.monotonic() > at:
                replica.signal(signal.SIGCONT)
                del self.wake[replica]
        replica = self.rnd.choice(self.replicas)
        if replica in self.wake:
            return
        if not replica.is_running():
            replica.start()
            return
        what = self.rnd.choices(["kill", "stop", "term"], [3, 3, 2])[0]
        self.counts[what] += 1
        if what == "kill":
            replica.kill9()
        elif what == "stop":
            replica.signal(signal.SIGSTOP)
            self.wake[replica] = time.monotonic() + self.rnd.uniform(0.3, 3) * LEASE
        else:
            assert replica.stop(20) == 0

    def heal(self):
        for replica in self.wake:
            replica.signal(signal.SIGCONT)
        self.wake.clear()
        for replica in self.replicas:
            if not replica.is_running():
                replica.start()


class Client:
    """Asks the first, which only answers; submits, cancels and retries at random."""

    def __init__(self, api, rnd, days):
        self.api, self.rnd, self.days = api, rnd, days
        self.runs, self.cancels, self.retries = [], 0, 0

    def submit(self):
        kind = self.rnd.choice(["full", "range", "range", "range", "dimensions", "facts"])
        body = {"pipeline": "medrobotics", "type": kind, "mode": self.rnd.choice(["all", "all", "auto", "missing"])}
        if kind == "range":
            body["slice"] = self.rnd.choice(["P1M", "P1W", "P1D"])
            most = {"P1M": 200, "P1W": 60, "P1D": 14}[body["slice"]]
            first = self.rnd.randrange(len(self.days) - 1)
            body["from"], body["to"] = self.days[first], self.days[min(len(self.days) - 1, first + self.rnd.randint(1, most))]
        elif self.rnd.random() < 0.3:
            body["mode"] = "auto"
        answer = self.api.post("/v1/runs", body)
        assert answer.status_code in (202, 409, 422), answer.text
        if answer.status_code == 202:
            self.runs.append(answer.json()["id"])

    def tick(self):
        active = [r for r in self.runs[-6:] if self.api.run(r)["status"] not in FINAL]
        dice = self.rnd.random()
        if len(active) < 3 or (dice < 0.1 and len(active) < 5):
            self.submit()
        elif dice < 0.25:
            self.cancels += self.api.post(f"/v1/runs/{self.rnd.choice(active)}/cancel").status_code == 202
        elif self.runs:
            run_id = self.rnd.choice(self.runs)
            if dice < 0.6 and self.api.run(run_id)["status"] in ("failed", "partial", "cancelled"):
                self.retries += self.api.post(f"/v1/runs/{run_id}/retry").status_code == 202


class Source:
    """Rows come, go, change and move to another month, and dimensions change in the past, all the while."""

    def __init__(self, service, rnd):
        self.db, self.rnd, self.changes = service.connect("medrobotics_source"), rnd, 0
        self.db.execute("SET session_replication_role = replica")
        self.db.execute("CREATE TABLE IF NOT EXISTS away AS SELECT * FROM procedures LIMIT 0")

    def tick(self):
        some = f"(SELECT procedure_id FROM procedures ORDER BY md5(procedure_id || '{self.rnd.random()}') LIMIT {self.rnd.randint(1, 20)})"
        table = self.rnd.choice(["surgeons", "robots", "facilities"])
        value = {"surgeons": "is_active = NOT is_active", "robots": "arms = 1 + arms % 8", "facilities": "bed_count = 20 + bed_count % 2000"}[table]
        self.changes += self.db.execute(self.rnd.choice([
            f"UPDATE procedures SET console_minutes = console_minutes + 1, updated_at = now() WHERE procedure_id IN {some}",
            f"UPDATE procedures SET start_time = start_time + d, end_time = end_time + d, updated_at = now()"
            f" FROM (VALUES (interval '{self.rnd.choice([-40, -6, 6, 40])} days')) AS v (d)"
            f" WHERE procedure_id IN {some} AND start_time + d BETWEEN now() - interval '690 days' AND now() - interval '1 day'",
            f"WITH gone AS (DELETE FROM procedures WHERE procedure_id IN {some} RETURNING *) INSERT INTO away SELECT * FROM gone",
            "WITH back AS (DELETE FROM away RETURNING *) INSERT INTO procedures SELECT * FROM back",
            f"UPDATE {table} SET {value}, updated_at = updated_at + (now() - updated_at) * {self.rnd.uniform(0.1, 0.9)}"
            f" WHERE hashtext({table[:-1].replace('facilitie', 'facility')}_id) % 3 = {self.rnd.randrange(3)}",
        ])).rowcount


def control(service, text, *values):
    return service.sql("loadstar", text, *values)


def watch(service, seen, limit):
    """No attempt runs on long after its replica's lease: {step and attempt: since when its replica is gone}."""
    orphans = {tuple(row) for row in control(service, "SELECT a.step_id::text, a.n FROM control.attempt a WHERE a.status = 'running'"
                                             " AND NOT EXISTS (SELECT FROM control.replica p WHERE p.boot_id = a.boot_id)")}
    now = time.monotonic()
    for key in list(seen):
        if key not in orphans:
            del seen[key]
    for key in orphans:
        assert now - seen.setdefault(key, now) < limit, f"step {key} is stuck with a replica that is gone"


def check_final(service, runs):
    """Every run and step is final, and says what the ledger says."""
    for run_id in runs:
        assert service.run(run_id)["status"] in FINAL
        states = {s["status"] for s in service.steps(run_id)}
        assert states <= {"succeeded", "failed", "skipped", "cancelled"}, states
    assert control(service, "SELECT count(*) FROM control.attempt WHERE status = 'running'") == [(0,)]
    slices = {i: (s, at) for i, s, at in control(
        service, "SELECT id::text, status, finished_at FROM control.step WHERE kind IN ('stage', 'dimension', 'fact', 'sql')")}
    ledger = dict(service.sql("warehouse", "SELECT step_id::text, count(*) FROM loadstar.slice_ledger GROUP BY 1"))
    assert ledger == {i: 1 for i, (s, _) in slices.items() if s == "succeeded"}
    late = [(i, committed) for i, committed in service.sql("warehouse", "SELECT step_id::text, committed_at FROM loadstar.slice_ledger")
            if committed > slices[i][1]]
    assert late == [], "committed after the step's final state"


def check_versions(service):
    """Each fact points to the version that held when it began, or to the first one."""
    for dimension, number, key in warehouse.lookups(service).values():
        assert service.sql("warehouse", f"SELECT count(*) FROM fact_procedures f JOIN {dimension} d USING ({number})"
                           f" WHERE f.start_time >= d.effective_to OR (f.start_time < d.effective_from AND EXISTS ("
                           f"  SELECT FROM {dimension} e WHERE e.{key} = d.{key} AND e.effective_from < d.effective_from))") == [(0,)], dimension


def check_source(service):
    """Wherever a load is committed, the fact has exactly the source's rows."""
    names = [c for c in warehouse.columns(service, "fact_procedures")
             if c not in warehouse.BOOKKEEPING | {"procedure_key", "start_date_key", "start_time_key", *warehouse.lookups(service)}]
    select = f"SELECT {', '.join(names)} FROM {{}} AS x"
    extract = EXTRACT.replace(":from", "TIMESTAMPTZ '-infinity'").replace(":to", "TIMESTAMPTZ 'infinity'").rstrip().rstrip(";")
    at = names.index("start_time")
    covered = service.sql("warehouse", "SELECT DISTINCT slice_from, slice_to FROM loadstar.slice_ledger WHERE table_name LIKE '%%fact_procedures'")
    source = {row for row in service.sql("medrobotics_source", select.format(f"({extract})"))
              if any(a <= row[at] < b for a, b in covered)}
    fact = service.sql("warehouse", select.format("fact_procedures"))
    assert len(fact) == len(set(fact)) == len(source) and set(fact) == source
    return len(fact)


@pytest.mark.timeout(900)
def test_replicas_die_under_runs_that_overlap(tmp_path):
    folder = pipelines(tmp_path, RETRY, UNGUARDED)
    first = Service(pipelines=folder, env={**ENV, "LOADSTAR_WORKERS": "0"})
    replicas = []
    try:
        first.start()
        replicas = [replica_of(first, pipelines=folder, **ENV) for _ in range(3)]
        for replica in replicas:
            replica.start()
        first.load("full")
        for turn in range(LONG or 1):
            seed = int(os.environ.get("LOADSTAR_SEED", time.time_ns() % 1_000_000))
            print(f"LOADSTAR_SEED={seed}")
            trouble(first, replicas, random.Random(seed))
    finally:
        for replica in replicas:
            replica.close()
        first.close()


def trouble(first, replicas, rnd):
    days = [d for (d,) in first.sql("warehouse", "SELECT generate_series(now() - interval '700 days', now(), '1 day')::date::text")]
    supervisor, client, source = Supervisor(replicas, rnd), Client(first, rnd, days), Source(first, rnd)
    end, seen, next_break = time.monotonic() + SECONDS, {}, 0
    while time.monotonic() < end:
        if time.monotonic() > next_break:
            supervisor.tick()
            next_break = time.monotonic() + rnd.uniform(0.1, 1)
        client.tick()
        source.tick()
        watch(first, seen, 15 * LEASE)
        time.sleep(rnd.uniform(0.05, 0.3))
    supervisor.heal()
    for run_id in client.runs:
        first.wait(run_id, 120)
    check_final(first, client.runs)
    ends = {}
    for run_id in client.runs:
        run = first.run(run_id)
        ends[run["status"]] = ends.get(run["status"], 0) + 1
        codes = {s["error"]["code"] for s in first.steps(run_id, status="failed")}
        assert codes <= {"worker_lost"}, codes
    warehouse.check_invariants(first)
    check_versions(first)
    client.runs.append(first.load("full", mode="all")["id"])
    check_final(first, client.runs)
    warehouse.check_invariants(first)
    check_versions(first)
    rows = check_source(first)
    counted = control(first, "SELECT status, count(*) FROM control.attempt GROUP BY 1 ORDER BY 1")
    print(supervisor.counts, f"{len(client.runs)} runs {ends}, {client.cancels} cancels, {client.retries} retries, {source.changes} rows changed, {rows} rows", counted)
