"""What answers are compared with: a bare HTTP server of the library we use, and nginx. Both give the bytes they are told.

Each is a session of its own, as a service is: Linux shares a busy processor among sessions, and one that shared the
client's would be served before the service.
"""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from rig import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NGINX_CONF = """daemon off;
worker_processes 2;
{user}pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    open_file_cache max=10 inactive=1h;
    sendfile on;
    tcp_nopush on;
    etag off;
    types {{ }}
    default_type {type};
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        add_header Last-Modified "";
{headers}
        location / {{ {answer} }}
    }}
}}
"""


class FloorServer:
    """libmicrohttpd alone."""

    def __init__(self, status, body, headers):
        self.folder = tempfile.TemporaryDirectory(prefix="lsf-")
        (pathlib.Path(self.folder.name) / "body").write_bytes(body)
        (pathlib.Path(self.folder.name) / "headers").write_text("".join(f"{k}: {v}\n" for k, v in headers.items()))
        self.process = subprocess.Popen(
            [ROOT / "build/tests/bench/floor_http", str(status), f"{self.folder.name}/body",
             f"{self.folder.name}/headers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.pid = self.process.pid
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class NginxServer:
    """nginx: a 200 is a file it keeps open, a 304 is said without looking."""

    def __init__(self, status, body, headers):
        self.folder = tempfile.TemporaryDirectory(prefix="lsn-")
        folder, port = pathlib.Path(self.folder.name), free_port()
        folder.chmod(0o755)
        (folder / "body").write_bytes(body)
        told = {k: v for k, v in headers.items() if k != "Content-Type"}
        quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in told.items()}
        (folder / "conf").write_text(NGINX_CONF.format(
            user="user root;\n" if pathlib.Path("/proc/self").stat().st_uid == 0 else "", folder=folder, port=port,
            type=headers.get("Content-Type", "text/plain"),
            headers="".join(f'        add_header {name} "{value}" always;\n' for name, value in quoted.items()),
            answer="try_files /body =404;" if status == 200 else f"return {status};"))
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"],
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        self.url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 10
        while not answers(port):
            assert time.monotonic() < until and self.process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.folder.cleanup()
