#include "base/fail.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"

static const struct fail_kind kinds[] = {
#define FAIL(code, name_, status_, class_, retryable_, title_, hint_) \
	[FAIL_##code] = {.name = name_, \
	    .http_status = status_, \
	    .class = FAIL_CLASS_##class_, \
	    .retryable = retryable_, \
	    .title = title_, \
	    .hint = hint_},
#include "base/fail_table.def"
#undef FAIL
};

static const char *const class_names[] = {
    [FAIL_CLASS_TRANSIENT] = "transient",
    [FAIL_CLASS_CONFLICT] = "conflict",
    [FAIL_CLASS_DATA] = "data",
    [FAIL_CLASS_QUALITY] = "quality",
    [FAIL_CLASS_PERMANENT] = "permanent",
};

const struct fail_kind *
fail_kind(enum fail_code code)
{
	ASSERT(code < FAIL_COUNT);
	return &kinds[code];
}

const char *
fail_class_name(enum fail_class which)
{
	ASSERT(which < LENGTH_OF(class_names));
	return class_names[which];
}

enum fail_code
fail_code_find(const char *name)
{
	for (size_t i = 0; i < LENGTH_OF(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (enum fail_code)i;
	return FAIL_INTERNAL;
}

static bool record(struct ctx *ctx, enum fail_code code, const char *sqlstate, const char *fmt, va_list args)
    PRINTF_LIKE(4, 0);

static bool
record(struct ctx *ctx, enum fail_code code, const char *sqlstate, const char *fmt, va_list args)
{
	struct failure *failure = ctx_failure(ctx);

	ASSERT(code != FAIL_NONE);
	if (failure->code != FAIL_NONE)
		return false;
	failure->code = code;
	(void)vsnprintf(failure->message, sizeof(failure->message), fmt, args);
	(void)snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%s", sqlstate);
	return false;
}

bool
fail(struct ctx *ctx, enum fail_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)record(ctx, code, "", fmt, args);
	va_end(args);
	return false;
}

bool
fail_sql(struct ctx *ctx, enum fail_code code, const char *sqlstate, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)record(ctx, code, sqlstate, fmt, args);
	va_end(args);
	return false;
}

bool
fail_field(struct ctx *ctx, const char *pointer, const char *fmt, ...)
{
	struct failure *failure = ctx_failure(ctx);
	struct fail_field *field = ctx_alloc(ctx, sizeof(*field));
	va_list args;

	va_start(args, fmt);
	field->detail = ctx_vprintf(ctx, fmt, args);
	va_end(args);
	field->pointer = ctx_strdup(ctx, pointer);
	if (failure->fields_end == NULL)
		failure->fields_end = &failure->fields;
	*failure->fields_end = field;
	failure->fields_end = &field->next;
	return fail(ctx, FAIL_INVALID_REQUEST, "%s: %s", pointer, field->detail);
}

bool
ctx_failed(struct ctx *ctx)
{
	return ctx_failure(ctx)->code != FAIL_NONE;
}

void
fail_clear(struct ctx *ctx)
{
	struct failure *failure = ctx_failure(ctx);

	*failure = (struct failure){.code = FAIL_NONE};
}
