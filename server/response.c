/* response: a reply as the library sends it, with the headers that every answer has. */
#include "base/bug.h"
#include "base/text.h"
#include "server/exchange.h"

enum { SMALL_BYTES = 16 * 1024 }; /* every socket takes so much at once */

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value != NULL)
		(void)MHD_add_response_header(response, name, value);
}

/* What a page of another origin may see; to a preflight, what it may ask. */
static void
add_cors(const struct exchange *exchange, struct MHD_Response *response, const struct reply *reply)
{
	const struct edge *edge = http_edge(exchange->listener->server);
	const char *allowed;

	if (!edge_has_origins(edge))
		return;
	add_header(response, "Vary", "Origin");
	allowed = edge_allow_origin(edge, MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Origin"));
	if (allowed == NULL)
		return;
	add_header(response, "Access-Control-Allow-Origin", allowed);
	add_header(response, "Access-Control-Expose-Headers", "Allow, ETag, Location, Retry-After, X-Request-Id");
	if (exchange->method != HTTP_OPTIONS || reply->status != 204)
		return;
	add_header(response, "Access-Control-Allow-Methods", reply->allow);
	add_header(response, "Access-Control-Allow-Headers",
	    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id, traceparent");
	add_header(response, "Access-Control-Max-Age", "600");
}

void
response_add_headers(const struct exchange *exchange, struct MHD_Response *response, const struct reply *reply)
{
	add_header(response, "Content-Type", reply->content_type);
	add_header(response, "ETag", reply->etag);
	add_header(response, "Location", reply->location);
	add_header(response, "Allow", reply->allow);
	add_header(response, "WWW-Authenticate", reply->authenticate ? "Bearer" : NULL);
	if (reply->retry_after_s > 0)
		add_header(response, "Retry-After", text_from_i64(exchange->ctx, reply->retry_after_s));
	add_header(response, "Cache-Control", reply->etag != NULL ? "no-cache" : "no-store");
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Content-Security-Policy",
	    "default-src 'none'; frame-ancestors 'none'"); /* nothing here is a page */
	add_header(response, "X-Request-Id", exchange->request_id);
	add_cors(exchange, response, reply);
	if (http_is_draining(exchange->listener->server) || intake_may_be_torn(exchange))
		add_header(response, "Connection", "close");
}

void
response_make(struct exchange *exchange, const struct reply *reply)
{
	/* The library does not write to a body that it copies. */
	exchange->response =
	    MHD_create_response_from_buffer(reply->length, (void *)(uintptr_t)reply->body, MHD_RESPMEM_MUST_COPY);
	ASSERT(exchange->response != NULL);
	exchange->status = reply->status;
	exchange->large = reply->length > SMALL_BYTES;
	response_add_headers(exchange, exchange->response, reply);
}
