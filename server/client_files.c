/* files: what the tables of a pipeline have seen of its files. */
#include <stdio.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static const char header[] = "%-24s %-10s %-12s %10s %10s %8s  %-20.20s  %s\n";

static void
print_file(struct ctx *ctx, const json_t *file)
{
	(void)printf(header, json_string_or(file, "table", ""), json_string_or(file, "status", ""),
	    json_string_or(file, "batch", "-"), text_from_i64(ctx, json_int_or(file, "size", 0)),
	    text_from_i64(ctx, json_int_or(file, "rows", 0)), text_from_i64(ctx, json_int_or(file, "rejected", 0)),
	    json_string_or(file, "recorded_at", ""), json_string_or(file, "path", ""));
}

int
command_files(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *source = NULL, *table = NULL, *status = NULL, *since = NULL;
	int64_t limit = 100;
	bool json = false;
	const struct option options[] = {{"source", OPTION_TEXT, &source}, {"table", OPTION_TEXT, &table},
	    {"status", OPTION_TEXT, &status}, {"since", OPTION_TEXT, &since}, {"limit", OPTION_COUNT, &limit},
	    {"json", OPTION_FLAG, &json}, {0}};
	json_t *items = json_new_array(ctx), *file;
	struct client client;
	struct text filters;
	size_t i;

	if (!options_parse(ctx, "files", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	text_init(&filters, ctx);
	client_add_filter(&filters, "source", source);
	client_add_filter(&filters, "table", table);
	client_add_filter(&filters, "status", status);
	client_add_filter(&filters, "since", since);
	if (!client_get_items(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/files", argv[0]), filters.data, limit,
		items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf(header, "TABLE", "STATUS", "BATCH", "BYTES", "ROWS", "REJECTED", "RECORDED", "PATH");
	json_array_foreach(items, i, file)
		print_file(ctx, file);
	return EXIT_SUCCEEDED;
}
