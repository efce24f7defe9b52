"""The slice protocol as a client plays it: control database in memory, warehouse in SQL, each rule with a switch.

The SQL of the protocol is the service's own (sql/warehouse/postgres): what is tried here is what is shipped. Only the
tables that are loaded, and what is read from the source, are made up.
"""
import contextlib
import dataclasses
import json
import pathlib
import threading
import time
import uuid

import psycopg

SQL = pathlib.Path(__file__).resolve().parents[2] / "sql/warehouse/postgres"

PIPELINE, CONTROL_ID, EPOCH = "demo", "control-1", 1
FACTS = ("public.fact_calls", "public.fact_visits")
DIMENSION = "public.dim_robots"  # every fact row keeps the load of the dimension it was resolved with
FIRST_DAY, DAYS, MONTH = 1, 24, 12  # two "months" of twelve days

# No key is enforced: a row that is there twice has to stay there twice.
TABLES = "; ".join(
    [f"CREATE TABLE {fact} (day int, item int, value bigint, dimension_load bigint, load_id bigint)" for fact in FACTS]
    + [f"CREATE TABLE {DIMENSION} (robot int, value bigint, load_id bigint)", "CREATE SEQUENCE source_time"])


def protocol_sql(name):
    return (SQL / f"{name}.sql").read_text()


SESSION_OF_STEP = protocol_sql("fence_session")


def create_warehouse(dsn):
    with psycopg.connect(dsn, autocommit=True) as warehouse:
        for part in ("schema", "control", "fence", "ledger"):
            warehouse.execute(protocol_sql(f"bookkeeping_{part}"))
        warehouse.execute(TABLES)
        warehouse.execute("INSERT INTO loadstar.control VALUES (%s, %s, %s)", (PIPELINE, CONTROL_ID, EPOCH))


@dataclasses.dataclass(frozen=True)
class Rules:
    """True: as docs/protocol.md says."""
    register: bool = True  # OPEN; without it the ledger alone has to tell who is newer
    check_overlap: bool = True
    revoke: bool = True  # register above, end the session; without it the ledger is only read
    lock_whole_table: bool = True
    lock_related: bool = True  # facts their dimension shared, the dimension its facts: either would do, both are taken
    resolve_under_lock: bool = True


@dataclasses.dataclass(eq=False)
class Step:
    table: str
    slice: str
    scope: str
    first: int
    end: int
    state: str = "queued"
    verdict: str = ""  # revoking: its final state unless the ledger knows better
    owner: int = 0  # load_id of the claim that holds the lease; 0: nobody
    failures: int = 0
    refused: bool = False  # its staging never passes
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    run: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def final(self):
        return self.state in ("succeeded", "cancelled", "failed")

    @property
    def bounds(self):
        if self.scope == "table":
            return "-infinity", "infinity"
        return tuple(f"2024-01-{day:02d} 00:00:00+00" for day in (self.first, self.end))

    def conflicts(self, other):
        return self.table == other.table and (
            "table" in (self.scope, other.scope) or self.first < other.end and other.first < self.end)


def day_step(table, day):
    return Step(table, f"time:{day}-{day + 1}", "time", day, day + 1)


def month_step(table, month):
    first = FIRST_DAY + month * MONTH
    return Step(table, f"time:{first}-{first + MONTH}", "time", first, first + MONTH)


def whole_step(table):
    return Step(table, "table", "table", FIRST_DAY, FIRST_DAY + DAYS)


class Control:
    """The control database: claims, leases, states. Each method is one transaction."""

    def __init__(self, steps, attempts=2):
        self.steps, self.attempts = steps, attempts
        self._number = 0
        self._mutex = threading.Lock()

    def claim(self, step, heed_conflicts=True):
        """The step's next load_id, or None: it is not to be had."""
        with self._mutex:
            busy = heed_conflicts and any(
                s.state == "running" and s is not step and s.conflicts(step) for s in self.steps)
            if not (step.state == "queued" and not busy or step.state == "revoking" and not step.owner):
                return None
            if step.state == "queued":
                step.state = "running"
            self._number += 1
            step.owner = EPOCH * 2**40 + self._number
            return step.owner

    def _mine(self, step, load, state="running"):
        return step.owner == load and step.state == state

    def _fail(self, step):
        step.failures += 1
        step.owner = 0
        step.state, step.verdict = ("queued", "") if step.failures < self.attempts else ("revoking", "failed")

    def report(self, step, load, outcome):
        with self._mutex:
            if not self._mine(step, load):
                return
            if outcome == "failure":
                self._fail(step)
            else:  # a ghost that still owns its claim hands the step back
                step.state, step.owner = ("queued" if outcome == "ghost" else "succeeded"), 0

    def expire(self, step):
        with self._mutex:
            if step.state == "running":
                self._fail(step)
            elif step.state == "revoking":
                step.owner = 0

    def cancel(self, step):
        with self._mutex:
            if step.state in ("queued", "running"):
                step.state, step.verdict, step.owner = "revoking", "cancelled", 0

    def end_revocation(self, step, load, committed):
        with self._mutex:
            if self._mine(step, load, "revoking"):
                step.state, step.owner = ("succeeded" if committed else step.verdict), 0


class Session:
    """A warehouse session as the service has them."""

    def __init__(self, dsn, step, load):
        self.connection = psycopg.connect(
            dsn, autocommit=True, cursor_factory=psycopg.RawCursor, application_name=f"loadstar/{step.run}/{step.id}/{load}",
            options="-c lock_timeout=3s -c client_connection_check_interval=1s")

    def run(self, text, *params):
        cursor = self.connection.execute(text, params or None)
        return cursor.fetchall() if cursor.description else []

    def protocol(self, name, *params):
        return self.run(protocol_sql(name), *params)

    def close(self):
        with contextlib.suppress(psycopg.Error):
            self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Attempt:
    """One claim of a step: OPEN, STAGE, PUBLISH up to COMMIT, COMMIT; each may be called as late as one likes."""

    def __init__(self, dsn, step, load, rules=Rules()):
        self.dsn, self.step, self.load, self.rules = dsn, step, load, rules
        self.session = Session(dsn, step, load)
        self.registered = (None, None)
        self.version = None

    def open(self):
        if not self.rules.register:
            return True
        self.registered = (register(self.session, self.step, self.load) or [None])[0]
        return self.registered is not None

    def stage(self):
        """Every read of the source sees something new: values change, rows come and go."""
        (self.version,), = self.session.run("SELECT nextval('source_time')")
        if self.step.table == DIMENSION:
            select = f"SELECT robot, {self.version} AS value FROM generate_series(1, 5) AS robot"
        else:
            select = (f"SELECT day, item, {self.version} AS value FROM generate_series({self.step.first}, {self.step.end - 1})"
                      f" AS day, generate_series(1, 2 + (day + {self.version}) % 2) AS item")
        self.session.run(f"CREATE TEMP TABLE staged AS {select}")

    def prepare(self):
        """PUBLISH as far as COMMIT. 'ready', or it is rolled back: 'committed' (an earlier attempt did it) or 'ghost'."""
        self.session.run("BEGIN")
        self._lock()
        verdict = "committed" if self._in_ledger() else "ready" if self._may_publish() else "ghost"
        if verdict != "ready":
            self.session.run("ROLLBACK")
            return verdict
        self._write()
        step = self.step
        self.session.protocol("ledger_insert", step.id, step.run, PIPELINE, step.table, step.slice, step.scope, *step.bounds,
                              self.load, "spec", json.dumps({"version": self.version}), None, "2024-03-01", 0)
        return verdict

    def commit(self):
        self.session.run("COMMIT")

    def resolve(self):
        """Rule 11: was it committed, when the answer to COMMIT did not come?"""
        if not self.rules.resolve_under_lock:
            with Session(self.dsn, self.step, self.load) as fresh:
                return bool(fresh.protocol("ledger_find", self.step.id))
        return insist(self._resolve_once)

    def _resolve_once(self):
        with Session(self.dsn, self.step, self.load) as fresh:
            end_session(fresh, *self.registered)
            return read_under_lock(fresh, self.step)

    def _lock(self):
        if not self.rules.lock_whole_table:
            self.session.protocol("lock_exclusive", f"{self.step.table} {self.step.slice}")
            return
        locks = {self.step.table: "lock_exclusive"}
        if self.rules.lock_related:
            related = {fact: "lock_exclusive" for fact in FACTS} if self.step.table == DIMENSION else {DIMENSION: "lock_shared"}
            locks.update(related)
        for table in sorted(locks):
            self.session.protocol(locks[table], table)

    def _in_ledger(self):
        return bool(self.session.protocol("ledger_find", self.step.id))

    def _may_publish(self):
        step = self.step
        if not self.session.protocol("control_check", PIPELINE, CONTROL_ID, EPOCH):
            return False
        if not self.rules.register:
            (newer,), = self.session.run(
                "SELECT count(*) FROM loadstar.slice_ledger WHERE table_name = $1 AND load_id > $2"
                " AND slice_from < $4::timestamptz AND slice_to > $3::timestamptz", step.table, self.load, *step.bounds)
            return newer == 0
        if not self.session.protocol("fence_check", step.table, step.slice, self.load):
            return False
        if not self.rules.check_overlap:
            return True
        (newer,), = self.session.protocol("conflict_check", step.table, step.slice, self.load, step.scope, *step.bounds)
        return newer == 0

    def _write(self):
        if self.step.table == DIMENSION:
            self.session.run(f"DELETE FROM {DIMENSION}")
            self.session.run(f"INSERT INTO {DIMENSION} SELECT robot, value, $1::bigint FROM staged", self.load)
            for fact in FACTS:
                self.session.run(f"UPDATE {fact} SET dimension_load = $1::bigint", self.load)
            return
        table, same = self.step.table, "s.day = t.day AND s.item = t.item"
        self.session.run(f"DELETE FROM {table} t WHERE day >= $1 AND day < $2"
                         f" AND NOT EXISTS (SELECT FROM staged s WHERE {same})", self.step.first, self.step.end)
        at = f"coalesce((SELECT max(load_id) FROM {DIMENSION}), 0)"
        self.session.run(f"UPDATE {table} t SET value = s.value, dimension_load = {at}, load_id = $1::bigint FROM staged s"
                         f" WHERE {same} AND t.value IS DISTINCT FROM s.value", self.load)
        self.session.run(f"INSERT INTO {table} SELECT day, item, value, {at}, $1::bigint FROM staged s"
                         f" WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})", self.load)


def register(session, step, load):
    return session.protocol("slice_register", step.table, step.slice, step.scope, *step.bounds, load, step.id)


def end_session(session, pid, start):
    """Asks until it is gone: a signal that was sent has not been obeyed yet."""
    while pid is not None and session.protocol("session_end", pid, start) != [(0,)]:
        time.sleep(0.002)


def read_under_lock(session, step):
    session.run("BEGIN")
    session.protocol("lock_exclusive", step.table)
    found = bool(session.protocol("ledger_find", step.id))
    session.run("ROLLBACK")
    return found


def insist(action, times=200):
    """Whoever has to know goes on asking, whatever happens to its sessions."""
    for _ in range(times - 1):
        try:
            return action()
        except psycopg.Error:
            time.sleep(0.005)
    return action()


def revoke(dsn, step, load, rules=Rules()):
    """Rule 12. True: the ledger says that the step is committed; whatever it says is final."""
    def once():
        with Session(dsn, step, load) as session:
            if rules.revoke:
                for pid, start in session.run(SESSION_OF_STEP, step.table, step.slice, step.id):
                    end_session(session, pid, start)
                register(session, step, load)  # refused: somebody is above every claim of this step already
            return read_under_lock(session, step)

    return insist(once)
