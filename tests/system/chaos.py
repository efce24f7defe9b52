"""What tests that break things share: fast retries, a clean slate, replicas, and a proxy that breaks connections."""

import shutil
import socket
import struct
import threading
import time

from service import ROOT, Service

RETRY = "retry: { attempts: 4, backoff: 2s, limit: 60s }"
FAST_RETRY = "retry: { attempts: 20, backoff: 100ms, limit: 500ms }"
# Where the source is bent at random.
UNGUARDED = FAST_RETRY + "\n  guards: { empty: off, shrink: off, close: off, change: off }"


def pipelines(folder, *changes):
    """A copy of the shipped pipelines with texts of medrobotics' spec replaced."""
    shutil.copytree(ROOT / "sql/pipelines", folder / "pipelines")
    spec = folder / "pipelines/medrobotics/pipeline.yaml"
    text = spec.read_text()
    for old, new in zip(changes[::2], changes[1::2]):
        assert old in text, old
        text = text.replace(old, new)
    spec.write_text(text)
    return folder / "pipelines"


def url(service, database):
    return f"postgresql://loadstar@/{database}?host={service.home}/socket"


def replica_of(first, binary=None, pipelines=None, **env):
    """A second process on the first one's databases; it has no cluster of its own."""
    return Service(binary=binary, pipelines=pipelines, env={
        **{k: v for k, v in first.env.items() if k.startswith("LOADSTAR_") and k not in ("LOADSTAR_HOME", "LOADSTAR_LISTEN")},
        "LOADSTAR_DATABASE_URL": url(first, "loadstar"),
        "LOADSTAR_JWT_SECRET_FILE": f"{first.home}/jwt_secret",
        "LOADSTAR_CONNECTION_WAREHOUSE": url(first, "warehouse"),
        "LOADSTAR_CONNECTION_MEDROBOTICS_SOURCE": url(first, "medrobotics_source"),
        "LOADSTAR_CONNECTION_MEDROBOTICS_FILES": f"file://{first.home}/files/medrobotics",
        **env})


def kill_with_cluster_running(service):
    """The service dies, its cluster goes on, the next start finds it."""
    if service.is_running():
        service.kill9()


def clean_slate(service):
    """An empty warehouse and control database, the source as it is; the service is down afterwards."""
    kill_with_cluster_running(service)
    with service.connect("postgres", "postgres") as db:
        for database in ("loadstar", "warehouse"):
            db.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


# -- a proxy between the service and the warehouse ---------------------------------------------------------------------


class Cut(Exception):
    """The proxy breaks this connection."""


class Break:
    """What a connection is to suffer, decided when it is opened.

    bytes_to_server, bytes_to_client   cut after that many bytes of that direction
    stall                              do not cut there: pass nothing on for that many seconds, then go on
    commit                             'unsent': cut instead of sending COMMIT; 'sent': cut at once after sending it;
                                       'answered': cut when the server has answered it; 'held': keep the answer for `stall`
                                       seconds, then cut
    """

    def __init__(self, bytes_to_server=None, bytes_to_client=None, stall=0, commit=None):
        self.left = {"server": bytes_to_server, "client": bytes_to_client}
        self.stall, self.commit = stall, commit


class Proxy:
    """TCP in front of a cluster's unix socket; `plan(n)` gives the Break of the n-th connection, or None."""

    COMMIT = b"Q" + struct.pack("!i", 4 + len("COMMIT") + 1) + b"COMMIT\0"

    def __init__(self, service, plan):
        self.path = f"{service.home}/socket/.s.PGSQL.5432"
        self.plan, self.connections, self.breaks = plan, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://loadstar@127.0.0.1:{self.listener.getsockname()[1]}/warehouse?sslmode=disable"
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.path)
            except OSError:
                client.close()
                continue
            self.connections += 1
            suffer = self.plan(self.connections) or Break()
            committed = threading.Event()
            for come, go, to in ((client, server, "server"), (server, client, "client")):
                threading.Thread(target=self.pump, args=(come, go, to, suffer, committed), daemon=True).start()

    def pump(self, come, go, to, suffer, committed):
        try:
            while data := come.recv(65536):
                self.pass_on(data, go, to, suffer, committed)
            self.end(go, socket.SHUT_WR)
        except Cut:
            with self.lock:
                self.breaks += 1
            self.end(come, socket.SHUT_RDWR)
            self.end(go, socket.SHUT_RDWR)
        except OSError:
            self.end(come, socket.SHUT_RDWR)
            self.end(go, socket.SHUT_RDWR)

    def pass_on(self, data, go, to, suffer, committed):
        if to == "server" and suffer.commit and data.endswith(self.COMMIT):
            if suffer.commit == "unsent":
                raise Cut
            committed.set()
            go.sendall(data)
            if suffer.commit == "sent":
                raise Cut
            return
        if to == "client" and committed.is_set():
            time.sleep(suffer.stall)
            raise Cut
        left = suffer.left[to]
        if left is not None and len(data) >= left:
            go.sendall(data[:left])
            if not suffer.stall:
                raise Cut
            with self.lock:
                self.breaks += 1
            time.sleep(suffer.stall)
            data, suffer.left[to] = data[left:], None
        elif left is not None:
            suffer.left[to] = left - len(data)
        go.sendall(data)

    @staticmethod
    def end(one, how):
        try:
            one.shutdown(how)
        except OSError:
            pass
