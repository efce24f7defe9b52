#!/usr/bin/env python3
"""Generated requests against a real service and its contract, with every scope, for a while.

usage: fuzz_api.py [SECONDS]    (default: 600; .venv/bin/python)

The service has no workers, so what is accepted stays queued. Looked for: answers of 500, statuses, media types and bodies that
openapi.yaml does not have, and a service that is gone. make test has a short run with more checks (test_api_edges.py).
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

from service import TEMPLATES, Service  # noqa: E402 (needs the path)

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the service goes with us
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    try:
        with tempfile.TemporaryDirectory() as folder, Service(env={"LOADSTAR_WORKERS": "0", "LOADSTAR_WRITE_RATE": "0"}) as service:
            (pathlib.Path(folder) / "schemathesis.toml").write_text("")
            code = subprocess.run(
                [str(program), "--config-file", f"{folder}/schemathesis.toml", "run", str(ROOT / "openapi/openapi.yaml"),
                 "--url", service.url, "--header", f"Authorization: Bearer {service.token()}", "--checks", CHECKS, "--max-examples", "100000",
                 "--max-time", str(seconds), "--phases", "examples,fuzzing,stateful", "--continue-on-failure",
                 "--exclude-operation-id", "listLogs",  # what follows a run that is never loaded has no end
                 "--request-timeout", "15", "--generation-database", "none"],
                cwd=folder, timeout=seconds + 300, env={**os.environ, "NO_COLOR": "1"}, check=False).returncode
            if not service.is_running() or service.get("/healthz").status_code != 200:
                print(service.log_tail())
                return 1
            return code
    finally:
        TEMPLATES.close()


if __name__ == "__main__":
    sys.exit(main())
