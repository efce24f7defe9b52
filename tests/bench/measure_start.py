"""From a run's acceptance to its first step running, and to its end: one slice of one row, one run after the other.

Floor: two INSERT … COMMIT on the same cluster, in turns with the runs. Accepting a run and claiming its first step are two
transactions that must be on disk.
"""

import time

from rig import percentile, wait_run

RUNS = 220

TIMES = """
SELECT extract(epoch FROM a.started_at - r.created_at)::float * 1000,
       extract(epoch FROM r.finished_at - r.created_at)::float * 1000
  FROM control.run r JOIN control.step s ON s.run_id = r.id AND s.kind = 'plan'
  JOIN control.attempt a ON a.step_id = s.id AND a.n = 1
 WHERE r.id = ANY (%s::uuid[])
"""


def floor_once(db, number):
    since = time.monotonic()
    db.execute("INSERT INTO bench_floor.pair VALUES (%s, 'a run')", (2 * number,))
    db.execute("INSERT INTO bench_floor.pair VALUES (%s, 'a step')", (2 * number + 1,))
    return (time.monotonic() - since) * 1000


def measure(service, figures, _options):
    day = {"from": "2020-03-01", "to": "2020-03-02"}
    wait_run(service, service.submit("range", pipeline="tiny", **day))
    runs, floors, seen = [], [], []
    with service.connect("loadstar") as db:
        db.execute("CREATE SCHEMA bench_floor")
        db.execute("CREATE TABLE bench_floor.pair (id bigint PRIMARY KEY, what text)")
        for number in range(RUNS):
            floors.append(floor_once(db, number))
            since = time.monotonic()
            runs.append(service.submit("range", pipeline="tiny", **day))
            wait_run(service, runs[-1])
            seen.append((time.monotonic() - since) * 1000)
        rows = db.execute(TIMES, (runs,)).fetchall()
        db.execute("DROP SCHEMA bench_floor CASCADE")
    assert len(rows) == RUNS
    starts, ends = [r[0] for r in rows], [r[1] for r in rows]
    note = "two INSERT … COMMIT"
    for percent in (50, 99):
        floor = percentile(floors, percent)
        figures.add(f"accepted to first step, p{percent}", "ms", percentile(starts, percent), floor, note)
        figures.add(f"accepted to run's end (3 steps), p{percent}", "ms", percentile(ends, percent), floor, note)
        figures.add(f"POST to the end seen by a client, p{percent}", "ms", percentile(seen, percent), floor, note)
