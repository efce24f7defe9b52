/* coverage: what of a table is loaded, a line for neighbours of one state, and one for each batch of files that is not. */
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

/* Batches of files that something is to be done about. */
static void
print_batches(const json_t *answer)
{
	const json_t *item;
	bool begun = false;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, item) {
		const char *state = json_string_or(item, "state", "");

		if (json_object_get(item, "files") == NULL || text_equal(state, "loaded"))
			continue;
		if (!begun)
			(void)printf("\n%-20s %-8s %8s %8s %8s %8s\n", "BATCH", "STATE", "SEEN", "FAILED", "MISSING",
			    "CHANGED");
		begun = true;
		(void)printf("%-20s %-8s %8lld %8lld %8lld %8lld\n", json_string_or(item, "batch", "-"), state,
		    (long long)json_int_or(item, "files", 0), (long long)json_int_or(item, "files_failed", 0),
		    (long long)json_int_or(item, "files_missing", 0), (long long)json_int_or(item, "files_changed", 0));
	}
	if (json_is_object(json_object_get(answer, "source_error")))
		(void)fprintf(stderr,
		    "the folder could not be listed, so files that were never loaded are not shown: %s\n",
		    json_string_or(json_object_get(answer, "source_error"), "message", ""));
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
	else {
		print_spans(answer);
		print_batches(answer);
	}
	return EXIT_SUCCEEDED;
}
