/* trace: the versions of a row, and what each came by. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static void
print_versions(struct ctx *ctx, const json_t *answer)
{
	const json_t *version;
	size_t i;

	json_array_foreach(json_object_get(answer, "versions"), i, version) {
		const json_t *load = json_object_get(version, "load"), *row = json_object_get(version, "row"), *check;
		const char *file = json_string_or(json_object_get(version, "file"), "path", NULL);
		const char *since = json_string_or(row, "effective_from", NULL);
		size_t k;

		(void)printf("%s%s%s%sload %s  run %s  slice %s  committed %s%s%s\n", since != NULL ? since : "",
		    since != NULL ? " to " : "", since != NULL ? json_string_or(row, "effective_to", "") : "",
		    since != NULL ? "  " : "", json_string_or(load, "load_id", "-"),
		    json_string_or(load, "run_id", "-"), json_string_or(load, "slice", "-"),
		    json_string_or(load, "committed_at", "-"), file != NULL ? "  file " : "", file != NULL ? file : "");
		json_array_foreach(json_object_get(load, "checks"), k, check)
			(void)printf("    check %s: %s\n", json_string_or(check, "check", ""),
			    json_string_or(check, "status", ""));
		(void)printf("    %s\n", json_text(ctx, row));
	}
	if (json_array_size(json_object_get(answer, "versions")) == 0)
		(void)printf("no row has this key\n");
}

/* "key=value", each as a part of the query. */
static bool
add_keys(struct ctx *ctx, int argc, char **argv, struct text *filters)
{
	for (int i = 2; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		const char *name = equals == NULL ? "" : ctx_strndup(ctx, argv[i], (size_t)(equals - argv[i]));

		if (!text_is_name(name))
			return fail(ctx, FAIL_USAGE, "%s is not key=value", argv[i]);
		client_add_filter(filters, name, equals + 1);
	}
	return true;
}

int
command_trace(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	struct text filters;
	json_t *answer;

	text_init(&filters, ctx);
	if (!options_parse(ctx, "trace", options, &argc, argv, 3, 34) || !add_keys(ctx, argc, argv, &filters) ||
	    !client_open(ctx, config, json, &client) ||
	    !client_get(ctx, &client,
		ctx_printf(ctx, "/v1/pipelines/%s/tables/%s/trace?%s", argv[0], argv[1], filters.data + 1), &answer))
		return command_fail(ctx);
	if (json)
		client_print_json(ctx, answer);
	else
		print_versions(ctx, answer);
	return EXIT_SUCCEEDED;
}
