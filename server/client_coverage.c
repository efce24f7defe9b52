/* coverage: what of a table is loaded, a line for neighbours of one state. */
#include <stdio.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static const char header[] = "%-20s %-20s %-8s %6s %s\n";

static void
print_spans(const json_t *answer)
{
	const json_t *span;
	size_t i;

	(void)printf(header, "FROM", "TO", "STATE", "LOADS", "COMMITTED");
	json_array_foreach(json_object_get(answer, "spans"), i, span) {
		char loads[24];

		(void)snprintf(loads, sizeof(loads), "%lld", (long long)json_int_or(span, "loads", 0));
		(void)printf(header, json_string_or(span, "from", "-"), json_string_or(span, "to", "-"),
		    json_string_or(span, "state", ""), loads, json_string_or(span, "committed_at", "-"));
	}
}

int
command_coverage(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *from = NULL, *to = NULL;
	bool json = false;
	const struct option options[] = {{"from", OPTION_TEXT, &from}, {"to", OPTION_TEXT, &to},
	    {"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	struct text filters;
	json_t *answer;

	if (!options_parse(ctx, "coverage", options, &argc, argv, 2, 2) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	text_init(&filters, ctx);
	client_add_filter(&filters, "table", argv[1]);
	client_add_filter(&filters, "from", from);
	client_add_filter(&filters, "to", to);
	if (!client_get(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/coverage?%s", argv[0], filters.data + 1),
		&answer))
		return command_fail(ctx);
	if (json)
		client_print_json(ctx, answer);
	else
		print_spans(answer);
	return EXIT_SUCCEEDED;
}
