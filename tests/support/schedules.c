#include "tests/support/schedules.h"

#include <stdatomic.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "sql/pipeline_store.h"
#include "tests/support/spec_text.h"

static _Atomic int64_t now_us;
static atomic_bool walking; /* clock_set is for before threads start */

static int64_t
read_clock(void *arg)
{
	(void)arg;
	return atomic_load(&now_us);
}

static const struct clock walked = {.now_us = read_clock};

void
schedules_set_clock(const char *now)
{
	int64_t at_us;

	ASSERT(clock_parse(now, &at_us));
	atomic_store(&now_us, at_us);
	if (!atomic_exchange(&walking, true))
		clock_set(&walked);
}

void
schedules_free_clock(void)
{
	atomic_store(&walking, false);
	clock_set(NULL);
}

void
schedules_apply(struct ctx *ctx, struct pg *db, const char *keys)
{
	struct spec_file items[] = {{"extract/robots.sql", spec_robots_sql}, {"extract/uses.sql", spec_uses_sql},
	    {"pipeline.yaml", ctx_printf(ctx, "%s%s", spec_good, keys)}};
	struct spec_files files = {.items = items, .count = LENGTH_OF(items)};
	struct pipeline_offer version = {.files = spec_files_to_json(ctx, &files), .by = "tester"};
	struct spec_error *errors;
	struct spec *spec;
	bool changed, stored;

	if (!spec_parse(ctx, &files, &spec, &errors))
		log_failure(ctx, "the test's specification");
	ASSERT(!ctx_failed(ctx));
	version.pipeline = spec->pipeline;
	version.hash = spec->hash;
	version.notify = spec_notify_to_json(ctx, spec);
	ASSERT(pipeline_known(ctx, db, version.pipeline, version.hash, &version.expected, &stored));
	ASSERT(pipeline_apply(ctx, db, &version, &changed));
}
