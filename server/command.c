/* command: the one table of commands, and the help made from it and from the table of settings. */
#include "server/command.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "server/commands.h"

const struct command commands[] = {
    {"serve", "[--check]", "run the service; --check: only say whether it could start", command_serve},
    {"run", "PIPELINE TYPE [options]", "submit a run: full, dimensions, facts or range", command_run},
    {"plan", "PIPELINE TYPE [options]", "what a run would do, with its SQL; writes nothing", command_plan},
    {"status", "[RUN]", "one run, or every pipeline's last run and how its tables are", command_status},
    {"runs", "[options]", "a list of runs, newest first", command_runs},
    {"steps", "RUN", "the steps of a run with attempts and rows", command_steps},
    {"logs", "RUN [-f]", "the log of a run; -f follows it to its end", command_logs},
    {"quality", "RUN | --pipeline P [options]", "what the checks of a run came to, or those of a pipeline over time",
	command_quality},
    {"rejects", "RUN|PIPELINE [options]", "rows that a run or a pipeline refused, with the reason", command_rejects},
    {"files", "PIPELINE [options]", "what the tables of a pipeline have seen of its files", command_files},
    {"coverage", "PIPELINE TABLE [options]", "what of a table is loaded, missing, failed, running or stale",
	command_coverage},
    {"trace", "PIPELINE TABLE KEY=VALUE… [options]", "the versions of a row, and what each came by", command_trace},
    {"cancel", "RUN", "end a run and wait until it is known to be gone", command_cancel},
    {"retry", "RUN [--spec current]", "go on with a run's unfinished steps", command_retry},
    {"pipelines", "", "pipelines and their active versions", command_pipelines},
    {"pause", "PIPELINE", "let a pipeline's schedule cause no more runs, until it is resumed", command_pause},
    {"resume", "PIPELINE", "let a paused pipeline's schedule cause runs again", command_resume},
    {"apply", "DIR [--dry-run]", "make a pipeline's folder the active version, unless that would lose data",
	command_apply},
    {"versions", "PIPELINE", "versions of a pipeline, newest first: who applied and who activated them",
	command_versions},
    {"activate", "PIPELINE HASH", "go back, or forth, to a version", command_activate},
    {"adopt", "PIPELINE [--force]", "take over tables that another control database owns, or mark what is loaded",
	command_adopt},
    {"audit", "[--verify] [options]", "who did what, newest first; --verify: whether the log is what was written",
	command_audit},
    {"check", "DIR [--connect]", "check specs; every finding as file:line:column", command_check},
    {"token", "[--sub S] [--scope \"…\"] [--ttl 1h]", "make a token; without --scope for everything", command_token},
    {"migrate", "", "bring the control database to this version's schema, as serve does at its start", command_migrate},
    {"psql", "[DATABASE] [psql arguments…]", "psql on the embedded cluster: loadstar, warehouse, <pipeline>_source",
	command_psql},
    {"version", "", "the version of this program", command_version},
};
const size_t commands_count = LENGTH_OF(commands);

const struct command_option command_options[] = {
#define OPTION(command_, name_, value_, doc_) {.command = command_, .name = name_, .value = value_, .doc = doc_},
#include "server/command_options.def"
#undef OPTION
};
const size_t command_options_count = LENGTH_OF(command_options);

static void
print_usage(FILE *out)
{
	(void)fprintf(out, "usage: loadstar COMMAND [arguments]\n\ncommands:\n");
	for (size_t i = 0; i < commands_count; i++)
		(void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(out,
	    "\nloadstar COMMAND --help: its options. loadstar settings: environment variables.\n"
	    "exit codes: 0 succeeded, 1 usage or cannot connect, 2 partial, 3 failed, 4 failed on quality, "
	    "5 cancelled\n");
}

static void
print_settings(void)
{
	(void)printf("settings: environment variables, each also a flag\n");
	for (size_t i = 0; i < config_settings_count; i++) {
		const struct config_setting *setting = &config_settings[i];

		(void)printf("  %-26s --%s\n      %s (default: %s)\n", setting->variable, setting->flag, setting->doc,
		    setting->default_text != NULL ? setting->default_text : "unset");
	}
	(void)printf(
	    "  LOADSTAR_CONNECTION_<NAME>\n      a named connection: postgresql://user:password@host/database\n"
	    "  LOADSTAR_NOTIFY_<NAME>\n      a target of notices: https://… or slack:https://…\n"
	    "A variable with _FILE at its end names a file that holds the value.\n");
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < commands_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
unknown_command(const char *name)
{
	const char *names[LENGTH_OF(commands)];
	const char *nearest;

	for (size_t i = 0; i < commands_count; i++)
		names[i] = commands[i].name;
	nearest = text_nearest(name, names, commands_count);
	(void)fprintf(stderr, "loadstar: unknown command %s%s%s%s\n", name, nearest != NULL ? "; did you mean " : "",
	    nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
	print_usage(stderr);
	return EXIT_USAGE;
}

/* What follows "usage: loadstar"; client commands also take the settings of where and who. */
static void
print_command(const struct command *command)
{
	(void)printf("usage: loadstar %s %s\n  %s\n", command->name, command->arguments, command->summary);
	for (size_t i = 0; i < command_options_count; i++) {
		const struct command_option *option = &command_options[i];
		const char *dashes = option->name[1] == '\0' ? " -" : "--";
		int width = 20 - (int)strlen(option->name) - 2;

		if (strcmp(option->command, command->name) == 0)
			(void)printf("  %s%s %-*s %s\n", dashes, option->name, width,
			    option->value != NULL ? option->value : "", option->doc);
	}
	(void)printf("Settings are flags too, such as --url and --token: see loadstar settings.\n");
}

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int
command_fail(struct ctx *ctx)
{
	const struct failure *failure = ctx_failure(ctx);
	const struct fail_kind *kind = fail_kind(failure->code);

	(void)fprintf(stderr, "loadstar: %s\n", failure->message);
	if (kind->hint != NULL)
		(void)fprintf(stderr, "  %s\n", kind->hint);
	return EXIT_USAGE;
}

int
command_main(struct ctx *ctx, int argc, char **argv)
{
	struct config *config = ctx_alloc(ctx, sizeof(*config));
	const struct command *command;

	if (argc < 2 || asks_for_help(1, argv + 1) || strcmp(argv[1], "help") == 0) {
		print_usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_SUCCEEDED;
	}
	if (strcmp(argv[1], "settings") == 0) {
		print_settings();
		return EXIT_SUCCEEDED;
	}
	command = find_command(argv[1]);
	if (command == NULL)
		return unknown_command(argv[1]);
	argc -= 2;
	argv += 2;
	/* psql has a --help and a -h of its own. */
	if (asks_for_help(command->run == command_psql && argc > 1 ? 1 : argc, argv)) {
		print_command(command);
		return EXIT_SUCCEEDED;
	}
	if (!config_load(ctx, &argc, argv, config))
		return command_fail(ctx);
	return command->run(ctx, config, argc, argv);
}
