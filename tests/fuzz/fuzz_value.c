/*
 * Any bytes as one value of a request, with what must hold of it. The first byte says which: C a cursor (the next one: of how many
 * numbers, with an id or not, as it came or sealed), P a path, D a text with escapes, A Accept, E If-None-Match, K Idempotency-Key, O Origin,
 * X X-Forwarded-For, F Forwarded.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "handlers/uri.h"
#include "server/edge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_NUMBERS = 4 };

/* What is read from a cursor is what a cursor made of it says again. */
static void
read_cursor(struct ctx *ctx, const char *text)
{
	size_t count = text[0] != '\0' ? (size_t)(unsigned char)text[0] % MOST_NUMBERS : 0;
	struct http_pair pair = {"cursor", ""};
	struct request request = {.path = "/v1/runs", .query = &pair, .query_count = 1};
	int64_t numbers[MOST_NUMBERS], again[MOST_NUMBERS];
	const char *id = NULL, *same = NULL, **want = text[0] & 0x10 ? &id : NULL;

	/* As it came, or as the content of one: then its check is right. */
	if (text[0] != '\0')
		pair.value = text[0] & 0x20 ? cursor_seal(ctx, &request, text + 1) : text + 1;
	if (!cursor_read(ctx, &request, numbers, count, want)) {
		ASSERT(ctx_failure(ctx)->code == FAIL_INVALID_REQUEST);
		return;
	}
	pair.value = cursor_make(ctx, &request, numbers, count, id);
	ASSERT(cursor_read(ctx, &request, again, count, want != NULL ? &same : NULL) && !ctx_failed(ctx));
	ASSERT(memcmp(numbers, again, count * sizeof(*numbers)) == 0 && text_equal(id, same));
}

/* A path leads to one route a method; what it is not known for, it is told for OPTIONS. */
static void
match_path(struct ctx *ctx, const char *path)
{
	struct request request = {.path = path};
	const struct route *get, *post;
	const char *allow, *other;

	if (!uri_path_is_sane(path))
		return;
	ASSERT(path[0] == '/' && strstr(path, "/../") == NULL && strcasestr(path, "%2f") == NULL);
	get = routes_match(ctx, HTTP_GET, path, NULL, &other);
	post = routes_match(ctx, HTTP_POST, path, NULL, &other);
	ASSERT(routes_match(ctx, HTTP_HEAD, path, NULL, &other) == get);
	ASSERT(routes_match(ctx, HTTP_OPTIONS, path, NULL, &allow) == NULL);
	ASSERT((get != NULL || post != NULL) == (allow != NULL));
	if (allow != NULL)
		ASSERT((strstr(allow, "GET") != NULL) == (get != NULL) &&
		       (strstr(allow, "POST") != NULL) == (post != NULL));
	if (get == NULL || routes_match(ctx, HTTP_GET, path, &request, &other) == NULL)
		return;
	for (size_t i = 0; i < HTTP_MAX_PATH_VALUES && request.path_values[i] != NULL; i++)
		ASSERT(strchr(request.path_values[i], '/') == NULL && strchr(get->path, '{') != NULL);
}

/* Every byte escaped says the same. */
static void
decode(struct ctx *ctx, const char *raw)
{
	struct text escaped;
	char *once, *again;

	if (!uri_decode(ctx, raw, strlen(raw), &once)) {
		ASSERT(ctx_failure(ctx)->code == FAIL_BAD_REQUEST);
		return;
	}
	text_init(&escaped, ctx);
	for (const char *s = once; *s != '\0'; s++)
		text_addf(&escaped, "%%%02x", (unsigned char)*s);
	ASSERT(uri_decode(ctx, escaped.data, escaped.length, &again) && strcmp(once, again) == 0);
}

static void
accept_or_not(const char *value)
{
	static const char *const types[] = {"application/json", "application/x-ndjson", "text/event-stream",
	    "text/csv"};
	struct http_pair pair = {"Accept", value};
	struct request request = {.headers = &pair, .header_count = 1};

	for (size_t i = 0; i < LENGTH_OF(types); i++)
		if (request_asks_for(&request, types[i]))
			ASSERT(request_accepts(&request, types[i]) && strcasestr(value, types[i]) != NULL);
}

/* Whatever stands before it in a list, the own one is found; what has it not, has not. */
static void
find_etag(struct ctx *ctx, const char *value)
{
	static const char etag[] = "\"019a2f107c007abc-3\"";
	struct http_pair pair = {"If-None-Match", value};
	struct request request = {.headers = &pair, .header_count = 1};

	if (request_has_etag(&request, etag))
		ASSERT(strstr(value, etag) != NULL || strchr(value, '*') != NULL);
	pair.value = ctx_printf(ctx, "%s, %s", value, etag);
	ASSERT(request_has_etag(&request, etag));
}

static void
read_key(struct ctx *ctx, const char *value)
{
	struct http_pair pair = {"Idempotency-Key", value};
	struct request request = {.headers = &pair, .header_count = 1};
	const char *key, *same;

	if (!request_idempotency_key(ctx, &request, &key)) {
		ASSERT(ctx_failure(ctx)->code == FAIL_BAD_REQUEST);
		return;
	}
	ASSERT(key[0] != '\0' && strlen(key) <= 255 && strstr(value, key) != NULL);
	pair.value = ctx_printf(ctx, "\"%s\"", key);
	ASSERT(request_idempotency_key(ctx, &request, &same) && strcmp(key, same) == 0);
}

/* Who may read is told by his own name, and is one of the list. */
static void
compare_origin(struct ctx *ctx, const char *origin)
{
	struct config config = {.cors_origins = "https://dash.example.org, http://localhost:3000"};
	const char *allowed;
	struct edge edge;

	ASSERT(edge_open(ctx, &config, &edge));
	allowed = edge_allow_origin(&edge, origin);
	ASSERT(allowed == NULL || (strcmp(allowed, origin) == 0 && strstr(config.cors_origins, origin) != NULL));
}

/* An address, and only who is trusted may say that it is another. */
static void
find_client(struct ctx *ctx, const char *forwarded_for, const char *forwarded)
{
	struct sockaddr_in near = {.sin_family = AF_INET}, far = {.sin_family = AF_INET};
	const struct sockaddr *peer = (const struct sockaddr *)(void *)&near;
	const char *client;
	struct peers trusted;

	near.sin_addr.s_addr = htonl(0x0a000001);
	far.sin_addr.s_addr = htonl(0xc0000201);
	ASSERT(peers_parse(ctx, "10.0.0.0/8, fd00::/8", &trusted));
	client = peers_client(ctx, &trusted, peer, forwarded_for, forwarded);
	ASSERT(inet_pton(strchr(client, ':') != NULL ? AF_INET6 : AF_INET, client, &(struct in6_addr){0}) == 1);
	peer = (const struct sockaddr *)(void *)&far;
	ASSERT(strcmp(peers_client(ctx, &trusted, peer, forwarded_for, forwarded), "192.0.2.1") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctx *ctx = ctx_new("fuzz", 64 * 1024 * 1024);
	const char *text = size > 0 ? ctx_strndup(ctx, (const char *)data + 1, size - 1) : "";

	switch (size > 0 ? data[0] : 0) {
	case 'C': read_cursor(ctx, text); break;
	case 'P': match_path(ctx, text); break;
	case 'D': decode(ctx, text); break;
	case 'A': accept_or_not(text); break;
	case 'E': find_etag(ctx, text); break;
	case 'K': read_key(ctx, text); break;
	case 'O': compare_origin(ctx, text); break;
	case 'X': find_client(ctx, text, NULL); break;
	case 'F': find_client(ctx, NULL, text); break;
	default: break;
	}
	ctx_free(ctx);
	return 0;
}
