#!/bin/bash
# Every static check, each reported as one TAP line; exit code 1 when any of them failed.
# clang-tidy and clang's own compile are kept per file and asked again only when the file, a header or
# the configuration changed.
set -u
cd "$(dirname "$0")/.."

cache=build/lint
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p $cache
jobs=$(nproc)
failed=0
number=0

mapfile -t sources < <(find base sql etl handlers server tests -name '*.c' 2>/dev/null | sort)
mapfile -t headers < <(find base sql etl handlers server tests \( -name '*.h' -o -name '*.def' \) 2>/dev/null | sort)
mapfile -t product < <(printf '%s\n' "${sources[@]}" | grep -v '^tests/')
flags="-std=c17 -D_GNU_SOURCE -I. -isystem .duckdb/include -DLOADSTAR_FAILPOINTS $(pkg-config --cflags libmicrohttpd libjwt libcurl libpq jansson libfyaml openssl)"
warnings='-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla'
export flags warnings cache

check() {
	local name=$1
	shift
	number=$((number + 1))
	if "$@" >"$log" 2>&1; then
		echo "ok $number - $name"
	else
		failed=1
		head -n 200 "$log"
		echo "not ok $number - $name"
	fi
}

# The analysers' answer about a file depends on the headers and on how they are asked.
environment=$(cat "${headers[@]}" .clang-tidy "$0" </dev/null | sha256sum | cut -c1-16)
export environment

# once TOOL FILE COMMAND…: run unless it already passed on this very content.
once() {
	local mark tool=$1 file=$2
	shift 2
	mark=$cache/$tool-$environment-$(sha256sum <"$file" | cut -c1-16)-$(basename "$file")
	[ -e "$mark" ] && return 0
	"$@" && : >"$mark"
}
one_clang() {
	once clang "$1" clang $flags $warnings -fsyntax-only "$1"
}
one_tidy() {
	# Its summary of suppressed warnings is no finding.
	once tidy "$1" bash -o pipefail -c \
		"clang-tidy --quiet '$1' -- $flags 2>&1 | { grep -v 'warnings\? generated\.\$' || true; }"
}
export -f once one_clang one_tidy
each() {
	local function=$1
	shift
	printf '%s\0' "$@" | xargs -0 -r -n 1 -P "$jobs" bash -c "$function \"\$0\""
}
format() {
	clang-format --dry-run -Werror "${sources[@]}" $(printf "%s\n" "${headers[@]}" | grep "\.h$")
}
# Without the system's headers cppcheck must be told which macros are loops; uninitialised
# variables are left to the compilers and clang-tidy, which follow conditions better. NULL is a pointer
# on every platform of ours, so it may end variable arguments.
analyse() {
	mkdir -p $cache/cppcheck
	cppcheck --quiet --std=c11 --language=c -j "$jobs" -I. -D_GNU_SOURCE --enable=warning,performance,portability \
		--error-exitcode=1 --inline-suppr --cppcheck-build-dir=$cache/cppcheck \
		--include=scripts/cppcheck.h --suppress=legacyUninitvar --suppress=varFuncNullUB --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=unusedFunction \
		--template='{file}:{line}: {severity}: {message} [{id}]' "$@"
}
shell() {
	local script
	for script in scripts/*.sh .ci/run; do
		bash -n "$script" || return 1
	done
	python3 - scripts/*.py tests/bench/*.py <<-'END'
		import ast, sys
		for path in sys.argv[1:]:
		    ast.parse(open(path).read(), path)
	END
}

# No Docker engine is needed: hadolint reads the file, tests/scripts/test_docker.py holds it to the rest of the repository.
docker() {
	make -s venv && .venv/bin/hadolint docker/Dockerfile
}

find $cache -maxdepth 1 -type f -mtime +7 -delete
check 'docker: hadolint' docker
if [ ${#sources[@]} -gt 0 ]; then
	check 'clang-format' format
	check 'floors' python3 scripts/check_floors.py
	check 'floors: self-test' python3 scripts/check_floors.py --self-test
	check 'scripts parse' shell
	check 'clang compiles' each one_clang "${sources[@]}"
	check 'cppcheck' analyse "${product[@]}"
	check 'clang-tidy' each one_tidy "${product[@]}"
fi
echo "1..$number"
exit $failed
