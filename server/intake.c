/*
 * DESIGN. libmicrohttpd 0.9.75 reads some requests otherwise than a proxy in front of it may: both Content-Length and
 * Transfer-Encoding, repeated ones, "Content-Length : 3", codings it does not know. Two readings of one message are request
 * smuggling, so each of these is refused and the connection closed. One is hidden from us: a header without a name (": x") is the end
 * of the head to the library, and the rest of the head becomes the body's beginning. So a connection is not used again after what
 * may have been torn like that: a body that does not begin as ours do, and a POST that does not say how long its body is.
 */
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "handlers/routes.h"
#include "handlers/uri.h"
#include "server/exchange.h"

enum { REQUEST_ID_LIMIT = 64 };

/* Headers that two parties must not read differently. */
static const char *const single[] = {"Content-Length", "Transfer-Encoding", "Host", "Authorization", "Content-Type",
    "Idempotency-Key"};

struct head {
	struct exchange *exchange;
	int seen[LENGTH_OF(single)];
	const char *length, *coding;
	bool ok;
};

static bool
is_token(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
			return false;
	}
	return length > 0;
}

static bool
is_field_text(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

static enum MHD_Result
check_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
    size_t value_size)
{
	struct head *head = arg;
	struct ctx *ctx = head->exchange->ctx;

	(void)kind;
	if (!is_token(name, name_size) || !is_field_text(value != NULL ? value : "", value_size))
		head->ok = fail(ctx, FAIL_BAD_REQUEST, "a header is malformed");
	for (size_t i = 0; i < LENGTH_OF(single); i++)
		if (strcasecmp(name, single[i]) == 0 && head->seen[i]++ > 0)
			head->ok = fail(ctx, FAIL_BAD_REQUEST, "%s is given twice", single[i]);
	if (strcasecmp(name, "Content-Length") == 0)
		head->length = value;
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		head->coding = value;
	return head->ok ? MHD_YES : MHD_NO;
}

static bool
check_framing(struct ctx *ctx, const struct head *head, size_t limit)
{
	int64_t length;

	if (head->length != NULL && head->coding != NULL)
		return fail(ctx, FAIL_BAD_REQUEST, "both Content-Length and Transfer-Encoding are given");
	if (head->coding != NULL && strcasecmp(head->coding, "chunked") != 0)
		return fail(ctx, FAIL_NOT_IMPLEMENTED, "the only transfer coding is chunked");
	if (head->length == NULL)
		return true;
	if (head->length[0] < '0' || head->length[0] > '9' || !text_to_i64(head->length, &length))
		return fail(ctx, FAIL_BAD_REQUEST, "Content-Length is not a number");
	if ((uint64_t)length > limit)
		return fail(ctx, FAIL_PAYLOAD_TOO_LARGE, "a body may have %zu bytes", limit);
	return true;
}

/* Methods that HTTP has and we have nowhere are 405 where there is a path, everything else is 501. */
static bool
refuse_method(struct exchange *exchange, struct reply *reply)
{
	static const char *const known[] = {"PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "QUERY"};
	struct ctx *ctx = exchange->ctx;

	for (size_t i = 0; i < LENGTH_OF(known); i++) {
		if (strcmp(exchange->method_name, known[i]) != 0)
			continue;
		(void)routes_match(ctx, HTTP_OPTIONS, exchange->path, NULL, &reply->allow);
		if (reply->allow == NULL)
			return fail(ctx, FAIL_NOT_FOUND, "there is no such path");
		return fail(ctx, FAIL_METHOD_NOT_ALLOWED, "this path knows %s", reply->allow);
	}
	return fail(ctx, FAIL_NOT_IMPLEMENTED, "this server does not know the method");
}

bool
intake_check(struct exchange *exchange, struct reply *reply)
{
	struct head head = {.exchange = exchange, .ok = true};
	struct ctx *ctx = exchange->ctx;
	bool asterisk = strcmp(exchange->path, "*") == 0;

	(void)MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, check_header, &head);
	if (!head.ok || !check_framing(ctx, &head, http_body_limit(exchange->listener->server)))
		return false;
	if (!uri_path_is_sane(exchange->path) && !asterisk)
		return fail(ctx, FAIL_BAD_REQUEST, "the path cannot be routed");
	if (!http_method_find(exchange->method_name, &exchange->method))
		return refuse_method(exchange, reply);
	if (asterisk && exchange->method != HTTP_OPTIONS)
		return fail(ctx, FAIL_BAD_REQUEST, "the path cannot be routed");
	return true;
}

bool
intake_may_be_torn(const struct exchange *exchange)
{
	if (exchange->body.length > 0)
		return exchange->body.data[0] != '{';
	return exchange->method == HTTP_POST &&
	       MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Content-Length") == NULL &&
	       MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Transfer-Encoding") == NULL;
}

struct pairs {
	struct ctx *ctx;
	struct http_pair *items;
	size_t count;
	bool decode;
	bool ok;
};

static enum MHD_Result
count_pair(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	(void)name;
	(void)value;
	++*(size_t *)arg;
	return MHD_YES;
}

static enum MHD_Result
add_pair(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct pairs *pairs = arg;
	struct http_pair *pair = &pairs->items[pairs->count++];
	char *decoded_name, *decoded_value;

	(void)kind;
	if (value == NULL)
		value = "";
	if (!pairs->decode) {
		*pair = (struct http_pair){name, value};
		return MHD_YES;
	}
	pairs->ok = uri_decode(pairs->ctx, name, strlen(name), &decoded_name) &&
		    uri_decode(pairs->ctx, value, strlen(value), &decoded_value);
	if (!pairs->ok)
		return MHD_NO;
	*pair = (struct http_pair){decoded_name, decoded_value};
	return MHD_YES;
}

static struct pairs
collect(struct ctx *ctx, struct MHD_Connection *connection, enum MHD_ValueKind kind)
{
	struct pairs pairs = {.ctx = ctx, .decode = kind == MHD_GET_ARGUMENT_KIND, .ok = true};
	size_t count = 0;

	(void)MHD_get_connection_values(connection, kind, count_pair, &count);
	pairs.items = ctx_alloc_array(ctx, count + 1, sizeof(*pairs.items));
	(void)MHD_get_connection_values(connection, kind, add_pair, &pairs);
	return pairs;
}

/* All headers of a name as one list, NULL when there is none. */
static const char *
joined(struct ctx *ctx, const struct pairs *headers, const char *name)
{
	struct text all;
	bool any = false;

	text_init(&all, ctx);
	for (size_t i = 0; i < headers->count; i++) {
		if (strcasecmp(headers->items[i].name, name) != 0)
			continue;
		text_add(&all, any ? "," : "");
		text_add(&all, headers->items[i].value);
		any = true;
	}
	return any ? all.data : NULL;
}

static const char *
client_address(struct ctx *ctx, const struct exchange *exchange, const struct pairs *headers)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return peers_client(ctx, &http_edge(exchange->listener->server)->trusted,
	    info != NULL ? info->client_addr : NULL, joined(ctx, headers, "X-Forwarded-For"),
	    joined(ctx, headers, "Forwarded"));
}

bool
intake_request(struct ctx *ctx, const struct exchange *exchange, struct request *request)
{
	struct pairs query = collect(ctx, exchange->connection, MHD_GET_ARGUMENT_KIND);
	struct pairs headers = collect(ctx, exchange->connection, MHD_HEADER_KIND);

	*request = (struct request){
	    .method = exchange->method,
	    .path = exchange->path,
	    .query = query.items,
	    .query_count = query.count,
	    .headers = headers.items,
	    .header_count = headers.count,
	    .body = exchange->body.data,
	    .body_length = exchange->body.length,
	    .client = client_address(ctx, exchange, &headers),
	};
	return query.ok;
}

/* The trace id of a traceparent as W3C Trace Context has it, or NULL. */
static const char *
trace_of(struct ctx *ctx, const char *s)
{
	static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

	if (s == NULL || strlen(s) != strlen(shape))
		return NULL;
	for (size_t i = 0; shape[i] != '\0'; i++) {
		if (shape[i] == 'x' ? strchr("0123456789abcdef", s[i]) == NULL : s[i] != shape[i])
			return NULL;
	}
	if (strspn(s + 3, "0") == 32 || strspn(s + 36, "0") == 16)
		return NULL;
	return ctx_strndup(ctx, s + 3, 32);
}

/* A UUID without its dashes is a trace id. */
static const char *
dashless(struct ctx *ctx, const char *uuid)
{
	char *text = ctx_alloc(ctx, UUID_TEXT_LENGTH + 1), *s = text;

	for (; *uuid != '\0'; uuid++)
		if (*uuid != '-')
			*s++ = *uuid;
	return text;
}

static bool
is_request_id(const char *s)
{
	size_t length = s != NULL ? strlen(s) : 0;

	return length > 0 && length <= REQUEST_ID_LIMIT &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

void
intake_tags(struct exchange *exchange)
{
	const char *id = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "X-Request-Id");
	const char *parent = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "traceparent");
	const char *fresh = uuid_make(exchange->ctx);

	exchange->request_id = is_request_id(id) ? ctx_strdup(exchange->ctx, id) : fresh;
	exchange->tags.trace_id = trace_of(exchange->ctx, parent);
	if (exchange->tags.trace_id == NULL)
		exchange->tags.trace_id = dashless(exchange->ctx, fresh);
}
