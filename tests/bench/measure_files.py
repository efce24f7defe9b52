"""Rows a second of NDJSON files into an empty fact, and again unchanged.

Floor: the same rows, ready in a table, by psql: binary COPY into a temporary table, then INSERT … SELECT into a table with the same columns
and indexes; for the repeat, a comparison of all rows. The floor parses nothing, keeps no ledger, finds no duplicates.
"""

import time

from rig import pipe, psql, timed, wait_run

FILES = 4
COLUMNS = "id, robot_id, at, value, note"
READY = """
CREATE TABLE points_ready AS
SELECT n::bigint AS id, 'r' || n % 97 AS robot_id, timestamptz '2024-01-01Z' + n * interval '1 second' AS at,
       (n % 100000 / 1000.0)::numeric(12,3) AS value, 'note ' || n AS note
  FROM generate_series(1, {rows}) n
"""


def write_files(service, folder, rows):
    (folder / "points").mkdir(parents=True)
    for part in range(FILES):
        with service.connect("warehouse") as db, open(folder / f"points/{part}.json", "wb") as file:
            with db.cursor().copy(f"COPY (SELECT row_to_json(r) FROM (SELECT {COLUMNS} FROM points_ready WHERE id % {FILES} = {part}) r)"
                                  " TO STDOUT") as copy:
                for block in copy:
                    file.write(block)


def load(service):
    run = service.submit("facts", pipeline="points", mode="all")
    wait_run(service, run)
    (step,) = [s for s in service.steps(run) if s["kind"] == "fact"]
    (seconds,) = service.sql(
        "loadstar", "SELECT extract(epoch FROM finished_at - started_at)::float FROM control.attempt WHERE step_id = %s",
        step["id"])[0]
    return seconds, step["rows"]


class Floor:
    def __init__(self, service):
        self.service = service
        service.sql("warehouse", "CREATE TABLE public.bench_points (LIKE fact_point INCLUDING ALL)")

    def stage(self, then):
        pipe(psql(self.service, "warehouse", f"COPY (SELECT {COLUMNS} FROM points_ready) TO STDOUT (FORMAT binary)"),
             psql(self.service, "warehouse", f"CREATE TEMP TABLE stage AS SELECT {COLUMNS} FROM points_ready LIMIT 0",
                  "COPY stage FROM STDIN (FORMAT binary)", then))

    def fill(self):
        self.stage(f"INSERT INTO public.bench_points ({COLUMNS}, file_id, load_id, loaded_at)"
                   f" SELECT {COLUMNS}, 1, 1, now() FROM stage")

    def repeat(self):
        self.stage("UPDATE public.bench_points t SET note = s.note FROM stage s WHERE t.id = s.id"
                   " AND (t.robot_id, t.at, t.value, t.note) IS DISTINCT FROM (s.robot_id, s.at, s.value, s.note)")


def measure(service, figures, options):
    rows = options.rows
    service.sql("warehouse", READY.format(rows=rows))
    write_files(service, service.files, rows)
    load(service)  # makes the table
    floor = Floor(service)
    for name, by_hand, key, note in (
            ("files into an empty fact, NDJSON", floor.fill, "inserted", "COPY | INSERT by psql"),
            ("files into a fact, unchanged", floor.repeat, "unchanged", "COPY | UPDATE by psql")):
        ours, theirs = [], []
        for number in range(max(1, options.rounds - (key == "unchanged"))):
            if number > 0 and time.monotonic() > options.until:
                break
            if key == "inserted":
                service.sql("warehouse", "TRUNCATE fact_point, public.bench_points")
            service.sql("warehouse", "CHECKPOINT")
            theirs.append(timed(by_hand))
            service.sql("warehouse", "CHECKPOINT")
            seconds, counts = load(service)
            assert counts[key] == rows, counts
            ours.append(seconds)
        figures.add(name, "rows/s", [rows / s for s in ours], [rows / s for s in theirs], note)
    service.sql("warehouse", "DROP TABLE points_ready, public.bench_points; TRUNCATE fact_point")
