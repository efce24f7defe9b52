#!/bin/sh
# The benchmarks, after `make build build-bench venv`: a table, and build/bench.json. Arguments go to tests/bench/bench.py.
set -eu
cd "$(dirname "$0")/.."
exec env PYTHONDONTWRITEBYTECODE=1 .venv/bin/python tests/bench/bench.py "$@"
