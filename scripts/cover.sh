#!/bin/bash
# Coverage of the unit tests and the system smoke: a table, build/cover/report/index.html, build/cover/coverage.json.
set -eu
cd "$(dirname "$0")/.."

find build/cover -name '*.gcda' -delete 2>/dev/null || true
tests=0
python3 scripts/test.py cover || tests=$?
mkdir -p build/cover/report
gcovr --root . --object-directory build/cover/obj --exclude tests/ --exclude build/ --exclude-throw-branches \
	--gcov-ignore-parse-errors --print-summary --txt - --json-summary build/cover/coverage.json \
	--html-details build/cover/report/index.html build/cover/obj
exit $tests
