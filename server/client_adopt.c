/* adopt: take over a pipeline's tables, or mark what somebody else loaded. */
#include <stdio.h>

#include "base/fail.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static json_t *
mark_body(struct ctx *ctx, const char *table, const char *from, const char *to)
{
	json_t *body = json_new_object(ctx), *mark = json_new_object(ctx);

	json_put_string(ctx, mark, "table", table);
	json_put_string(ctx, mark, "from", from);
	json_put_string(ctx, mark, "to", to);
	json_put(body, "mark", mark);
	return body;
}

static void
print_answer(const json_t *answer)
{
	const json_t *before = json_object_get(answer, "before");

	if (json_object_get(answer, "table") != NULL)
		(void)printf("%s: %s to %s is %s\n", json_string_or(answer, "table", ""),
		    json_string_or(answer, "from", ""), json_string_or(answer, "to", ""),
		    json_string_or(answer, "state", ""));
	else if (!json_is_true(json_object_get(answer, "changed")))
		(void)printf("%s is ours already, epoch %lld\n", json_string_or(answer, "pipeline", ""),
		    (long long)json_int_or(answer, "epoch", 0));
	else
		(void)printf("%s is ours, epoch %lld; before: %s, epoch %lld\n", json_string_or(answer, "pipeline", ""),
		    (long long)json_int_or(answer, "epoch", 0), json_string_or(before, "control_id", "nobody"),
		    (long long)json_int_or(before, "epoch", 0));
}

int
command_adopt(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *table = NULL, *from = NULL, *to = NULL;
	bool force = false, json = false;
	const struct option options[] = {{"force", OPTION_FLAG, &force}, {"mark", OPTION_TEXT, &table},
	    {"from", OPTION_TEXT, &from}, {"to", OPTION_TEXT, &to}, {"json", OPTION_FLAG, &json}, {0}};
	json_t *body = json_new_object(ctx), *answer;
	struct client client;

	if (!options_parse(ctx, "adopt", options, &argc, argv, 1, 1))
		return command_fail(ctx);
	if ((table != NULL) != (from != NULL && to != NULL) || (table == NULL && (from != NULL || to != NULL)))
		(void)fail(ctx, FAIL_USAGE, "--mark TABLE, --from D and --to D belong together");
	if (ctx_failed(ctx) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	if (table != NULL)
		body = mark_body(ctx, table, from, to);
	else if (force)
		json_put_bool(body, "force", true);
	if (!client_post(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/adopt", argv[0]), body, &answer))
		return command_fail(ctx);
	if (json)
		client_print_json(ctx, answer);
	else
		print_answer(answer);
	return EXIT_SUCCEEDED;
}
