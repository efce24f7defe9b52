/* run, plan, cancel, retry: commands that change something or say what would change. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

/* What run and plan take; the names are those of the request's fields. */
struct run_options {
	const char *from, *to, *slice, *mode, *note, *order, *on_duplicate;
	json_t *tables, *params, *labels, *allow;
	int64_t max_parallel, priority;
	bool wait, dry_run, json;
};

static bool
parse_run_options(struct ctx *ctx, const char *command, struct run_options *o, int *argc, char **argv)
{
	const struct option options[] = {{"from", OPTION_TEXT, &o->from}, {"to", OPTION_TEXT, &o->to},
	    {"slice", OPTION_TEXT, &o->slice}, {"mode", OPTION_TEXT, &o->mode}, {"note", OPTION_TEXT, &o->note},
	    {"order", OPTION_TEXT, &o->order}, {"on-duplicate", OPTION_TEXT, &o->on_duplicate},
	    {"tables", OPTION_LIST, &o->tables}, {"param", OPTION_PAIR, &o->params}, {"label", OPTION_PAIR, &o->labels},
	    {"allow", OPTION_LIST, &o->allow}, {"max-parallel", OPTION_COUNT, &o->max_parallel},
	    {"priority", OPTION_COUNT, &o->priority}, {"wait", OPTION_FLAG, &o->wait},
	    {"dry-run", OPTION_FLAG, &o->dry_run}, {"json", OPTION_FLAG, &o->json}, {0}};

	return options_parse(ctx, command, options, argc, argv, 2, 2);
}

static void
put_text(struct ctx *ctx, json_t *body, const char *key, const char *value)
{
	if (value != NULL)
		json_put_string(ctx, body, key, value);
}

static void
put_value(json_t *body, const char *key, json_t *value)
{
	if (value != NULL)
		json_put(body, key, value);
}

static json_t *
request_body(struct ctx *ctx, const struct run_options *o, char **argv)
{
	json_t *body = json_new_object(ctx);

	json_put_string(ctx, body, "pipeline", argv[0]);
	json_put_string(ctx, body, "type", argv[1]);
	put_text(ctx, body, "from", o->from);
	put_text(ctx, body, "to", o->to);
	put_text(ctx, body, "slice", o->slice);
	put_text(ctx, body, "mode", o->mode);
	put_text(ctx, body, "note", o->note);
	put_text(ctx, body, "order", o->order);
	put_text(ctx, body, "on_duplicate", o->on_duplicate);
	put_value(body, "tables", o->tables);
	put_value(body, "params", o->params);
	put_value(body, "labels", o->labels);
	put_value(body, "allow", o->allow);
	if (o->max_parallel != 0)
		json_put_int(body, "max_parallel", o->max_parallel);
	if (o->priority != 0)
		json_put_int(body, "priority", o->priority);
	if (o->dry_run)
		json_put_bool(body, "dry_run", true);
	return body;
}

static void
print_plan(const json_t *plan)
{
	json_t *step, *statements, *statement;
	const char *table;
	size_t i;

	(void)printf("%lld steps, version %s\n", (long long)json_int_or(plan, "steps_total", 0),
	    json_string_or(plan, "spec_version", ""));
	json_array_foreach(json_object_get(plan, "steps"), i, step) {
		const json_t *slice = json_object_get(step, "slice");
		const char *skipped = json_string_or(step, "skipped", NULL);

		(void)printf("  wave %lld  %-10s %-24s %s%s%s%s%s\n", (long long)json_int_or(step, "wave", 0),
		    json_string_or(step, "kind", ""), json_string_or(step, "table", "-"),
		    json_string_or(slice, "from", ""), json_is_object(slice) ? " to " : "",
		    json_string_or(slice, "to", ""), skipped != NULL ? "skipped: " : "",
		    skipped != NULL ? skipped : "");
	}
	json_object_foreach(json_object_get(plan, "sql"), table, statements) {
		(void)printf("\n-- %s\n", table);
		json_array_foreach(statements, i, statement)
			(void)printf("-- %s: %s\n%s\n", json_string_or(statement, "phase", ""),
			    json_string_or(statement, "name", ""), json_string_or(statement, "sql", ""));
	}
}

static int
submit(struct ctx *ctx, struct config *config, const char *command, int argc, char **argv, bool dry_run)
{
	struct run_options o = {.dry_run = dry_run};
	struct client client;
	json_t *run;
	int code = EXIT_SUCCEEDED;

	if (!parse_run_options(ctx, command, &o, &argc, argv) || !client_open(ctx, config, o.json, &client))
		return command_fail(ctx);
	o.dry_run = o.dry_run || dry_run;
	if (!client_post(ctx, &client, "/v1/runs", request_body(ctx, &o, argv), &run))
		return command_fail(ctx);
	if (o.json && (o.dry_run || !o.wait))
		client_print_json(ctx, run);
	else if (o.dry_run)
		print_plan(run);
	else if (!o.json)
		(void)printf("run %s\n", json_string_or(run, "id", ""));
	if (o.wait && !o.dry_run && !client_follow(ctx, &client, json_string_or(run, "id", ""), &code))
		return command_fail(ctx);
	return code;
}

int
command_run(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	return submit(ctx, config, "run", argc, argv, false);
}

int
command_plan(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	return submit(ctx, config, "plan", argc, argv, true);
}

int
command_cancel(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool json = false, no_wait = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {"no-wait", OPTION_FLAG, &no_wait}, {0}};
	struct client client;
	json_t *run;
	int code = EXIT_SUCCEEDED;

	if (!options_parse(ctx, "cancel", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client) ||
	    !client_post(ctx, &client, ctx_printf(ctx, "/v1/runs/%s/cancel", argv[0]), NULL, &run))
		return command_fail(ctx);
	if (no_wait && json)
		client_print_json(ctx, run);
	else if (no_wait)
		client_print_run(run);
	else if (!client_follow(ctx, &client, argv[0], &code))
		return command_fail(ctx);
	return code == EXIT_CANCELLED ? EXIT_SUCCEEDED : code; /* cancelled is what was asked for */
}

int
command_retry(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *spec = NULL;
	bool json = false, wait = false;
	const struct option options[] = {{"spec", OPTION_TEXT, &spec}, {"json", OPTION_FLAG, &json},
	    {"wait", OPTION_FLAG, &wait}, {0}};
	json_t *body = json_new_object(ctx), *run;
	struct client client;
	int code = EXIT_SUCCEEDED;

	if (!options_parse(ctx, "retry", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	if (spec != NULL)
		json_put_string(ctx, body, "spec", spec);
	if (!client_post(ctx, &client, ctx_printf(ctx, "/v1/runs/%s/retry", argv[0]), body, &run))
		return command_fail(ctx);
	if (wait)
		return client_follow(ctx, &client, argv[0], &code) ? code : command_fail(ctx);
	if (json)
		client_print_json(ctx, run);
	else
		client_print_run(run);
	return EXIT_SUCCEEDED;
}
