/* parse_checks: the list `checks`, read key by key; what depends on tables is looked at in check_checks.c. */
#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

enum { MOST_CHECKS = 1000 };

static bool
is_number(const struct node *node)
{
	static const struct spec_type numeric = {.kind = TYPE_NUMERIC};

	return node->kind == NODE_SCALAR && node->plain && strcmp(node->text, "NaN") != 0 &&
	       strspn(node->text, "+-.0123456789eE") == strlen(node->text) && spec_type_accepts(&numeric, node->text);
}

static void
read_bound(struct parse *parse, const struct node *node, const char **bound)
{
	if (is_number(node))
		*bound = node->text;
	else
		(void)finding(&parse->findings, &node->place, "'%s' must be a number", node->key);
}

/* {min: 0, max: 10} */
static void
read_range(struct parse *parse, struct spec_check *check, const struct node *map)
{
	check->expect = EXPECT_RANGE;
	for (const struct node *child = map->first; child != NULL; child = child->next) {
		if (strcmp(child->key, "min") == 0)
			read_bound(parse, child, &check->expected_min);
		else if (strcmp(child->key, "max") == 0)
			read_bound(parse, child, &check->expected_max);
		else
			(void)finding(&parse->findings, &child->key_place,
			    "unknown key '%s'; 'expect' takes min and max", child->key);
	}
	if (map->count == 0)
		(void)finding(&parse->findings, &map->place, "'expect' needs min, max or both");
}

/* What YAML takes for a number, a truth value or nothing is one, unless it is in quotes. */
static void
read_expect(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "expect");

	if (node == NULL)
		return;
	if (node->kind == NODE_MAP) {
		read_range(parse, check, node);
	} else if (node->kind == NODE_LIST) {
		(void)finding(&parse->findings, &node->place, "'expect' must be one value, or {min, max}");
	} else if (node_is_null(node)) {
		check->expect = EXPECT_NULL;
	} else {
		bool truth = node->plain && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0);

		check->expected = node->text;
		check->expect = truth ? EXPECT_BOOLEAN : is_number(node) ? EXPECT_NUMBER : EXPECT_TEXT;
	}
}

static void
read_tolerance(struct parse *parse, const struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "tolerance");

	if (node == NULL || check->tolerance == NULL)
		return;
	if (!is_number(node) || node->text[0] == '-')
		(void)finding(&parse->findings, &node->place, "'tolerance' must be a number, 0 or more");
	else if (check->expect != EXPECT_NUMBER)
		(void)finding(&parse->findings, &node->key_place, "'tolerance' needs a number in 'expect'");
}

static void
read_check(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *columns = node_get(map, "columns");

	*check = (struct spec_check){
	    .place = map->place,
	    .least_ppm = 1000000,
	    .allow_unknown = true,
	    .min_rows = -1,
	    .max_rows = -1,
	    .least_of_previous_ppm = -1,
	    .most_of_previous_ppm = -1,
	    .retry_wait_ms = 1000,
	};
	if (!read_section(parse, IN(CHECK), map, check) && map->kind != NODE_MAP)
		return;
	if (columns != NULL && !node_is_null(columns) &&
	    !read_names(parse, columns, &check->columns, &check->column_count))
		check->column_count = 0;
	read_expect(parse, check, map);
	read_tolerance(parse, check, map);
}

void
read_checks(struct parse *parse)
{
	const struct node *list = node_get(parse->root, "checks");
	struct spec *spec = parse->spec;
	size_t i = 0;

	if (list == NULL || list->kind != NODE_LIST || list->count == 0)
		return;
	if (list->count > MOST_CHECKS) {
		(void)finding(&parse->findings, &list->key_place, "more than %d checks", MOST_CHECKS);
		return;
	}
	spec->check_count = list->count;
	spec->checks = ctx_alloc_array(parse->findings.ctx, list->count, sizeof(*spec->checks));
	parse->check_nodes = ctx_alloc_array(parse->findings.ctx, list->count, sizeof(*parse->check_nodes));
	for (const struct node *item = list->first; item != NULL; item = item->next, i++) {
		parse->check_nodes[i] = item;
		read_check(parse, &spec->checks[i], item);
	}
}
