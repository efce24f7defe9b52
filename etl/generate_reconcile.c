/*
 * generate_reconcile: what a plan asks a source about slices that are loaded: which have rows that changed since, by `changed_by`; and what a
 * slice's source looked like when it was extracted, as a count and a sum that its source can be asked for again.
 *
 * Both sides hash the text of a row in its declared types; md5 is the same on every server, where the server's own hashes need not be.
 * Staging is looked at before anything is dropped or rejected, so that only what changed in the source makes a difference.
 */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

static char *
hash_sum(struct ctx *ctx, const struct spec_table *table, const char *alias)
{
	struct text values;

	text_init(&values, ctx);
	for (size_t i = 0; i < table->column_count; i++)
		text_addf(&values, "%s%s.%s::%s", i == 0 ? "" : ", ", alias, pg_identifier(ctx, table->columns[i].name),
		    spec_type_name(ctx, &table->columns[i].type));
	return ctx_printf(ctx, "('x' || left(md5(ROW(%s)::text), 15))::bit(60)::bigint", values.data);
}

char *
generate_staged_content(struct ctx *ctx, const struct spec_table *table)
{
	const char *time = pg_identifier(ctx, table->time);

	return ctx_printf(ctx,
	    "SELECT count(*) || ':' || COALESCE(sum(%s), 0)\n  FROM loadstar_stage s\n WHERE s.%s >= :from AND s.%s < :to",
	    hash_sum(ctx, table, "s"), time, time);
}

bool
generate_source_changed(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql)
{
	const char *time = pg_identifier(ctx, table->time), *changed = pg_identifier(ctx, table->changed_by);
	bool whole_days = spec_find_column(table, table->changed_by)->type.kind == TYPE_DATE;
	char *query;

	if (!generate_source(ctx, spec, table, from_us, to_us, params, &query))
		return false;
	*sql = ctx_printf(ctx,
	    "SELECT DISTINCT place FROM (\n"
	    "    SELECT width_bucket(q.%s::timestamptz, bounds.starts) AS place, q.%s::timestamptz AS at,\n"
	    "           (q.%s%s)::timestamptz AS changed, bounds.ends, bounds.since\n"
	    "      FROM (\n%s\n) q, (SELECT $1::timestamptz[] AS starts, $2::timestamptz[] AS ends,\n"
	    "           $3::timestamptz[] AS since) bounds) placed\n"
	    " WHERE place > 0 AND at < ends[place] AND changed > since[place]",
	    time, time, changed, whole_days ? " + 1" : "",
	    query); /* a date says the day of the change: any time until its end */
	return true;
}

bool
generate_source_content(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql)
{
	const char *time = pg_identifier(ctx, table->time);
	char *query;

	if (!generate_source(ctx, spec, table, from_us, to_us, params, &query))
		return false;
	*sql = ctx_printf(ctx,
	    "SELECT b.place, count(p.at) || ':' || COALESCE(sum(p.content), 0)\n"
	    "  FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS b(starts, ends, place)\n"
	    "  LEFT JOIN (SELECT width_bucket(q.%s::timestamptz, $1::timestamptz[]) AS place, q.%s::timestamptz AS at,\n"
	    "                    %s AS content\n"
	    "               FROM (\n%s\n) q) p ON p.place = b.place AND p.at < b.ends\n"
	    " GROUP BY b.place ORDER BY b.place",
	    time, time, hash_sum(ctx, table, "q"), query);
	return true;
}
