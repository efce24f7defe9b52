#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/spec/parse.h"

#define FIELD(structure, member) offsetof(struct structure, member)
#define NOWHERE SIZE_MAX

const struct spec_key spec_keys[] = {
#define SECTION(id, place_, doc_)
#define KEY(section_, key_, type_, target_, required_, values_, doc_) \
	{.section = SECTION_##section_, \
	    .key = key_, \
	    .type = KEY_##type_, \
	    .offset = target_, \
	    .required = required_, \
	    .values = values_, \
	    .doc = doc_},
#include "etl/spec/keys.def"
#undef SECTION
#undef KEY
};
const size_t spec_keys_count = LENGTH_OF(spec_keys);

const struct spec_section spec_sections[SECTION_COUNT] = {
#define SECTION(id, place_, doc_) [SECTION_##id] = {.place = place_, .doc = doc_},
#define KEY(section_, key_, type_, target_, required_, values_, doc_)
#include "etl/spec/keys.def"
#undef SECTION
#undef KEY
};

enum { LONGEST_DURATION_DAYS = 3650 };

const struct spec_place *
node_blame(const struct node *node)
{
	return node->key != NULL ? &node->key_place : &node->place;
}

const char *
node_text(const struct node *map, const char *key)
{
	const struct node *node = node_get(map, key);

	return node != NULL && node->kind == NODE_SCALAR && !node_is_null(node) ? node->text : NULL;
}

static const struct spec_key *
find_key(unsigned sections, const char *name)
{
	for (size_t i = 0; i < spec_keys_count; i++)
		if ((sections >> spec_keys[i].section & 1) != 0 && strcmp(spec_keys[i].key, name) == 0)
			return &spec_keys[i];
	return NULL;
}

static bool
report_unknown(struct parse *parse, unsigned sections, const struct node *node)
{
	const char *candidates[64], *nearest;
	unsigned kinds = IN(DIMENSION) | IN(FACT) | IN(STAGE);
	size_t count = 0;

	if ((sections & IN(TABLE)) != 0 && find_key(kinds, node->key) != NULL)
		return finding(&parse->findings, &node->key_place, "'%s' is a key of %s; this table is a %s", node->key,
		    find_key(IN(FACT), node->key) != NULL ? "facts" : "dimensions",
		    (sections & IN(FACT)) != 0    ? "fact"
		    : (sections & IN(STAGE)) != 0 ? "stage"
						  : "dimension");
	for (size_t i = 0; i < spec_keys_count && count < LENGTH_OF(candidates); i++)
		if ((sections >> spec_keys[i].section & 1) != 0)
			candidates[count++] = spec_keys[i].key;
	nearest = text_nearest(node->key, candidates, count);
	if (nearest != NULL)
		return finding(&parse->findings, &node->key_place, "unknown key '%s'; did you mean '%s'?", node->key,
		    nearest);
	return finding(&parse->findings, &node->key_place, "unknown key '%s'", node->key);
}

/* Index of text in "a|b|c", -1 when it is not there. */
static int
choice_index(const char *values, const char *text)
{
	size_t length = strlen(text);

	for (int i = 0; *values != '\0'; i++) {
		size_t part = strcspn(values, "|");

		if (part == length && strncmp(values, text, part) == 0)
			return i;
		values += part + (values[part] == '|');
	}
	return -1;
}

static bool
read_choice(struct parse *parse, const struct spec_key *key, const struct node *node, void *field)
{
	int index = choice_index(key->values, node->text);

	if (index < 0)
		return finding(&parse->findings, &node->place, "'%s' is '%s', but must be %s", key->key, node->text,
		    spec_key_type_text(parse->findings.ctx, key));
	if (field != NULL && key->type == KEY_FLAG)
		*(bool *)field = index == 1;
	else if (field != NULL)
		*(unsigned *)field = (unsigned)index;
	return true;
}

static bool
read_count(struct parse *parse, const struct spec_key *key, const struct node *node, int64_t *field)
{
	int64_t least = strtoll(key->values, NULL, 10), most = strtoll(strstr(key->values, "..") + 2, NULL, 10), n;

	if (!node->plain || !text_to_i64(node->text, &n) || n < least || n > most)
		return finding(&parse->findings, &node->place, "'%s' is '%s', but must be %s", key->key, node->text,
		    spec_key_type_text(parse->findings.ctx, key));
	if (field != NULL)
		*field = n;
	return true;
}

static bool
read_duration(struct parse *parse, const struct spec_key *key, const struct node *node, int64_t *field)
{
	int64_t ms, least;

	ASSERT(duration_parse_ms(key->values, &least));
	if (!duration_parse_ms(node->text, &ms) || ms < least || ms > LONGEST_DURATION_DAYS * INT64_C(86400000))
		return finding(&parse->findings, &node->place,
		    "'%s' is '%s', but must be a duration such as 500ms, 15s, 10m, 2h or 1d, at most %dd", key->key,
		    node->text, LONGEST_DURATION_DAYS);
	if (field != NULL)
		*field = ms;
	return true;
}

static bool
read_share(struct parse *parse, const struct spec_key *key, const struct node *node, int64_t *field)
{
	size_t digits = strspn(node->text, "0123456789");
	int64_t percent = -1;

	if (strcmp(node->text, "off") != 0 &&
	    (digits == 0 || strcmp(node->text + digits, "%") != 0 ||
		!text_to_i64(ctx_strndup(parse->findings.ctx, node->text, digits), &percent) || percent > 100))
		return finding(&parse->findings, &node->place, "'%s' is '%s', but must be %s", key->key, node->text,
		    spec_key_type_text(parse->findings.ctx, key));
	if (field != NULL)
		*field = percent;
	return true;
}

static bool
read_period(struct parse *parse, const struct spec_key *key, const struct node *node, const char **field)
{
	struct period period;

	if (!spec_slice_parse(node->text, &period))
		return finding(&parse->findings, &node->place,
		    "'%s' is '%s', but must be a period such as P1D, P1M or PT6H: of one unit, dividing the day when shorter "
		    "than one, at most 100 years",
		    key->key, node->text);
	if (field != NULL)
		*field = node->text;
	return true;
}

static bool
read_type(struct parse *parse, const struct node *node, struct spec_type *field)
{
	const char *nearest;

	if (spec_type_parse(node->text, field))
		return true;
	nearest = text_nearest(node->text, spec_type_words, spec_type_words_count);
	return finding(&parse->findings, &node->place, "'%s' is no type%s%s%s", node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static bool
read_name(struct parse *parse, const struct spec_key *key, const struct node *node, const char **field)
{
	if (!text_is_name(node->text))
		return finding(&parse->findings, &node->place,
		    "'%s' is '%s', but must be a name: a to z, 0 to 9 and _, a letter first, at most 63", key->key,
		    node->text);
	if (field != NULL)
		*field = node->text;
	return true;
}

static bool
read_bool(struct parse *parse, const struct spec_key *key, const struct node *node, bool *field)
{
	bool yes = strcmp(node->text, "true") == 0;

	if (!node->plain || (!yes && strcmp(node->text, "false") != 0))
		return finding(&parse->findings, &node->place, "'%s' is '%s', but must be true or false", key->key,
		    node->text);
	if (field != NULL)
		*field = yes;
	return true;
}

/* "99.5%": at most four decimals, so that millionths hold it exactly. */
static bool
percent_parse(const char *text, int64_t *ppm)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	const char *rest = text + whole;
	int64_t value = 0;

	if (*rest == '.')
		part = strspn(rest + 1, "0123456789");
	if (whole == 0 || whole > 9 || part > 4 || (*rest == '.' && part == 0) ||
	    strcmp(rest + (part > 0 ? part + 1 : 0), "%") != 0)
		return false;
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (text[i] - '0');
	for (size_t i = 0; i < 4; i++)
		value = value * 10 + (i < part ? rest[i + 1] - '0' : 0);
	*ppm = value;
	return true;
}

static bool
read_percent(struct parse *parse, const struct spec_key *key, const struct node *node, int64_t *field)
{
	int64_t ppm;

	if (!percent_parse(node->text, &ppm) || ppm > strtoll(key->values, NULL, 10) * 10000)
		return finding(&parse->findings, &node->place,
		    "'%s' is '%s', but must be a share such as 99.5%%, from 0%% to %s%%, with at most 4 decimals",
		    key->key, node->text, key->values);
	if (field != NULL)
		*field = ppm;
	return true;
}

static bool
read_scalar_value(struct parse *parse, const struct spec_key *key, const struct node *node, void *field)
{
	switch (key->type) {
	case KEY_NAME: return read_name(parse, key, node, field);
	case KEY_COUNT: return read_count(parse, key, node, field);
	case KEY_DURATION: return read_duration(parse, key, node, field);
	case KEY_SHARE: return read_share(parse, key, node, field);
	case KEY_PERIOD: return read_period(parse, key, node, field);
	case KEY_PERCENT: return read_percent(parse, key, node, field);
	case KEY_BOOL: return read_bool(parse, key, node, field);
	case KEY_CHOICE:
	case KEY_FLAG: return read_choice(parse, key, node, field);
	case KEY_TYPE: return read_type(parse, node, field);
	default: break;
	}
	if (*node->text == '\0')
		return finding(&parse->findings, &node->place, "'%s' is empty", key->key);
	if (field != NULL)
		*(const char **)field = node->text;
	return true;
}

static bool
read_value(struct parse *parse, const struct spec_key *key, const struct node *node, void *target)
{
	void *field = key->offset == NOWHERE ? NULL : (char *)target + key->offset;

	if (node_is_null(node) && key->type != KEY_ANY)
		return finding(&parse->findings, &node->key_place, "'%s' has no value", key->key);
	if (key->type == KEY_ANY || key->type == KEY_NAMES)
		return true;
	if (key->type == KEY_LIST)
		return node->kind == NODE_LIST ||
		       finding(&parse->findings, &node->place, "'%s' must be a list", key->key);
	if (key->type == KEY_FILES)
		return node->kind == NODE_LIST ||
		       finding(&parse->findings, &node->place, "'%s' must be a list of files", key->key);
	if (key->type == KEY_MAP)
		return node->kind == NODE_MAP ||
		       finding(&parse->findings, &node->place, "'%s' must be a mapping (key: value)", key->key);
	if (node->kind != NODE_SCALAR)
		return finding(&parse->findings, &node->place, "'%s' must be %s, not a %s", key->key,
		    spec_key_type_text(parse->findings.ctx, key), node->kind == NODE_MAP ? "mapping" : "list");
	return read_scalar_value(parse, key, node, field);
}

bool
read_section(struct parse *parse, unsigned sections, const struct node *map, void *target)
{
	bool good = true;

	if (map->kind != NODE_MAP)
		return finding(&parse->findings, &map->place, "a mapping (key: value) is needed here");
	for (const struct node *child = map->first; child != NULL; child = child->next) {
		const struct spec_key *key = find_key(sections, child->key);

		if (key == NULL)
			good = report_unknown(parse, sections, child);
		else
			good = read_value(parse, key, child, target) && good;
	}
	for (size_t i = 0; i < spec_keys_count; i++) {
		const struct spec_key *key = &spec_keys[i];

		if (key->required && (sections >> key->section & 1) != 0 && node_get(map, key->key) == NULL)
			good = finding(&parse->findings, node_blame(map), "%s%s%slacks the key '%s'",
			    map->key != NULL ? "'" : "the document ", map->key != NULL ? map->key : "",
			    map->key != NULL ? "' " : "", key->key);
	}
	return good;
}

static bool
read_one_name(struct parse *parse, const struct node *node, const char **names, size_t *count)
{
	if (node->kind != NODE_SCALAR || !text_is_name(node->text))
		return finding(&parse->findings, &node->place,
		    "a name is needed here: a to z, 0 to 9 and _, a letter first");
	for (size_t i = 0; i < *count; i++)
		if (strcmp(names[i], node->text) == 0)
			return finding(&parse->findings, &node->place, "'%s' is here twice", node->text);
	names[(*count)++] = node->text;
	return true;
}

bool
read_names(struct parse *parse, const struct node *node, const char ***names, size_t *count)
{
	bool good = true;

	*count = 0;
	*names = ctx_alloc_array(parse->findings.ctx, node->count + 1, sizeof(char *));
	if (node->kind != NODE_LIST)
		return read_one_name(parse, node, *names, count);
	if (node->count == 0)
		return finding(&parse->findings, &node->place, "the list is empty");
	for (const struct node *item = node->first; item != NULL; item = item->next)
		good = read_one_name(parse, item, *names, count) && good;
	return good;
}
