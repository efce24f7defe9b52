#include "base/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"

enum { BODY_LIMIT_BYTES = 64 * 1024 * 1024, DEFAULT_TIMEOUT_MS = 30000, CONNECT_TIMEOUT_MS = 5000 };

struct http_client {
	CURL *curl;
};

/* One call in progress. */
struct exchange {
	struct ctx *ctx;
	const struct http_call *call;
	struct http_answer *answer;
	struct text body;
	size_t limit_bytes;
	bool stopped; /* by on_piece */
};

void
http_client_setup(void)
{
	ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static void
release_client(void *handle)
{
	struct http_client *client = handle;

	curl_easy_cleanup(client->curl);
}

struct http_client *
http_client_new(struct ctx *ctx)
{
	struct http_client *client = ctx_alloc(ctx, sizeof(*client));

	client->curl = curl_easy_init();
	ASSERT(client->curl != NULL);
	ctx_defer(ctx, release_client, client);
	return client;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct exchange *exchange = arg;
	size_t length = size * count;
	long status = exchange->answer->status;

	/* Pieces are only for the stream that was asked for; an error's document is collected. */
	if (exchange->call->on_piece != NULL && status >= 200 && status < 300) {
		exchange->stopped = !exchange->call->on_piece(exchange->call->arg, bytes, length);
		return exchange->stopped ? 0 : length;
	}
	if (length > exchange->limit_bytes - exchange->body.length)
		return 0;
	text_add_bytes(&exchange->body, bytes, length);
	return length;
}

/* The value when the line is "Name: value", else NULL. */
static char *
header_value(struct ctx *ctx, const char *line, size_t length, const char *name)
{
	size_t n = strlen(name);

	if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	length -= n + 1;
	for (; length > 0 && *line == ' '; line++)
		length--;
	while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n'))
		length--;
	return ctx_strndup(ctx, line, length);
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	struct exchange *exchange = arg;
	struct http_answer *answer = exchange->answer;
	size_t length = size * count;
	char *value;

	if (length > 12 && strncmp(line, "HTTP/", 5) == 0)
		answer->status = (int)strtol(line + 9, NULL, 10);
	else if ((value = header_value(exchange->ctx, line, length, "etag")) != NULL)
		answer->etag = value;
	else if ((value = header_value(exchange->ctx, line, length, "location")) != NULL)
		answer->location = value;
	else if ((value = header_value(exchange->ctx, line, length, "content-type")) != NULL)
		answer->content_type = value;
	else if ((value = header_value(exchange->ctx, line, length, "retry-after")) != NULL &&
		 !text_to_i64(value, &answer->retry_after_s))
		answer->retry_after_s = 0;
	return length;
}

static int
on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	const struct exchange *exchange = arg;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	return ctx_cancelled(exchange->ctx) != CANCEL_NONE;
}

static void
release_list(void *handle)
{
	curl_slist_free_all(handle);
}

static struct curl_slist *
request_headers(struct ctx *ctx, const struct http_call *call)
{
	struct curl_slist *list = NULL;

	list = curl_slist_append(list,
	    ctx_printf(ctx, "Accept: %s", call->accept != NULL ? call->accept : "application/json"));
	if (call->body != NULL)
		list = curl_slist_append(list, "Content-Type: application/json");
	list = curl_slist_append(list, "Expect:");
	if (call->bearer != NULL && secret_is_set(call->bearer))
		list =
		    curl_slist_append(list, ctx_printf(ctx, "Authorization: Bearer %s", secret_reveal(call->bearer)));
	for (const char *const *header = call->headers; header != NULL && *header != NULL; header++)
		list = curl_slist_append(list, *header);
	ASSERT(list != NULL);
	ctx_defer(ctx, release_list, list);
	return list;
}

static void
set_options(CURL *curl, struct exchange *exchange)
{
	const struct http_call *call = exchange->call;
	int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : DEFAULT_TIMEOUT_MS;

	(void)curl_easy_setopt(curl, CURLOPT_URL, call->url);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request_headers(exchange->ctx, call));
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
	if (call->on_piece != NULL) { /* silence, not length, ends a stream */
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)(timeout_ms / 1000));
	} else {
		(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	}
	if (call->body != NULL || strcmp(call->method, "POST") == 0) {
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body != NULL ? call->body : "");
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
	}
}

bool
http_client_call(struct ctx *ctx, struct http_client *client, const struct http_call *call, struct http_answer *answer)
{
	CTX_SCOPE(tmp, ctx);
	struct exchange exchange = {.ctx = ctx, .call = call, .answer = answer};
	CURLcode code;

	*answer = (struct http_answer){0};
	text_init(&exchange.body, ctx);
	exchange.limit_bytes = call->limit_bytes > 0 ? call->limit_bytes : BODY_LIMIT_BYTES;
	curl_easy_reset(client->curl);
	exchange.ctx = tmp; /* the header list dies with this call … */
	set_options(client->curl, &exchange);
	exchange.ctx = ctx; /* … the answer's headers do not */
	code = curl_easy_perform(client->curl);
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
	answer->body = exchange.body.data;
	answer->length = exchange.body.length;
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && exchange.stopped))
		return fail(ctx, FAIL_IO, "%s: %s", call->shown != NULL ? call->shown : call->url,
		    curl_easy_strerror(code));
	return true;
}
