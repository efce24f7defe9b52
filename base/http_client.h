/*
 * http_client: requests to other HTTP servers, by libcurl. One client belongs to one thread and reuses its connection.
 * A ctx that is cancelled ends its call within a second or so. https or http as the URL says; no redirects; SIGPIPE and signals are left alone.
 */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include "base/secret.h"

void http_client_setup(void); /* once in main before threads */

struct http_client;

/* Closed when ctx dies. */
struct http_client *http_client_new(struct ctx *ctx);

struct http_call {
	const char *method; /* GET POST */
	const char *url;
	const char *shown;           /* what failures call the URL; NULL: the URL itself */
	const struct secret *bearer; /* NULL: none */
	const char *body;            /* NULL: none; sent as application/json */
	const char *accept;          /* NULL: application/json */
	size_t limit_bytes;          /* of a collected body; 0: 64 MiB */
	const char *const *headers;  /* more "Name: value", NULL terminated; may be NULL */
	int64_t timeout_ms;          /* of the whole call; 0: 30 s. Streams: of silence */
	/* a stream: called with each piece of the body as it comes; false ends it. NULL: the body is collected */
	bool (*on_piece)(void *arg, const char *piece, size_t length);
	void *arg;
};
struct http_answer {
	int status;
	const char *body; /* NUL terminated; at most limit_bytes */
	size_t length;
	const char *etag, *location, *content_type;
	int64_t retry_after_s;
};

/* False only when no whole answer came: FAIL_IO names the URL and the reason. */
bool http_client_call(struct ctx *ctx, struct http_client *client, const struct http_call *call,
    struct http_answer *answer) MUST_CHECK;

#endif
