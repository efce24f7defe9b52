/* notifier: the thread that delivers notices, those of any replica's runs. Its waits are nobody else's. */
#include "base/log.h"
#include "etl/engine_room.h"
#include "etl/notice.h"

enum { POLL_MS = 1000, AFTER_FAILURE_MS = 2000 };

static bool
deliver_one(struct engine *engine, struct http_client *http, bool *found)
{
	struct ctx *ctx = ctx_new("notifier", 0);
	bool ok = notice_deliver(ctx, engine->options.config, engine->options.pool, http, found);

	if (!ok)
		log_failure(ctx, "cannot deliver notices");
	ctx_free(ctx);
	return ok;
}

void *
notifier_main(void *arg)
{
	struct engine *engine = arg;
	struct ctx *ctx = ctx_new("notifier client", 0);
	struct http_client *http = http_client_new(ctx);

	while (engine_pause(engine, POLL_MS)) {
		bool found = true;

		while (found && !atomic_load(&engine->stopping))
			if (!deliver_one(engine, http, &found))
				found = engine_pause(engine, AFTER_FAILURE_MS) && false;
	}
	ctx_free(ctx);
	return NULL;
}
