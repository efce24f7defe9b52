#include "etl/warehouse.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/embed.h"
#include "base/fail.h"
#include "base/text.h"

enum { READER_MOST_MS = 30 * 1000, READER_LOCK_MS = 5 * 1000 };

static const char undefined_table[] = "42P01";

static int
compare_name(const void *name, const void *file)
{
	return strcmp(name, ((const struct embedded_file *)file)->name);
}

const char *
warehouse_sql(const char *name)
{
	const struct embedded_file *file =
	    bsearch(name, embedded_warehouse, embedded_warehouse_count, sizeof(*embedded_warehouse), compare_name);

	ASSERT(file != NULL);
	return file->text;
}

bool
warehouse_query(struct ctx *ctx, struct pg *pg, const char *name, struct pg_params params, struct pg_rows *rows)
{
	return pg_query(ctx, pg, warehouse_sql(name), params, rows);
}

bool
warehouse_open_reader(struct ctx *ctx, const struct config *config, const struct spec *spec, const char *what,
    struct pg **pg)
{
	struct pg_options options = {
	    .what = "warehouse",
	    .application_name = ctx_printf(ctx, "loadstar/%s", what),
	    .lock_timeout_ms = READER_LOCK_MS,
	    .read_only = true,
	};
	struct secret url;

	options.statement_timeout_ms =
	    spec->timeouts.statement_ms < READER_MOST_MS ? spec->timeouts.statement_ms : READER_MOST_MS;
	return config_connection_of(ctx, config, spec->pipeline, spec->warehouse, &url) &&
	       pg_open(ctx, &url, &options, pg);
}

bool
warehouse_has_none_yet(struct ctx *ctx)
{
	if (!text_equal(ctx_failure(ctx)->sqlstate, undefined_table))
		return false;
	fail_clear(ctx);
	return true;
}
