/* apply, versions, activate: specifications of a service. */
#include <stdio.h>

#include "base/fail.h"
#include "etl/spec.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

static const char header[] = "%-71s %-6s %-27s %-16s %s\n";

static void
print_value(struct ctx *ctx, const json_t *value)
{
	char *text = json_is_null(value) ? "-" : json_text(ctx, value);

	(void)printf(" %.60s%s", text, text[0] != '\0' && json_is_object(value) ? "…" : "");
}

/* + /tables/dim_x, - /tables/dim_x/columns/y, ~ /tables/dim_x/columns/z/type "integer" "bigint". */
static void
print_change(struct ctx *ctx, const json_t *change)
{
	const char *what = json_string_or(change, "change", ""), *reason = json_string_or(change, "reason", NULL);
	char sign = what[0] == 'a' ? '+' : what[0] == 'r' ? '-' : '~';

	(void)printf("  %c %s", sign, json_string_or(change, "path", ""));
	if (sign == '~') {
		print_value(ctx, json_object_get(change, "before"));
		(void)printf(" ->");
		print_value(ctx, json_object_get(change, "after"));
	}
	(void)printf("\n");
	if (reason != NULL)
		(void)printf("    refused: %s: %s\n", json_string_or(change, "at", ""), reason);
}

/* What the service said; a change that is refused fails the command. */
static int
show_applied(struct ctx *ctx, const struct client *client, const json_t *applied)
{
	bool changed = json_is_true(json_object_get(applied, "changed"));
	bool allowed = json_is_true(json_object_get(applied, "allowed"));
	bool dry_run = json_is_true(json_object_get(applied, "dry_run"));
	json_t *change;
	size_t i;

	if (client->json) {
		client_print_json(ctx, applied);
		return allowed ? EXIT_SUCCEEDED : EXIT_USAGE;
	}
	(void)printf("%s %s: %s\n", json_string_or(applied, "name", ""), json_string_or(applied, "version", ""),
	    !changed   ? "is active already"
	    : !allowed ? "would be refused"
	    : dry_run  ? "would be activated"
		       : "is active now");
	json_array_foreach(json_object_get(applied, "changes"), i, change)
		print_change(ctx, change);
	json_array_foreach(json_object_get(applied, "ddl"), i, change) {
		const char *reason = json_string_or(change, "reason", NULL);

		(void)printf("  %s%s%s%s\n", reason == NULL ? json_string_or(change, "statement", "") : "refused: ",
		    reason != NULL ? json_string_or(change, "at", "") : "", reason != NULL ? ": " : "",
		    reason != NULL ? reason : "");
	}
	return allowed ? EXIT_SUCCEEDED : EXIT_USAGE;
}

int
command_apply(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool dry_run = false, json = false;
	const struct option options[] = {{"dry-run", OPTION_FLAG, &dry_run}, {"json", OPTION_FLAG, &json}, {0}};
	json_t *body = json_new_object(ctx), *applied;
	struct spec_files files;
	struct client client;

	if (!options_parse(ctx, "apply", options, &argc, argv, 1, 1) || !spec_read_folder(ctx, argv[0], &files) ||
	    !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	json_put(body, "files", spec_files_to_json(ctx, &files));
	if (!client_post(ctx, &client, dry_run ? "/v1/pipelines?dry_run=1" : "/v1/pipelines", body, &applied))
		return command_fail(ctx);
	return show_applied(ctx, &client, applied);
}

int
command_activate(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	json_t *applied;

	if (!options_parse(ctx, "activate", options, &argc, argv, 2, 2) || !client_open(ctx, config, json, &client) ||
	    !client_post(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/versions/%s/activate", argv[0], argv[1]), NULL,
		&applied))
		return command_fail(ctx);
	return show_applied(ctx, &client, applied);
}

int
command_versions(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	json_t *items = json_new_array(ctx), *version;
	int64_t limit = 20;
	bool json = false;
	const struct option options[] = {{"limit", OPTION_COUNT, &limit}, {"json", OPTION_FLAG, &json}, {0}};
	struct client client;
	size_t i;

	if (!options_parse(ctx, "versions", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client) ||
	    !client_get_items(ctx, &client, ctx_printf(ctx, "/v1/pipelines/%s/versions", argv[0]), "", limit, items))
		return command_fail(ctx);
	if (json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf(header, "VERSION", "ACTIVE", "APPLIED", "BY", "ACTIVATED BY");
	json_array_foreach(items, i, version)
		(void)printf(header, json_string_or(version, "version", ""),
		    json_is_true(json_object_get(version, "active")) ? "yes" : "",
		    json_string_or(version, "applied_at", ""), json_string_or(version, "applied_by", ""),
		    json_string_or(version, "activated_by", ""));
	return EXIT_SUCCEEDED;
}
