#include "handlers/http.h"

#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"

enum { IDEMPOTENCY_KEY_LIMIT = 255, RETRY_AFTER_S = 2, MOST_ERRORS = 100 };

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",
    [HTTP_HEAD] = "HEAD",
    [HTTP_POST] = "POST",
    [HTTP_OPTIONS] = "OPTIONS",
};

const char *
http_method_name(enum http_method method)
{
	ASSERT(method < HTTP_METHOD_COUNT);
	return method_names[method];
}

bool
http_method_find(const char *name, enum http_method *method)
{
	for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
		if (strcmp(method_names[i], name) == 0) {
			*method = (enum http_method)i;
			return true;
		}
	}
	return false;
}

const char *
request_query(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (strcmp(request->query[i].name, name) == 0)
			return request->query[i].value;
	return NULL;
}

const char *
request_header(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

/* True when the media type of a header, parameters left out, is `type`; `any` also takes wildcards. */
static bool
is_media_type(const char *s, size_t length, const char *type, bool any)
{
	size_t major = strcspn(type, "/") + 1;

	length = strcspn(s, ";") < length ? strcspn(s, ";") : length;
	while (length > 0 && (s[length - 1] == ' ' || s[length - 1] == '\t'))
		length--;
	if (length == strlen(type) && strncasecmp(s, type, length) == 0)
		return true;
	if (!any)
		return false;
	return (length == 3 && strncmp(s, "*/*", 3) == 0) ||
	       (length == major + 1 && strncasecmp(s, type, major) == 0 && s[major] == '*');
}

/* q=0, q=0.0, … : the range is refused. */
static bool
is_refused(const char *s, size_t length)
{
	for (size_t i = 0; i + 3 < length; i++) {
		if (s[i] != ';')
			continue;
		i += 1 + strspn(s + i + 1, " \t");
		if (i + 3 > length || strncasecmp(s + i, "q=0", 3) != 0)
			continue;
		i += 3;
		i += strspn(s + i, ".0");
		return i >= length || strchr(" \t;,", s[i]) != NULL;
	}
	return false;
}

static bool
accept_line_allows(const char *s, const char *type, bool any)
{
	bool allowed = false;

	while (*s != '\0') {
		size_t length = strcspn(s, ",");

		if (is_media_type(s, length, type, false))
			return !is_refused(s, length);
		if (is_media_type(s, length, type, any))
			allowed = allowed || !is_refused(s, length);
		s += length;
		s += strspn(s, ", \t");
	}
	return allowed;
}

static bool
accepts(const struct request *request, const char *type, bool any)
{
	bool asked = false;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_pair *header = &request->headers[i];

		if (strcasecmp(header->name, "Accept") != 0)
			continue;
		asked = true;
		if (accept_line_allows(header->value + strspn(header->value, ", \t"), type, any))
			return true;
	}
	return any && !asked;
}

bool
request_accepts(const struct request *request, const char *type)
{
	return accepts(request, type, true);
}

bool
request_asks_for(const struct request *request, const char *type)
{
	return accepts(request, type, false);
}

bool
request_has_etag(const struct request *request, const char *etag)
{
	const char *s = request_header(request, "If-None-Match");
	size_t want = strlen(etag);

	while (s != NULL && *s != '\0') {
		size_t length;

		s += strspn(s, ", \t");
		if (*s == '*')
			return true;
		if (strncmp(s, "W/", 2) == 0)
			s += 2;
		length = strcspn(s, ", \t");
		if (length == want && strncmp(s, etag, length) == 0)
			return true;
		s += length;
	}
	return false;
}

bool
request_json(struct ctx *ctx, const struct request *request, json_t **body)
{
	const char *type = request_header(request, "Content-Type");
	const char *coding = request_header(request, "Content-Encoding");

	if (coding != NULL && strcasecmp(coding, "identity") != 0)
		return fail(ctx, FAIL_UNSUPPORTED_MEDIA_TYPE, "send the body without a Content-Encoding");
	if (type == NULL || !is_media_type(type, strlen(type), "application/json", false))
		return fail(ctx, FAIL_UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json");
	return json_parse(ctx, request->body, request->body_length, body);
}

bool
request_idempotency_key(struct ctx *ctx, const struct request *request, const char **key)
{
	const char *s = request_header(request, "Idempotency-Key");
	size_t length;

	*key = NULL;
	if (s == NULL)
		return true;
	length = strlen(s);
	if (length >= 2 && s[0] == '"' && s[length - 1] == '"') {
		s++;
		length -= 2;
	}
	for (size_t i = 0; i < length; i++)
		if (s[i] < '!' || s[i] > '~')
			length = 0;
	if (length < 1 || length > IDEMPOTENCY_KEY_LIMIT)
		return fail(ctx, FAIL_BAD_REQUEST, "Idempotency-Key must be 1 to %d visible ASCII characters",
		    IDEMPOTENCY_KEY_LIMIT);
	*key = ctx_strndup(ctx, s, length);
	return true;
}

bool
reply_json(struct ctx *ctx, struct reply *reply, int status, const json_t *value)
{
	return reply_text(reply, status, "application/json", json_text(ctx, value));
}

bool
reply_text(struct reply *reply, int status, const char *content_type, const char *body)
{
	reply->kind = REPLY_BODY;
	reply->status = status;
	reply->content_type = content_type;
	reply->body = body;
	reply->length = strlen(body);
	return true;
}

bool
reply_page(struct ctx *ctx, struct reply *reply, json_t *items, const char *next_cursor)
{
	json_t *page = json_new_object(ctx);

	json_put(page, "items", items);
	json_put_string(ctx, page, "next_cursor", next_cursor);
	return reply_json(ctx, reply, 200, page);
}

static void
add_error(struct ctx *ctx, json_t *errors, const char *pointer, const char *detail)
{
	json_t *error = json_new_object(ctx);

	json_put_string(ctx, error, "pointer", pointer);
	json_put_string(ctx, error, "detail", detail);
	json_add(errors, error);
}

/* All of them, unless a stranger sends thousands. */
static json_t *
wrong_fields(struct ctx *ctx, const struct failure *failure)
{
	json_t *errors = json_new_array(ctx);
	size_t count = 0;

	for (const struct fail_field *field = failure->fields; field != NULL; field = field->next)
		if (count++ < MOST_ERRORS)
			add_error(ctx, errors, field->pointer, field->detail);
	if (count > MOST_ERRORS)
		add_error(ctx, errors, "", ctx_printf(ctx, "%zu more are wrong", count - MOST_ERRORS));
	return errors;
}

/* A text about our own insides may hold names of hosts or SQL. */
static bool
is_told(enum fail_code code)
{
	return fail_kind(code)->http_status < 500 || code == FAIL_DRAINING || code == FAIL_NOT_IMPLEMENTED;
}

static json_t *
problem_document(struct ctx *ctx, const struct request *request, const struct failure *failure)
{
	const struct fail_kind *kind = fail_kind(failure->code);
	json_t *problem = json_new_object(ctx);

	json_put_string(ctx, problem, "type", ctx_printf(ctx, "urn:loadstar:problem:%s", kind->name));
	json_put_string(ctx, problem, "title", kind->title);
	json_put_int(problem, "status", kind->http_status);
	json_put_string(ctx, problem, "detail", is_told(failure->code) ? failure->message : kind->title);
	if (request != NULL && request->path != NULL)
		json_put_string(ctx, problem, "instance", request->path);
	json_put_string(ctx, problem, "code", kind->name);
	if (failure->fields != NULL)
		json_put(problem, "errors", wrong_fields(ctx, failure));
	if (kind->hint != NULL)
		json_put_string(ctx, problem, "hint", kind->hint);
	if (ctx_get_tags(ctx)->trace_id != NULL)
		json_put_string(ctx, problem, "trace_id", ctx_get_tags(ctx)->trace_id);
	return problem;
}

void
reply_problem(struct ctx *ctx, const struct request *request, struct reply *reply)
{
	const struct failure *failure = ctx_failure(ctx);
	int status = fail_kind(failure->code)->http_status;

	*reply = (struct reply){
	    .allow = reply->allow,
	    .route = reply->route,
	    .authenticate = status == 401,
	    .retry_after_s = status == 503   ? RETRY_AFTER_S
			     : status == 429 ? reply->retry_after_s
					     : 0,
	};
	(void)reply_text(reply, status, "application/problem+json",
	    json_text(ctx, problem_document(ctx, request, failure)));
}
