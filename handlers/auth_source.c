#include "handlers/auth_source.h"

#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/text.h"

enum { TEXT_LIMIT_BYTES = 256 * 1024 };

static const char key_setting[] = "LOADSTAR_JWT_PUBLIC_KEY", set_setting[] = "LOADSTAR_JWKS_URL";

/* Who can change the answer of a URL can sign tokens: over the network only TLS tells who answers. */
static bool
check_url(struct ctx *ctx, const char *url)
{
	const char *host = strstr(url, "://") + 3;
	char *authority = ctx_strndup(ctx, host, strcspn(host, "/?#"));

	if (strchr(authority, '@') != NULL)
		return fail(ctx, FAIL_CONFIG_INVALID, "%s must not hold a user or password", set_setting);
	if (text_starts_with(url, "https://"))
		return true;
	if (text_starts_with(url, "http://") && config_is_loopback(ctx_printf(ctx, "%s:80", authority)))
		return true;
	return fail(ctx, FAIL_CONFIG_INVALID, "%s must be https://, http:// on loopback, file:///path or a path",
	    set_setting);
}

static bool
set_source(struct ctx *ctx, const char *place, struct auth_source *source)
{
	*source = (struct auth_source){.setting = set_setting, .place = place, .is_set = true};
	if (text_starts_with(place, "file:///")) {
		source->place = place + strlen("file://");
		return true;
	}
	source->is_url = strstr(place, "://") != NULL;
	return !source->is_url || check_url(ctx, place);
}

bool
auth_source_list(struct ctx *ctx, const struct config *config, struct auth_source *sources, size_t *count)
{
	const char *key = config->jwt_public_key, *set = config->jwks_url;

	*count = 0;
	if (key != NULL)
		sources[(*count)++] = (struct auth_source){.setting = key_setting,
		    .place = key,
		    .is_fixed = strstr(key, "-----BEGIN ") != NULL};
	return set == NULL || set_source(ctx, set, &sources[(*count)++]);
}

static bool
fetch_url(struct ctx *ctx, const char *url, int64_t timeout_ms, struct auth_source_text *text)
{
	struct http_call call = {
	    .method = "GET",
	    .url = url,
	    .accept = "application/jwk-set+json, application/json",
	    .timeout_ms = timeout_ms,
	    .limit_bytes = TEXT_LIMIT_BYTES,
	};
	struct http_answer answer;

	if (!http_client_call(ctx, http_client_new(ctx), &call, &answer))
		return false;
	if (answer.status != 200)
		return fail(ctx, FAIL_IO, "%s answers with status %d", url, answer.status);
	text->data = ctx_strndup(text->ctx, answer.body, answer.length);
	text->length = answer.length;
	return true;
}

static bool
fetch_file(struct ctx *ctx, const char *path, struct auth_source_text *text)
{
	char *data;

	if (!file_read(ctx, path, TEXT_LIMIT_BYTES, &data, &text->length))
		return false;
	text->data = ctx_strndup(text->ctx, data, text->length);
	return true;
}

bool
auth_source_fetch(struct ctx *ctx, const struct auth_source *source, int64_t timeout_ms, struct auth_source_text *text)
{
	bool ok = true;

	*text = (struct auth_source_text){.ctx = ctx_new("key source", 0)};
	if (source->is_fixed) {
		text->data = ctx_strdup(text->ctx, source->place);
		text->length = strlen(source->place);
	} else if (source->is_url) {
		ok = fetch_url(ctx, source->place, timeout_ms, text);
	} else {
		ok = fetch_file(ctx, source->place, text);
	}
	if (!ok)
		ctx_free(text->ctx);
	return ok;
}

bool
auth_source_same(const struct auth_source_text *a, const struct auth_source_text *b)
{
	return a->data != NULL && b->data != NULL && a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

bool
auth_source_add(struct ctx *ctx, const struct auth_source *source, struct auth_keys *keys)
{
	if (source->text.data == NULL)
		return true;
	return source->is_set ? auth_keys_add_jwks(ctx, keys, source->text.data, source->text.length)
			      : auth_keys_add_pem(ctx, keys, source->text.data);
}
