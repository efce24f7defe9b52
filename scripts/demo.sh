#!/usr/bin/env bash
# make demo: the sample warehouse from nothing, shown. KEEP=1 leaves the service running; PIPELINE=name shows another pipeline.
set -euo pipefail
cd "$(dirname "$0")/.."

pipeline=${PIPELINE:-medrobotics}
binary=build/loadstar
export LOADSTAR_HOME=${LOADSTAR_HOME:-$PWD/var}
[ -n "${LOADSTAR_LISTEN:-}" ] && asked=1 || asked=
export LOADSTAR_LISTEN=${LOADSTAR_LISTEN:-127.0.0.1:8080}

say() { printf '\n== %s\n' "$*"; }
port_is_taken() { (exec 3<>"/dev/tcp/${LOADSTAR_LISTEN%:*}/${LOADSTAR_LISTEN##*:}") 2>/dev/null; }

mkdir -p "$LOADSTAR_HOME"
scripts/stop.sh --quiet # a service that an earlier KEEP=1 left on this home
if [ -z "$asked" ] && port_is_taken; then
	LOADSTAR_LISTEN=127.0.0.1:0 # somebody else's port 8080
fi

pid_file=$LOADSTAR_HOME/service.pid
out=$LOADSTAR_HOME/service.out
log=$LOADSTAR_HOME/service.log
: >"$out"
say "starting the service (log: $log)"
setsid "$binary" serve >"$out" 2>>"$log" </dev/null &
service=$!
echo "$service" >"$pid_file"

end() {
	status=$?
	if [ "${keep:-}" != 1 ]; then
		scripts/stop.sh --quiet
	fi
	exit "$status"
}
trap end EXIT INT TERM

url=
for _ in $(seq 1 1200); do
	url=$(sed -n 's/^listening on //p' "$out")
	[ -n "$url" ] && break
	if ! kill -0 "$service" 2>/dev/null; then
		echo "the service did not start:" >&2
		tail -n 5 "$log" >&2
		exit 1
	fi
	sleep 0.1
done
[ -n "$url" ] || { echo "the service does not answer; see $log" >&2; exit 1; }
export LOADSTAR_URL=$url

say "a full run of $pipeline"
"$binary" run "$pipeline" full --wait --note "make demo" | tee "$LOADSTAR_HOME/demo.out"
run=$("$binary" runs --pipeline "$pipeline" --limit 1 --json | sed -n 's/^ *"id": "\([^"]*\)".*/\1/p' | head -n 1)

say "its steps"
"$binary" steps "$run"

say "tables in the warehouse"
schema=public
"$binary" psql warehouse -X -q -P pager=off -v ON_ERROR_STOP=1 <<SQL
SELECT format('SELECT %L AS "table", count(*) AS rows, max(loaded_at)::timestamptz(0) AS last_changed FROM %I.%I',
              c.relname, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = '$schema' AND c.relkind = 'r'
   AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'load_id')
 ORDER BY c.relname
\gexec
SQL

say "are the rows conserved? (from the ledger, per table: read = inserted + updated + unchanged + …)"
"$binary" psql warehouse -X -q -P pager=off -v ON_ERROR_STOP=1 -v run="$run" <<'SQL'
SELECT table_name AS "table", count(*) AS slices,
       sum((result #>> '{rows,read}')::bigint) AS read,
       sum((result #>> '{rows,inserted}')::bigint) AS inserted,
       sum((result #>> '{rows,updated}')::bigint) AS updated,
       sum((result #>> '{rows,unchanged}')::bigint) AS unchanged,
       sum((result #>> '{rows,read}')::bigint) =
         sum((SELECT sum(value::bigint) FROM jsonb_each_text(result -> 'rows') WHERE key <> 'read')) AS conserved
  FROM loadstar.slice_ledger WHERE run_id = :'run' GROUP BY 1 ORDER BY 1;
SQL
changed=$("$binary" psql warehouse -X -q -A -t -v run="$run" <<'SQL'
SELECT coalesce(sum((result #>> '{rows,inserted}')::bigint + (result #>> '{rows,updated}')::bigint
                    + (result #>> '{effects,rows_deleted}')::bigint), 0)
  FROM loadstar.slice_ledger WHERE run_id = :'run';
SQL
)
say "this run changed $changed rows"

if [ "${KEEP:-}" = 1 ]; then
	keep=1
	say "the service goes on; make stop ends it"
	echo "LOADSTAR_URL=$url"
	echo "LOADSTAR_TOKEN=$("$binary" token --sub demo --ttl 30d)"
fi
