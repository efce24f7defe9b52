"""What the service takes while it does nothing: memory, threads, processor time; alone, and with 500 clients that wait for a run.

The floor of the memory is a bare libmicrohttpd server; of the processor time with waiters, that without.
"""

import contextlib
import pathlib
import socket
import time

from floor import FloorServer


WAITERS = 500


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


def cpu_a_minute(pid, seconds):
    time.sleep(1)
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) * 60 / seconds


@contextlib.contextmanager
def paused_run(service):
    """The path and ETag of a run that nothing happens to."""
    run = service.submit("range", pipeline="tiny", **{"from": "2020-03-01", "to": "2020-12-01"})
    assert service.post(f"/v1/runs/{run}/pause").status_code == 202
    path, etag, before = f"/v1/runs/{run}", "", None
    while etag != before:
        before = etag
        time.sleep(1)
        etag = service.get(path).headers["ETag"]
    yield path, etag
    service.post(f"/v1/runs/{run}/cancel")
    service.wait(run)


def waiting(service, stack, path, etag):
    host, port = service.url.removeprefix("http://").split(":")
    text = (f"GET {path}?wait=55s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-None-Match: {etag}\r\n"
            f"Authorization: Bearer {service.token()}\r\n\r\n").encode()
    for _ in range(WAITERS):
        sock = stack.enter_context(socket.create_connection((host, int(port))))
        sock.sendall(text)
        yield sock


def with_waiters(service, seconds):
    with paused_run(service) as (path, etag), contextlib.ExitStack() as stack:
        socks = list(waiting(service, stack, path, etag))
        used = cpu_a_minute(service.process.pid, seconds)
        for sock in socks:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                raise AssertionError(f"a waiter was answered: {sock.recv(1000)}")
    return used


def measure(service, figures, _options, seconds=5):
    pid = service.process.pid
    used = cpu_a_minute(pid, seconds)
    with FloorServer(200, b"{}", {}) as floor:
        figures.add("idle memory", "MiB", status(pid, "VmRSS") / 1024, status(floor.pid, "VmRSS") / 1024,
                    "libmicrohttpd alone")
    figures.add("idle threads", "", status(pid, "Threads"))
    figures.add("idle processor time", "s/min", used)
    figures.add(f"idle processor time, {WAITERS} wait", "s/min", with_waiters(service, seconds), used, "nobody waits")
