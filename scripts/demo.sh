#!/usr/bin/env bash
# make demo: the sample warehouse from nothing, shown. KEEP=1 leaves the service running; PIPELINE=name shows another pipeline.
set -euo pipefail
cd "$(dirname "$0")/.."

pipeline=${PIPELINE:-medrobotics}
binary=build/loadstar
export LOADSTAR_HOME=${LOADSTAR_HOME:-$PWD/var}
[ -n "${LOADSTAR_LISTEN:-}" ] && asked=1 || asked=
export LOADSTAR_LISTEN=${LOADSTAR_LISTEN:-127.0.0.1:8080}
unset LOADSTAR_URL LOADSTAR_TOKEN # of another service, perhaps

[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m' || bold='' plain=''
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
port_is_taken() { (exec 3<>"/dev/tcp/${LOADSTAR_LISTEN%:*}/${LOADSTAR_LISTEN##*:}") 2>/dev/null; }
query() { "$binary" psql warehouse -X -q -P pager=off -P footer=off -v ON_ERROR_STOP=1 -v pipeline="$pipeline" -v run="$run" "$@"; }

mkdir -p "$LOADSTAR_HOME"
scripts/stop.sh --quiet # a service that an earlier KEEP=1 left on this home
if [ -z "$asked" ] && port_is_taken; then
	LOADSTAR_LISTEN=127.0.0.1:0 # somebody else's port 8080
fi

pid_file=$LOADSTAR_HOME/service.pid
out=$LOADSTAR_HOME/service.out
log=$LOADSTAR_HOME/service.log
: >"$out"
touch "$log"
chmod 600 "$out" "$log" # who asked for what, and from where
[ -d "$LOADSTAR_HOME/postgres" ] && with= || with=', a PostgreSQL of its own and a sample source; the first time takes a while'
say "starting the service$with"
setsid "$binary" serve >"$out" 2>>"$log" </dev/null &
service=$!
echo "$service" >"$pid_file"

end() {
	status=$?
	trap - EXIT INT TERM
	[ "${keep:-}" = 1 ] || scripts/stop.sh --quiet
	exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

url=
for _ in $(seq 1 1200); do
	url=$(sed -n 's/^listening on //p' "$out")
	[ -n "$url" ] && break
	if ! kill -0 "$service" 2>/dev/null; then
		echo "the service did not start: $(sed -n 's/.*"message":"cannot start".*"error":"\([^"]*\)".*/\1/p' "$log" | tail -n 1)" >&2
		echo "log: $log" >&2
		exit 1
	fi
	sleep 0.1
done
[ -n "$url" ] || { echo "the service does not answer; see $log" >&2; exit 1; }
export LOADSTAR_URL=$url
echo "$url, log: $log"

say "loading $pipeline: POST /v1/runs"
ended=0
"$binary" run "$pipeline" full --wait --note "make demo" || ended=$?
run=$("$binary" runs --pipeline "$pipeline" --limit 1 --json | sed -n 's/^ *"id": "\([^"]*\)".*/\1/p' | head -n 1)
if [ "$ended" != 0 ]; then
	[ -z "$run" ] || "$binary" steps "$run" --status failed
	exit "$ended"
fi

say "the warehouse, and what this run did to it"
query <<'SQL'
WITH load AS (
    SELECT table_name, count(*) AS slices, sum((result #>> '{rows,read}')::bigint) AS read,
           sum((result #>> '{rows,inserted}')::bigint) AS inserted, sum((result #>> '{rows,updated}')::bigint) AS updated,
           sum((result #>> '{rows,unchanged}')::bigint) AS unchanged,
           sum((SELECT sum(value::bigint) FROM jsonb_each_text(result -> 'rows') WHERE key <> 'read')) AS classified
      FROM loadstar.slice_ledger WHERE run_id = :'run' GROUP BY 1),
known AS (
    SELECT DISTINCT table_name, split_part(table_name, '.', 1) AS in_schema, split_part(table_name, '.', 2) AS name
      FROM loadstar.slice_ledger WHERE pipeline = :'pipeline' AND to_regclass(table_name) IS NOT NULL)
SELECT k.name AS "table",
       (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', in_schema, name), false, true, '')))[1]
         ::text::bigint AS "rows now",
       coalesce(slices, 0) AS "slices loaded", coalesce(read, 0) AS "read", coalesce(inserted, 0) AS "inserted",
       coalesce(updated, 0) AS "updated", coalesce(unchanged, 0) AS "unchanged",
       CASE WHEN coalesce(read = classified, true) THEN 'yes' ELSE 'NO' END AS "conserved"
  FROM known k LEFT JOIN load USING (table_name) ORDER BY 1;
SQL
echo "conserved: each row read was inserted, updated, unchanged or otherwise accounted for, exactly once"
say "what the checks said"
"$binary" quality "$run"

views=$(sed -n 's/^CREATE OR REPLACE VIEW \([a-z0-9_]*\).*/\1/p' "sql/pipelines/$pipeline/views.sql" 2>/dev/null || true)
view=$(grep -x vw_outcomes_by_robot_model <<<"$views" || head -n 1 <<<"$views")
if [ -n "$view" ]; then
	say "a view: $view"
	query -v view="$view" <<<'SELECT * FROM :"view" LIMIT 10;'
fi
changed=$(query -A -t <<'SQL'
SELECT coalesce(sum((result #>> '{rows,inserted}')::bigint + (result #>> '{rows,updated}')::bigint
                    + (result #>> '{effects,rows_deleted}')::bigint), 0)
  FROM loadstar.slice_ledger WHERE run_id = :'run';
SQL
)
say "this run changed $changed rows"

if [ "${KEEP:-}" = 1 ]; then
	keep=1
	cat <<TEXT
The service goes on until make stop. On this machine:
  export LOADSTAR_HOME=$LOADSTAR_HOME LOADSTAR_URL=$url
  $binary steps $run     # each slice, with its rows
  $binary psql warehouse
From elsewhere, with this token of all scopes:
TEXT
	echo "LOADSTAR_URL=$url"
	echo "LOADSTAR_TOKEN=$("$binary" token --sub demo --ttl 30d)"
else
	echo "Again: make demo, which finds nothing to change. To look around: make demo KEEP=1"
fi
