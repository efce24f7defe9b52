"""docker/ against the rest of the repository, without an engine: what the image builds from, what it needs when it runs, and a compose file
that keeps secrets out and waits for what it needs. hadolint is part of make lint."""

import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker/Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SETTINGS = re.findall(r'^SETTING\(\w+, "(\w+)", "[^"]*", \w+, (?:NULL|"([^"]*)")', (ROOT / "base/config_table.def").read_text(), re.M)


def stages():
    """Each stage as [(instruction, its text on one line)]."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", TEXT, flags=re.M)).splitlines()
    found = []
    for word, _, rest in (line.strip().partition(" ") for line in lines if line.strip()):
        if word == "FROM":
            found.append([])
        found[-1].append((word, " ".join(rest.split())))
    return found


BUILD, RUN = stages()


def packages(stage):
    run = next(text for word, text in stage if word == "RUN" and "apt-get install" in text)
    return set(re.search(r"--no-install-recommends (.*?) &&", run)[1].split())


def one(stage, word):
    found = [text for instruction, text in stage if instruction == word]
    assert len(found) == 1, (word, found)
    return found[0]


def environment():
    return dict(pair.split("=", 1) for word, text in RUN if word == "ENV" for pair in text.split())


def test_build_stage_has_what_the_build_needs():
    deps = (ROOT / "scripts/deps.sh").read_text()
    wanted = set(re.search(r"^\tbuild\)\n\t\techo (.*?)\n\t\t;;", deps, re.M | re.S)[1].replace("\\", "").split())
    assert wanted | {"npm", "ca-certificates"} == packages(BUILD)  # npm fetches DuckDB
    assert "make build" in one(BUILD[-1:], "RUN") and "make install DESTDIR=/image" in one(BUILD[-1:], "RUN")


def test_run_stage_has_every_library():
    owners = {"libc6", "libgcc-s1", "zlib1g"}  # of the base image
    for binary in ("build/loadstar", ".duckdb/lib/libduckdb.so"):
        needed = re.findall(r"NEEDED +(\S+)", subprocess.run(["objdump", "-p", ROOT / binary], check=True, capture_output=True, text=True).stdout)
        assert "libc.so.6" in needed
        for library in needed:
            found = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True).stdout
            names = {line.split(":")[0].removesuffix("t64") for line in found.splitlines()}
            assert names & (owners | packages(RUN)), (library, names)
    assert {"ca-certificates", "tzdata"} <= packages(RUN)  # receivers and sources by TLS; schedules


def test_image_is_what_make_install_installs(tmp_path):
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True, capture_output=True)
    assert one(RUN, "COPY") == "--from=build /image/usr/local /usr/local"
    program = re.fullmatch(r'\["(\S+)"\]', one(RUN, "ENTRYPOINT"))[1]
    for path in (program, environment()["LOADSTAR_PIPELINES"] + "/medrobotics/pipeline.yaml", "/usr/local/lib/loadstar/libduckdb.so"):
        assert (tmp_path / path.lstrip("/")).is_file(), path
    assert one(RUN, "CMD") == '["serve"]'


def test_image_is_pinned_and_runs_as_nobody():
    assert [text.split()[0] for stage in (BUILD, RUN) for word, text in stage if word == "FROM"] == ["debian:12-slim"] * 2
    user = one(RUN, "USER")
    assert user.isdigit() and int(user) > 0 and f"--uid {user}" in TEXT
    assert one(RUN, "STOPSIGNAL") == "SIGTERM"


def test_health_and_port():
    port = environment()["LOADSTAR_LISTEN"].rpartition(":")[2]
    assert one(RUN, "EXPOSE") == port
    path = re.search(rf'"curl", "-fsS", "http://127.0.0.1:{port}(/\w+)"', one(RUN, "HEALTHCHECK"))[1]
    assert f'"{path}", PUBLIC' in (ROOT / "handlers/routes.def").read_text()
    assert "curl" in packages(RUN)


def test_context_leaves_out_what_is_made():
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert {".git", "build", "var", ".venv", ".duckdb"} <= ignored


@pytest.mark.parametrize("variable", sorted(set(environment()) | set(COMPOSE["services"]["loadstar"]["environment"])))
def test_variables_are_settings(variable):
    assert variable in dict(SETTINGS) or re.fullmatch(r"LOADSTAR_(CONNECTION|NOTIFY)_[A-Z0-9_]+", variable)


def test_compose_paths_and_services():
    assert set(COMPOSE) == {"services", "volumes"} and set(COMPOSE["services"]) == {"postgres", "loadstar"}
    build = COMPOSE["services"]["loadstar"]["build"]
    context = (ROOT / "docker" / build["context"]).resolve()
    assert context == ROOT and (context / build["dockerfile"]).is_file()
    for service in COMPOSE["services"].values():
        assert re.fullmatch(r"[\w./-]+:\d+", service["image"]) if "image" in service else "build" in service
        for volume in service.get("volumes", []):  # one of compose's own, or a folder given from outside, which is only read
            assert volume.split(":")[0] in COMPOSE["volumes"] or re.fullmatch(r"\$\{\w+:-\./\w+\}:/[\w/]+:ro", volume), volume
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_compose_mounts_the_folders_it_names():
    loadstar = COMPOSE["services"]["loadstar"]
    targets = [volume.split(":")[-2] for volume in loadstar.get("volumes", [])]
    named = [value.removeprefix("file://") for value in loadstar["environment"].values() if value.startswith("file://")]
    assert sorted(named) == sorted(targets)


def test_compose_waits_for_the_database():
    postgres, loadstar = COMPOSE["services"]["postgres"], COMPOSE["services"]["loadstar"]
    assert "pg_isready" in postgres["healthcheck"]["test"]
    assert loadstar["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "@postgres/" in loadstar["environment"]["LOADSTAR_DATABASE_URL"]


def test_compose_gives_time_to_drain():
    seconds = lambda text: int(text.removesuffix("s"))
    assert seconds(COMPOSE["services"]["loadstar"]["stop_grace_period"]) > seconds(dict(SETTINGS)["LOADSTAR_DRAIN"])


def test_compose_holds_no_secret():
    """Passwords and keys come from the environment, and the ones that must be there are asked for."""
    asked = set()
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            asked |= set(re.findall(r"\$\{(\w+):\?", value))
            if re.search("PASSWORD|SECRET|TOKEN|KEY|URL|CONNECTION|NOTIFY", name):
                assert re.fullmatch(r"\$\{\w+:[?-][^}]*\}|postgresql://\w+:\$\{\w+\}@\w+/\w+|file:///[\w/]+", value), name
    assert asked == {"POSTGRES_PASSWORD", "LOADSTAR_JWT_SECRET"}
