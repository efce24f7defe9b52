"""What the measures share: services with the bench's pipelines, psql, floors, figures.

A figure is worth little without its floor: the least the same machine needs for the same effect, measured in the same
run, in turns with what it is compared with. Of several rounds the median counts.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from service import Service, wait_until  # noqa: E402,F401

FLAT = "SELECT {columns}\n  FROM procedures_flat\n WHERE start_time >= {begin} AND start_time < {end}"


class Figures:
    """The table: name, value, unit, the floor's value, and value / floor."""

    def __init__(self):
        self.items = []

    def add(self, name, unit, values, floors=None, note=""):
        """Values and floors of the same rounds: each ratio is taken within its round."""
        values = values if isinstance(values, list) else [values]
        floors = floors if isinstance(floors, list) or floors is None else [floors]
        ratio = statistics.median(v / f for v, f in zip(values, floors)) if floors else None
        item = {
            "name": name, "value": statistics.median(values), "unit": unit,
            "floor": statistics.median(floors) if floors else None, "ratio": ratio, "rounds": values, "note": note,
        }
        self.items.append(item)
        print(self.line(item), flush=True)

    def leave_out(self, name, why):
        """A figure that cannot be had here, said where it would stand."""
        self.items.append({"name": name, "value": None, "unit": "", "floor": None, "ratio": None, "rounds": [], "note": why})
        print(self.line(self.items[-1]), flush=True)

    @staticmethod
    def head():
        return f"{'measure':44} {'value':>11} {'unit':9} {'floor':>11} {'ratio':>7}  floor is"

    @staticmethod
    def line(item):
        def short(number):
            return "-" if number is None else f"{number:,.0f}" if abs(number) >= 1000 else f"{number:,.3g}"
        ratio = "-" if item["ratio"] is None else f"{item['ratio']:.2f}"
        return (f"{item['name']:44} {short(item['value']):>11} {item['unit']:9} {short(item['floor']):>11} {ratio:>7}"
                f"  {item['note']}")


def make_pipelines(folder):
    """The bench's own pipelines, and medrobotics whose fact comes from a flat table, a year a slice."""
    folder = pathlib.Path(folder)
    shutil.copytree(HERE / "pipelines", folder, dirs_exist_ok=True)
    wide = folder / "medrobotics"
    shutil.copytree(ROOT / "sql" / "pipelines" / "medrobotics", wide)
    spec = (wide / "pipeline.yaml").read_text()
    for old, new in (("slice: P1M", "slice: P1Y"), ("begin: -P25M", "begin: 2020-01-01")):
        assert old in spec, old
        spec = spec.replace(old, new)
    (wide / "pipeline.yaml").write_text(spec)
    (wide / "extract" / "whole.sql").write_text((wide / "extract" / "procedures.sql").read_text())
    (wide / "extract" / "procedures.sql").write_text(FLAT.format(columns="*", begin=":from", end=":to"))
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def psql(service, database, *commands):
    """argv of one psql session that runs the commands."""
    argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", f"{service.home}/socket", "-U", "loadstar",
            "-d", database]
    for command in commands:
        argv += ["-c", command]
    return argv


def pipe(producer, consumer, **options):
    """producer | consumer; both must end well."""
    env = {**os.environ, "PGOPTIONS": "-c work_mem=64MB -c client_min_messages=warning", **options}
    first = subprocess.Popen(producer, stdout=subprocess.PIPE, env=env)
    second = subprocess.run(consumer, stdin=first.stdout, stdout=subprocess.DEVNULL, env=env, check=False)
    first.stdout.close()
    assert first.wait() == 0 and second.returncode == 0


def timed(work, *arguments):
    since = time.monotonic()
    work(*arguments)
    return time.monotonic() - since


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, round(percent / 100 * (len(values) - 1)))]


def metric(service, name):
    """The sum of a metric over its labels."""
    text = service.session.get(service.url + "/metrics", timeout=30).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith((name + " ", name + "{")))


def wait_run(service, run_id, seconds=300):
    """Until the run is final, held by the service rather than asked for in a loop."""
    end, etag = time.monotonic() + seconds, None
    while time.monotonic() < end:
        answer = service.get(f"/v1/runs/{run_id}?wait=30s", headers={"If-None-Match": etag} if etag else {})
        if answer.status_code == 304:
            continue
        assert answer.status_code == 200, answer.text
        etag, run = answer.headers["ETag"], answer.json()
        if run["finished_at"] is not None:
            assert run["status"] == "succeeded", run
            return run
    raise AssertionError(f"run {run_id} does not end")
