/*
 * http: a request and its reply as plain data. No sockets here: server/http.c carries them out.
 *
 * A handler is `bool handler(ctx, app, request, reply)`; false means the ctx holds a failure, which becomes a problem document
 * (RFC 9457). It runs on a pool thread while the connection is suspended; one that has its answer in memory is first
 * asked on the library's own thread (at_once), which costs a poll a fraction. Besides a body a handler may reply `wait` (held
 * until a run's etag changes or the deadline passes) or `stream` (log lines as they come); the server carries both out
 * from the board, without a thread or a database connection.
 */
#ifndef HANDLERS_HTTP_H
#define HANDLERS_HTTP_H

#include "base/json.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_METHOD_COUNT };

struct http_pair {
	const char *name, *value;
};

enum { HTTP_MAX_PATH_VALUES = 4 };

struct request {
	enum http_method method;
	const char *path;                              /* raw, without query */
	const char *path_values[HTTP_MAX_PATH_VALUES]; /* decoded {…} segments in the route's order */
	struct http_pair *query;                       /* decoded, in order, duplicates kept */
	size_t query_count;
	struct http_pair *headers;
	size_t header_count;
	const char *body;
	size_t body_length;
	const char *client; /* address */
	bool at_once;       /* answer from memory or be false: the library's thread asks, which must not wait */
	const struct principal *who; /* set by the dispatcher; NULL where the route needs no token */
};

const char *http_method_name(enum http_method method);
bool http_method_find(const char *name, enum http_method *method) MUST_CHECK; /* case matters */

/* NULL when absent. Header names ignore case. */
const char *request_query(const struct request *request, const char *name);
const char *request_header(const struct request *request, const char *name);

/* The body as JSON: FAIL_UNSUPPORTED_MEDIA_TYPE unless Content-Type is application/json, FAIL_MALFORMED_JSON. */
bool request_json(struct ctx *ctx, const struct request *request, json_t **body) MUST_CHECK;

/* True when the Accept headers, or their absence, allow the media type. */
bool request_accepts(const struct request *request, const char *type);

/* True when an Accept header names exactly this type. */
bool request_asks_for(const struct request *request, const char *type);

/* True when If-None-Match holds the etag or is *. */
bool request_has_etag(const struct request *request, const char *etag);

/* The Idempotency-Key without its quotes, or NULL when there is none: 1 to 255 visible ASCII characters. */
bool request_idempotency_key(struct ctx *ctx, const struct request *request, const char **key) MUST_CHECK;

enum reply_kind { REPLY_BODY, REPLY_WAIT, REPLY_STREAM };
enum stream_format { STREAM_NDJSON, STREAM_SSE };

struct reply {
	enum reply_kind kind;
	int status;
	const char *content_type;
	const char *body; /* in the request's ctx, or static, or of a held board page */
	size_t length;
	const char *etag; /* given: Cache-Control is no-cache, else no-store */
	const char *location;
	const char *allow;     /* 405 */
	int64_t retry_after_s; /* 0: none */
	bool authenticate;     /* 401: WWW-Authenticate */
	const char *route;     /* path template, for metrics; set by the dispatcher */
	/* wait: answer GET of this run when its etag differs from `etag`, at the deadline with 304 */
	const char *run_id;
	int64_t wait_ms;
	/* stream: lines of run_id after `after` until the run is final */
	int64_t after;
	const char *level, *step_id; /* filters, NULL: all */
	enum stream_format format;
};

bool reply_json(struct ctx *ctx, struct reply *reply, int status, const json_t *value);
bool reply_text(struct reply *reply, int status, const char *content_type, const char *body);

/* A page of a list: {"items": […], "next_cursor": …}; next NULL: the last one. */
bool reply_page(struct ctx *ctx, struct reply *reply, json_t *items, const char *next_cursor);

/* The problem document of the ctx's failure, with status and headers; allow, route and what a 429 says of Retry-After stay. request may be NULL. What
 * broke inside the service is told to its log, not to clients. */
void reply_problem(struct ctx *ctx, const struct request *request, struct reply *reply);

#endif
