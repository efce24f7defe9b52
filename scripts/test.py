#!/usr/bin/env python3
"""Run the tests phase by phase and say how many passed.

usage: test.py [all|asan|tsan|cover]

Every phase runs in the same way: its builds, its programs under a time limit,
its count from the programs' own reports (TAP, JUnit XML), and a look for
processes it left behind, which count as a failure. The last line printed is
the sum of all phases.

Reports: build/reports/<phase>.xml for pytest, build/reports/<phase>/*.log for programs.
"""
import concurrent.futures
import ctypes
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build/reports"
CORES = os.cpu_count() or 1

UNIT_SECONDS = 120  # one unit test program
CONCURRENCY_SECONDS = 180
LONGER = {"test_property": 900, "test_lists_million": 300}  # by name: a thousand sequences, and a million runs
LINT_SECONDS = 900
MODEL_SECONDS = 300
FUZZ_SECONDS = 120  # one corpus
SYSTEM_SECONDS = 3000  # one phase of pytest
TEST_SECONDS = 180  # one system test
LEAVE_SECONDS = 5  # how long what a phase started may take to end after it

KILLS = "tests/system/test_kills.py"

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


# ---- processes


def adopt_orphans():
    """Become the parent of whatever a test leaves behind, so that it can be found."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        sys.exit("test.py: cannot adopt orphans")


def descendants():
    """{pid: command} of every living process below this one."""
    children, names = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(entry.name))
            names[int(entry.name)] = command.strip() or stat.split("(")[1].split(")")[0]
    found, todo = {}, [os.getpid()]
    while todo:
        for pid in children.get(todo.pop(), []):
            found[pid] = names[pid]
            todo.append(pid)
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def reap_adopted():
    """Init's duty, which came with the adoption: whoever waits for the end of a killed process must see it. A child that
    somebody here waits for is no zombie for a second."""
    seen = set()
    while True:
        zombies = set()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if entry.name.isdigit() and state == "Z" and int(parent) == os.getpid():
                    zombies.add(int(entry.name))
            except (OSError, ValueError):
                continue
        for pid in zombies & seen:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        seen = zombies
        time.sleep(1)


def end_leftovers():
    """What is still running after a grace period; it is ended, and listed."""
    end = time.monotonic() + LEAVE_SECONDS
    while (left := descendants()) and time.monotonic() < end:
        reap()
        time.sleep(0.1)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + LEAVE_SECONDS
        for pid in descendants():
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass
        while descendants() and time.monotonic() < end:
            reap()
            time.sleep(0.1)
    reap()
    return left


def command(argv, seconds, log=None, env=None):
    """Exit code of argv, 124 when it took too long; its output goes to the log, or is shown."""
    out = open(log, "wb") if log else None
    try:
        with subprocess.Popen(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out else None,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        ) as child:
            try:
                return child.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return 124
    finally:
        if out:
            out.close()


# ---- what programs report


def count_tap(text, code):
    """Counts of TAP output; a program that failed without naming a test is one failure."""
    count = Count()
    for line in text.splitlines():
        match = re.match(r"(ok|not ok) \d+\b(.*)", line)
        if not match:
            continue
        if re.search(r"# SKIP", match.group(2)):  # cmocka writes a skipped test as "not ok N # SKIP"
            count.skipped += 1
        elif match.group(1) == "ok":
            count.passed += 1
        else:
            count.failed += 1
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)$", text, re.M))
    reported = count.passed + count.failed + count.skipped
    if (code != 0 and count.failed == 0) or reported < planned:
        count.failed += 1
    elif code == 0 and reported == 0:
        count.passed = 1  # a program that is one test
    return count


def count_junit(path, code):
    count = Count()
    try:
        suites = list(ET.parse(path).getroot().iter("testsuite"))
    except (OSError, ET.ParseError):
        return Count(failed=1)
    for suite in suites:
        tests, failures, errors, skipped = (int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped"))
        count.skipped += skipped
        count.failed += failures + errors
        count.passed += max(0, tests - failures - errors - skipped)
    if code not in (0, 5) and count.failed == 0:
        count.failed = 1
    return count


def show(log, lines=120):
    text = log.read_text(errors="replace").splitlines()
    if len(text) > lines:
        print(f"    … {len(text) - lines} lines before, in {log.relative_to(ROOT)}")
    print("\n".join("    " + line for line in text[-lines:]))


# ---- phases


def make(*goals):
    inside = "MAKEFLAGS" in os.environ and "jobserver" in os.environ["MAKEFLAGS"]
    argv = ["make", "-s", *([] if inside else [f"-j{CORES}"]), *goals]
    # The jobserver's descriptors are part of the build, so it is not run in a session of its own.
    result = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, close_fds=False, check=False)
    return result.returncode == 0


def variant(name):
    return "build" if name == "plain" else f"build/{name}"


def tools_for_tsan(argv, name):
    """TSan's fixed shadow memory and a randomised address space do not always go together."""
    if name == "tsan" and shutil.which("setarch"):
        probe = ["setarch", platform.machine(), "-R", "true"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return probe[:3] + argv
    return argv


def programs(phase, folder, name, seconds):
    """Build and run tests/<folder>/test_*.c in one variant, two at a time."""
    sources = sorted((ROOT / "tests" / folder).glob("test_*.c"))
    if not sources:
        return Count()
    total = Count()
    if not make(f"VARIANT={name}", f"build-{folder}"):
        # What does build is still run; a program of an earlier build must not pass for it.
        for source in sources:
            (ROOT / variant(name) / "tests" / folder / source.stem).unlink(missing_ok=True)
        make("-k", f"VARIANT={name}", f"build-{folder}")
    logs = REPORTS / phase
    logs.mkdir(parents=True, exist_ok=True)
    env = {**SANITIZERS, "CMOCKA_MESSAGE_OUTPUT": "TAP"}

    def one(source):
        path = ROOT / variant(name) / "tests" / folder / source.stem
        log = logs / f"{source.stem}.log"
        if not path.exists():
            log.write_text("does not build\n")
            return source.stem, log, 1, Count(failed=1)
        code = command(tools_for_tsan([str(path)], name), LONGER.get(source.stem, seconds), log, env)
        return source.stem, log, code, count_tap(log.read_text(errors="replace"), code)

    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for stem, log, code, count in pool.map(one, sources):
            total.add(count)
            if count.failed:
                print(f"  {stem}: {count} (exit {code}{', out of time' if code == 124 else ''})")
                show(log)
    return total


def lint(_phase):
    log = REPORTS / "lint.log"
    code = command(["scripts/lint.sh"], LINT_SECONDS, log)
    count = count_tap(log.read_text(errors="replace"), code)
    if count.failed:
        show(log)
    return count


def model(_phase):
    if not (ROOT / "scripts/model.sh").exists():
        return Count()
    log = REPORTS / "model.log"
    code = command(["scripts/model.sh"], MODEL_SECONDS, log)
    count = count_tap(log.read_text(errors="replace"), code)
    if count.failed:
        show(log)
    return count


def fuzz_corpora(phase):
    """Replay what fuzzing has found so far: one run of each target over its corpus."""
    sources = sorted((ROOT / "tests/fuzz").glob("*.c"))
    if not sources:
        return Count()
    if not make("VARIANT=fuzz", "CC=clang", "build-fuzz"):
        return Count(failed=1)
    logs = REPORTS / phase
    logs.mkdir(parents=True, exist_ok=True)
    count = Count()
    for source in sources:
        corpus = ROOT / "tests/fuzz/corpus" / source.stem
        inputs = sorted(str(path) for path in corpus.glob("*"))
        log = logs / f"{source.stem}.log"
        log.write_text("it has no corpus\n")
        argv = [str(ROOT / "build/fuzz/tests/fuzz" / source.stem), f"-artifact_prefix={logs}/", *inputs]
        if not inputs or command(argv, FUZZ_SECONDS, log, SANITIZERS) != 0:
            count.failed += 1
            show(log)
        else:
            count.passed += 1
    return count


def pytest(report, log, binary, arguments):
    report = REPORTS / f"{report}.xml"
    report.unlink(missing_ok=True)
    argv = [".venv/bin/python", "-m", "pytest", "-q", "-ra", "--color=no", "-p", "no:cacheprovider"]
    argv += [f"--timeout={TEST_SECONDS}", f"--junitxml={report}", *arguments]
    env = {
        **SANITIZERS,
        "LOADSTAR_BINARY": str(ROOT / binary),
        "LOADSTAR_FAILPOINTS_BINARY": str(ROOT / "build/loadstar-failpoints"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return count_junit(report, command(argv, SYSTEM_SECONDS, log, env))


def python(phase, folder):
    if not make("build", "venv") or not make("FAILPOINTS=1", "build"):
        return Count(failed=1)
    return pytest(phase, None, "build/loadstar", [f"tests/{folder}"])


def system(phase):
    """The kills mostly wait, for leases and starts, so the other tests run beside them."""
    if not make("build", "venv") or not make("FAILPOINTS=1", "build"):
        return Count(failed=1)
    log = REPORTS / f"{phase}-kills.log"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        kills = pool.submit(pytest, f"{phase}-kills", log, "build/loadstar", ["-s", KILLS])
        count = pytest(phase, None, "build/loadstar", ["tests/system", f"--ignore={KILLS}"])
        print(f"  {KILLS}: {kills.result()}")
    if kills.result().failed:
        show(log)
    count.add(kills.result())
    return count


def smoke(phase, name):
    if not make(f"VARIANT={name}", "build", "venv"):
        return Count(failed=1)
    return pytest(phase, None, f"{variant(name)}/loadstar", ["-m", "smoke", "tests/system"])


def build(_phase):
    return Count() if make("build") and make("FAILPOINTS=1", "build") else Count(failed=1)


PHASES = (
    # name, what it is called, what it does, in which selections
    ("lint", "lint", lint, ("all",)),
    ("build", "build", build, ("all",)),
    ("unit", "unit tests", lambda p: programs(p, "unit", "plain", UNIT_SECONDS), ("all",)),
    ("unit-asan", "unit tests, ASan and UBSan", lambda p: programs(p, "unit", "asan", UNIT_SECONDS), ("all", "asan")),
    ("unit-tsan", "unit tests, TSan", lambda p: programs(p, "unit", "tsan", UNIT_SECONDS), ("tsan",)),
    (
        "concurrency",
        "concurrency tests",
        lambda p: programs(p, "concurrency", "plain", CONCURRENCY_SECONDS),
        ("all",),
    ),
    (
        "concurrency-tsan",
        "concurrency tests, TSan",
        lambda p: programs(p, "concurrency", "tsan", CONCURRENCY_SECONDS),
        ("all", "tsan"),
    ),
    ("fuzz", "fuzz corpora", fuzz_corpora, ("all",)),
    ("model", "protocol model", model, ("all",)),
    ("scripts", "scripts", lambda p: python(p, "scripts"), ("all",)),
    ("protocol", "protocol rules on a server", lambda p: python(p, "protocol"), ("all",)),
    ("sample", "sample source", lambda p: python(p, "sample"), ("all",)),
    ("system", "system tests", system, ("all",)),
    ("smoke-asan", "system smoke, ASan and UBSan", lambda p: smoke(p, "asan"), ("all", "asan")),
    ("unit-cover", "unit tests, coverage", lambda p: programs(p, "unit", "cover", UNIT_SECONDS), ("cover",)),
    ("smoke-cover", "system smoke, coverage", lambda p: smoke(p, "cover"), ("cover",)),
)


def run_phase(name, title, work):
    print(f"== {title}", flush=True)
    started = time.monotonic()
    count = work(name)
    if left := end_leftovers():
        count.failed += 1
        print("  left running, now ended:")
        for pid, line in left.items():
            print(f"    {pid} {line[:160]}")
    print(f"== {title}: {count} in {time.monotonic() - started:.1f} s\n", flush=True)
    return count


def main():
    selection = sys.argv[1] if len(sys.argv) > 1 else "all"
    if selection not in ("all", "asan", "tsan", "cover"):
        sys.exit(__doc__)
    os.chdir(ROOT)
    REPORTS.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    threading.Thread(target=reap_adopted, daemon=True).start()
    total, lines = Count(), []
    for name, title, work, selections in PHASES:
        if selection in selections:
            count = run_phase(name, title, work)
            total.add(count)
            lines.append(f"{title:30} {count}")
    print("\n".join(lines))
    print(total, flush=True)
    # A run that tested nothing proves nothing.
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
