#include "handlers/params.h"

#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"

enum { CHECK_BYTES = 8 };

/* PostgreSQL has no year 0. */
static const int64_t YEAR_ONE_US = INT64_C(-62135596800) * 1000 * 1000;

static void
wrong(struct ctx *ctx, const char *name, const char *want)
{
	(void)fail_field(ctx, ctx_printf(ctx, "?%s", name), "must be %s", want);
}

int64_t
param_limit(struct ctx *ctx, const struct request *request)
{
	const char *s = request_query(request, "limit");
	int64_t limit = PAGE_LIMIT_DEFAULT;

	if (s != NULL && (!text_to_i64(s, &limit) || limit < 1 || limit > PAGE_LIMIT_MOST)) {
		wrong(ctx, "limit", "a number from 1 to 1000");
		return PAGE_LIMIT_DEFAULT;
	}
	return limit;
}

int64_t
param_time_us(struct ctx *ctx, const struct request *request, const char *name)
{
	const char *s = request_query(request, name);
	int64_t at_us = 0;

	if (s != NULL && (!clock_parse(s, &at_us) || (at_us < YEAR_ONE_US && at_us != CLOCK_MINUS_INFINITY)))
		wrong(ctx, name, "a time such as 2024-01-31T09:15:00Z, or a date");
	return s != NULL && at_us == 0 ? 1 : at_us;
}

bool
param_flag(struct ctx *ctx, const struct request *request, const char *name)
{
	const char *s = request_query(request, name);

	if (s == NULL || text_equal(s, "0") || text_equal(s, "false"))
		return false;
	if (!text_equal(s, "1") && !text_equal(s, "true"))
		wrong(ctx, name, "1 or 0");
	return true;
}

int64_t
param_count(struct ctx *ctx, const struct request *request, const char *name, int64_t otherwise)
{
	const char *s = request_query(request, name);
	int64_t value = otherwise;

	if (s != NULL && (!text_to_i64(s, &value) || value < 0)) {
		wrong(ctx, name, "a whole number, 0 or more");
		return otherwise;
	}
	return value;
}

const char *const *
param_list(struct ctx *ctx, const struct request *request, const char *name, bool (*is_known)(const char *value))
{
	const char *s = request_query(request, name);
	const char **items;
	size_t count = 0;

	if (s == NULL)
		return NULL;
	items = ctx_alloc_array(ctx, strlen(s) + 2, sizeof(*items));
	for (;; s++) {
		size_t length = strcspn(s, ",");
		const char *item = ctx_strndup(ctx, s, length);

		if (length == 0 || (is_known != NULL && !is_known(item)))
			(void)fail_field(ctx, ctx_printf(ctx, "?%s", name), "does not know \"%s\"", item);
		items[count++] = item;
		s += length;
		if (*s == '\0')
			return items;
	}
}

const char *
param_one(struct ctx *ctx, const struct request *request, const char *name, bool (*is_known)(const char *value))
{
	const char *s = request_query(request, name);

	if (s != NULL && !is_known(s))
		(void)fail_field(ctx, ctx_printf(ctx, "?%s", name), "does not know \"%s\"", s);
	return s;
}

static bool
is_word(const char *words, const char *s)
{
	size_t want = strlen(s);

	for (; *words != '\0'; words += strspn(words, " ")) {
		size_t length = strcspn(words, " ");

		if (length == want && strncmp(words, s, length) == 0)
			return true;
		words += length;
	}
	return false;
}

bool
param_body(struct ctx *ctx, const struct request *request, const char *known, json_t **body)
{
	const char *name;
	json_t *value;

	*body = NULL;
	if (request->body_length == 0)
		return true;
	if (!request_json(ctx, request, body))
		return false;
	if (!json_is_object(*body))
		return fail_field(ctx, "", "must be an object");
	json_object_foreach(*body, name, value)
		if (!is_word(known, name))
			(void)fail_field(ctx, json_pointer(ctx, "", name), "is not a known field");
	return !ctx_failed(ctx);
}

/* The check is CHECK_BYTES hexadecimal digits before the content. */
static const char *
check_of(struct ctx *ctx, const struct request *request, const char *content)
{
	const char *path = request->path != NULL ? request->path : "";
	const char *hash = crypto_sha256_text(ctx, ctx_printf(ctx, "%s\n%s", path, content));

	return hash + strlen(hash) - CHECK_BYTES;
}

char *
cursor_seal(struct ctx *ctx, const struct request *request, const char *content)
{
	const char *plain = ctx_printf(ctx, "%s%s", check_of(ctx, request, content), content);

	return crypto_base64url(ctx, plain, strlen(plain));
}

char *
cursor_make(struct ctx *ctx, const struct request *request, const int64_t *numbers, size_t count, const char *id)
{
	struct text content;

	text_init(&content, ctx);
	for (size_t i = 0; i < count; i++)
		text_addf(&content, "%lld|", (long long)numbers[i]);
	text_add(&content, id != NULL ? id : "");
	return cursor_seal(ctx, request, content.data);
}

/* What is sealed in it; NULL: it is not one of this list. */
static char *
cursor_open(struct ctx *ctx, const struct request *request, const char *s)
{
	unsigned char *bytes;
	size_t length;
	char *plain;

	if (!crypto_base64url_decode(ctx, s, &bytes, &length))
		return NULL;
	plain = ctx_strndup(ctx, (const char *)bytes, length);
	if (strlen(plain) != length || length < CHECK_BYTES ||
	    strncmp(plain, check_of(ctx, request, plain + CHECK_BYTES), CHECK_BYTES) != 0)
		return NULL;
	return plain + CHECK_BYTES;
}

static bool
cursor_parse(char *plain, int64_t *numbers, size_t count, const char **id)
{
	for (size_t i = 0; i < count; i++) {
		char *end = strchr(plain, '|');

		if (end == NULL)
			return false;
		*end = '\0';
		if (!text_to_i64(plain, &numbers[i]) || numbers[i] < 0)
			return false;
		plain = end + 1;
	}
	if (id == NULL)
		return *plain == '\0';
	*id = plain;
	return uuid_is_valid(plain);
}

bool
cursor_read(struct ctx *ctx, const struct request *request, int64_t *numbers, size_t count, const char **id)
{
	const char *s = request_query(request, "cursor");
	char *plain;

	if (s == NULL)
		return false;
	plain = cursor_open(ctx, request, s);
	if (plain == NULL || !cursor_parse(plain, numbers, count, id)) {
		wrong(ctx, "cursor", "a next_cursor of this list");
		return false;
	}
	return true;
}
