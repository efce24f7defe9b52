#include "sql/statement.h"

#include <string.h>

#include "base/bug.h"
#include "base/embed.h"
#include "base/fail.h"
#include "base/metrics.h"

static const struct {
	const char *file; /* sql/control/queries/<file>.sql */
	enum statement_shape shape;
} statements[] = {
#define STATEMENT(id, file_, shape_) [SQL_##id] = {.file = file_, .shape = SHAPE_##shape_},
#include "sql/statements.def"
#undef STATEMENT
};

const char *
statement_name(enum statement statement)
{
	ASSERT(statement < SQL_STATEMENT_COUNT);
	return statements[statement].file;
}

enum statement_shape
statement_shape(enum statement statement)
{
	ASSERT(statement < SQL_STATEMENT_COUNT);
	return statements[statement].shape;
}

const char *
statement_text(enum statement statement)
{
	const char *name = statement_name(statement);
	size_t low = 0, high = embedded_queries_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, embedded_queries[middle].name);

		if (order == 0)
			return embedded_queries[middle].text;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	ASSERT(!"the statement's file is embedded");
	return NULL;
}

static bool
check_shape(struct ctx *ctx, enum statement statement, int count)
{
	switch (statement_shape(statement)) {
	case SHAPE_NONE: /* rows are not looked at: SELECT pg_notify(…) has one */
	case SHAPE_MANY: return true;
	case SHAPE_ONE:
		return count == 1 || fail(ctx, FAIL_INTERNAL, "statement %s: %d rows instead of one",
					 statement_name(statement), count);
	case SHAPE_MAYBE:
		return count <= 1 || fail(ctx, FAIL_INTERNAL, "statement %s: %d rows instead of at most one",
					 statement_name(statement), count);
	}
	return false;
}

bool
sql_run(struct ctx *ctx, struct pg *db, enum statement statement, struct pg_params params, struct pg_rows *rows)
{
	const char *name = statement_name(statement);
	struct pg_rows unread;

	if (rows == NULL)
		rows = &unread;
	metrics_add(METRIC_CONTROL_STATEMENTS, METRIC_LABELS(name), 1);
	return pg_query_prepared(ctx, db, name, statement_text(statement), params, rows) &&
	       check_shape(ctx, statement, rows->count);
}
