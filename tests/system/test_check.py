"""loadstar check --connect: what only the databases know, each finding with its place."""

import re

import pytest

from test_versions import folder

EXTRACT = "medrobotics/extract/procedures.sql"


@pytest.fixture
def findings(loaded, tmp_path):
    def check(*changes, replace=None):
        path = folder(tmp_path, *changes)
        for name, old, new in replace or []:
            file = path / "medrobotics" / name
            assert old in file.read_text(), (name, old)
            file.write_text(file.read_text().replace(old, new, 1))
        done = loaded.cli("check", str(path), "--connect", check=False)
        assert done.returncode == (1 if done.stderr else 0), done.stdout + done.stderr
        return [line.removeprefix(f"{path}/medrobotics/") for line in done.stderr.splitlines()]
    return check


def test_nothing_is_wrong(loaded, findings):
    before = loaded.sql("warehouse", "SELECT count(*) FROM pg_class")
    assert findings() == []
    assert loaded.sql("warehouse", "SELECT count(*) FROM pg_class") == before


@pytest.mark.parametrize("name, old, new, says", [
    ("extract/robots.sql", "FROM ", "FROM no_such_", r"extract/robots\.sql:1:1: .*no_such_"),
    ("extract/procedures.sql", "AS duration_minutes", "AS duration_minute",
     r"pipeline\.yaml:\d+:\d+: .*no column 'duration_minutes'; did you mean 'duration_minute'\?"),
    ("extract/procedures.sql", "AS integer) AS duration_minutes", "AS bigint) AS duration_minutes",
     r"pipeline\.yaml:\d+:\d+: .*'duration_minutes' as bigint, which is declared integer"),
    ("views.sql", "discharged_at", "discharged_when", r"views\.sql:\d+:\d+: .*discharged_when"),
    ("queries/readmissions.sql", "discharged_at", "discharged_when", r"queries/readmissions\.sql:1:1: .*discharged_when")])
def test_findings(findings, name, old, new, says):
    found = findings(replace=[(name, old, new)])
    assert any(re.search(says, line) for line in found), found


def test_connection_that_is_missing(findings):
    assert any(re.search(r"pipeline\.yaml:\d+:\d+: .*LOADSTAR_CONNECTION_NOWHERE", line)
               for line in findings("connection: medrobotics_source", "connection: nowhere"))
