"""kill -9 and SIGSTOP at random moments: the run finishes by itself, and the tables equal those of a clean run."""

import os
import random
import signal
import time

import pytest

import warehouse
from service import FINAL, Service, wait_until

TIMES = int(os.environ.get("LOADSTAR_KILLS", "50"))
PROCEDURES = 2000


def reset(service):
    """Back to an empty warehouse and control database, the source as it is."""
    for database in ("loadstar", "warehouse"):
        with service.connect("postgres", "postgres") as db:
            db.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@pytest.mark.timeout(1800)
def test_runs_survive_kill_9_and_sigstop():
    seed = int(os.environ.get("LOADSTAR_SEED", time.time_ns() % 1_000_000))
    print(f"LOADSTAR_SEED={seed}")
    rnd = random.Random(seed)
    service = Service(procedures=PROCEDURES, env={"LOADSTAR_LEASE": "1s", "LOADSTAR_DRAIN": "1s"})
    try:
        service.start()
        began = time.monotonic()
        service.load("full")
        clean_seconds = time.monotonic() - began
        clean = warehouse.all_hashes(service)
        assert clean["fact_procedures"][0] == PROCEDURES
        deaths = stops = 0
        for turn in range(TIMES):
            reset_while_down(service)
            run_id = service.submit("full")
            for _ in range(rnd.randint(1, 2)):
                time.sleep(rnd.uniform(0, clean_seconds))
                if rnd.random() < 0.75:
                    service.kill9()
                    service.start()
                    deaths += 1
                else:
                    service.signal(signal.SIGSTOP)
                    time.sleep(rnd.uniform(1.2, 1.8))
                    service.signal(signal.SIGCONT)
                    stops += 1
            run = service.wait(run_id)
            assert run["status"] == "succeeded", (turn, run, service.log_tail())
            assert warehouse.all_hashes(service) == clean, (turn, seed)
            warehouse.check_invariants(service)
        print(f"{TIMES} turns, {deaths} kill -9, {stops} SIGSTOP; a clean run takes {clean_seconds:.1f} s")
    finally:
        service.close()


def reset_while_down(service):
    """The databases are dropped while nobody uses them; the next start makes them again."""
    service.kill9()
    reset(service)
    service.start()
