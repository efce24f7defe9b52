#!/usr/bin/env python3
"""Generated requests against a real service and its contract, with every scope, for a while.

usage: fuzz_api.py [SECONDS]    (default: 600; .venv/bin/python)

The service has no workers, so what is accepted stays queued. Every phase and every check of schemathesis, but for
positive_data_acceptance: no schema says which pipelines and tables exist, what a cursor holds, or that from and to belong to range
alone. make test has a short run (test_api_edges.py).
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

from service import TEMPLATES, Service  # noqa: E402 (needs the path)

PASS = 50  # examples of an operation before the next one has its turn


def one_pass(service, folder, seconds):
    """Every phase over every operation, with a seed of its own. One worker: several trip over each other in Python 3.11's ast."""
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    return subprocess.run(
        [str(program), "--config-file", f"{folder}/schemathesis.toml", "run", str(ROOT / "openapi/openapi.yaml"), "--url", service.url,
         "--header", f"Authorization: Bearer {service.token()}", "--exclude-checks", "positive_data_acceptance", "--phases",
         "examples,coverage,fuzzing,stateful", "--max-examples", str(PASS), "--max-time", str(seconds),
         "--exclude-operation-id", "listLogs",  # what follows a run that is never loaded has no end
         "--continue-on-failure", "--request-timeout", "70",  # ?wait= holds an answer for up to 55 s
         "--generation-database", "none"],
        cwd=folder, timeout=seconds + 300, env={**os.environ, "NO_COLOR": "1"}, check=False).returncode


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the service goes with us
    end = time.monotonic() + (int(sys.argv[1]) if len(sys.argv) > 1 else 600)
    worst = 0
    try:
        with tempfile.TemporaryDirectory() as folder, Service(env={"LOADSTAR_WORKERS": "0", "LOADSTAR_WRITE_RATE": "0"}) as service:
            (pathlib.Path(folder) / "schemathesis.toml").write_text("")
            while (left := end - time.monotonic()) > 1:
                worst = max(worst, one_pass(service, folder, int(left)))
                if not service.is_running() or service.get("/healthz").status_code != 200:
                    print(service.log_tail())
                    return 1
            return worst
    finally:
        TEMPLATES.close()


if __name__ == "__main__":
    sys.exit(main())
