#include "tests/support/million.h"

#include "base/bug.h"
#include "base/file.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/stores.h"

static struct million_reads before;

void
million_fill(struct ctx *parent)
{
	CTX_SCOPE(ctx, parent);
	struct pg *db = pg_cluster_open(ctx, "loadstar"); /* it takes as long as it takes */
	size_t length;
	char *sql;

	ASSERT(file_read(ctx, "tests/data/million.sql", 65536, &sql, &length));
	ASSERT(pg_begin(ctx, db)); /* what is emptied and filled in one transaction is not logged */
	stores_reset(ctx, db);
	stores_do(ctx, db, sql);
	ASSERT(pg_commit(ctx, db));
}

void
million_empty(struct ctx *ctx, struct pg *db)
{
	stores_reset(ctx, db);
	stores_do(ctx, db,
	    "SET session_replication_role = replica; TRUNCATE control.audit; SET session_replication_role = origin");
}

const char *
million_run_id(struct ctx *ctx, int64_t i)
{
	return ctx_printf(ctx, "00000000-0000-7000-8000-%012llx", (long long)i);
}

int64_t
million_time_us(int64_t i)
{
	return (INT64_C(1704067200) + i) * 1000000;
}

static struct million_reads
reads_now(struct ctx *ctx, struct pg *db)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows rows;

	ASSERT(pg_query(tmp, db,
	    "SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)) FILTER (WHERE relkind = 'i'), 0), "
	    "coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0), "
	    "coalesce(sum(pg_stat_get_xact_numscans(oid)) FILTER (WHERE relkind = 'r' AND reltuples > 10000), 0) "
	    "FROM pg_class WHERE relnamespace = 'control'::regnamespace AND relkind IN ('r', 'i')",
	    PG_NO_PARAMS, &rows));
	return (struct million_reads){.rows = pg_i64(&rows, 0, 0),
	    .blocks = pg_i64(&rows, 0, 1),
	    .scans = pg_i64(&rows, 0, 2)};
}

void
million_reads_begin(struct ctx *ctx, struct pg *db)
{
	ASSERT(pg_begin(ctx, db)); /* within a transaction nothing is handed on to the statistics of all */
	before = reads_now(ctx, db);
}

struct million_reads
million_reads_end(struct ctx *ctx, struct pg *db)
{
	struct million_reads after = reads_now(ctx, db);

	pg_rollback(db);
	return (struct million_reads){.rows = after.rows - before.rows,
	    .blocks = after.blocks - before.blocks,
	    .scans = after.scans - before.scans};
}
