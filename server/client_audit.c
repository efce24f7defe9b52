/* audit: who did what, and whether the log of it is what was written. */
#include <stdio.h>

#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

struct audit_options {
	const char *subject, *action, *pipeline, *since;
	int64_t limit;
	bool verify, json;
};

static const char header[] = "%-27s %-20s %-15s %-20s %-20s %s\n";

static void
print_entry(const json_t *entry)
{
	(void)printf(header, json_string_or(entry, "at", ""), json_string_or(entry, "subject", ""),
	    json_string_or(entry, "client", "-"), json_string_or(entry, "action", ""),
	    json_string_or(entry, "pipeline", "-"), json_string_or(entry, "target", "-"));
}

static int
verify(struct ctx *ctx, struct client *client)
{
	const json_t *chain;
	json_t *page;
	long long seals, last, unsealed;
	bool intact;

	if (!client_get(ctx, client, "/v1/audit?verify=1&limit=1", &page))
		return command_fail(ctx);
	chain = json_object_get(page, "chain");
	intact = json_is_true(json_object_get(chain, "intact"));
	seals = json_int_or(chain, "seals", 0);
	last = json_int_or(chain, "sealed_to", 0);
	unsealed = json_int_or(chain, "unsealed", 0);
	if (client->json)
		client_print_json(ctx, chain);
	else if (!intact)
		(void)printf("NOT INTACT: an entry up to %lld was changed or taken away, or a seal was\n",
		    (long long)json_int_or(chain, "broken_at", 0));
	else
		(void)printf("intact: %lld seals cover the entries up to %lld\n", seals, last);
	if (!client->json && unsealed > 0)
		(void)printf("%lld entries since %s are covered by no seal yet\n", unsealed,
		    json_string_or(chain, "unsealed_since", "?"));
	return intact ? EXIT_SUCCEEDED : EXIT_FAILED;
}

static int
list(struct ctx *ctx, struct client *client, const struct audit_options *o)
{
	json_t *items = json_new_array(ctx), *entry;
	struct text filters;
	size_t i;

	text_init(&filters, ctx);
	client_add_filter(&filters, "subject", o->subject);
	client_add_filter(&filters, "action", o->action);
	client_add_filter(&filters, "pipeline", o->pipeline);
	client_add_filter(&filters, "since", o->since);
	if (!client_get_items(ctx, client, "/v1/audit", filters.data, o->limit, items))
		return command_fail(ctx);
	if (client->json) {
		client_print_json(ctx, items);
		return EXIT_SUCCEEDED;
	}
	(void)printf(header, "AT", "SUBJECT", "CLIENT", "ACTION", "PIPELINE", "TARGET");
	json_array_foreach(items, i, entry)
		print_entry(entry);
	return EXIT_SUCCEEDED;
}

int
command_audit(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	struct audit_options o = {.limit = 100};
	const struct option options[] = {{"subject", OPTION_TEXT, &o.subject}, {"action", OPTION_TEXT, &o.action},
	    {"pipeline", OPTION_TEXT, &o.pipeline}, {"since", OPTION_TEXT, &o.since}, {"limit", OPTION_COUNT, &o.limit},
	    {"verify", OPTION_FLAG, &o.verify}, {"json", OPTION_FLAG, &o.json}, {0}};
	struct client client;

	if (!options_parse(ctx, "audit", options, &argc, argv, 0, 0))
		return command_fail(ctx);
	if (o.verify && (o.subject != NULL || o.action != NULL || o.pipeline != NULL || o.since != NULL)) {
		(void)fail(ctx, FAIL_USAGE, "--verify asks the whole chain: no filter goes with it");
		return command_fail(ctx);
	}
	if (!client_open(ctx, config, o.json, &client))
		return command_fail(ctx);
	return o.verify ? verify(ctx, &client) : list(ctx, &client, &o);
}
