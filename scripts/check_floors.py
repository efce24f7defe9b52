#!/usr/bin/env python3
"""The house rules that no compiler knows.

usage: check_floors.py [--self-test]

A file includes its own floor or a lower one; each library has its room; some
functions are banned outside theirs; functions and files stay small.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = ("base", "sql", "etl", "handlers", "server")

# Library header -> the only paths that may include it.
ROOMS = (
    (r"microhttpd\.h", r"server/"),
    (r"jwt\.h", r"handlers/auth_issue\.c$"),
    (r"curl/.*", r"base/http_client\.c$"),
    (r"openssl/.*", r"base/crypto(_\w+)?\.c$"),
    (r"jansson\.h", r"base/json\.[ch]$"),
    (r"libpq-fe\.h", r"sql/pg(_\w+)?\.[ch]$|etl/warehouse[^/]*\.[ch]$|etl/warehouse/"),
    (r"libfyaml\.h", r"etl/spec/yaml\.c$"),
    (r"duckdb\.h", r"etl/duck/"),
)

# Called function -> the only paths that may call it (None: nowhere).
BANNED = (
    (r"strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets", None),
    (r"getenv|secure_getenv", r"base/config\.c$"),
    # Library rooms give back to a library what it allocated with malloc.
    (
        r"malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf",
        r"base/|handlers/auth_issue\.c$|sql/pg(_\w+)?\.c$|etl/warehouse[^/]*\.c$|etl/warehouse/|etl/spec/yaml\.c$|etl/duck/"
        r"|server/",
    ),
)

FUNCTION_LINES = 60
FILE_WARN, FILE_FAIL = 400, 500

# "path:function": why it may be longer than FUNCTION_LINES. An entry that is no longer needed fails the check.
LONG_FUNCTIONS = {}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
TOKENS = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S
)


def blank(text: str) -> str:
    """The text with comments and literals blanked, lines kept."""
    return TOKENS.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def check_includes(path: str, text: str):
    floor = path.split("/")[0]
    uncommented = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for match in INCLUDE.finditer(uncommented):
        kind, name = match.groups()
        line = line_of(uncommented, match.start())
        if kind == '"':
            other = name.split("/")[0]
            if other not in FLOORS:
                yield line, f'"{name}": includes are written from the repository root'
            elif FLOORS.index(other) > FLOORS.index(floor):
                yield line, f'"{name}": {floor}/ must not see {other}/'
            continue
        for header, room in ROOMS:
            if re.fullmatch(header, name) and not re.match(room, path):
                yield line, f"<{name}> belongs in {room}"


def check_calls(path: str, code: str):
    for names, room in BANNED:
        if room and re.match(room, path):
            continue
        # A member (x->free) or a longer name (ctx_free) is not a call of the banned function.
        for match in re.finditer(rf"(?<![\w.>])({names})\s*\(", code):
            where = f"outside {room}" if room else "anywhere"
            yield line_of(code, match.start()), f"{match.group(1)} is banned {where}"


def functions(code: str):
    """(name, first line, last line) of each function, by its braces at column 0."""
    lines = code.split("\n")
    start = None
    for number, text in enumerate(lines, 1):
        if text.startswith("{") and start is None:
            head = "\n".join(lines[max(0, number - 9) : number - 1])
            head = re.split(r"^[}#].*$|;\s*$", head, flags=re.M)[-1]
            name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
            start = (name.group(1), number) if name else None
        elif text.startswith("}") and start is not None:
            yield start[0], start[1], number
            start = None


def check_sizes(path: str, text: str, code: str, long_functions=None):
    allowed = LONG_FUNCTIONS if long_functions is None else long_functions
    for name, first, last in functions(code):
        key, length = f"{path}:{name}", last - first - 1
        if length > FUNCTION_LINES and key not in allowed:
            yield first, f"{name} has {length} lines; {FUNCTION_LINES} is the limit"
        if length <= FUNCTION_LINES and key in allowed:
            yield first, f"{name} fits by now: drop it from LONG_FUNCTIONS"
    count = text.count("\n")
    if path.endswith(".c") and count > FILE_FAIL:
        yield count, f"{count} lines; {FILE_FAIL} is the limit of a file"


def check(path: str, text: str, long_functions=None):
    """Every violation in one file as (line, message)."""
    code = blank(text)
    yield from check_includes(path, text)
    yield from check_calls(path, code)
    yield from check_sizes(path, text, code, long_functions)


# Each snippet, where it stands, and what must be said about it (None: nothing).
SNIPPETS = (
    ("base/a.c", '#include "sql/pg.h"\n', "must not see sql/"),
    ("etl/a.c", '#include "handlers/runs.h"\n', "must not see handlers/"),
    ("etl/a.c", '#include "runs.h"\n', "from the repository root"),
    ("etl/spec/a.c", '#include "sql/pg.h"\n#include "etl/spec/b.h"\n', None),
    ("handlers/a.c", "#include <microhttpd.h>\n", "belongs in"),
    ("handlers/runs.c", "#include <jwt.h>\n", "belongs in"),
    ("handlers/auth.c", "#include <jwt.h>\n", "belongs in"),
    ("handlers/auth_issue.c", "#include <jwt.h>\n", None),
    ("handlers/auth_issue.c", "#include <openssl/evp.h>\n", "belongs in"),
    ("base/crypto_key.c", "#include <openssl/evp.h>\n", None),
    ("etl/s3.c", "#include <curl/curl.h>\n", "belongs in"),
    ("etl/s3.c", "#include <openssl/sha.h>\n", "belongs in"),
    ("sql/a.c", "#include <jansson.h>\n", "belongs in"),
    ("sql/run_store.c", "#include <libpq-fe.h>\n", "belongs in"),
    ("etl/warehouse_pg.c", "#include <libpq-fe.h>\n", None),
    ("etl/a.c", "#include <libfyaml.h>\n", "belongs in"),
    ("etl/a.c", "#include <duckdb.h>\n", "belongs in"),
    ("etl/a.c", "/* #include <duckdb.h> */\n", None),
    ("base/a.c", "void\nf(char *s)\n{\n\tstrcpy(s, s);\n}\n", "strcpy is banned"),
    ("base/a.c", "int\nf(char *s)\n{\n\treturn atoi (s);\n}\n", "atoi is banned"),
    ("base/a.c", '/* strcpy(a) */ const char *s = "gets(";\n', None),
    ("etl/a.c", 'void\nf(void)\n{\n\tgetenv("HOME");\n}\n', "getenv is banned"),
    ("base/config.c", 'void\nf(void)\n{\n\tgetenv("HOME");\n}\n', None),
    ("handlers/a.c", "void\nf(void *p)\n{\n\tfree(p);\n}\n", "free is banned"),
    ("handlers/a.c", "void\nf(struct x *p)\n{\n\tctx_free(p);\n\tp->free(p);\n}\n", None),
    ("etl/a.c", "int\nf(void)\n{\n" + "\tg();\n" * 60 + "}\n", None),
    ("etl/a.c", "int\nf(void)\n{\n" + "\tg();\n" * 61 + "}\n", "f has 61 lines"),
    ("etl/a.c", "static int\nf(struct a *a,\n    int b)\n{\n" + "\tg();\n" * 61 + "}\n", "f has 61 lines"),
    ("etl/a.c", "static const int t[] =\n{\n" + "\t1,\n" * 90 + "};\n", None),
    ("etl/a.c", "int x;\n" * 501, "501 lines"),
)


def self_test() -> int:
    wrong = 0
    for path, text, want in SNIPPETS:
        said = [message for _, message in check(path, text, {})]
        right = not said if want is None else any(want in message for message in said)
        if not right:
            wrong += 1
            print(f"{path}: {text[:60]!r}: wanted {want!r}, got {said}")
    stale = [m for _, m in check("etl/a.c", "int\nf(void)\n{\n}\n", {"etl/a.c:f": "why"})]
    if not stale:
        wrong += 1
        print("an entry of LONG_FUNCTIONS that is no longer needed went unnoticed")
    return wrong


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    found = 0
    seen = set()
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.[ch]")):
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text()
            seen.update(f"{name}:{function[0]}" for function in functions(blank(text)))
            for line, message in check(name, text):
                found += 1
                print(f"{name}:{line}: {message}")
            count = text.count("\n")
            if name.endswith(".c") and FILE_WARN < count <= FILE_FAIL:
                print(f"{name}: warning: {count} lines, more than {FILE_WARN}")
    for path in sorted((ROOT / "tests").rglob("*.c")):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        for line, message in check_sizes(name, text, blank(text)):
            found += 1
            print(f"{name}:{line}: {message}")
    for key in sorted(set(LONG_FUNCTIONS) - seen):
        found += 1
        print(f"LONG_FUNCTIONS: {key} does not exist")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
