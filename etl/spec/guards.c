/* guards: what a load may do to what is there. */
#include "etl/spec/parse.h"

static const char *const level_names[] = {"off", "warn", "error"};

enum { SHRINK_PERCENT = 50, CLOSE_PERCENT = 10, CHANGE_PERCENT = 50 };

const struct spec_guards guards_unless_said = {.empty = GUARD_UNSAID,
    .shrink = SHRINK_PERCENT,
    .close = CLOSE_PERCENT,
    .change = CHANGE_PERCENT};

void
read_guards(struct parse *parse, const struct node *map, struct spec_guards *guards)
{
	const struct node *node = node_get(map, "guards");

	if (node != NULL && node->kind == NODE_MAP)
		(void)read_section(parse, IN(GUARDS), node, guards);
}

void
check_guards(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *close = node_get(node_get(map, "guards"), "close");

	if (table->guards.empty == GUARD_UNSAID)
		table->guards.empty =
		    table->time != NULL || spec_table_is_fed_by_files(table) ? GUARD_WARN : GUARD_ERROR;
	if (table->kind == TABLE_DIMENSION)
		return;
	if (close != NULL)
		(void)finding(&parse->findings, &close->key_place, "'close' is of dimensions; facts have 'shrink'");
	table->guards.close = -1;
}

static void
put_percent(struct ctx *ctx, json_t *object, const char *key, int64_t percent)
{
	json_put_string(ctx, object, key, percent < 0 ? "off" : ctx_printf(ctx, "%lld%%", (long long)percent));
}

json_t *
spec_guards_to_json(struct ctx *ctx, const struct spec_table *table)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "empty", level_names[table->guards.empty]);
	put_percent(ctx, object, "shrink", table->guards.shrink);
	put_percent(ctx, object, "close", table->guards.close);
	put_percent(ctx, object, "change", table->guards.change);
	return object;
}
