/* property_reader: somebody who looks at the warehouse all the time, one snapshot a look. */
#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/property.h"

enum { PAUSE_MS = 50 };

struct reader {
	const char *database;
	pthread_t thread;
	atomic_bool stop;
	_Atomic int64_t looks;
	_Atomic(char *) seen; /* NULL: nothing wrong */
	struct ctx *ctx;
};

/* What must never be seen; a text for each that is. */
static const char look[] =
    "WITH newest AS (SELECT DISTINCT ON (table_name) * FROM loadstar.slice_ledger"
    "                 WHERE table_name IN ('public.fact_sale', 'public.fact_total') ORDER BY table_name, committed_at DESC),"
    " lines AS (SELECT 'fact_sale' AS name, sale_id, amount, sold_at FROM fact_sale UNION ALL"
    "           SELECT 'fact_total', sale_id, amount, sold_at FROM fact_total UNION ALL"
    "           SELECT 'fact_seen', sale_id, amount, sold_at FROM fact_seen)"
    "SELECT 'a row of fact_sale fails the gates: ' || sale_id FROM fact_sale WHERE grade <> 0 UNION ALL "
    "SELECT format('half an order in %s: %s', name, sale_id / 2) FROM lines GROUP BY name, sale_id / 2"
    "  HAVING count(*) <> 2 OR sum(amount) <> 100 OR min(sold_at) <> max(sold_at) UNION ALL "
    "SELECT format('half a slice: %s %s', table_name, slice) FROM newest n"
    "  WHERE split_part(content_hash, ':', 1)::bigint <> (SELECT count(*) FROM lines l"
    "         WHERE 'public.' || l.name = n.table_name AND l.sold_at >= n.slice_from AND l.sold_at < n.slice_to) UNION ALL "
    "SELECT format('line %s refers to another kind', sale_id) FROM fact_sale f"
    "  LEFT JOIN dim_kind d ON d.kind_id = f.kind_id AND d.kind_key <> -1"
    "  WHERE f.kind_key <> coalesce(d.kind_key, -1) UNION ALL "
    "SELECT format('line %s refers to another part', sale_id) FROM fact_sale f"
    "  WHERE f.part_key <> coalesce((SELECT d.part_key FROM dim_part d WHERE d.part_id = f.part_id AND d.part_key <> -1"
    "         ORDER BY d.effective_from <= f.sold_at DESC,"
    "           CASE WHEN d.effective_from <= f.sold_at THEN d.effective_from END DESC, d.effective_from LIMIT 1), -1)"
    " LIMIT 1";

static void
look_once(struct reader *reader, struct pg *pg)
{
	struct ctx *ctx = ctx_new("look", 0);
	struct pg_rows rows;
	char *seen = NULL;
	bool ok = pg_query_prepared(ctx, pg, "look", look, PG_NO_PARAMS, &rows);

	atomic_fetch_add(&reader->looks, 1);
	if (ok && rows.count > 0)
		seen = ctx_strdup(reader->ctx, pg_value(&rows, 0, 0));
	if (!ok)
		seen = ctx_printf(reader->ctx, "cannot look: %s", ctx_failure(ctx)->message);
	if (seen != NULL)
		atomic_store(&reader->seen, seen);
	ctx_free(ctx);
}

static void *
read_on(void *arg)
{
	struct reader *reader = arg;
	struct pg *pg = pg_cluster_open(reader->ctx, reader->database);

	while (!atomic_load(&reader->stop) && atomic_load(&reader->seen) == NULL) {
		look_once(reader, pg);
		clock_sleep_ms(PAUSE_MS);
	}
	pg_close(pg);
	return NULL;
}

struct reader *
reader_start(struct ctx *ctx, const struct world *world)
{
	struct reader *reader = ctx_alloc(ctx, sizeof(*reader));

	reader->database = world->warehouse_database;
	reader->ctx = ctx_new("reader", 0);
	ASSERT(pthread_create(&reader->thread, NULL, read_on, reader) == 0);
	return reader;
}

const char *
reader_saw(struct reader *reader, int64_t *looks)
{
	*looks = atomic_load(&reader->looks);
	return atomic_load(&reader->seen);
}

void
reader_stop(struct reader *reader)
{
	atomic_store(&reader->stop, true);
	(void)pthread_join(reader->thread, NULL);
	ctx_free(reader->ctx);
}
