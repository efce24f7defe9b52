"""The queue by itself (claims and ends a second), and steps a second end to end with slices of one row.

Floors: a table with a state and SKIP LOCKED; and INSERT … COMMIT by as many sessions as there are workers.
"""

import subprocess
import threading
import time

from rig import ROOT, wait_run

STEPS = 400
DAYS = 300

TIMES = """
SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::float
  FROM control.step WHERE run_id = %s AND kind = 'fact'
"""


def queue_alone(figures, rounds):
    text = subprocess.run([ROOT / "build/tests/bench/queue_claims", str(STEPS), str(rounds)], stderr=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    columns = list(zip(*[[float(x) for x in line.split()] for line in text.splitlines()]))
    figures.add("claims of steps, 8 at a time", "1/s", list(columns[0]), list(columns[1]), "SKIP LOCKED on a bare table")
    figures.add("ends of steps", "1/s", list(columns[2]), list(columns[3]), "UPDATE by key")


def commits(service, seconds, counts, place):
    with service.connect("warehouse") as db:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            db.execute("INSERT INTO bench_commits VALUES (%s)", (place,))
            counts[place] += 1


def floor_commits(service, sessions, seconds=2):
    service.sql("warehouse", "DROP TABLE IF EXISTS bench_commits")
    service.sql("warehouse", "CREATE TABLE bench_commits (id bigint)")
    counts = [0] * sessions
    threads = [threading.Thread(target=commits, args=(service, seconds, counts, n)) for n in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    service.sql("warehouse", "DROP TABLE bench_commits")
    return sum(counts) / seconds


def measure(service, figures, options):
    queue_alone(figures, options.rounds)
    workers = 2
    ours, theirs = [], []
    for number in range(options.rounds):
        theirs.append(floor_commits(service, workers))
        year = 2021 + number % 2
        run = service.submit("range", pipeline="tiny", **{"from": f"{year}-01-01", "to": f"{year}-10-28"})
        wait_run(service, run)
        count, seconds = service.sql("loadstar", TIMES, run)[0]
        assert count == DAYS, count
        ours.append(count / seconds)
    figures.add(f"slices of one row, {workers} workers", "1/s", ours, theirs, "INSERT … COMMIT, 2 sessions")
