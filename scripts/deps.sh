#!/bin/sh
# Install what is missing, and say nothing when nothing is.
#
# usage: deps.sh [build] [run] [test] [cover] [bench]    (default: build run test)
#
#   build  compilers and libraries        run   PostgreSQL and what a demo calls
#   test   analysers, test libraries      cover the coverage report
#   bench  what the benchmarks drive
set -eu

clang_runtime() {
	# The sanitizer runtime carries the release in its name and is only recommended by clang.
	dpkg-query -W -f '${Depends}' clang 2>/dev/null | grep -o 'clang-[0-9]*' | head -1 |
		sed 's/clang-\(.*\)/libclang-rt-\1-dev/'
}

# Debian cuts ensurepip out of its python3; any other Python has it.
venv() {
	python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev make pkg-config python3 libmicrohttpd-dev libjansson-dev libjwt-dev \
			libcurl4-openssl-dev libpq-dev libfyaml-dev libssl-dev
		;;
	run) echo postgresql curl ca-certificates procps tzdata ;;
	test)
		# wrk polls faster than a Python client can: that polls ask no database shows in thousands of them.
		echo libcmocka-dev $(venv) clang clang-format clang-tidy cppcheck spin wrk
		;;
	runtime) clang_runtime ;;
	# Only to fetch DuckDB, when neither the caller nor the system has one.
	npm)
		command -v npm >/dev/null || [ -n "${DUCKDB_HOME:-}" ] || [ -e "$(dirname "$0")/../.duckdb/.stamp" ] ||
			pkg-config --exists duckdb 2>/dev/null || echo npm
		;;
	cover) echo gcovr ;;
	# nginx serves the bytes of a poll as a file: what a poll is measured against.
	bench) echo wrk nginx ;;
	*)
		echo "deps.sh: unknown group $1 (build, run, test, cover, bench)" >&2
		exit 1
		;;
	esac
}

missing_of() {
	for package in $(packages_of "$1"); do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps.sh: needs root or sudo to install: $missing" >&2
		exit 1
	fi
}

# Loadstar runs a PostgreSQL of its own: Debian's package must neither make a cluster nor start one.
prepare_postgresql() {
	as_root mkdir -p /etc/postgresql-common
	conf=/etc/postgresql-common/createcluster.conf
	if ! grep -qs '^create_main_cluster' $conf; then
		echo 'create_main_cluster = false' | as_root tee -a $conf >/dev/null
	fi
}

install_missing() {
	policy=/usr/sbin/policy-rc.d
	case " $missing " in
	*" postgresql "*) prepare_postgresql ;;
	esac
	# While packages are installed no service may start; a policy that was there already stays.
	if [ ! -e $policy ]; then
		trap 'as_root rm -f $policy' EXIT
		trap 'exit 1' INT TERM
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
	fi
	echo "installing:" $missing
	if [ -z "${updated:-}" ]; then
		as_root apt-get -qq -o Acquire::Retries=3 update || echo "deps.sh: package lists not refreshed" >&2
		updated=1
	fi
	log=$(mktemp)
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 \
		install $missing >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
}

groups=${*:-build run test}
missing=
for group in $groups; do
	packages_of "$group" >/dev/null
	missing="$missing $(missing_of "$group" | tr '\n' ' ')"
done
missing=$(echo $missing)
[ -z "$missing" ] || install_missing

case " $groups " in
*" build "*)
	missing=$(missing_of npm)
	[ -z "$missing" ] || install_missing
	"$(dirname "$0")/duckdb.sh"
	;;
esac

case " $groups " in
*" test "*)
	missing=$(missing_of runtime)
	[ -z "$missing" ] || install_missing
	;;
esac
