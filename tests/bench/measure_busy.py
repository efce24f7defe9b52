"""How long a poll takes while eight runs write their progress and their logs.

64 clients poll the eight runs in turns, each about every 20 ms. The floor is asked in the same way, in turns with the service,
by the same client, beside the same eight runs: what a bare libmicrohttpd program needs on a machine so busy.
"""

import re
import subprocess
import tempfile

from floor import FloorServer
from rig import Service

RUNS, DAYS, SECONDS = 8, 270, 3
PERCENTILES = ("50", "99", "99.9")
SCRIPT = """
local paths, n = {{ {paths} }}, 0
function delay() return math.random(10, 30) end
function request()
    n = n % #paths + 1
    return wrk.format("GET", paths[n])
end
function done(summary, latency)
    for _, p in ipairs({{ {percentiles} }}) do print("p" .. p, latency:percentile(p) / 1000) end
end
"""


def latencies(url, token, paths):
    """Milliseconds at the percentiles, and polls a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(paths=", ".join(f'"{p}"' for p in paths), percentiles=", ".join(PERCENTILES)))
        script.flush()
        text = subprocess.run(["wrk", "-c64", "-t1", f"-d{SECONDS}s", "-s", script.name, "-H", f"Authorization: Bearer {token}", url],
                              capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    found = dict(re.findall(r"^p([\d.]+)\s+([\d.e-]+)$", text, re.M))
    return [float(found[p]) for p in PERCENTILES], float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def eight_workers(service):
    """A replica that executes a step of each run at once."""
    url = f"postgresql://loadstar@/{{}}?host={service.home}/socket"
    names = ("warehouse", "tiny_source", "medrobotics_source")
    return Service(pipelines=service.env["LOADSTAR_PIPELINES"], env={
        "LOADSTAR_DATABASE_URL": url.format("loadstar"), "LOADSTAR_WORKERS": str(RUNS),
        "LOADSTAR_JWT_SECRET": "a secret of the benchmarks, 38 bytes long",
        "LOADSTAR_CONNECTION_BENCH_FILES": service.env["LOADSTAR_CONNECTION_BENCH_FILES"],
        **{f"LOADSTAR_CONNECTION_{name.upper()}": url.format(name) for name in names}})


def submit(service):
    starts = [f"{2020 + n // 2}-{'01' if n % 2 == 0 else '07'}-01" for n in range(RUNS + 1)]
    return [service.submit("range", pipeline="tiny", mode="all", max_parallel=1, **{"from": begin, "to": end})
            for begin, end in zip(starts, starts[1:])]


def written(service, runs):
    return service.sql("loadstar", "SELECT sum(version), sum((SELECT count(*) FROM control.log l WHERE l.run_id = r.id))"
                       " FROM control.run r WHERE id = ANY(%s)", runs)[0]


def measure(service, figures, options):
    with eight_workers(service) as replica:
        token = replica.token()
        runs = submit(service)
        paths = [f"/v1/runs/{run}" for run in runs]
        answer = replica.get(paths[0])
        kept = {k: v for k, v in answer.headers.items() if k not in ("Date", "Content-Length", "Connection")}
        before, ours, theirs = written(service, runs), [], []
        with FloorServer(200, answer.content, kept) as floor:
            for _ in range(options.rounds):
                theirs.append(latencies(floor.url, token, paths)[0])
                ours.append(latencies(replica.url, token, paths))
        after = written(service, runs)
        unfinished = sum(replica.get(path).json()["finished_at"] is None for path in paths)
        assert unfinished >= RUNS // 2, "the runs were over before they were polled"
        for path in paths:
            service.post(f"{path}/cancel")
        for run in runs:
            service.wait(run)
    for place, percent in enumerate(PERCENTILES):
        figures.add(f"a poll while {RUNS} runs write, p{percent}", "ms", [o[0][place] for o in ours], [t[place] for t in theirs],
                    "libmicrohttpd alone, beside them")
    figures.add(f"polls while {RUNS} runs write", "1/s", [o[1] for o in ours])
    seconds = 2 * SECONDS * options.rounds
    figures.add(f"changes of {RUNS} runs meanwhile", "1/s", float(after[0] - before[0]) / seconds)
    figures.add(f"log lines of {RUNS} runs meanwhile", "1/s", float(after[1] - before[1]) / seconds)
