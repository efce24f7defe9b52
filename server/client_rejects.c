/* rejects: what loads refused, of a run or of a pipeline. */
#include <stdio.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static const char header[] = "%-24s %-10s %-30s %7s %-16s %-20s %s\n";

static void
print_reject(const json_t *reject)
{
	int64_t line = json_int_or(reject, "line", 0);
	char at[24] = "";

	if (line > 0)
		(void)snprintf(at, sizeof(at), "%lld", (long long)line);
	(void)printf(header, json_string_or(reject, "table", ""), json_string_or(reject, "state", ""),
	    json_string_or(reject, "file", "-"), at, json_string_or(reject, "column", "-"),
	    json_string_or(reject, "rule", ""), json_string_or(reject, "raw", ""));
}

int
command_rejects(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *table = NULL, *state = NULL, *path = "/v1/quarantine";
	int64_t limit = 100;
	bool json = false;
	const struct option options[] = {{"table", OPTION_TEXT, &table}, {"state", OPTION_TEXT, &state},
	    {"limit", OPTION_COUNT, &limit}, {"json", OPTION_FLAG, &json}, {0}};
	json_t *items = json_new_array(ctx), *reject;
	struct client client;
	struct text filters;
	size_t i;

	if (!options_parse(ctx, "rejects", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	text_init(&filters, ctx);
	if (uuid_is_valid(argv[0]))
		path = ctx_printf(ctx, "/v1/runs/%s/rejects", argv[0]);
	else
		client_add_filter(&filters, "pipeline", argv[0]);
	client_add_filter(&filters, "table", table);
	client_add_filter(&filters, "state", state);
	if (!client_get_items(ctx, &client, path, filters.data, limit, items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf(header, "TABLE", "STATE", "FILE", "LINE", "COLUMN", "RULE", "RAW");
	json_array_foreach(items, i, reject)
		print_reject(reject);
	return EXIT_SUCCEEDED;
}
