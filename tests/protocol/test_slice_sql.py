"""The slice protocol on a real PostgreSQL: many workers under chaos, and one scripted interleaving for each rule.

The chaos tests print their seed; the threads' timing is the server's, so a seed repeats the plan, not the exact order.
"""
import collections
import random
import threading
import time

import psycopg
import pytest
import slice_rules
from slice_rules import DIMENSION, FACTS, Attempt, Control, Rules, day_step, month_step, revoke, whole_step

SEEDS = (1, 2, 3, 4, 5)
STEPS = 160
WORKERS = 10
ENOUGH_ATTEMPTS = 60  # of a step that is only ever disturbed
REFUSED_ATTEMPTS = 3
SECONDS = 60  # until a chaos run counts as stuck

COMMIT_GATE = 77  # advisory lock that a COMMIT is made to wait for

BREACHES = {
    "a row is there twice": """
        SELECT '{fact}', day, item FROM {fact} GROUP BY day, item HAVING count(*) > 1""",
    "a cell does not belong to the newest committed load that covers it": """
        SELECT '{fact}', day FROM generate_series({first}, {last}) AS day
         CROSS JOIN LATERAL (SELECT max(load_id) AS newest FROM loadstar.slice_ledger WHERE table_name = '{fact}'
           AND slice_from <= '2024-01-01Z'::timestamptz + (day - 1) * interval '1 day'
           AND slice_to > '2024-01-01Z'::timestamptz + (day - 1) * interval '1 day') owner
         WHERE newest IS NOT NULL AND (SELECT array_agg(DISTINCT load_id) FROM {fact} f WHERE f.day = day.day)
               IS DISTINCT FROM ARRAY[newest]""",
    "a fact was resolved with an older load of the dimension": """
        SELECT '{fact}', day FROM {fact}
         WHERE dimension_load <> coalesce((SELECT max(load_id) FROM {dimension}), 0)""",
    "the dimension is not that of its newest load": """
        SELECT robot, load_id FROM {dimension}
         WHERE load_id <> (SELECT max(load_id) FROM loadstar.slice_ledger WHERE table_name = '{dimension}')""",
    "overlapping loads were committed against their order": """
        SELECT a.load_id, b.load_id FROM loadstar.slice_ledger a JOIN loadstar.slice_ledger b
            ON a.table_name = b.table_name AND a.slice_from < b.slice_to AND b.slice_from < a.slice_to
         WHERE a.load_id < b.load_id AND a.committed_at > b.committed_at""",
    "an older extraction was loaded over a newer one": """
        SELECT a.load_id, b.load_id FROM loadstar.slice_ledger a JOIN loadstar.slice_ledger b
            ON a.table_name = b.table_name AND a.slice_from < b.slice_to AND b.slice_from < a.slice_to
         WHERE a.committed_at < b.committed_at AND (a.result->>'version')::bigint > (b.result->>'version')::bigint""",
}


def breaches(dsn, control):
    """What is wrong with the warehouse and with what the control database believes of it."""
    found = []
    with psycopg.connect(dsn, autocommit=True) as warehouse:
        for name, text in BREACHES.items():
            queries = {text.format(fact=fact, dimension=DIMENSION, first=slice_rules.FIRST_DAY, last=slice_rules.DAYS)
                       for fact in FACTS}
            found += [(name, row) for query in queries for row in warehouse.execute(query)]
        loaded = {str(step_id) for step_id, in warehouse.execute("SELECT step_id FROM loadstar.slice_ledger")}
    for step in control.steps:
        if step.state in ("cancelled", "failed") and step.id in loaded:
            found.append((f"a {step.state} step was committed", step.slice))
        if step.state == "succeeded" and step.id not in loaded:
            found.append(("a succeeded step is not in the ledger", step.slice))
    return found


# ---- chaos


class Chaos:
    """Workers, and everything that may happen to them, on one plan of steps."""

    def __init__(self, dsn, seed):
        self.dsn, self.random = dsn, random.Random(seed)
        steps = [self._step() for _ in range(STEPS)]
        self.control = Control(steps, attempts=ENOUGH_ATTEMPTS)
        self.happened, self.states = collections.Counter(), collections.Counter()  # events; SQLSTATEs
        self.surprises = []
        self.deadline = time.monotonic() + SECONDS

    def _step(self):
        kind = self.random.random()
        if kind < 0.05:
            return whole_step(DIMENSION)
        table = self.random.choice(FACTS)
        step = (whole_step(table) if kind < 0.1 else month_step(table, self.random.randrange(2)) if kind < 0.35
                else day_step(table, self.random.randint(slice_rules.FIRST_DAY, slice_rules.DAYS)))
        step.refused = self.random.random() < 0.04
        return step

    def over(self):
        return all(step.final for step in self.control.steps) or time.monotonic() > self.deadline

    def run(self):
        threads = [threading.Thread(target=self._guard, args=(self._worker, random.Random(self.random.random())))
                   for _ in range(WORKERS)]
        threads.append(threading.Thread(target=self._guard, args=(self._monkey, random.Random(self.random.random()))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guard(self, body, dice):
        try:
            body(dice)
        except Exception as surprise:  # a thread's exception would be lost
            self.surprises.append(surprise)

    def _note(self, error):
        self.states[error.sqlstate or "connection"] += 1

    def _worker(self, dice):
        while not self.over():
            waiting = [step for step in self.control.steps if not step.final]
            dice.shuffle(waiting)
            for step in waiting:
                load = self.control.claim(step, heed_conflicts=dice.random() < 0.9)
                if load:
                    (self._end if step.state == "revoking" else self._load)(step, load, dice)
                    break
            else:
                time.sleep(0.005)

    def _end(self, step, load, dice):
        committed = revoke(self.dsn, step, load)
        self.happened["revoked, found committed" if committed else "revoked"] += 1
        _stall(dice)
        self.control.end_revocation(step, load, committed)

    def _load(self, step, load, dice):
        try:
            attempt = Attempt(self.dsn, step, load)
        except psycopg.Error as error:
            self._note(error)
            self.control.report(step, load, "failure")
            return
        outcome = self._attempt(attempt, dice)
        attempt.session.close()
        self.happened[outcome] += 1
        _stall(dice)
        self.control.report(step, load, outcome)

    def _attempt(self, attempt, dice):
        try:
            if not attempt.open():
                return "ghost"
            _stall(dice)
            attempt.stage()
            if attempt.step.refused:
                if attempt.step.failures + 1 >= REFUSED_ATTEMPTS:
                    attempt.step.failures = ENOUGH_ATTEMPTS
                return "failure"
            _stall(dice)
            verdict = attempt.prepare()
            if verdict != "ready":
                self.happened["already committed"] += verdict == "committed"
                return "success" if verdict == "committed" else "ghost"
            _stall(dice)
        except psycopg.Error as error:
            self._note(error)
            return "failure"
        return "success" if self._commit(attempt, dice) else "failure"

    def _commit(self, attempt, dice):
        """COMMIT, with an answer or without. Whether it was committed is known in the end."""
        lost = dice.choice(("", "", "after", "before"))
        late = None
        try:
            if lost == "before":  # the COMMIT is still on its way while the worker has given up on its answer
                late = threading.Thread(target=self._commit_late, args=(attempt, dice.uniform(0, 0.02)))
                late.start()
                time.sleep(dice.uniform(0, 0.02))
            else:
                attempt.commit()
            if not lost:
                return True
        except psycopg.Error as error:
            self._note(error)
        committed = attempt.resolve()
        if late:
            late.join()
        self.happened[f"answer lost, {'committed' if committed else 'not committed'}"] += 1
        return committed

    def _commit_late(self, attempt, seconds):
        time.sleep(seconds)
        try:
            attempt.commit()
        except psycopg.Error as error:
            self._note(error)

    def _monkey(self, dice):
        """Ends sessions, lets leases expire, cancels."""
        with psycopg.connect(self.dsn, autocommit=True) as server:
            while not self.over():
                time.sleep(0.01)
                held = [step for step in self.control.steps if step.owner]
                if dice.random() < 0.15:
                    ended = server.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND starts_with(application_name, 'loadstar/') ORDER BY random() LIMIT 1").fetchall()
                    self.happened["session ended"] += len(ended)
                if held and dice.random() < 0.15:
                    self.control.expire(dice.choice(held))
                    self.happened["lease expired"] += 1
                if dice.random() < 0.08:
                    self.control.cancel(dice.choice(self.control.steps))


def _stall(dice):
    time.sleep(dice.choice((0, 0, 0, 0.005, 0.02, 0.06)))


@pytest.mark.parametrize("seed", SEEDS)
def test_chaos_breaks_nothing(server, dsn, seed):
    with psycopg.connect(dsn, autocommit=True) as warehouse:  # a stall can outlast its transaction
        warehouse.execute(f"ALTER DATABASE {warehouse.info.dbname} SET idle_in_transaction_session_timeout = '50ms'")
    chaos = Chaos(dsn, seed)
    chaos.run()
    outcomes = collections.Counter(step.state for step in chaos.control.steps)
    print(f"seed {seed}: {dict(outcomes)} {dict(chaos.happened)} {dict(chaos.states)}")

    assert not chaos.surprises
    assert all(step.final for step in chaos.control.steps), "stuck"
    assert breaches(dsn, chaos.control) == []
    assert {step.state for step in chaos.control.steps if not step.refused and step.verdict != "cancelled"} == {"succeeded"}
    assert not chaos.states["40P01"] and "deadlock detected" not in (server / "log").read_text()
    assert not chaos.states["23505"], "a step was about to be committed twice"
    missed = [event for event in ("ghost", "revoked", "session ended", "lease expired", "already committed",
                                  "answer lost, committed", "answer lost, not committed") if not chaos.happened[event]]
    assert not missed, "the chaos was too tame"


# ---- one interleaving for each rule


def publish(control, attempt):
    """PUBLISH without trouble; a session that was ended in the meantime is a failed attempt."""
    try:
        outcome = attempt.prepare()
        if outcome == "ready":
            attempt.commit()
    except psycopg.OperationalError:
        outcome = "failure"
    control.report(attempt.step, attempt.load, "success" if outcome in ("ready", "committed") else outcome)
    return outcome


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def waits_for_lock(dsn, pid):
    with psycopg.connect(dsn, autocommit=True) as server:
        return bool(server.execute(
            "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", (pid,)).fetchall())


def pair(dsn, rules):
    """A month and one of its days, both claimed; the day has the higher number."""
    month, day = month_step(FACTS[0], 0), day_step(FACTS[0], 3)
    control = Control([month, day], attempts=1)
    attempts = [Attempt(dsn, step, control.claim(step, heed_conflicts=False), rules) for step in (month, day)]
    return control, *attempts


def the_newer_extracts_first(dsn, rules):
    control, month, day = pair(dsn, rules)
    month.open()
    day.open()
    day.stage()
    month.stage()
    publish(control, month)
    publish(control, day)
    return control


def a_worker_wakes_up_cancelled(dsn, rules):
    step = day_step(FACTS[0], 3)
    control = Control([step])
    sleeper = Attempt(dsn, step, control.claim(step), rules)
    sleeper.open()
    sleeper.stage()
    control.cancel(step)
    load = control.claim(step)
    control.end_revocation(step, load, revoke(dsn, step, load, rules))
    publish(control, sleeper)
    return control


def publish_at_once(dsn, control, first, second):
    """The second starts to publish before the first commits; it may wait, or be through first."""
    first.open()
    first.stage()
    assert first.prepare() == "ready"
    second.open()
    second.stage()
    other = threading.Thread(target=publish, args=(control, second))
    other.start()
    until(lambda: waits_for_lock(dsn, second.session.connection.info.backend_pid) or not other.is_alive())
    first.commit()
    control.report(first.step, first.load, "success")
    other.join()
    return control


def a_month_and_a_day_publish_at_once(dsn, rules):
    return publish_at_once(dsn, *pair(dsn, rules))


def a_fact_and_its_dimension_publish_at_once(dsn, rules):
    fact, dimension = day_step(FACTS[0], 3), whole_step(DIMENSION)
    control = Control([fact, dimension])
    return publish_at_once(dsn, control, *(Attempt(dsn, step, control.claim(step), rules) for step in (fact, dimension)))


def a_commit_is_on_its_way(dsn, rules):
    """COMMIT takes its time: a deferred trigger waits. Its answer is given up meanwhile, and it was the last attempt."""
    step = day_step(FACTS[0], 3)
    control = Control([step], attempts=1)
    slow = Attempt(dsn, step, control.claim(step), rules)
    with psycopg.connect(dsn, autocommit=True) as gate:
        gate.execute(f"""
            CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN PERFORM pg_advisory_xact_lock({COMMIT_GATE}); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON loadstar.slice_ledger DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
            SELECT pg_advisory_lock({COMMIT_GATE})""")
        slow.open()
        slow.stage()
        assert slow.prepare() == "ready"
        pid = slow.session.connection.info.backend_pid
        commit = threading.Thread(target=_commit_unheard, args=(slow,))
        commit.start()
        until(lambda: waits_for_lock(dsn, pid))
        if slow.resolve():
            control.report(step, slow.load, "success")
        elif rules.resolve_under_lock:
            control.report(step, slow.load, "failure")
            load = control.claim(step)
            control.end_revocation(step, load, revoke(dsn, step, load))
        else:
            step.state = "failed"  # the ledger was asked, was it not?
    commit.join()
    return control


def _commit_unheard(attempt):
    try:
        attempt.commit()
    except psycopg.OperationalError:
        pass


@pytest.mark.parametrize("history, broken, breach", [
    (the_newer_extracts_first, {"register": False}, "an older extraction was loaded over a newer one"),
    (the_newer_extracts_first, {"check_overlap": False}, "an older extraction was loaded over a newer one"),
    (a_worker_wakes_up_cancelled, {"revoke": False}, "a cancelled step was committed"),
    (a_month_and_a_day_publish_at_once, {"lock_whole_table": False}, "a row is there twice"),
    (a_fact_and_its_dimension_publish_at_once, {"lock_related": False},
     "a fact was resolved with an older load of the dimension"),
    (a_commit_is_on_its_way, {"resolve_under_lock": False}, "a failed step was committed"),
], ids=lambda value: "no " + "".join(value) if isinstance(value, dict) else getattr(value, "__name__", ""))
@pytest.mark.parametrize("mutated", [False, True], ids=["with", "without"])
def test_each_rule_is_needed(dsn, history, broken, breach, mutated):
    control = history(dsn, Rules(**(broken if mutated else {})))
    found = {name for name, _ in breaches(dsn, control)}
    assert (breach in found) if mutated else not found


def test_a_revocation_spares_others_with_the_same_slice(dsn):
    cancelled, other = day_step(FACTS[0], 3), day_step(FACTS[0], 3)
    control = Control([cancelled, other])
    old = Attempt(dsn, cancelled, control.claim(cancelled))
    old.open()
    control.cancel(cancelled)
    innocent = Attempt(dsn, other, control.claim(other))
    innocent.open()
    innocent.stage()
    load = control.claim(cancelled)
    control.end_revocation(cancelled, load, revoke(dsn, cancelled, load))

    assert publish(control, innocent) == "ghost", "its registration was replaced, its session lives"
    assert (other.state, other.failures) == ("queued", 0), "handed back at no cost"
    again = Attempt(dsn, other, control.claim(other))
    again.open()
    again.stage()
    assert publish(control, again) == "ready"
    assert breaches(dsn, control) == []


def test_a_retry_finds_what_was_committed(dsn):
    step = day_step(FACTS[0], 3)
    control = Control([step])
    first = Attempt(dsn, step, control.claim(step))
    first.open()
    first.stage()
    assert first.prepare() == "ready"
    first.commit()
    control.expire(step)  # before anybody was told

    second = Attempt(dsn, step, control.claim(step))
    second.open()
    second.stage()
    assert publish(control, second) == "committed"
    with psycopg.connect(dsn) as warehouse:
        assert warehouse.execute(f"SELECT DISTINCT load_id FROM {FACTS[0]}").fetchall() == [(first.load,)]


def test_an_adopted_pipeline_is_out_of_reach(dsn):
    step = day_step(FACTS[0], 3)
    control = Control([step])
    stale = Attempt(dsn, step, control.claim(step))
    stale.open()
    stale.stage()
    with psycopg.connect(dsn, autocommit=True) as adopter:
        adopter.execute("UPDATE loadstar.control SET control_id = 'control-2', epoch = epoch + 1")
    assert publish(control, stale) == "ghost"
    assert breaches(dsn, control) == []
