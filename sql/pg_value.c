/* Reading results and writing values into SQL. */
#include <libpq-fe.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"
#include "sql/pg.h"

const char *
pg_value(const struct pg_rows *rows, int row, int column)
{
	ASSERT(row >= 0 && row < rows->count && column >= 0 && column < rows->columns);
	return PQgetisnull(rows->result, row, column) ? NULL : PQgetvalue(rows->result, row, column);
}

int64_t
pg_i64(const struct pg_rows *rows, int row, int column)
{
	const char *s = pg_value(rows, row, column);
	int64_t value = 0;

	ASSERT(s == NULL || text_to_i64(s, &value));
	return value;
}

bool
pg_bool(const struct pg_rows *rows, int row, int column)
{
	const char *s = pg_value(rows, row, column);

	return s != NULL && *s == 't';
}

/* Years beyond four digits and before Christ count as infinite: clock's calendar does not have
 * them. */
int64_t
pg_time_us(const struct pg_rows *rows, int row, int column)
{
	const char *s = pg_value(rows, row, column);
	int64_t at_us;

	if (s == NULL)
		return 0;
	if (clock_parse(s, &at_us))
		return at_us;
	return text_ends_with(s, "BC") ? CLOCK_MINUS_INFINITY : CLOCK_INFINITY;
}

const char *
pg_column_name(const struct pg_rows *rows, int column)
{
	ASSERT(column >= 0 && column < rows->columns);
	return PQfname(rows->result, column);
}

static char *
quote(struct ctx *ctx, const char *s, char mark)
{
	struct text out;

	text_init(&out, ctx);
	text_add_bytes(&out, &mark, 1);
	for (; *s != '\0'; s++) {
		if (*s == mark)
			text_add_bytes(&out, &mark, 1);
		text_add_bytes(&out, s, 1);
	}
	text_add_bytes(&out, &mark, 1);
	return out.data;
}

char *
pg_identifier(struct ctx *ctx, const char *name)
{
	return quote(ctx, name, '"');
}

char *
pg_literal(struct ctx *ctx, const char *text)
{
	return quote(ctx, text, '\'');
}

char *
pg_text_array(struct ctx *ctx, const char *const *items, size_t count)
{
	struct text out;

	text_init(&out, ctx);
	text_add(&out, "{");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_add(&out, ",");
		if (items[i] == NULL) {
			text_add(&out, "NULL");
			continue;
		}
		text_add(&out, "\"");
		for (const char *p = items[i]; *p != '\0'; p++) {
			if (*p == '"' || *p == '\\')
				text_add(&out, "\\");
			text_add_bytes(&out, p, 1);
		}
		text_add(&out, "\"");
	}
	text_add(&out, "}");
	return out.data;
}
