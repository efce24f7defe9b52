#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

static char *
one_of(struct ctx *ctx, const char *values)
{
	struct text out;

	text_init(&out, ctx);
	if (strchr(values, '|') != NULL)
		text_add(&out, "one of ");
	while (*values != '\0') {
		size_t part = strcspn(values, "|");

		text_add(&out, "`");
		text_add_bytes(&out, values, part);
		text_add(&out, values[part] == '|' ? "`, " : "`");
		values += part + (values[part] == '|');
	}
	return out.data;
}

static char *
range(struct ctx *ctx, const char *values)
{
	const char *dots = strstr(values, "..");
	size_t length = (size_t)(dots - values);

	if (strncmp(values, dots + 2, length) == 0 && strlen(dots + 2) == length)
		return ctx_printf(ctx, "%s", dots + 2);
	return ctx_printf(ctx, "a whole number from %.*s to %s", (int)length, values, dots + 2);
}

char *
spec_key_type_text(struct ctx *ctx, const struct spec_key *key)
{
	switch (key->type) {
	case KEY_TEXT: return ctx_strdup(ctx, "text");
	case KEY_NAME: return ctx_strdup(ctx, "a name");
	case KEY_NAMES: return ctx_strdup(ctx, "a list of names");
	case KEY_COUNT: return range(ctx, key->values);
	case KEY_DURATION: return ctx_strdup(ctx, "a duration");
	case KEY_SHARE: return ctx_strdup(ctx, "a percentage such as 50%, or `off`");
	case KEY_PERIOD: return ctx_strdup(ctx, "a period");
	case KEY_BOOL: return ctx_strdup(ctx, "true or false");
	case KEY_CHOICE:
	case KEY_FLAG: return one_of(ctx, key->values);
	case KEY_TYPE: return ctx_strdup(ctx, "a type");
	case KEY_FILES: return ctx_strdup(ctx, "a list of files");
	case KEY_PERCENT: return ctx_strdup(ctx, "a share such as 99.5%");
	case KEY_LIST: return ctx_strdup(ctx, "a list");
	case KEY_MAP: return ctx_strdup(ctx, "a mapping");
	case KEY_ANY: break;
	}
	return ctx_strdup(ctx, "see right");
}
