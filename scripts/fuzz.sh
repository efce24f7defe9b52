#!/bin/bash
# usage: fuzz.sh SECONDS: each fuzz target in turn, for so long. New inputs join build/fuzz/corpus/<target>;
# a crash leaves its input in build/fuzz/crashes and ends with exit code 1.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
failed=0
mkdir -p build/fuzz/crashes
for source in tests/fuzz/*.c; do
	name=$(basename "$source" .c)
	found=build/fuzz/corpus/$name
	seeds=tests/fuzz/corpus/$name
	mkdir -p "$found"
	echo "== $name, $seconds s"
	build/fuzz/tests/fuzz/"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crashes/$name-" "$found" $([ ! -d "$seeds" ] || echo "$seeds") </dev/null || failed=1
done
exit $failed
