#!/usr/bin/env bash
# Explores the slice protocol (tests/protocol/slice.pml) exhaustively: as it is it must hold, and with any one rule taken away it
# must be found wrong, for the reason expected. DEEP=1 adds scopes that take minutes. Everything is built in build/model.
set -euo pipefail
cd "$(dirname "$0")/.."

model=$PWD/tests/protocol/slice.pml
build=$PWD/build/model
jobs=2 memory_mb=1900                      # memory of one variant
[ "${DEEP:-0}" != 1 ] || jobs=1 memory_mb=3900

# name | expected: holds, or the error to be found | pan's compile flags | spin's flags
variants() {
	cat <<-'END'
	every step ends                  | holds | -DNOFAIR | -DLIVENESS -DDEATH -DREVOKE_EXPIRIES=0
	overlapping slices               | holds | -DSAFETY |
	the same slice                   | holds | -DSAFETY | -DSAME_SLICE
	three runs                       | holds | -DSAFETY | -DSTEPS=3 -DATTEMPTS=1 -DREVOKE_EXPIRIES=0
	safe without exclusion           | holds | -DSAFETY | -DNO_EXCLUSION -DREVOKE_EXPIRIES=0
	no registration                  | cell_seen\[ | -DSAFETY | -DNO_REGISTRATION
	no overlap check                 | cell_seen\[ | -DSAFETY | -DNO_OVERLAP_CHECK
	no revocation                    | step\[.*\.state== | -DSAFETY | -DNO_REVOCATION
	revoke number drawn early        | step\[.*\.state== | -DSAFETY | -DREVOKE_NUMBER_DRAWN_EARLY
	bare select after a lost commit  | step\[.*\.state== | -DSAFETY | -DSELECT_ONLY_AFTER_LOST_COMMIT
	ledger rows are replaced         | commits\[ | -DSAFETY | -DREPLACE_LEDGER_ROWS
	ledger is not asked              | commits\[ | -DSAFETY | -DNO_LEDGER_CHECK
	a lock for each slice            | \.base\[ | -DSAFETY | -DLOCK_PER_SLICE_ONLY
	leases do not expire             | invalid end state | -DSAFETY | -DNO_LEASES -DDEATH
	END
	if [ "${DEEP:-0}" = 1 ]; then
		cat <<-'END'
		deep: death and slow revokers    | holds | -DSAFETY | -DDEATH
		deep: a third attempt            | holds | -DSAFETY | -DATTEMPTS=3 -DREVOKE_EXPIRIES=0
		deep: a third worker             | holds | -DSAFETY | -DWORKERS=3 -DREVOKE_EXPIRIES=0
		END
	fi
}

# The generator's own code draws warnings from gcc (-w); the model's mistakes are spin's to report.
run_variant() {
	local dir=$1 compile_flags=$2 model_flags=$3 search=

	case $model_flags in *LIVENESS*) search=-a ;; esac
	mkdir -p "$dir" && cd "$dir"
	# shellcheck disable=SC2086  # lists of flags
	{ spin -a $model_flags "$model" && gcc -w -O1 $compile_flags -DMEMLIM="$memory_mb" -o pan pan.c; } >build.log 2>&1 &&
		./pan -m10000 -w24 $search >pan.log 2>&1
}

trim() { local s=$1; s=${s#"${s%%[![:space:]]*}"}; printf '%s' "${s%"${s##*[![:space:]]}"}"; }

# Why the result is not the expected one; nothing if it is.
judge() {
	local dir=$1 expected=$2

	if ! grep -q 'errors: ' "$dir/pan.log" 2>/dev/null; then
		echo "it did not run to its end"
	elif grep -qE 'max search depth too small|out of memory|Search not completed' "$dir/pan.log" && [ "$expected" = holds ]; then
		echo "the search was cut short"
	elif [ "$expected" = holds ]; then
		grep -q 'errors: 0$' "$dir/pan.log" || grep -m1 '^pan:1:' "$dir/pan.log" || echo "it has errors"
	elif ! grep -qE "^pan:1: .*$expected" "$dir/pan.log"; then
		echo "the expected error was not found"
	fi
}

figure() { grep -oE "$2" "$1/pan.log" 2>/dev/null | head -1 | grep -oE '[0-9.]+(e\+[0-9]+)?' | head -1; }

command -v spin >/dev/null || { echo "model: spin is not installed" >&2; exit 1; }
rm -rf "$build"
mkdir -p "$build"

names=() expectations=() number=0
while IFS='|' read -r name expected compile_flags model_flags; do
	names+=("$(trim "$name")")
	expectations+=("$(trim "$expected")")
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
	run_variant "$build/$number" "$compile_flags" "$model_flags" &
	number=$((number + 1))
done < <(variants)
wait

passed=0 failed=0
for number in "${!names[@]}"; do
	dir=$build/$number
	why=$(judge "$dir" "${expectations[$number]}")
	verdict="holds"
	[ "${expectations[$number]}" = holds ] || verdict="found wrong"
	figures="$(figure "$dir" '[0-9.e+]+ states, stored') states, depth $(figure "$dir" 'depth reached [0-9]+')"
	figures+=", $(figure "$dir" 'elapsed time [0-9.]+') s"
	if [ -z "$why" ]; then
		passed=$((passed + 1))
		echo "ok $((number + 1)) passed: ${names[$number]} ($verdict; $figures)"
	else
		failed=$((failed + 1))
		echo "not ok $((number + 1)) failed: ${names[$number]}: $why ($figures; $dir/pan.log)"
		tail -n 5 "$dir/build.log" >&2 || true
	fi
done
[ "$failed" -gt 0 ] || rm -rf "$build"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
