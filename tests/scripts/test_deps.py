"""What scripts/deps.sh decides to install, on a Debian that is only told: dpkg-query, sudo and apt-get are impostors."""

import os
import pathlib
import re
import subprocess

import pytest

DEPS = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "deps.sh"
FAKES = {
    # Answers for the packages in $FAKE/installed; clang names its release as Debian's does.
    "dpkg-query": """case $3 in
        *Depends*) grep -qx clang $FAKE/installed && echo 'llvm (>= 1), clang-14 (>= 14~)'; exit 0 ;;
        esac
        grep -qx "$4" $FAKE/installed && printf 'install ok installed'""",
    "id": "echo 1000",
    "python3": "exit ${NO_ENSUREPIP:-0}",
    # Only what root would have done is noted; nothing of it happens.
    "sudo": """echo "$*" >>$FAKE/calls
        case "$*" in
        tee*) cat >/dev/null ;;
        *" update") exit ${UPDATE:-0} ;;
        *" install "*)
            [ -z "${REFUSE:-}" ] || { echo 'E: Unable to locate package'; exit 100; }
            printf '%s\\n' "$*" | sed 's/.* install //' | tr ' ' '\\n' >>$FAKE/installed ;;
        esac""",
}


class Machine:
    def __init__(self, folder):
        self.folder = folder
        for name, body in FAKES.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        (folder / "installed").touch()

    def deps(self, *groups, **env):
        (self.folder / "calls").write_text("")
        env = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "FAKE": str(self.folder), **env}
        return subprocess.run(["sh", DEPS, *groups], env=env, capture_output=True, text=True, timeout=60)

    def calls(self, word):
        return [line for line in (self.folder / "calls").read_text().splitlines() if word in line.split()]

    def installs(self):
        return [line.split(" install ")[1].split() for line in self.calls("install")]

    def remove(self, *packages):
        kept = [line for line in (self.folder / "installed").read_text().split() if line not in packages]
        (self.folder / "installed").write_text("\n".join(kept) + "\n")


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def complete(machine):
    assert machine.deps().returncode == 0
    return machine


def test_an_empty_machine_gets_everything_in_two_rounds_and_one_update(machine):
    done = machine.deps("build", "run", "test", NO_ENSUREPIP="1")
    assert done.returncode == 0, done.stderr
    first, second = machine.installs()
    assert {"gcc", "make", "libpq-dev", "postgresql", "curl", "cppcheck", "spin", "clang-tidy", "python3-venv", "wrk"} <= set(first)
    assert second == ["libclang-rt-14-dev"]  # its name is known once clang is there
    assert len(machine.calls("update")) == 1


def test_a_complete_machine_is_left_alone_in_silence(complete):
    done = complete.deps()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (complete.folder / "calls").read_text()


@pytest.mark.parametrize("package", ["spin", "libjwt-dev", "postgresql", "libclang-rt-14-dev"])
def test_only_what_is_missing_is_installed(complete, package):
    complete.remove(package)
    assert complete.deps().returncode == 0
    assert complete.installs() == [[package]]


def test_a_group_asks_for_nothing_of_another(machine):
    machine.deps("build")
    (packages,) = machine.installs()
    assert not {"postgresql", "clang", "wrk", "gcovr"} & set(packages)


def test_venv_comes_from_debian_only_where_python_has_none(machine):
    machine.deps("test")
    assert "python3-venv" not in machine.installs()[0]
    machine.deps("test", NO_ENSUREPIP="1")
    assert machine.installs() == [["python3-venv"]]


def test_no_cluster_of_the_system_is_made(machine):
    machine.deps("run")
    conf = pathlib.Path("/etc/postgresql-common/createcluster.conf")
    said_already = conf.exists() and re.search("^create_main_cluster", conf.read_text(), re.M)
    assert bool(machine.calls(str(conf))) != bool(said_already)


def test_lists_that_cannot_be_refreshed_may_be_good_enough(complete):
    complete.remove("spin")
    done = complete.deps(UPDATE="100")
    assert done.returncode == 0 and complete.installs() == [["spin"]]


def test_a_refused_installation_is_told_and_fails(complete):
    complete.remove("spin")
    done = complete.deps(REFUSE="1")
    assert done.returncode != 0 and "Unable to locate package" in done.stderr


def test_an_unknown_group_fails_before_anything_is_installed(machine):
    done = machine.deps("build", "nonsense")
    assert done.returncode != 0 and "nonsense" in done.stderr
    assert not machine.calls("install")
