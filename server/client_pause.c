/* pause, resume: whether a pipeline's schedule causes runs. */
#include <stdio.h>
#include <string.h>

#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static int
set_paused(struct ctx *ctx, struct config *config, const char *command, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	const char *by, *next;
	json_t *pipeline;

	if (!options_parse(ctx, command, options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client) ||
	    !client_post(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/%s", argv[0], command), NULL, &pipeline))
		return command_fail(ctx);
	by = json_string_or(pipeline, "paused_by", NULL);
	next = json_string_or(pipeline, "next_fire_at", NULL);
	if (json)
		client_print_json(ctx, pipeline);
	else if (json_is_true(json_object_get(pipeline, "paused")))
		(void)printf("%s is paused since %s%s%s\n", argv[0], json_string_or(pipeline, "paused_at", ""),
		    by != NULL ? " by " : "", by != NULL ? by : "");
	else if (next != NULL)
		(void)printf("%s is not paused; its schedule fires next at %s\n", argv[0], next);
	else
		(void)printf("%s is not paused; it has no schedule\n", argv[0]);
	return EXIT_SUCCEEDED;
}

int
command_pause(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	return set_paused(ctx, config, "pause", argc, argv);
}

int
command_resume(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	return set_paused(ctx, config, "resume", argc, argv);
}
