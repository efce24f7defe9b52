#!/usr/bin/env bash
# make stop: ends the service that make demo KEEP=1 left running under LOADSTAR_HOME.
set -euo pipefail
cd "$(dirname "$0")/.."

home=${LOADSTAR_HOME:-$PWD/var}
pid_file=$home/service.pid
quiet=${1:-}
say() { [ "$quiet" = --quiet ] || echo "$*"; }

# A process that has ended but whose parent has not looked yet is gone, too.
lives() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.*Z' "/proc/$1/status"; }

# A killed service leaves its PostgreSQL behind. One that holds the lock of the home (make run) keeps it.
end_orphan() {
	local data pid
	data=$(realpath -q "$home/postgres") || return 0
	pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 0
	[ "$(readlink "/proc/$pid/cwd")" = "$data" ] || return 0
	flock -n "$home/loadstar.lock" kill -INT "$pid" || return 0
	for _ in $(seq 1 600); do
		[ -e "$data/postmaster.pid" ] || break
		sleep 0.1
	done
	say "stopped the PostgreSQL that a killed service left"
}

if [ ! -f "$pid_file" ]; then
	end_orphan
	say "nothing runs under $home"
	exit 0
fi
pid=$(cat "$pid_file")
# The number may belong to somebody else by now: only a loadstar is ended.
if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = loadstar ] && lives "$pid"; then
	kill -TERM "$pid"
	for _ in $(seq 1 900); do
		lives "$pid" || break
		sleep 0.1
	done
	if lives "$pid"; then
		echo "service $pid does not end" >&2
		exit 1
	fi
	say "stopped"
fi
end_orphan
rm -f "$pid_file"
