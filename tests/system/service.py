"""A real service for system tests: the binary, its embedded PostgreSQL, HTTP clients and psycopg sessions.

Nothing is faked: a Service starts build/loadstar (or LOADSTAR_BINARY) on port 0 with a home of its own, and takes the
process, the postmaster and the home with it at the end.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg
import requests

import contract

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LOADSTAR_BINARY", str(ROOT / "build" / "loadstar"))
FINAL = {"succeeded", "partial", "failed", "cancelled"}


def wait_until(what, seconds, ask, pause=0.05):
    """Asks until the answer is true; fails naming what did not happen."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(pause)


class Templates:
    """Clusters with a generated source, made once a session: a copy starts at once, initdb and the generator take seconds."""

    def __init__(self):
        self.made = {}

    def copy_to(self, home, procedures):
        if procedures not in self.made:
            service = Service(procedures=procedures, fresh=True)
            self.made[procedures] = service
            service.start()
            with service.connect("postgres", "postgres") as db:  # tests bend sources whose rows refer to each other; benchmarks settle
                db.execute("GRANT SET ON PARAMETER session_replication_role TO loadstar; GRANT pg_checkpoint TO loadstar")
                for database in ("loadstar", "warehouse"):  # only the source is kept: each copy is its own control database
                    db.execute(f"DROP DATABASE {database} WITH (FORCE)")
            service.stop()
        made = pathlib.Path(self.made[procedures].home)
        subprocess.run(["cp", "-a", *(str(made / part) for part in ("postgres", "files") if (made / part).exists()), home], check=True)

    def close(self):
        for service in self.made.values():
            service.close()


TEMPLATES = Templates()


class Service:
    def __init__(self, procedures=2000, env=None, binary=None, pipelines=None, fresh=False):
        # Short, and reachable by the unprivileged user PostgreSQL runs as.
        self.home = tempfile.mkdtemp(prefix="lst-", dir="/tmp")
        os.chmod(self.home, 0o755)
        if not fresh and "LOADSTAR_DATABASE_URL" not in (env or {}):
            TEMPLATES.copy_to(self.home, procedures)
        self.binary = binary or BINARY
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("LOADSTAR_")}
        self.env.update(
            LOADSTAR_HOME=self.home,
            LOADSTAR_LISTEN="127.0.0.1:0",
            LOADSTAR_SCHEDULER="0",  # no test is surprised at 03:00 by the nightly run
            LOADSTAR_PIPELINES=str(pipelines or ROOT / "sql" / "pipelines"),
            PGOPTIONS=f"-c loadstar.sample_procedures={procedures}",
        )
        self.env.update(env or {})
        self.process = None
        self.url = None
        self.session = requests.Session()
        self.session.hooks["response"].append(contract.check)
        self.tokens = {}

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, expect_url=True):
        self.log = open(f"{self.home}/service.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
            cwd=ROOT, text=True, start_new_session=True)
        if not expect_url:
            return self
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.url = line.split()[-1]
                return self
        raise AssertionError(f"the service did not start: {self.log_tail()}")

    def log_tail(self, lines=15):
        return "".join(open(f"{self.home}/service.log", errors="replace").readlines()[-lines:])

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, seconds=60):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process.stdout.close()
        return code

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def postmaster(self):
        """Pid of the embedded cluster's postmaster, or None."""
        try:
            pid = int(open(f"{self.home}/postgres/postmaster.pid").readline())
            os.kill(pid, 0)
            return pid
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None

    def close(self):
        """Leaves nothing behind, whatever the test did."""
        if self.is_running():
            self.signal(signal.SIGCONT)
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill9()
        pid = self.postmaster()
        if pid is not None:
            os.kill(pid, signal.SIGINT)
            wait_until("the postmaster is gone", 60, lambda: self.postmaster() is None)
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- databases -----------------------------------------------------------------------------------------------------

    def connect(self, database, role="loadstar"):
        return psycopg.connect(f"host={self.home}/socket user={role} dbname={database}", autocommit=True)

    def sql(self, database, text, *values):
        with self.connect(database) as db:
            cursor = db.execute(text, values or None)
            return cursor.fetchall() if cursor.description else None

    def sql_file(self, database, path):
        with self.connect(database) as db:
            db.execute(pathlib.Path(path).read_text())

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def cli(self, *arguments, check=True, timeout=120, **env):
        done = subprocess.run(
            [self.binary, *arguments], env={**self.env, "LOADSTAR_URL": self.url or "http://127.0.0.1:9", **env},
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def token(self, scope=None, subject="tester"):
        if (scope, subject) not in self.tokens:
            options = ["--sub", subject, "--ttl", "12h"] + (["--scope", scope] if scope else [])
            self.tokens[scope, subject] = self.cli("token", *options).stdout.strip()
        return self.tokens[scope, subject]

    def request(self, method, path, scope=None, headers=None, **options):
        headers = {"Authorization": f"Bearer {self.token(scope)}", **(headers or {})}
        return self.session.request(method, self.url + path, headers=headers, timeout=90, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, json={} if body is None else body, **options)

    # -- runs ----------------------------------------------------------------------------------------------------------

    def submit(self, type="full", pipeline="medrobotics", **fields):
        answer = self.post("/v1/runs", {"pipeline": pipeline, "type": type, **fields})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def run(self, run_id):
        answer = self.get(f"/v1/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, run_id, seconds=120):
        """The run once it is final; survives a service that is down meanwhile."""
        def final():
            try:
                run = self.run(run_id)
            except requests.ConnectionError:
                return None
            return run if run["status"] in FINAL else None
        return wait_until(f"run {run_id} is final", seconds, final)

    def load(self, *arguments, **fields):
        """Submits, waits, expects success."""
        run = self.wait(self.submit(*arguments, **fields))
        assert run["status"] == "succeeded", run
        return run

    def steps(self, run_id, **filters):
        items, cursor = [], None
        while True:
            params = {"limit": 1000, **filters, **({"cursor": cursor} if cursor else {})}
            page = self.get(f"/v1/runs/{run_id}/steps", params=params).json()
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def logs(self, run_id):
        return self.get(f"/v1/runs/{run_id}/logs", params={"limit": 1000}).json()["items"]
