/* status, runs, steps, pipelines: commands that only look. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static const char runs_header[] = "%-36s  %-14s %-10s %-10s %-9s %8s  %s\n";

static void
print_run_row(const json_t *run)
{
	const json_t *progress = json_object_get(run, "progress");
	int64_t total = json_int_or(progress, "steps_total", -1);
	char steps[48];

	(void)snprintf(steps, sizeof(steps), "%lld/%lld", (long long)json_int_or(progress, "steps_done", 0),
	    (long long)(total < 0 ? 0 : total));
	(void)printf(runs_header, json_string_or(run, "id", ""), json_string_or(run, "pipeline", ""),
	    json_string_or(run, "type", ""), json_string_or(run, "mode", ""), json_string_or(run, "status", ""), steps,
	    json_string_or(run, "created_at", ""));
}

/* name=value, as run takes it, for ?label=name:value. */
static const char *
label_filter(struct ctx *ctx, const char *label)
{
	char *filter = ctx_strdup(ctx, label);

	if (filter != NULL && filter[strcspn(filter, "=:")] == '=')
		filter[strcspn(filter, "=")] = ':';
	return filter;
}

int
command_runs(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *pipeline = NULL, *type = NULL, *status = NULL, *table = NULL, *label = NULL, *since = NULL,
		   *until = NULL, *requested_by = NULL;
	int64_t limit = 20;
	bool json = false;
	const struct option options[] = {{"pipeline", OPTION_TEXT, &pipeline}, {"type", OPTION_TEXT, &type},
	    {"status", OPTION_TEXT, &status}, {"table", OPTION_TEXT, &table}, {"label", OPTION_TEXT, &label},
	    {"since", OPTION_TEXT, &since}, {"until", OPTION_TEXT, &until},
	    {"requested-by", OPTION_TEXT, &requested_by}, {"limit", OPTION_COUNT, &limit}, {"json", OPTION_FLAG, &json},
	    {0}};
	json_t *items = json_new_array(ctx), *run;
	struct client client;
	struct text filters;
	size_t i;

	if (!options_parse(ctx, "runs", options, &argc, argv, 0, 0) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	text_init(&filters, ctx);
	client_add_filter(&filters, "pipeline", pipeline);
	client_add_filter(&filters, "type", type);
	client_add_filter(&filters, "status", status);
	client_add_filter(&filters, "table", table);
	client_add_filter(&filters, "label", label_filter(ctx, label));
	client_add_filter(&filters, "since", since);
	client_add_filter(&filters, "until", until);
	client_add_filter(&filters, "requested_by", requested_by);
	if (!client_get_items(ctx, &client, "/v1/runs", filters.data, limit, items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf(runs_header, "RUN", "PIPELINE", "TYPE", "MODE", "STATUS", "STEPS", "CREATED");
	json_array_foreach(items, i, run)
		print_run_row(run);
	return EXIT_SUCCEEDED;
}

static json_t *
last_run(struct ctx *ctx, const char *pipeline, json_t *run)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "pipeline", pipeline);
	if (run != NULL)
		json_put(object, "run", run);
	else
		json_put_null(object, "run");
	return object;
}

static const char tables_header[] = "%-24s %-28s %-7s %-20s %-20s %8s %s\n";

static bool
show_tables(struct ctx *ctx, struct client *client)
{
	json_t *answer;
	const json_t *table;
	size_t i;

	if (!client_get(ctx, client, "/v1/tables", &answer))
		return false;
	(void)printf("\n");
	(void)printf(tables_header, "PIPELINE", "TABLE", "STATE", "LAST LOAD", "NEWEST ROW", "REJECTS", "ERROR");
	json_array_foreach(json_object_get(answer, "items"), i, table) {
		char rejects[24];

		(void)snprintf(rejects, sizeof(rejects), "%lld", (long long)json_int_or(table, "open_rejects", 0));
		(void)printf(tables_header, json_string_or(table, "pipeline", ""), json_string_or(table, "table", ""),
		    json_int_or(table, "running", 0) > 0 ? "running" : json_string_or(table, "state", ""),
		    ctx_printf(ctx, "%.19s", json_string_or(json_object_get(table, "last_load"), "committed_at", "-")),
		    ctx_printf(ctx, "%.19s", json_string_or(table, "newest_row", "-")), rejects,
		    json_string_or(json_object_get(table, "last_error"), "message", ""));
	}
	return true;
}

static bool
add_tables(struct ctx *ctx, struct client *client, json_t *last)
{
	json_t *answer, *item;
	const json_t *table;
	size_t i, k;

	if (!client_get(ctx, client, "/v1/tables", &answer))
		return false;
	json_array_foreach(last, i, item) {
		json_t *tables = json_new_array(ctx);

		json_array_foreach(json_object_get(answer, "items"), k, table) {
			if (text_equal(json_string_or(table, "pipeline", ""), json_string_or(item, "pipeline", "")))
				json_add(tables, (json_t *)(uintptr_t)table);
		}
		json_put(item, "tables", tables);
	}
	return true;
}

/* The last run of every pipeline, null for one that never ran; then every table. */
static int
show_all(struct ctx *ctx, struct client *client)
{
	json_t *pipelines = json_new_array(ctx), *last = json_new_array(ctx), *pipeline;
	size_t i;

	if (!client_get_items(ctx, client, "/v1/pipelines", "", 1000, pipelines))
		return command_fail(ctx);
	if (!client->json)
		(void)printf(runs_header, "LAST RUN", "PIPELINE", "TYPE", "MODE", "STATUS", "STEPS", "CREATED");
	json_array_foreach(pipelines, i, pipeline) {
		const char *name = json_string_or(pipeline, "pipeline", json_string_or(pipeline, "name", ""));
		json_t *page;

		if (!client_get(ctx, client, ctx_printf(ctx, "/v1/runs?pipeline=%s&limit=1", name), &page))
			return command_fail(ctx);
		page = json_array_get(json_object_get(page, "items"), 0);
		if (client->json)
			json_add(last, last_run(ctx, name, page));
		else if (page != NULL)
			print_run_row(page);
		else
			(void)printf(runs_header, "-", name, "", "", "never", "", "");
	}
	if (client->json ? !add_tables(ctx, client, last) : !show_tables(ctx, client))
		return command_fail(ctx);
	if (client->json)
		client_print_json(ctx, last);
	return EXIT_SUCCEEDED;
}

int
command_status(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	json_t *run;

	if (!options_parse(ctx, "status", options, &argc, argv, 0, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	if (argc == 0)
		return show_all(ctx, &client);
	if (!client_get(ctx, &client, ctx_printf(ctx, "/v1/runs/%s", argv[0]), &run))
		return command_fail(ctx);
	if (json)
		client_print_json(ctx, run);
	else
		client_print_run(run);
	if (!json && !client_print_waits(ctx, &client, run))
		return command_fail(ctx);
	return client_exit_code(run);
}

static void
print_step_row(const json_t *step)
{
	const json_t *slice = json_object_get(step, "slice"), *rows = json_object_get(step, "rows");
	const json_t *reason = json_object_get(step, "reason"), *waits = json_object_get(step, "waiting_for");
	const char *from = json_string_or(slice, "from", ""), *retry_at = json_string_or(step, "retry_at", NULL);

	(void)printf("%-10s %-20s %-10.10s %-10s %2zu %9lld %9lld %9lld %9lld  %s%s%s%s%s\n",
	    json_string_or(step, "kind", ""), json_string_or(step, "table", "-"), from,
	    json_string_or(step, "status", ""), json_array_size(json_object_get(step, "attempts")),
	    (long long)json_int_or(rows, "read", 0), (long long)json_int_or(rows, "inserted", 0),
	    (long long)json_int_or(rows, "updated", 0), (long long)json_int_or(rows, "unchanged", 0),
	    json_string_or(reason, "code", json_string_or(waits, "kind", "")), json_is_object(waits) ? ": " : "",
	    json_string_or(waits, "detail", ""), retry_at != NULL ? "; again at " : "",
	    retry_at != NULL ? retry_at : "");
}

int
command_steps(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *status = NULL, *table = NULL;
	bool json = false;
	const struct option options[] = {{"status", OPTION_TEXT, &status}, {"table", OPTION_TEXT, &table},
	    {"json", OPTION_FLAG, &json}, {0}};
	json_t *items = json_new_array(ctx), *step;
	struct client client;
	struct text filters;
	size_t i;

	if (!options_parse(ctx, "steps", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	text_init(&filters, ctx);
	client_add_filter(&filters, "status", status);
	client_add_filter(&filters, "table", table);
	if (!client_get_items(ctx, &client, ctx_printf(ctx, "/v1/runs/%s/steps", argv[0]), filters.data, INT64_MAX,
		items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf("%-10s %-20s %-10s %-10s %2s %9s %9s %9s %9s\n", "KIND", "TABLE", "FROM", "STATUS", "N", "READ",
	    "INSERTED", "UPDATED", "UNCHANGED");
	json_array_foreach(items, i, step)
		print_step_row(step);
	return EXIT_SUCCEEDED;
}

int
command_pipelines(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {0}};
	json_t *items = json_new_array(ctx), *pipeline;
	struct client client;
	size_t i;

	if (!options_parse(ctx, "pipelines", options, &argc, argv, 0, 0) || !client_open(ctx, config, json, &client) ||
	    !client_get_items(ctx, &client, "/v1/pipelines", "", 1000, items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	json_array_foreach(items, i, pipeline)
		(void)printf("%-24s %s  %s\n", json_string_or(pipeline, "name", ""),
		    json_string_or(pipeline, "version", ""),
		    json_is_true(json_object_get(pipeline, "paused")) ? "paused"
								      : json_string_or(pipeline, "next_fire_at", "-"));
	return EXIT_SUCCEEDED;
}
