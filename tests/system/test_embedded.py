"""The embedded PostgreSQL and its home: found again, adopted, never shared, never left behind."""

import glob
import hashlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile

import psycopg
import pytest

import warehouse
from service import FINAL, wait_until
from test_recovery import running_fact, slow_source

CLUSTER_ID = "SELECT system_identifier FROM pg_control_system()"


def system_id(service):
    return service.sql("postgres", CLUSTER_ID)[0][0]


def user_of(pid):
    return os.stat(f"/proc/{pid}").st_uid


def processes_in(folder):
    """Pids whose working directory is the folder."""
    found = []
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if os.readlink(link) == folder:
                found.append(int(link.split("/")[2]))
        except OSError:
            continue
    return found


def listening_sockets(pid):
    """Inodes of TCP sockets that listen, among the process's descriptors."""
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in open(f"/proc/{pid}/net/{table}").readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add(f"socket:[{fields[9]}]")
    return [fd for fd in glob.glob(f"/proc/{pid}/fd/*") if os.readlink(fd) in listening]


@pytest.mark.smoke
def test_cluster_is_private(loaded):
    folder = os.stat(f"{loaded.home}/socket")
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{loaded.home}/jwt_secret").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{loaded.home}/postgres").st_mode) == 0o700
    pid = loaded.postmaster()
    assert user_of(pid) == folder.st_uid != 0, "never as root"
    assert not listening_sockets(pid), "no TCP port"
    assert len(listening_sockets(loaded.process.pid)) == 1, "the probe itself: the service has one"
    assert loaded.sql("postgres", "SHOW listen_addresses") == [("",)]
    assert loaded.sql("postgres", "SHOW fsync") == [("on",)]
    told = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    assert pathlib.Path(f"{loaded.home}/jwt_secret").read_bytes().strip() not in told
    assert b"LOADSTAR_" not in told and b"AWS_" not in told, "what the service was told is not its user's to read"


def test_sql_of_pipelines_stays_in_its_database(loaded):
    """It runs as the role of the service: no programs, no files of the machine, no way into the control database."""
    assert loaded.sql("warehouse", "SELECT rolsuper, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user") == [(False, False, False)]
    for attack in ("COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/loadstar-attack'", "SELECT pg_read_file('/etc/hostname')",
                   "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw", "SELECT lo_import('/etc/hostname')",
                   "ALTER SYSTEM SET archive_command = 'true'", "SET ROLE postgres",
                   "CREATE FUNCTION getpid() RETURNS int LANGUAGE c AS 'libc', 'getpid'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loaded.sql("warehouse", attack)


def test_cluster_is_found_again(make_service):
    service = make_service(procedures=100).start()
    cluster, token = system_id(service), service.token()
    service.sql("warehouse", "CREATE TABLE kept AS SELECT 1 AS x")
    pid = service.postmaster()
    assert service.stop() == 0, "SIGTERM ends with code 0"
    assert service.postmaster() is None and not processes_in(f"{service.home}/postgres"), "nothing is left"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    service.start()
    assert system_id(service) == cluster and service.postmaster() != pid
    assert service.sql("warehouse", "SELECT x FROM kept") == [(1,)]
    assert service.session.get(service.url + "/v1/runs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    service.signal(signal.SIGINT)
    assert service.process.wait(30) == 0
    assert service.postmaster() is None


def test_postmaster_that_outlived_its_service_is_adopted(make_service):
    service = make_service(procedures=100).start()
    pid = service.postmaster()
    service.kill9()
    assert service.postmaster() == pid
    service.start()
    assert service.postmaster() == pid
    assert "using the PostgreSQL that runs already" in service.log_tail(50)
    assert service.stop() == 0
    wait_until("the adopted one is gone as well", 10, lambda: service.postmaster() is None)


def test_pid_file_of_another_process_is_not_believed(make_service):
    """After a power cut the number in postmaster.pid may be anybody's."""
    service = make_service(procedures=100).start()
    service.kill9()
    pid = service.postmaster()
    os.kill(pid, signal.SIGKILL)
    wait_until("every backend is gone", 30, lambda: not processes_in(f"{service.home}/postgres"))
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        file = pathlib.Path(f"{service.home}/postgres/postmaster.pid")
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        try:
            service.start()
            assert stranger.poll() is None and service.postmaster() != stranger.pid
            assert service.stop() == 0 and stranger.poll() is None
        finally:
            stranger.kill()


def test_postmaster_killed_in_the_middle_of_a_run(make_service):
    """Control database, source and warehouse are gone at once; the service brings them back, and the run goes on."""
    service = make_service(env={"LOADSTAR_LEASE": "2s"}).start()
    slow_source(service, 0.3)
    run_id = service.submit("full")
    wait_until("a fact is being extracted", 30, lambda: running_fact(service, run_id))
    pid = service.postmaster()
    os.kill(pid, signal.SIGKILL)
    wait_until("another one runs", 60, lambda: service.postmaster() not in (None, pid))

    def ended():
        answer = service.get(f"/v1/runs/{run_id}")
        return answer.status_code == 200 and answer.json()["status"] in FINAL and answer.json()
    run = wait_until("the run ends", 120, ended)
    assert run["status"] == "succeeded", run
    warehouse.check_invariants(service)
    assert service.stop() == 0 and service.postmaster() is None


def test_a_first_start_that_was_killed_begins_anew(make_service):
    service = make_service(procedures=100, fresh=True).start(expect_url=False)
    wait_until("initdb is at work", 30, lambda: glob.glob(f"{service.home}/postgres.new.*/PG_VERSION"))
    service.kill9()
    assert not os.path.exists(f"{service.home}/postgres")
    service.start()
    assert service.get("/v1/runs").status_code == 200
    assert not glob.glob(f"{service.home}/postgres.new.*")


def test_sample_files_that_were_not_finished_are_made_again(make_service):
    service = make_service(procedures=100, fresh=True).start()
    files = pathlib.Path(service.home, "files/medrobotics")
    made = {path.relative_to(files): path.read_bytes() for path in files.rglob("*.json")}
    assert sum(content.count(b"\n") for content in made.values()) == 10 * 100
    assert service.stop() == 0
    files.rename(f"{files}.new")  # as a start leaves it that was killed before the last step
    (pathlib.Path(f"{files}.new") / "telemetry/20000101").mkdir()
    service.start()
    assert {path.relative_to(files): path.read_bytes() for path in files.rglob("*.json")} == made
    assert not (files / "telemetry/20000101").exists() and not pathlib.Path(f"{files}.new").exists()


def test_second_service_on_one_home_is_refused(loaded):
    done = loaded.cli("serve", check=False, timeout=30)
    assert done.returncode == 1 and "listening on" not in done.stdout
    assert f"another service (pid {loaded.process.pid}) uses {loaded.home}" in done.stderr
    assert "LOADSTAR_HOME" in done.stderr
    assert loaded.get("/readyz").status_code == 200, "the first one does not mind"


def test_foreign_socket_folder_is_refused(make_service):
    service = make_service()
    os.mkdir(f"{service.home}/socket", 0o777)
    os.chmod(f"{service.home}/socket", 0o777)
    done = service.cli("serve", check=False, timeout=30)
    assert done.returncode == 1 and f"{service.home}/socket is not a private folder" in done.stderr


def test_a_long_home_gets_a_short_socket(make_service):
    service = make_service(procedures=100)
    outer, service.home = service.home, service.home + "/a-folder-with-a-rather-long-name" * 3
    os.makedirs(service.home)
    service.env["LOADSTAR_HOME"] = service.home
    socket = f"/tmp/loadstar-{hashlib.sha256(service.home.encode()).hexdigest()[:12]}"
    try:
        service.start()
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o700
        assert service.cli("psql", "warehouse", "-X", "-A", "-t", "-c", "select 1").stdout == "1\n"
        assert service.stop() == 0
    finally:
        service.close()
        shutil.rmtree(socket, ignore_errors=True)
        shutil.rmtree(outer, ignore_errors=True)


def test_a_home_that_postgres_cannot_reach(make_service):
    """As root below a 0700 folder: another folder, and a line that says so. As anybody else: the folder itself."""
    service = make_service(procedures=100)
    outer = tempfile.mkdtemp(prefix="lst-closed-", dir="/tmp")
    asked = outer + "/home"
    service.env["LOADSTAR_HOME"] = asked
    moved = f"/var/lib/loadstar/{hashlib.sha256(asked.encode()).hexdigest()[:12]}"
    try:
        service.start()
        home = moved if os.getuid() == 0 else asked
        assert os.path.exists(f"{home}/postgres/postmaster.pid")
        assert ("cannot reach LOADSTAR_HOME" in service.log_tail(50)) == (os.getuid() == 0)
        if os.getuid() == 0:
            assert moved in service.log_tail(50)
        assert service.cli("psql", "warehouse", "-X", "-A", "-t", "-c", "select 1").stdout == "1\n"
        assert service.get("/v1/runs").status_code == 200, "client commands find the secret there as well"
        assert service.stop() == 0
        assert not os.path.exists(f"{home}/postgres/postmaster.pid")
        service.start()
        assert service.stop() == 0
    finally:
        if service.is_running():
            service.stop()
        shutil.rmtree(outer, ignore_errors=True)
        if os.getuid() == 0:
            shutil.rmtree(moved, ignore_errors=True)


def test_two_services_side_by_side(loaded, make_service):
    other = make_service(procedures=100).start()
    assert system_id(other) != system_id(loaded) and other.url != loaded.url
    assert other.session.get(other.url + "/v1/runs",
                             headers={"Authorization": f"Bearer {loaded.token()}"}).status_code == 401


def test_a_start_that_fails_leaves_no_postmaster(make_service, tmp_path):
    folder = tmp_path / "pipelines" / "broken"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text("spec: 1\npipeline: broken\n")
    service = make_service(pipelines=tmp_path / "pipelines")
    done = service.cli("serve", check=False, timeout=60)
    assert done.returncode == 1 and "broken" in done.stderr, done.stderr
    assert service.postmaster() is None and not processes_in(f"{service.home}/postgres")
