"""The bare HTTP server that polls and memory are compared with."""

import pathlib
import subprocess
import tempfile

from rig import ROOT


class FloorServer:
    def __init__(self, status, body, headers):
        self.folder = tempfile.TemporaryDirectory(prefix="lsf-")
        (pathlib.Path(self.folder.name) / "body").write_bytes(body)
        (pathlib.Path(self.folder.name) / "headers").write_text("".join(f"{k}: {v}\n" for k, v in headers.items()))
        self.process = subprocess.Popen(
            [ROOT / "build/tests/bench/floor_http", str(status), f"{self.folder.name}/body",
             f"{self.folder.name}/headers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
