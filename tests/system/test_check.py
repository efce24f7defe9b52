"""loadstar check --connect: what only the databases know, each finding with its place."""

import re

import pytest

from service import ROOT
from test_versions import folder

EXTRACT = "medrobotics/extract/procedures.sql"


@pytest.fixture
def findings(loaded, tmp_path):
    def check(*changes, replace=None):
        path = folder(tmp_path, *changes)
        for name, old, new in replace or []:
            file = path / "medrobotics" / name
            assert old is None or old in file.read_text(), (name, old)
            file.write_text(new if old is None else file.read_text().replace(old, new, 1))
        done = loaded.cli("check", str(path), "--connect", check=False)
        assert done.returncode == (1 if done.stderr else 0), done.stdout + done.stderr
        return [line.removeprefix(f"{path}/medrobotics/") for line in done.stderr.splitlines()]
    return check


def test_nothing_is_wrong(loaded, findings):
    before = loaded.sql("warehouse", "SELECT count(*) FROM pg_class")
    assert findings() == []
    assert loaded.sql("warehouse", "SELECT count(*) FROM pg_class") == before


@pytest.mark.parametrize("name, old, new, says", [
    ("extract/procedures.sql", "AS duration_minutes", "AS duration_minute",
     r"pipeline\.yaml:\d+:\d+: .*no column 'duration_minutes'; did you mean 'duration_minute'\?"),
    ("extract/procedures.sql", "AS integer) AS duration_minutes", "AS bigint) AS duration_minutes",
     r"pipeline\.yaml:\d+:\d+: .*'duration_minutes' as bigint, which is declared integer")])
def test_columns_that_do_not_fit(findings, name, old, new, says):
    found = findings(replace=[(name, old, new)])
    assert any(re.search(says, line) for line in found), found


MEDROBOTICS = ROOT / "sql/pipelines/medrobotics"
AT = [  # file, old, new with @ before what the database points to, what it says
    ("extract/robots.sql", "FROM ", "FROM @no_such_", "no_such_"),
    ("extract/procedures.sql", "p.start_time < :to", "p.start_time < :to AND @p.nothing", "nothing"),
    ("views.sql", "(discharged_at", "(@discharged_when", "discharged_when"),
    ("queries/readmissions.sql", "count(discharged_at)", "count(@discharged_when)", "discharged_when"),
    ("checks/history_overlaps.sql", "effective_to > next", "@effective_too > next", "effective_too"),
    ("post_load/statistics.sql", "ANALYZE dim_date;", "DELETE FROM dim_date WHERE\n  @nothing = 1;", "nothing"),
    ("pipeline.yaml", "rule: console_minutes <= duration_minutes", "rule: duration_minutes >= @console_minute", "console_minute"),
    ("pipeline.yaml", "rule: \"country ~", "rule: \"bed_count > 0 AND @robot_key > 0 AND country ~", "robot_key"),
    ("pipeline.yaml", "where: \"start_time < :now", "where: \":from IS NOT NULL AND @start_tim < :now", "start_tim")]


def test_what_a_database_refuses_has_its_place(findings):
    """One run for all: each finding stands at the character that the database points to, through placeholders before it."""
    texts, expected = {}, []
    for name, old, new, says in AT:
        text = texts.setdefault(name, (MEDROBOTICS / name).read_text())
        assert old in text, (name, old)
        texts[name] = text.replace(old, new.replace("@", f"\0{says}\0"), 1)
    for name, text in texts.items():
        for mark in re.findall("\0(\\w+)\0", text):
            before = text.split(f"\0{mark}\0")[0]
            clean = re.sub("\0\\w+\0", "", before)
            expected.append((f"{name}:{clean.count(chr(10)) + 1}:{len(clean.split(chr(10))[-1]) + 1}: ", mark))
        texts[name] = re.sub("\0\\w+\0", "", text)
    found = findings(replace=[(name, None, text) for name, text in texts.items()])
    for start, says in expected:
        assert any(line.startswith(start) and says in line for line in found), "\n".join([start, says, *found])


def test_tables_that_are_there_already(findings):
    """What the warehouse holds cannot become what is declared: another type, another time, another surrogate."""
    found = findings("duration_minutes: integer", "duration_minutes: text", "    time: start_time", "    time: end_time",
                     "surrogate: procedure_key", "surrogate: procedure_number")
    says = [re.sub(r":\d+:\d+:", ":", line) for line in found]
    assert "pipeline.yaml: fact_procedures.duration_minutes is integer, declared text: types only widen" in says, found
    assert any("fact_procedures: 'time' was start_time when it was made, and is end_time now" in s for s in says)
    assert any("fact_procedures: 'surrogate' was procedure_key when it was made, and is procedure_number now" in s for s in says)
    assert all(re.match(r"pipeline\.yaml:\d{2,3}:\d+: ", line) for line in found if "fact_procedures" in line), found


def test_connection_that_is_missing(findings):
    assert any(re.search(r"pipeline\.yaml:\d+:\d+: .*LOADSTAR_CONNECTION_NOWHERE", line)
               for line in findings("connection: medrobotics_source", "connection: nowhere"))
