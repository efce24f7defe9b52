/*
 * DESIGN. Replicas that start together migrate one after the other: a session-level advisory lock
 * is held from the first look to the last commit. The applied migrations must be a prefix of the
 * embedded ones, with the same texts. Whatever fails, the session is closed, which lets go of the
 * lock whatever state it is in.
 */
#include "sql/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/embed.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"

/* hashtextextended('loadstar migrate', 0) would differ by collation version; any constant will do.
 * */
#define LOCK_KEY "7809644592316284275"

static const char bookkeeping[] = "CREATE SCHEMA IF NOT EXISTS control;"
				  "CREATE TABLE IF NOT EXISTS control.schema_migration ("
				  " version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
				  " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

/* "003_outbox" is 3. */
static int64_t
version_of(const struct embedded_file *file)
{
	char *end;
	long version = strtol(file->name, &end, 10);

	ASSERT(*end == '_' && version > 0);
	return version;
}

/* The migrations that were applied are the first ones of ours. */
static bool
check_applied(struct ctx *ctx, const struct pg_rows *rows)
{
	for (int i = 0; i < rows->count; i++) {
		const struct embedded_file *file = &embedded_migrations[i];

		if ((size_t)i >= embedded_migrations_count)
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "the control database has migration %s, this binary ends at %zu: start a newer one",
			    pg_value(rows, i, 1), embedded_migrations_count);
		if (pg_i64(rows, i, 0) != version_of(file))
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "the control database has migration %s where this binary has %s", pg_value(rows, i, 1),
			    file->name);
		if (!text_equal(pg_value(rows, i, 2), crypto_sha256_text(ctx, file->text)))
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "migration %s was applied with another text than this binary has", file->name);
	}
	return true;
}

static bool
apply(struct ctx *ctx, struct pg *db, const struct embedded_file *file)
{
	const char *version = text_from_i64(ctx, version_of(file));

	if (!pg_begin(ctx, db) || !pg_run(ctx, db, file->text) ||
	    !pg_query(ctx, db, "INSERT INTO control.schema_migration (version, name, checksum) VALUES ($1, $2, $3)",
		PG_PARAMS(version, file->name, crypto_sha256_text(ctx, file->text)), NULL) ||
	    !pg_commit(ctx, db))
		return false;
	log_line(ctx, LOG_INFO, "migrated", "migration", file->name, NULL);
	return true;
}

static bool
migrate_locked(struct ctx *ctx, struct pg *db, int *applied)
{
	struct pg_rows rows;

	if (!pg_run(ctx, db, bookkeeping) ||
	    !pg_query(ctx, db, "SELECT version, name, checksum FROM control.schema_migration ORDER BY version",
		PG_NO_PARAMS, &rows) ||
	    !check_applied(ctx, &rows))
		return false;
	for (size_t i = (size_t)rows.count; i < embedded_migrations_count; i++) {
		if (!apply(ctx, db, &embedded_migrations[i]))
			return false;
		(*applied)++;
	}
	return true;
}

bool
migrate_run(struct ctx *ctx, struct pg *db, int *applied)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows before;

	*applied = 0;
	/* Waiting for the lock, and a migration itself, may take longer than the session's
	 * statements otherwise may. */
	if (pg_query(tmp, db, "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')",
		PG_NO_PARAMS, &before) &&
	    pg_run(tmp, db, "SET statement_timeout = 0; SET lock_timeout = 0") &&
	    pg_run(tmp, db, "SELECT pg_advisory_lock(" LOCK_KEY ")") && migrate_locked(tmp, db, applied) &&
	    pg_query(tmp, db,
		"SELECT pg_advisory_unlock(" LOCK_KEY "), set_config('statement_timeout', $1, false),"
		" set_config('lock_timeout', $2, false)",
		PG_PARAMS(pg_value(&before, 0, 0), pg_value(&before, 0, 1)), NULL))
		return true;
	pg_close(db);
	return false;
}
