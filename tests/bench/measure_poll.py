"""Status polls a second: GET /v1/runs/{id} with a token, 200 and 304. Floors: the same bytes from libmicrohttpd alone, and
from nginx; all three in turns, asked by the same client over connections that live on.

That polls touch no database is not measured but proved: the statements sent to the control database while they
last must be those of the service's own clocks, and those do not grow with polls.
"""

import contextlib
import re
import subprocess
import time

from floor import NGINX, FloorServer, NginxServer
from measure_idle import cpu_seconds
from rig import Service, metric, wait_run

STATEMENTS = "loadstar_control_statements_total"
SECONDS = 3


def wrk(url, headers, path=""):
    argv = ["wrk", "-c64", "-t2", f"-d{SECONDS}s"]
    for name, value in headers.items():
        argv += ["-H", f"{name}: {value}"]
    text = subprocess.run([*argv, url + path], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def cpu_each(pid, url, headers, path=""):
    """Microseconds of the server's processor time a poll, which neighbours on the machine change little; and polls a second."""
    used, since = cpu_seconds(pid), time.monotonic()
    rate = wrk(url, headers, path)
    return 1e6 * (cpu_seconds(pid) - used) / (rate * (time.monotonic() - since)), rate


def statements_idle(service, seconds=SECONDS):
    before = metric(service, STATEMENTS)
    time.sleep(seconds)
    return metric(service, STATEMENTS) - before


def bytes_of(service, path, headers):
    answer = service.session.get(service.url + path, headers=headers, timeout=30)
    kept = {k: v for k, v in answer.headers.items() if k not in ("Date", "Content-Length", "Connection")}
    return answer, kept


def nginx(status, body, headers):
    return NginxServer(status, body, headers) if NGINX else contextlib.nullcontext()


def poll(service, figures, name, path, headers, status, rounds):
    answer, kept = bytes_of(service, path, headers)
    assert answer.status_code == status, answer.text
    ours, theirs, files, cpu, floor_cpu, sent = [], [], [], [], [], 0
    with FloorServer(status, answer.content, kept) as floor, nginx(status, answer.content, kept) as web:
        for _ in range(rounds):
            took, rate = cpu_each(floor.pid, floor.url, headers)
            theirs.append(rate)
            floor_cpu.append(took)
            files += [wrk(web.url, headers, path)] if web else []
            before = metric(service, STATEMENTS)
            took, rate = cpu_each(service.process.pid, service.url, headers, path)
            sent = max(sent, metric(service, STATEMENTS) - before)
            ours.append(rate)
            cpu.append(took)
    figures.add(f"polls, {name}", "1/s", ours, theirs, "libmicrohttpd alone, same bytes")
    if files:
        figures.add(f"polls, {name}, nginx", "1/s", ours, files, "nginx, same bytes")
    else:
        figures.leave_out(f"polls, {name}, nginx", "nginx is not installed: scripts/deps.sh bench")
    figures.add(f"polls, {name}: processor time each", "µs", cpu, floor_cpu, "libmicrohttpd alone")
    return ours, sent


def measure(service, figures, options):
    run = service.submit("range", pipeline="tiny", **{"from": "2020-02-01", "to": "2020-02-02"})
    wait_run(service, run)
    path = f"/v1/runs/{run}"
    token = {"Authorization": f"Bearer {service.token()}"}
    answer, _ = bytes_of(service, path, token)
    fresh = {**token, "If-None-Match": answer.headers["ETag"]}
    idle = statements_idle(service)
    _, sent = poll(service, figures, "200", path, token, 200, options.rounds)
    _, sent_fresh = poll(service, figures, "304", path, fresh, 304, options.rounds)
    sent = max(sent, sent_fresh)
    # Heartbeats, sweeps and the board's reading go on; thousands of polls add nothing to them.
    assert sent <= 2 * idle + 20, f"{sent} statements during polls, {idle} without"
    figures.add("statements while polled (idle as floor)", f"in {SECONDS} s", sent, max(idle, 1.0), "the same time, no polls")
    without_token(service, figures, path, token, options.rounds)


def without_token(service, figures, path, token, rounds):
    """What verifying a token costs: a second replica on the same database that asks for none."""
    env = {"LOADSTAR_AUTH": "none", "LOADSTAR_WORKERS": "0",
           "LOADSTAR_DATABASE_URL": f"postgresql://loadstar@/loadstar?host={service.home}/socket"}
    for name in ("warehouse", "tiny_source", "medrobotics_source"):
        env[f"LOADSTAR_CONNECTION_{name.upper()}"] = f"postgresql://loadstar@/{name}?host={service.home}/socket"
    with Service(pipelines=service.env["LOADSTAR_PIPELINES"], env=env) as open_service:
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(wrk(open_service.url, {}, path))
            ours.append(wrk(service.url, token, path))
    figures.add("polls, token verified", "1/s", ours, theirs, "LOADSTAR_AUTH=none")
