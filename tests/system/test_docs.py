"""The manual against the tables it is made from: settings, commands and options are told everywhere, and alike."""

import os
import re
import subprocess

import pytest

from service import BINARY, ROOT

TEXT = r'"((?:[^"\\]|\\.)*)"'


def read(path):
    return (ROOT / path).read_text()


def rows(path, pattern):
    found = re.findall(pattern, read(path), re.M)
    return [tuple(value.replace('\\"', '"') for value in row) for row in found]


SETTINGS = rows("base/config_table.def", rf'^SETTING\(\w+, {TEXT}, {TEXT}, \w+, (NULL|"[^"]*"), (?:true|false), {TEXT}\)$')
FAILURES = re.findall(
    rf'^FAIL\(\w+, {TEXT}, (\d+), (\w+), (true|false), {TEXT},\s*(?:NULL|{TEXT})\)$', read("base/fail_table.def"), re.M)
COMMANDS = rows("server/command.c", rf"^\s*\{{{TEXT}, {TEXT}, {TEXT},\s*command_\w+\}}")
OPTIONS = rows("server/command_options.def", rf"^OPTION\({TEXT}, {TEXT}, (?:NULL|{TEXT}), {TEXT}\)$")


def dashed(name):
    return ("-" if len(name) == 1 else "--") + name


def run(*arguments):
    env = {k: v for k, v in os.environ.items() if not k.startswith("LOADSTAR_")}
    env.update(LOADSTAR_URL="http://127.0.0.1:9", LOADSTAR_TOKEN="none")
    return subprocess.run([BINARY, *arguments], env=env, capture_output=True, text=True, timeout=20, cwd=ROOT)


def test_tables_are_read_whole():
    assert len(SETTINGS) == read("base/config_table.def").count("\nSETTING(") > 15
    assert len(FAILURES) == read("base/fail_table.def").count("\nFAIL(") > 50
    assert len(OPTIONS) == read("server/command_options.def").count("\nOPTION(") > 30
    assert [name for name, _, _ in COMMANDS] == re.findall(r"^  (\w+) +\S", run("--help").stdout, re.M)


def test_settings_page_is_the_table():
    want = [f"| `{variable}` | `--{flag}` | {'unset' if default == 'NULL' else '`' + default[1:-1] + '`'} | {doc} |"
            for variable, flag, default, doc in SETTINGS]
    assert re.findall(r"^\| `LOADSTAR_.*$", read("docs/settings.md"), re.M) == want
    for word in ("LOADSTAR_CONNECTION_<NAME>", "_FILE"):
        assert word in read("docs/settings.md") and word in run("settings").stdout
    for variable, flag, _, doc in SETTINGS:
        assert variable in run("settings").stdout and f".It Ev {variable} " in read("docs/loadstar.1")


def test_errors_page_is_the_tables():
    """A line for each code, in the order of its table, and none for a code that is not there; each says what to do."""
    failures = [row for row in FAILURES if row[0] != "none"]
    page = read("docs/errors.md")
    head, _, rest = page.partition("\n## Why a step was skipped\n")
    lines = re.findall(r"^\| `(\w+)` \| (\d+) \| (\w+) \| (yes|) \| (.*?) \| (.*) \|$", head, re.M)
    assert [line[:4] for line in lines] == [(name, status, kind.lower(), "yes" if again == "true" else "")
                                            for name, status, kind, again, _, _ in failures]
    for (name, _, _, _, title, hint), (*_, meaning, advice) in zip(failures, lines):
        assert meaning.startswith(title + "."), name
        assert advice == hint if hint else len(advice) > 10, name
    skips, _, waits = rest.partition("\n## For what a step waits\n")
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", skips, re.M) == rows("sql/skip_reasons.def", rf"^SKIP\(\w+, {TEXT}, {TEXT}\)$")
    assert re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", waits, re.M) == rows(
        "sql/wait_kinds.def", rf"^WAIT\(\w+, {TEXT}, {TEXT}, {TEXT}\)$")


def test_codes_that_are_written_elsewhere_are_in_the_tables():
    """No code is made up beside the tables: in C as `"code"`, in SQL or in the contract's examples."""
    known = {row[0] for row in FAILURES} | {name for name, _ in rows("sql/skip_reasons.def", rf"^SKIP\(\w+, {TEXT}, {TEXT}\)$")}
    said = set(re.findall(r"urn:loadstar:problem:(\w+)|, code: (\w+)", read("openapi/openapi.yaml")))
    for floor in ("sql", "etl", "handlers", "server"):
        for path in (ROOT / floor).rglob("*.c"):
            text = path.read_text()
            said |= {(found, "") for found in re.findall(r'\w+, "code", "(\w+)"|reason_text\(ctx, "(\w+)"|\\"code\\":\\"(\w+)',
                                                         text) for found in found if found}
    names = {name for pair in said for name in pair if name}
    assert len(names) > 15 and names <= known, names - known


def test_commands_page_is_the_table():
    text = read("docs/cli.md")
    assert re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| (.*) \|$", text, re.M) == [(n, s) for n, _, s in COMMANDS]
    for name, arguments, _ in COMMANDS:
        section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
        assert f"`loadstar {name} {arguments}".rstrip() + "`" in section
        want = [(f"{dashed(option)} {value}".strip(), doc) for command, option, value, doc in OPTIONS if command == name]
        assert re.findall(r"^\| `(-[^`]*)` \| (.*) \|$", section, re.M) == want
        help_text = run(name, "--help").stdout
        for option, doc in want:
            assert re.search(rf"^ *{re.escape(option)} +{re.escape(doc)}$", help_text, re.M), (name, option)


def test_man_page_and_completion_know_every_command_and_option():
    man, completion = read("docs/loadstar.1"), read("docs/loadstar.bash")
    sections = re.split(r"^\.It Cm ", man, flags=re.M)[1:]
    assert [section.split()[0] for section in sections] == [name for name, _, _ in COMMANDS]
    for name, section in zip([n for n, _, _ in COMMANDS], sections):
        want = [option for command, option, _, _ in OPTIONS if command == name]
        flags = re.findall(r"^\.It Fl (?:\\-)?(\S+)", section.split(".Sh ")[0], re.M)
        assert [flag.replace("\\-", "-") for flag in flags] == want, name
        offered = re.search(rf'^\t{name}\) options="(.*)" ;;$', completion, re.M)[1].split()
        assert [o for o in offered if o not in ("--url", "--token", "--help")] == [dashed(o) for o in want]
    assert re.search(r'words="(.*) settings help"', completion)[1].split() == [name for name, _, _ in COMMANDS]


@pytest.mark.parametrize("command", sorted({command for command, _, _, _ in OPTIONS}))
def test_parsers_know_every_option(command):
    for _, option, value, _ in [row for row in OPTIONS if row[0] == command and command != "serve"]:
        words = {"": [], "N": ["1"], "K=V": ["a=b"]}.get(value, ["x"])
        told = run(command, dashed(option), *words, *["k=v"] * 40).stderr
        assert "fewer arguments" in told, (command, option, told)


def test_every_option_of_a_parser_is_told():
    known = {option for _, option, _, _ in OPTIONS}
    for path in (ROOT / "server").glob("c*.c"):
        assert set(re.findall(r'\{"([\w-]+)",\s*OPTION_\w+', path.read_text())) <= known, path


def complete(*words):
    script = (f"source docs/loadstar.bash; COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1};"
              " _loadstar; echo ${COMPREPLY[@]}")
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert not done.stderr
    return done.stdout.split()


def test_completion_completes():
    assert complete("loadstar", "pip") == ["pipelines"]
    assert complete("loadstar", "retry", "x", "--s") == ["--spec"]
    assert complete("loadstar", "run", "medrobotics", "f") == ["full", "facts"]
    assert complete("loadstar", "version", "") == []


def test_install_brings_everything(tmp_path):
    if BINARY != str(ROOT / "build/loadstar"):
        pytest.skip("make install installs the plain build")
    subprocess.run(["make", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, check=True, capture_output=True)
    for path in ("bin/loadstar", "share/man/man1/loadstar.1", "share/bash-completion/completions/loadstar",
                 "share/loadstar/pipelines/medrobotics/pipeline.yaml"):
        assert (tmp_path / "usr" / path).is_file(), path
    assert subprocess.run([tmp_path / "usr/bin/loadstar", "version"], check=True, capture_output=True).stdout
