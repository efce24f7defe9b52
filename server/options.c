#include "server/options.h"

#include <string.h>

#include "base/fail.h"
#include "base/text.h"

/* The row for "--name…" or "-n"; length excludes "=value". */
static const struct option *
find_option(const struct option *options, const char *argument, size_t *length)
{
	bool is_long = strncmp(argument, "--", 2) == 0;
	const char *name = argument + (is_long ? 2 : 1);

	*length = strcspn(name, "=");
	for (const struct option *option = options; option->name != NULL; option++) {
		bool fits = strlen(option->name) == *length && strncmp(option->name, name, *length) == 0;

		if (fits && (is_long || *length == 1))
			return option;
	}
	return NULL;
}

static bool
add_pair(struct ctx *ctx, json_t **object, const char *name, const char *value)
{
	const char *equal = strchr(value, '=');

	if (equal == NULL || equal == value)
		return fail(ctx, FAIL_USAGE, "--%s is %s, but must be name=value", name, value);
	if (*object == NULL)
		*object = json_new_object(ctx);
	json_put_string(ctx, *object, ctx_strndup(ctx, value, (size_t)(equal - value)), equal + 1);
	return true;
}

static bool
add_list(struct ctx *ctx, json_t **array, const char *value)
{
	if (*array == NULL)
		*array = json_new_array(ctx);
	while (*value != '\0') {
		size_t length = strcspn(value, ",");

		if (length > 0)
			json_add_string(ctx, *array, ctx_strndup(ctx, value, length));
		value += length + (value[length] == ',');
	}
	return true;
}

static bool
assign(struct ctx *ctx, const struct option *option, const char *value)
{
	switch (option->type) {
	case OPTION_TEXT: *(const char **)option->value = value; return true;
	case OPTION_FLAG: *(bool *)option->value = true; return true;
	case OPTION_COUNT:
		return text_to_i64(value, option->value) ||
		       fail(ctx, FAIL_USAGE, "--%s is %s, but must be a whole number", option->name, value);
	case OPTION_PAIR: return add_pair(ctx, option->value, option->name, value);
	case OPTION_LIST: return add_list(ctx, option->value, value);
	}
	return false;
}

static bool
unknown_option(struct ctx *ctx, const char *command, const struct option *options, const char *argument)
{
	const char *names[32];
	const char *nearest;
	size_t count = 0;

	for (const struct option *option = options; option->name != NULL && count < 32; option++)
		names[count++] = option->name;
	nearest = text_nearest(argument + strspn(argument, "-"), names, count);
	if (nearest != NULL)
		return fail(ctx, FAIL_USAGE, "%s does not know %s; did you mean --%s?", command, argument, nearest);
	return fail(ctx, FAIL_USAGE, "%s does not know %s: see loadstar %s --help", command, argument, command);
}

bool
options_parse(struct ctx *ctx, const char *command, const struct option *options, int *argc, char **argv, int at_least,
    int at_most)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		const struct option *option;
		const char *value = NULL;
		size_t length;

		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[kept++] = argv[i];
			continue;
		}
		option = find_option(options, argv[i], &length);
		if (option == NULL)
			return unknown_option(ctx, command, options, argv[i]);
		if (strchr(argv[i], '=') != NULL)
			value = strchr(argv[i], '=') + 1;
		else if (option->type != OPTION_FLAG && i + 1 < *argc)
			value = argv[++i];
		if ((value == NULL) != (option->type == OPTION_FLAG))
			return fail(ctx, FAIL_USAGE, "%s --%s %s", command, option->name,
			    value == NULL ? "needs a value" : "takes no value");
		if (!assign(ctx, option, value))
			return false;
	}
	*argc = kept;
	if (kept < at_least || kept > at_most)
		return fail(ctx, FAIL_USAGE, "%s takes %s arguments: see loadstar %s --help", command,
		    kept < at_least ? "more" : "fewer", command);
	return true;
}
