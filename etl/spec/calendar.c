/*
 * calendar: dimensions that no source has, because a calendar is known: a row a day, or a row a minute of the day.
 *
 * Such a dimension is loaded like any other, from a query of ours that the warehouse answers. It only grows: days that are no longer
 * declared stay, and keys are made of the value, so that they are the same everywhere (docs/spec.md, Calendars).
 */
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/spec/parse.h"

enum { DEFAULT_YEARS = 10, FIRST_MONTH = 1 };

struct calendar_column {
	const char *name;
	enum type_kind type;
	const char *expression; /* of d, a timestamp, or of m, a minute */
};

/* $ stands for the month the fiscal year begins with. */
static const struct calendar_column date_columns[] = {
    {"full_date", TYPE_DATE, "d::date"},
    {"year", TYPE_INTEGER, "EXTRACT(YEAR FROM d)::integer"},
    {"quarter", TYPE_INTEGER, "EXTRACT(QUARTER FROM d)::integer"},
    {"month", TYPE_INTEGER, "EXTRACT(MONTH FROM d)::integer"},
    {"month_name", TYPE_TEXT, "to_char(d, 'FMMonth')"},
    {"day_of_month", TYPE_INTEGER, "EXTRACT(DAY FROM d)::integer"},
    {"day_of_year", TYPE_INTEGER, "EXTRACT(DOY FROM d)::integer"},
    {"day_of_week", TYPE_INTEGER, "EXTRACT(ISODOW FROM d)::integer"},
    {"day_name", TYPE_TEXT, "to_char(d, 'FMDay')"},
    {"iso_year", TYPE_INTEGER, "EXTRACT(ISOYEAR FROM d)::integer"},
    {"iso_week", TYPE_INTEGER, "EXTRACT(WEEK FROM d)::integer"},
    {"is_weekend", TYPE_BOOLEAN, "EXTRACT(ISODOW FROM d) >= 6"},
    {"is_month_end", TYPE_BOOLEAN, "EXTRACT(DAY FROM d + INTERVAL '1 day') = 1"},
    {"month_start", TYPE_DATE, "date_trunc('month', d)::date"},
    {"month_end", TYPE_DATE, "(date_trunc('month', d) + INTERVAL '1 month' - INTERVAL '1 day')::date"},
    {"fiscal_year", TYPE_INTEGER,
	"EXTRACT(YEAR FROM d)::integer + CASE WHEN $ > 1 AND EXTRACT(MONTH FROM d) >= $ THEN 1 ELSE 0 END"},
    {"fiscal_quarter", TYPE_INTEGER, "(EXTRACT(MONTH FROM d)::integer + 12 - $) % 12 / 3 + 1"},
    {"fiscal_month", TYPE_INTEGER, "(EXTRACT(MONTH FROM d)::integer + 12 - $) % 12 + 1"},
};

static const struct calendar_column time_columns[] = {
    {"minute_of_day", TYPE_INTEGER, "m"},
    {"hour", TYPE_INTEGER, "m / 60"},
    {"minute", TYPE_INTEGER, "m % 60"},
    {"label", TYPE_TEXT, "lpad((m / 60)::text, 2, '0') || ':' || lpad((m % 60)::text, 2, '0')"},
    {"hour_of_half_day", TYPE_INTEGER, "(m / 60 + 11) % 12 + 1"},
    {"half_day", TYPE_TEXT, "CASE WHEN m < 720 THEN 'AM' ELSE 'PM' END"},
    {"part_of_day", TYPE_TEXT,
	"CASE m / 360 WHEN 0 THEN 'night' WHEN 1 THEN 'morning' WHEN 2 THEN 'afternoon' ELSE 'evening' END"},
};

/* What a calendar has of its own, or none. */
static const char *const not_of_calendars[] = {"columns", "key", "history", "write", "lookups"};

static const struct calendar_column *
columns_of(enum calendar calendar, size_t *count)
{
	*count = calendar == CALENDAR_DATE ? LENGTH_OF(date_columns) : LENGTH_OF(time_columns);
	return calendar == CALENDAR_DATE ? date_columns : time_columns;
}

static void
add_expression(struct text *out, const char *expression, int64_t fiscal)
{
	for (const char *dollar; (dollar = strchr(expression, '$')) != NULL; expression = dollar + 1) {
		text_add_bytes(out, expression, (size_t)(dollar - expression));
		text_addf(out, "%lld", (long long)fiscal);
	}
	text_add(out, expression);
}

static const char *
query_of(struct ctx *ctx, const struct spec_calendar *calendar)
{
	size_t count;
	const struct calendar_column *columns = columns_of(calendar->kind, &count);
	const char *start = calendar->start;
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < count; i++) {
		text_add(&out, i == 0 ? "SELECT " : ",\n       ");
		add_expression(&out, columns[i].expression, calendar->fiscal_year_start);
		text_addf(&out, " AS %s", columns[i].name);
	}
	if (calendar->kind == CALENDAR_DATE)
		text_addf(&out,
		    "\n  FROM generate_series(TIMESTAMP '%s', TIMESTAMP '%s' + INTERVAL '%lld years' - INTERVAL '1 day',\n"
		    "                       INTERVAL '1 day') AS days(d)",
		    start, start, (long long)calendar->years);
	else
		text_add(&out, "\n  FROM generate_series(0, 24 * 60 - 1) AS minutes(m)");
	return out.data;
}

static void
set_columns(struct ctx *ctx, struct spec_table *table)
{
	const struct calendar_column *columns = columns_of(table->calendar.kind, &table->column_count);

	table->columns = ctx_alloc_array(ctx, table->column_count, sizeof(*table->columns));
	for (size_t i = 0; i < table->column_count; i++)
		table->columns[i] = (struct spec_column){.name = columns[i].name,
		    .type = {.kind = columns[i].type},
		    .key = i == 0,
		    .not_null = i == 0,
		    .place = table->place};
	table->keys = ctx_alloc_array(ctx, 1, sizeof(*table->keys));
	table->keys[0] = columns[0].name;
	table->key_count = 1;
}

static void
check_calendar(struct parse *parse, const struct spec_table *table, const struct node *map, const struct node *source)
{
	static const char *const of_sources[] = {"from", "query"}, *const of_dates[] = {"start", "years",
								       "fiscal_year_start"};
	const struct node *start = node_get(source, "start");

	if (table->kind != TABLE_DIMENSION)
		(void)finding(&parse->findings, &node_get(source, "generate")->key_place,
		    "only a dimension can be generated");
	for (size_t i = 0; i < LENGTH_OF(not_of_calendars); i++)
		if (node_get(map, not_of_calendars[i]) != NULL)
			(void)finding(&parse->findings, &node_get(map, not_of_calendars[i])->key_place,
			    "'%s' is not for a generated dimension: it is given", not_of_calendars[i]);
	for (size_t i = 0; i < LENGTH_OF(of_sources); i++)
		if (node_get(source, of_sources[i]) != NULL)
			(void)finding(&parse->findings, &node_get(source, of_sources[i])->key_place,
			    "'%s' is not for a generated dimension: it has no source", of_sources[i]);
	for (size_t i = 0; table->calendar.kind == CALENDAR_TIME && i < LENGTH_OF(of_dates); i++)
		if (node_get(source, of_dates[i]) != NULL)
			(void)finding(&parse->findings, &node_get(source, of_dates[i])->key_place, "'%s' is for dates",
			    of_dates[i]);
	if (table->calendar.kind == CALENDAR_DATE && start == NULL)
		(void)finding(&parse->findings, node_blame(source), "'source' lacks the key 'start': the first date");
	else if (table->calendar.kind == CALENDAR_DATE && table->calendar.start != NULL &&
		 !clock_is_date(table->calendar.start))
		(void)finding(&parse->findings, &start->place, "'start' is '%s', but must be a date such as 2020-01-01",
		    table->calendar.start);
}

bool
read_calendar(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *source = node_get(map, "source");
	const char *generate = node_text(source, "generate");
	struct spec_calendar *calendar = &table->calendar;
	struct spec_source *from;

	if (generate == NULL || (!text_equal(generate, "date") && !text_equal(generate, "time")))
		return false;
	calendar->kind = text_equal(generate, "date") ? CALENDAR_DATE : CALENDAR_TIME;
	calendar->years = DEFAULT_YEARS;
	calendar->fiscal_year_start = FIRST_MONTH;
	(void)read_section(parse, IN(TABLE_SOURCE), source, calendar);
	check_calendar(parse, table, map, source);
	from = ctx_alloc(parse->findings.ctx, sizeof(*from));
	*from = (struct spec_source){.name = "calendar", .type = "postgres", .connection = parse->spec->warehouse};
	table->source = from;
	table->query_path = "(generated)";
	table->query = query_of(parse->findings.ctx, calendar);
	set_columns(parse->findings.ctx, table);
	return true;
}
