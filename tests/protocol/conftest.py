"""A private PostgreSQL for the protocol tests: socket only, in a short temporary folder, gone afterwards."""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import uuid

import psycopg
import pytest
import slice_rules

VERSIONS = (15, 16, 17, 18, 14)
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "autovacuum": "off", "max_connections": "120", "shared_buffers": "64MB",
    "deadlock_timeout": "100ms",
}


def server_bin():
    candidates = [pathlib.Path(os.environ["PG_BIN"])] if "PG_BIN" in os.environ else [
        pathlib.Path(f"/usr/lib/postgresql/{version}/bin") for version in VERSIONS]
    for candidate in candidates:
        if (candidate / "initdb").exists():
            return candidate
    found = shutil.which("initdb")
    assert found, "no PostgreSQL server is installed; set PG_BIN"
    return pathlib.Path(found).parent


@pytest.fixture(scope="session")
def server():
    """The socket's folder of a running server. Its log is searched for deadlocks by whoever cares."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slice-", dir="/tmp"))
    user = {}
    if os.geteuid() == 0:  # the server refuses root
        postgres = pwd.getpwnam("postgres")
        os.chown(folder, postgres.pw_uid, postgres.pw_gid)
        user = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
    data, bin_ = folder / "data", server_bin()
    settings = [f"-c{name}={value}" for name, value in SETTINGS.items()] + [f"-cunix_socket_directories={folder}"]

    def run(*argv):
        subprocess.run([str(arg) for arg in argv], check=True, cwd="/", stdout=subprocess.DEVNULL, **user)

    try:
        run(bin_ / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(bin_ / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "start", "-o", " ".join(f"'{s}'" for s in settings))
        try:
            yield folder
        finally:
            run(bin_ / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dsn(server):
    """A new warehouse with its bookkeeping and nothing loaded."""
    name = f"w{uuid.uuid4().hex[:12]}"
    admin = f"host={server} user=postgres dbname="
    with psycopg.connect(admin + "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    slice_rules.create_warehouse(admin + name)
    yield admin + name
    with psycopg.connect(admin + "postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
