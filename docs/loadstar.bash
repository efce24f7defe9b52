# bash completion for loadstar: commands, their options, runs and pipelines of the service.
_loadstar()
{
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options= words=
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="serve run plan status runs steps logs quality rejects files coverage trace cancel retry pipelines pause resume apply versions activate adopt audit check token migrate psql version settings help"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	case $command in
	serve) options="--check --help" ;;
	run) options="--from --to --tables --slice --mode --param --order --max-parallel --priority --label --note --allow --on-duplicate --wait --dry-run --json --url --token --help" ;;
	plan) options="--from --to --tables --slice --mode --param --order --allow --json --url --token --help" ;;
	status) options="--json --url --token --help" ;;
	runs) options="--pipeline --type --status --table --label --requested-by --since --until --limit --json --url --token --help" ;;
	steps) options="--status --table --json --url --token --help" ;;
	logs) options="-f --follow --level --step --json --url --token --help" ;;
	quality) options="--pipeline --date --table --check --status --limit --json --url --token --help" ;;
	rejects) options="--table --state --limit --json --url --token --help" ;;
	files) options="--source --table --status --since --limit --json --url --token --help" ;;
	coverage) options="--from --to --json --url --token --help" ;;
	trace) options="--json --url --token --help" ;;
	cancel) options="--no-wait --json --url --token --help" ;;
	retry) options="--spec --wait --json --url --token --help" ;;
	pipelines) options="--json --url --token --help" ;;
	pause) options="--json --url --token --help" ;;
	resume) options="--json --url --token --help" ;;
	apply) options="--dry-run --json --url --token --help" ;;
	versions) options="--limit --json --url --token --help" ;;
	activate) options="--json --url --token --help" ;;
	adopt) options="--force --mark --from --to --json --url --token --help" ;;
	audit) options="--subject --action --pipeline --since --limit --verify --json --url --token --help" ;;
	check) options="--connect --help" ;;
	token) options="--sub --scope --ttl --help" ;;
	migrate) options="--help" ;;
	psql) options="--help" ;;
	version) options="--help" ;;
	esac
	if [[ $word == -* ]]; then
		words=$options
	elif [ "$COMP_CWORD" -eq 2 ]; then
		case $command in
		run | plan | pause | resume | files | coverage | versions | activate | adopt | trace) words=$(loadstar pipelines 2>/dev/null | cut -d' ' -f1) ;;
		status | steps | logs | quality | rejects | cancel | retry) words=$(loadstar runs 2>/dev/null | tail -n +2 | cut -d' ' -f1) ;;
		apply | check) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
		psql) words="loadstar warehouse" ;;
		esac
	elif [ "$COMP_CWORD" -eq 3 ]; then
		case $command in run | plan) words="full dimensions facts range" ;; esac
	fi
	[ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _loadstar loadstar
