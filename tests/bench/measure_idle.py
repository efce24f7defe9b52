"""What the service takes while it does nothing: memory, threads, processor time.

The floor of the memory is a bare libmicrohttpd server.
"""

import pathlib
import time

from floor import FloorServer


def status(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def measure(service, figures, _options, seconds=5):
    pid = service.process.pid
    time.sleep(1)
    before = cpu_seconds(pid)
    time.sleep(seconds)
    used = (cpu_seconds(pid) - before) * 60 / seconds
    with FloorServer(200, b"{}", {}) as floor:
        figures.add("idle memory", "MiB", status(pid, "VmRSS") / 1024, status(floor.pid, "VmRSS") / 1024,
                    "libmicrohttpd alone")
    figures.add("idle threads", "", status(pid, "Threads"))
    figures.add("idle processor time", "s/min", used)
