#!/usr/bin/env python3
"""The benchmark suite: measures, each against its floor; a table, and build/bench.json.

usage: bench.py [--only start,load,files,poll,busy,idle,queue] [--rows N] [--rounds N] [--trace]
"""

import argparse
import importlib
import json
import os
import pathlib
import platform
import tempfile
import time

from rig import ROOT, Figures, Service, make_pipelines

ENOUGH_S = 210  # from then on one round of each load is enough
MEASURES = ("idle", "start", "queue", "poll", "busy", "load", "files")


def options():
    parser = argparse.ArgumentParser(description="Measures against floors.")
    parser.add_argument("--only", default=",".join(MEASURES), help="some of " + ",".join(MEASURES))
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the fact load")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the fact load and of the polls")
    parser.add_argument("--trace", action="store_true", help="show where the time of a load goes")
    return parser.parse_args()


def main():
    asked, figures, since = options(), Figures(), time.monotonic()
    asked.until = since + ENOUGH_S
    print(Figures.head(), flush=True)
    with tempfile.TemporaryDirectory(prefix="lsb-", dir="/tmp") as folder:
        pipelines = make_pipelines(pathlib.Path(folder) / "pipelines")
        files = pathlib.Path(folder) / "files"
        files.mkdir()
        with Service(procedures=2000, pipelines=pipelines,
                     env={"LOADSTAR_WORKERS": "2", "LOADSTAR_CONNECTION_BENCH_FILES": f"file://{files}"}) as service:
            service.files = files
            for name in [m for m in MEASURES if m in asked.only.split(",")]:
                importlib.import_module(f"measure_{name}").measure(service, figures, asked)
    report = {
        "machine": {"cores": os.cpu_count(), "system": platform.platform()},
        "seconds": round(time.monotonic() - since, 1), "figures": figures.items,
    }
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{report['seconds']:.0f} s; build/bench.json")


if __name__ == "__main__":
    main()
