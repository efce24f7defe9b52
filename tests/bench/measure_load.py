"""Rows a second of a fact load in one slice: into an empty fact, unchanged, and with 1 % of the rows changed.

Floor: the same query's binary COPY piped by psql into a temporary table, and then the statements somebody would write by hand, by
psql as well, into a table with the same columns and indexes: INSERT … SELECT with the lookups; for a repeat UPDATE and INSERT
of the difference. The floor keeps no ledger, checks nothing and finds no duplicates.
"""

import sys
import time

from rig import FLAT, pipe, psql, timed, wait_run

BEGIN, END = "2025-01-01", "2026-01-01"

MAKE_FLAT = """
CREATE TABLE procedures_flat AS
WITH seed AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY procedure_id) - 1 AS place FROM ({whole}) s)
SELECT {columns} FROM (
    SELECT s.*, 'PRC-' || lpad(n::text, 8, '0') AS new_id,
           timestamptz '2025-01-01Z' + (n * 31536000.0 / {rows}) * interval '1 second' AS new_start
      FROM generate_series(0, {rows} - 1) n JOIN seed s ON s.place = n %% (SELECT count(*) FROM seed)) rows;
"""


def make_source(service, rows):
    """Rows of the sample, repeated under new ids over one year."""
    text = (service.env["LOADSTAR_PIPELINES"] + "/medrobotics/extract/whole.sql")
    whole = open(text).read().replace(":from", "'-infinity'").replace(":to", "'infinity'")
    with service.connect("medrobotics_source") as db:
        names = [c.name for c in db.execute(f"SELECT * FROM ({whole}) s LIMIT 0").description]
        given = {"procedure_id": "new_id", "start_time": "new_start",
                 "end_time": "new_start + (end_time - start_time)"}
        columns = ", ".join(f"{given[n]} AS {n}" if n in given else n for n in names)
        db.execute(MAKE_FLAT.format(whole=whole, columns=columns, rows=rows).replace("%%", "%"))
        db.execute("CREATE INDEX ON procedures_flat (start_time)")
        db.execute("VACUUM (ANALYZE) procedures_flat")
    return names


class Floor:
    """The load by hand."""

    def __init__(self, service, names):
        self.service = service
        self.names = names
        self.lookups = ""
        self.keys = []
        service.sql("warehouse", "CREATE TABLE public.bench_floor (LIKE fact_procedures INCLUDING ALL)")
        for place, (dimension, key) in enumerate((("surgeon", "surgeon_id"), ("robot", "robot_id"), ("facility", "facility_id"))):
            table = "dim_facilities" if dimension == "facility" else f"dim_{dimension}s"
            self.keys.append(f"coalesce(d{place}.{dimension}_key, -1)")
            self.lookups += (f" LEFT JOIN {table} d{place} ON d{place}.{key} = s.{key}"
                             f" AND s.start_time >= d{place}.effective_from AND s.start_time < d{place}.effective_to")
        self.key_names = ["surgeon_key", "robot_key", "facility_key"]

    def stage(self, *then):
        columns = ", ".join(self.names)
        query = FLAT.format(columns=columns, begin=f"'{BEGIN}Z'", end=f"'{END}Z'")
        pipe(psql(self.service, "medrobotics_source", f"COPY ({query}) TO STDOUT (FORMAT binary)"),
             psql(self.service, "warehouse",
                  f"CREATE TEMP TABLE stage AS SELECT {columns} FROM fact_procedures LIMIT 0",
                  "COPY stage FROM STDIN (FORMAT binary)", *then))

    def insert(self, rows, where=""):
        target = ", ".join([*self.names, *self.key_names])
        return f"INSERT INTO public.bench_floor ({target}, load_id, loaded_at) SELECT {target}, 1, now() FROM {rows} r {where}"

    def resolved(self):
        listed = ", ".join([f"s.{n}" for n in self.names] + [f"{v} AS {n}" for v, n in zip(self.keys, self.key_names)])
        return f"SELECT {listed} FROM stage s{self.lookups}"

    def fill(self):
        self.stage(self.insert(f"({self.resolved()})"))

    def repeat(self):
        values = [n for n in self.names if n != "procedure_id"] + self.key_names
        sets = ", ".join(f"{n} = r.{n}" for n in values)
        ours, theirs = (", ".join(f"{a}.{n}" for n in values) for a in "tr")
        self.stage(
            f"CREATE TEMP TABLE resolved AS {self.resolved()}", "ANALYZE resolved",
            f"UPDATE public.bench_floor t SET {sets}, load_id = 2, loaded_at = now() FROM resolved r"
            f" WHERE t.procedure_id = r.procedure_id AND ({ours}) IS DISTINCT FROM ({theirs})",
            self.insert("resolved", "WHERE NOT EXISTS (SELECT FROM public.bench_floor t WHERE t.procedure_id = r.procedure_id)"))


def load(service):
    """Seconds of the fact step's attempt."""
    run = service.submit("range", **{"from": BEGIN, "to": END, "tables": ["fact_procedures"]})
    wait_run(service, run)
    (step,) = [s for s in service.steps(run) if s["kind"] == "fact"]
    (seconds,) = service.sql(
        "loadstar", "SELECT extract(epoch FROM finished_at - started_at)::float FROM control.attempt WHERE step_id = %s",
        step["id"])[0]
    return seconds, step["rows"], run


def trace(service, run):
    """Where the time of a load went, for --trace."""
    for line in service.logs(run):
        fields = line["fields"] or {}
        if line["message"] in ("extracted", "staged", "published"):
            print(f"    {line['message']:10} {fields.get('ms'):>6} ms", file=sys.stderr)
            for item in fields.get("statements", []):
                print(f"      {item['ms']:>6} ms {item['rows']:>9}  {item['statement']}", file=sys.stderr)


def settle(service):
    """What one load left dirty is not the next one's work."""
    service.sql("warehouse", "CHECKPOINT")


def in_turns(service, options, rounds, before, floor):
    ours, theirs, counts = [], [], None
    for number in range(rounds):
        if number > 0 and time.monotonic() > options.until:
            break
        before()
        settle(service)
        if number % 2 == 0:
            theirs.append(timed(floor))
            settle(service)
        seconds, counts, run = load(service)
        ours.append(seconds)
        if number % 2 == 1:
            settle(service)
            theirs.append(timed(floor))
        if options.trace:
            trace(service, run)
            print(f"    ours {ours[-1]:.2f} s, floor {theirs[-1]:.2f} s", file=sys.stderr)
    return ours, theirs, counts


def measure(service, figures, options):
    rows = options.rows
    names = make_source(service, rows)
    wait_run(service, service.submit("dimensions"))
    wait_run(service, service.submit("range", **{"from": "2024-01-01", "to": BEGIN, "tables": ["fact_procedures"]}))
    floor = Floor(service, names)

    def empty():
        service.sql("warehouse", "TRUNCATE fact_procedures, public.bench_floor")

    def change():
        service.sql("medrobotics_source", "UPDATE procedures_flat SET blood_loss_ml = coalesce(blood_loss_ml, 0) + 1,"
                    " updated_at = updated_at + interval '1 second' WHERE right(procedure_id, 2) = '07'")

    for name, before, by_hand, rounds, key, count in (
            ("fact load into an empty fact", empty, floor.fill, options.rounds, "inserted", rows),
            ("fact load, unchanged", lambda: None, floor.repeat, max(1, options.rounds - 1), "unchanged", rows),
            ("fact load, 1 % changed", change, floor.repeat, max(1, options.rounds - 1), "updated", rows // 100)):
        ours, theirs, counts = in_turns(service, options, rounds, before, by_hand)
        assert counts[key] == count, counts
        figures.add(name, "rows/s", [rows / s for s in ours], [rows / s for s in theirs],
                    "COPY | INSERT by psql" if before is empty else "COPY | UPDATE, INSERT by psql")
