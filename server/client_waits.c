/* What an unfinished run waits for, below its status. */
#include <stdio.h>

#include "base/text.h"
#include "server/client.h"

enum { SHOWN_OF_EACH = 3 };

static void
print_wait(const json_t *step)
{
	const json_t *waits = json_object_get(step, "waiting_for"), *slice = json_object_get(step, "slice");
	const char *table = json_string_or(step, "table", NULL);
	const char *from = json_string_or(slice, "from", json_string_or(slice, "batch", NULL));
	const char *retry_at = json_string_or(step, "retry_at", NULL);

	if (!json_is_object(waits))
		return;
	(void)printf("  waits    %s%s%s%s%.10s: %s, %s; since %s%s%s\n", json_string_or(step, "kind", ""),
	    table != NULL ? " " : "", table != NULL ? table : "", from != NULL ? " " : "", from != NULL ? from : "",
	    json_string_or(waits, "kind", ""), json_string_or(waits, "detail", ""), json_string_or(waits, "since", ""),
	    retry_at != NULL ? "; again at " : "", retry_at != NULL ? retry_at : "");
}

bool
client_print_waits(struct ctx *ctx, struct client *client, const json_t *run)
{
	static const char *const statuses[] = {"running", "queued"};

	if (json_is_string(json_object_get(run, "finished_at")))
		return true;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		json_t *items = json_new_array(ctx), *step;
		size_t k;

		if (!client_get_items(ctx, client, ctx_printf(ctx, "/v1/runs/%s/steps", json_string_or(run, "id", "")),
			ctx_printf(ctx, "&status=%s", statuses[i]), SHOWN_OF_EACH, items))
			return false;
		json_array_foreach(items, k, step)
			print_wait(step);
	}
	return true;
}
