"""make demo and make stop, as a newcomer meets them."""

import os
import re
import signal
import subprocess

import pytest
import requests

from service import BINARY, ROOT, wait_until

pytestmark = pytest.mark.skipif(BINARY != str(ROOT / "build/loadstar"), reason="the demo runs the plain build")


@pytest.fixture
def home(tmp_path_factory):
    folder = f"/tmp/lst-demo-{os.getpid()}"
    os.mkdir(folder)
    yield folder
    script("stop", folder)
    subprocess.run(["rm", "-rf", folder], check=True)


def script(name, home, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LOADSTAR_")}
    return subprocess.run([f"scripts/{name}.sh"], cwd=ROOT, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                          env={**clean, "LOADSTAR_HOME": home, "LOADSTAR_LISTEN": "127.0.0.1:0",
                               "PGOPTIONS": "-c loadstar.sample_procedures=500", **env})


def postmaster(home):
    try:
        return int(open(f"{home}/postgres/postmaster.pid").readline())
    except FileNotFoundError:
        return None


def kept(home):
    """The demo, kept: what it said, and a session with its service."""
    done = script("demo", home, KEEP="1")
    assert done.returncode == 0, done.stdout + done.stderr
    url, token = (re.search(rf"^LOADSTAR_{name}=(\S+)$", done.stdout, re.M)[1] for name in ("URL", "TOKEN"))
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    return done, lambda path: session.get(url + path, timeout=30).json()


def warehouse(home, query):
    done = subprocess.run([BINARY, "psql", "warehouse", "-X", "-A", "-t", "-c", query], capture_output=True, text=True, timeout=60,
                          check=True, env={**os.environ, "LOADSTAR_HOME": home})
    return done.stdout.splitlines()


def picture(home, get):
    """Each row of each table with keys, load and all, and each table's coverage."""
    names = warehouse(home, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
                            " OR schemaname = 'loadstar' AND tablename LIKE '%\\_log' AND tablename <> 'ddl_log' ORDER BY 1")
    rows = {name: sorted(warehouse(home, f"SELECT t::text FROM {name} t")) for name in names}
    tables = [table["name"] for table in get("/v1/pipelines/medrobotics")["tables"]]
    shown = ("from", "to", "state", "batch", "rows", "files", "files_missing", "files_changed")
    coverage = {table: [{key: item.get(key) for key in shown} for item in get(f"/v1/pipelines/medrobotics/coverage?table={table}")["items"]]
                for table in tables}
    return rows, coverage


def test_demo_twice_then_kept_and_stopped(home):
    first = script("demo", home)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "succeeded" in first.stdout and re.search(r"^ fact_procedures +\| +500 \|.*\| yes", first.stdout, re.M)
    assert "this run changed 680 rows" not in first.stdout or "NO" not in first.stdout
    assert re.search(r"^procedures_duration_sane +fact_procedures +validity +staging +error +passed +\d+ +500 +0 ", first.stdout, re.M), first.stdout
    assert not re.search(r" (warned|failed) ", first.stdout)
    assert postmaster(home) is None and not os.path.exists(f"{home}/service.pid")

    second, get = kept(home)
    assert "this run changed 0 rows" in second.stdout
    assert [run["note"] for run in get("/v1/runs")["items"]] == ["make demo"] * 2
    rows, coverage = picture(home, get)
    assert len(rows["public.fact_procedures"]) == 500 and len(rows["public.dim_robots"]) > 1 and len(rows) > 8
    assert {item["state"] for items in coverage.values() for item in items} == {"loaded", "open"}

    os.kill(int(open(f"{home}/service.pid").read()), signal.SIGKILL)
    assert postmaster(home) is not None
    assert "that a killed service left" in script("stop", home).stdout
    wait_until("the postmaster is gone", 10, lambda: postmaster(home) is None)

    third, get = kept(home)
    assert "this run changed 0 rows" in third.stdout
    again = picture(home, get)
    assert again[0].keys() == rows.keys()
    for name in rows:
        assert again[0][name] == rows[name], name
    assert again[1] == coverage

    assert postmaster(home) is not None
    assert script("stop", home).stdout == "stopped\n"
    assert postmaster(home) is None
    assert "nothing runs" in script("stop", home).stdout


def test_demo_says_why_it_failed(home):
    done = script("demo", home, PIPELINE="nonesuch")
    assert done.returncode == 1 and "/pipeline" in done.stderr and postmaster(home) is None
    done = script("demo", home, LOADSTAR_LISTEN="0.0.0.0:0")
    assert done.returncode == 1 and "LOADSTAR_DATABASE_URL is not set" in done.stderr
