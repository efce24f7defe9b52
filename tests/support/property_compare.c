/* property_compare: what is there, beside what the reference says. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/property.h"

#define NUMBER_MASK "1099511627775"

static void
compare_text(struct world *world, const char *what, const char *want, const struct pg_rows *rows)
{
	struct text got;

	text_init(&got, world->own);
	for (int row = 0; row < rows->count; row++)
		text_addf(&got, "%s\n", pg_value(rows, row, 0));
	if (strcmp(want, got.data) != 0)
		world_wrong(world, "%s is\n%sbut must be\n%s", what, got.data, want);
}

/* ---- the ledger, row by row, to the reference */

static const struct extraction *
find_extraction(const struct world *world, int64_t number)
{
	const struct extraction *e;

	for (e = world->extractions; e != NULL; e = e->next)
		if (e->number == number && e->serial > 0)
			return e;
	return NULL;
}

static void
take_row(struct world *world, const struct pg_rows *rows, int row)
{
	struct commit commit = {.number = pg_i64(rows, row, 1),
	    .from_us = pg_time_us(rows, row, 2),
	    .to_us = pg_time_us(rows, row, 3),
	    .open = pg_bool(rows, row, 4)};
	struct row_counts counts;
	const char *wrong, *name = pg_value(rows, row, 0);
	char *is;

	for (int i = 0; i < TABLES; i++)
		if (strcmp(name + strlen("public."), property_tables[i]) == 0)
			commit.table = (enum table)i;
	commit.read = find_extraction(world, commit.number);
	world_say(world, "committed: %s %s..%s, number %d%s", name, pg_value(rows, row, 2), pg_value(rows, row, 3),
	    (int)commit.number, commit.open ? ", open" : "");
	if (commit.read == NULL || commit.read->table != commit.table) {
		world_wrong(world, "%s: load %d was committed, but never extracted", name, (int)commit.number);
		return;
	}
	wrong = model_commit(&world->model, &commit, &counts);
	if (wrong != NULL)
		world_wrong(world, "%s, load %d: %s", name, (int)commit.number, wrong);
	if (commit.table < FACT_SALE)
		return;
	is = ctx_printf(world->own, "%d read, %d inserted, %d updated, %d unchanged", (int)counts.read,
	    (int)counts.inserted, (int)counts.updated, (int)counts.unchanged);
	if (!text_equal(is, pg_value(rows, row, 5)))
		world_wrong(world, "%s, load %d: %s, but must be %s", name, (int)commit.number, pg_value(rows, row, 5),
		    is);
}

static void
take_ledger(struct world *world)
{
	struct pg_rows rows = world_ask_again(world, world->warehouse, "ledger",
	    "SELECT table_name, load_id & " NUMBER_MASK ", slice_from, slice_to, state = 'open',"
	    "       format('%s read, %s inserted, %s updated, %s unchanged', result -> 'rows' -> 'read',"
	    "         result -> 'rows' -> 'inserted', result -> 'rows' -> 'updated', result -> 'rows' -> 'unchanged')"
	    "  FROM loadstar.slice_ledger ORDER BY committed_at, load_id");

	for (int row = world->model.commit_count; row < rows.count && world->wrong == NULL; row++)
		take_row(world, &rows, row);
}

/* ---- tables */

static const char *
versions(struct world *world, int part, int64_t at_us)
{
	int64_t from_us;
	int name;

	if (!model_part_at(&world->model, part, at_us, &name, &from_us))
		return "unknown";
	return ctx_printf(world->own, "%d since %lld", name, (long long)(from_us / CLOCK_SECOND_US));
}

static const char *
line_text(struct world *world, enum table table, int i)
{
	const struct line *line = &world->model.lines[table][i];
	const struct order *order = &line->order;
	int label = world->model.labels[order->kind];
	struct text out;

	text_init(&out, world->own);
	text_addf(&out, "%d: sold %lld, amount %d, load %lld", i, (long long)(order->sold_us / CLOCK_SECOND_US),
	    model_amount(order, i), (long long)line->number);
	if (table != FACT_TOTAL)
		text_addf(&out, ", changed %lld", (long long)(order->changed_us / CLOCK_SECOND_US));
	if (table == FACT_SALE)
		text_addf(&out, ", part %d is %s, kind %d is %s, grade %d", order->part,
		    versions(world, order->part, order->sold_us), order->kind,
		    label == 0 ? "unknown" : text_from_i64(world->own, label), order->grade);
	return out.data;
}

#define LINE \
	"format('%s: sold %s, amount %s, load %s', sale_id, extract(epoch FROM sold_at)::bigint, amount, load_id & " NUMBER_MASK \
	")"
#define CHANGED " || format(', changed %s', extract(epoch FROM changed_at)::bigint)"

static const char *const facts[TABLES] = {
    [FACT_SALE] =
	"SELECT " LINE CHANGED " || format(', part %s is %s, kind %s is %s, grade %s', f.part_id,"
	"         CASE WHEN f.part_key = -1 THEN 'unknown' ELSE (SELECT CASE d.part_id WHEN f.part_id THEN '' ELSE 'another: ' END"
	"             || d.name || ' since ' || extract(epoch FROM d.effective_from)::bigint"
	"            FROM dim_part d WHERE d.part_key = f.part_key) END,"
	"         f.kind_id, CASE WHEN f.kind_key = -1 THEN 'unknown' ELSE (SELECT"
	"             CASE d.kind_id WHEN f.kind_id THEN '' ELSE 'another: ' END || d.label FROM dim_kind d WHERE d.kind_key = f.kind_key) END,"
	"         grade), 'line ' || sale_id, sale_key FROM fact_sale f ORDER BY sale_id",
    [FACT_TOTAL] = "SELECT " LINE " FROM fact_total ORDER BY sale_id",
    [FACT_SEEN] = "SELECT " LINE CHANGED " FROM fact_seen ORDER BY sale_id",
};

/* Columns 1 and 2: a row, and its surrogate key. */
static void
compare_keys(struct world *world, const struct pg_rows *rows)
{
	struct model *model = &world->model;

	for (int row = 0; row < rows->count; row++) {
		int i = 0;

		while (i < model->key_count && strcmp(model->keys[i].row, pg_value(rows, row, 1)) != 0)
			i++;
		if (i == model->key_count && i < KEYS)
			model->keys[model->key_count++] =
			    (struct key){.row = pg_value(rows, row, 1), .value = pg_i64(rows, row, 2)};
		if (i < KEYS && model->keys[i].value != pg_i64(rows, row, 2))
			world_wrong(world, "%s had the key %lld, and has %s", pg_value(rows, row, 1),
			    (long long)model->keys[i].value, pg_value(rows, row, 2));
	}
}

static void
compare_fact(struct world *world, enum table table)
{
	struct pg_rows rows;
	struct text want;

	text_init(&want, world->own);
	for (int i = 0; i < LINES; i++)
		if (world->model.lines[table][i].there)
			text_addf(&want, "%s\n", line_text(world, table, i));
	rows = world_ask_again(world, world->warehouse, property_tables[table], facts[table]);
	compare_text(world, property_tables[table], want.data, &rows);
	if (table == FACT_SALE)
		compare_keys(world, &rows);
}

/* Versions are the fold of what was observed: one for each change, without gaps, the last one current. */
static void
compare_parts(struct world *world)
{
	struct pg_rows rows;
	struct text want;

	text_init(&want, world->own);
	for (int part = 0; part < PARTS; part++) {
		int64_t from_us, next_us = INT64_MIN, start_us;
		int name;

		while (model_part_at(&world->model, part, next_us, &name, &from_us)) {
			start_us = from_us;
			next_us = INT64_MAX;
			for (int i = 0; i < world->model.times[part]; i++) {
				const struct seen *seen = &world->model.parts[part][i];

				if (seen->at_us > start_us && seen->name != name && seen->at_us < next_us)
					next_us = seen->at_us;
			}
			text_addf(&want, "%d: %d from %lld to %s\n", part, name,
			    (long long)(start_us / CLOCK_SECOND_US),
			    next_us == INT64_MAX ? "now" : text_from_i64(world->own, next_us / CLOCK_SECOND_US));
			if (next_us == INT64_MAX)
				break;
		}
	}
	rows = world_ask_again(world, world->warehouse, "parts",
	    "SELECT format('%s: %s from %s to %s', part_id, name, extract(epoch FROM effective_from)::bigint,"
	    "         CASE WHEN is_current THEN 'now' ELSE extract(epoch FROM effective_to)::bigint::text END),"
	    "       format('version of part %s since %s', part_id, effective_from), part_key"
	    "  FROM dim_part WHERE part_key <> -1 ORDER BY part_id, effective_from");
	compare_text(world, "dim_part", want.data, &rows);
	compare_keys(world, &rows);
}

static void
compare_kinds(struct world *world)
{
	struct pg_rows rows;
	struct text want;

	text_init(&want, world->own);
	for (int i = 0; i < KINDS; i++)
		if (world->model.labels[i] > 0)
			text_addf(&want, "%d: %d, load %lld\n", i, world->model.labels[i],
			    (long long)world->model.numbers[i]);
	rows = world_ask_again(world, world->warehouse, "kinds",
	    "SELECT format('%s: %s, load %s', kind_id, label, load_id & " NUMBER_MASK
	    "), 'kind ' || kind_id, kind_key FROM dim_kind WHERE kind_key <> -1 ORDER BY kind_id");
	compare_text(world, "dim_kind", want.data, &rows);
	compare_keys(world, &rows);
}

/* ---- the control database */

/* What a step says agrees with the ledger, for good; a run's state with its steps'. */
static void
compare_states(struct world *world)
{
	struct pg_rows steps = world_ask_again(world, world->control, "steps",
	    "SELECT id, status, table_name, error ->> 'code' FROM control.step WHERE kind IN ('dimension', 'fact') ORDER BY id");
	struct pg_rows ledger =
	    world_ask_again(world, world->warehouse, "ids", "SELECT step_id FROM loadstar.slice_ledger ORDER BY 1");
	struct pg_rows runs = world_ask_again(world, world->control, "runs",
	    "SELECT r.id, r.status, count(*) FILTER (WHERE s.status NOT IN ('succeeded', 'skipped')),"
	    "       count(*) FILTER (WHERE s.status NOT IN ('succeeded', 'skipped', 'failed', 'cancelled'))"
	    "  FROM control.run r JOIN control.step s ON s.run_id = r.id GROUP BY r.id, r.status");
	int at = 0;

	for (int i = 0; i < steps.count; i++) {
		bool committed;

		while (at < ledger.count && strcmp(pg_value(&ledger, at, 0), pg_value(&steps, i, 0)) < 0)
			at++;
		committed = at < ledger.count && strcmp(pg_value(&ledger, at, 0), pg_value(&steps, i, 0)) == 0;
		if (committed != (strcmp(pg_value(&steps, i, 1), "succeeded") == 0))
			world_wrong(world, "step %s of %s is %s, and the ledger %s it", pg_value(&steps, i, 0),
			    pg_value(&steps, i, 2), pg_value(&steps, i, 1), committed ? "has" : "lacks");
	}
	for (int i = 0; i < runs.count; i++)
		if (pg_i64(&runs, i, 3) > 0 ||
		    (strcmp(pg_value(&runs, i, 1), "succeeded") == 0) != (pg_i64(&runs, i, 2) == 0))
			world_wrong(world, "run %s is %s, with %s steps that did not succeed, %s not at their end",
			    pg_value(&runs, i, 0), pg_value(&runs, i, 1), pg_value(&runs, i, 2), pg_value(&runs, i, 3));
}

void
compare_all(struct world *world)
{
	take_ledger(world);
	for (enum table table = 0; table < TABLES && world->wrong == NULL; table++) {
		if (table == DIM_KIND)
			compare_kinds(world);
		else if (table == DIM_PART)
			compare_parts(world);
		else
			compare_fact(world, table);
	}
	compare_states(world);
}
