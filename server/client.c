#include "server/client.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "handlers/auth.h"
#include "server/home.h"

enum {
	RECONNECT_MS = 60000,
	RECONNECT_PAUSE_MS = 500,
	WAIT_S = 30,
	TOKEN_S = 7 * 24 * 3600 /* outlives every run that is followed; it never leaves this process */
};

static bool
url_is_loopback(const char *url)
{
	const char *host = strstr(url, "://");

	return host != NULL && config_is_loopback(host + 3);
}

bool
client_open(struct ctx *ctx, const struct config *config, bool json, struct client *client)
{
	char *url = ctx_strdup(ctx, config->url);
	struct secret secret;
	char *token;

	while (text_ends_with(url, "/"))
		url[strlen(url) - 1] = '\0';
	*client = (struct client){.http = http_client_new(ctx), .url = url, .token = config->token, .json = json};
	if (secret_is_set(&client->token) || !url_is_loopback(url))
		return true;
	if (!home_signing_secret(ctx, config, &secret))
		return false;
	if (!secret_is_set(&secret)) /* the service will say that a token is needed */
		return true;
	if (!auth_issue(ctx, &secret, "cli", NULL, TOKEN_S, config->jwt_issuer, config->jwt_audience, &token))
		return false;
	client->token = secret_make(ctx, token);
	return true;
}

/* The problem document as this ctx's failure. */
static bool
fail_problem(struct ctx *ctx, const struct http_answer *answer)
{
	json_t *problem = json_trusted(ctx, answer->body), *error;
	const char *code = json_string_or(problem, "code", "internal");
	const char *title = json_string_or(problem, "title", "the service answered with an error");
	json_t *errors = json_object_get(problem, "errors");
	struct text message;
	size_t i;

	text_init(&message, ctx);
	text_addf(&message, "%s (%d %s)",
	    json_array_size(errors) > 0 ? title : json_string_or(problem, "detail", title), answer->status, code);
	json_array_foreach(errors, i, error)
		text_addf(&message, "\n  %s: %s", json_string_or(error, "pointer", ""),
		    json_string_or(error, "detail", ""));
	return fail(ctx, fail_code_find(code), "%s", text_sanitize(ctx, message.data));
}

/* False when nobody is there, or nobody who can answer now. */
static bool
reach(struct ctx *ctx, struct client *client, const struct http_call *what, struct http_answer *answer)
{
	if (!http_client_call(ctx, client->http, what, answer)) {
		const char *reason = ctx_strdup(ctx, ctx_failure(ctx)->message);

		if (client->answered)
			return false;
		fail_clear(ctx);
		return fail(ctx, FAIL_IO, "cannot reach the service: %s", reason);
	}
	return answer->status != 503 || fail_problem(ctx, answer);
}

static bool
call(struct ctx *ctx, struct client *client, struct http_call *what, const char *path, struct http_answer *answer)
{
	int64_t deadline_us = clock_monotonic_us() + RECONNECT_MS * CLOCK_SECOND_US / 1000;

	what->url = ctx_printf(ctx, "%s%s", client->url, path);
	what->bearer = &client->token;
	/* A POST may have arrived; only its idempotency key makes it safe to say again, and those have one. */
	while (!reach(ctx, client, what, answer)) {
		if (!client->answered || clock_monotonic_us() > deadline_us)
			return false;
		fail_clear(ctx);
		clock_sleep_ms(RECONNECT_PAUSE_MS);
	}
	client->answered = true;
	return answer->status < 400 || fail_problem(ctx, answer);
}

/* Texts come from rows, files and other people: on a terminal they are texts, not commands to it. */
static void
clean(struct ctx *ctx, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		ASSERT(json_string_set(value, text_sanitize(ctx, json_string_value(value))) == 0);
	json_object_foreach(value, key, item)
		clean(ctx, item);
	json_array_foreach(value, i, item)
		clean(ctx, item);
}

static bool
read_answer(struct ctx *ctx, const struct client *client, const struct http_answer *got, json_t **answer)
{
	CTX_SCOPE(tmp, ctx);

	if (!json_parse(ctx, got->body, got->length, answer))
		return false;
	if (!client->json)
		clean(tmp, *answer);
	return true;
}

bool
client_get(struct ctx *ctx, struct client *client, const char *path, json_t **answer)
{
	struct http_call what = {.method = "GET"};
	struct http_answer got;

	return call(ctx, client, &what, path, &got) && read_answer(ctx, client, &got, answer);
}

bool
client_post(struct ctx *ctx, struct client *client, const char *path, const json_t *body, json_t **answer)
{
	const char *headers[] = {ctx_printf(ctx, "Idempotency-Key: %s", uuid_make(ctx)), NULL};
	struct http_call what = {.method = "POST",
	    .body = body != NULL ? json_text(ctx, body) : "{}",
	    .headers = headers};
	struct http_answer got;

	return call(ctx, client, &what, path, &got) && read_answer(ctx, client, &got, answer);
}

bool
client_wait_run(struct ctx *ctx, struct client *client, const char *run_id, char etag[64], json_t **run)
{
	const char *headers[] = {ctx_printf(ctx, "If-None-Match: %s", etag), NULL};
	struct http_call what = {.method = "GET",
	    .headers = etag[0] != '\0' ? headers : NULL,
	    .timeout_ms = (WAIT_S + 15) * 1000};
	struct http_answer got;
	char *path = etag[0] != '\0' ? ctx_printf(ctx, "/v1/runs/%s?wait=%ds", run_id, WAIT_S)
				     : ctx_printf(ctx, "/v1/runs/%s", run_id);

	*run = NULL;
	if (!call(ctx, client, &what, path, &got))
		return false;
	if (got.status == 304)
		return true;
	(void)snprintf(etag, 64, "%s", got.etag != NULL ? got.etag : "");
	return read_answer(ctx, client, &got, run);
}

void
client_add_filter(struct text *filters, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,:";

	if (value == NULL)
		return;
	text_addf(filters, "&%s=", name);
	for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
		if (strchr(plain, *p) != NULL)
			text_add_bytes(filters, p, 1);
		else
			text_addf(filters, "%%%02X", *p);
	}
}

void
client_print_json(struct ctx *ctx, const json_t *value)
{
	(void)printf("%s\n", json_text_indented(ctx, value));
}

bool
client_get_items(struct ctx *ctx, struct client *client, const char *path, const char *filters, int64_t limit,
    json_t *items)
{
	const char *cursor = NULL;

	while ((int64_t)json_array_size(items) < limit) {
		int64_t left = limit - (int64_t)json_array_size(items);
		char *page_path = ctx_printf(ctx, "%s?limit=%lld%s%s%s", path, (long long)(left < 1000 ? left : 1000),
		    filters, cursor != NULL ? "&cursor=" : "", cursor != NULL ? cursor : "");
		json_t *page, *item;
		size_t i;

		if (!client_get(ctx, client, page_path, &page))
			return false;
		json_array_foreach(json_object_get(page, "items"), i, item)
			json_add(items, item);
		cursor = json_string_or(page, "next_cursor", NULL);
		if (cursor == NULL)
			break;
	}
	return true;
}
