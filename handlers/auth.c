/*
 * DESIGN. libjwt 1.10.2 verifies the HMAC and nothing else that matters here: it ignores exp, crit and duplicate keys, takes an
 * algorithm in any case, and calls a float 0. So the three segments are decoded and read strictly by us first, the
 * library is asked about the signature with each secret, and the claims are judged from our own reading of the same bytes.
 */
#include "handlers/auth.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/text.h"

enum {
	TOKEN_LIMIT_BYTES = 8 * 1024,
	SECRET_LEAST_BYTES = 32,
	SUBJECT_LIMIT_BYTES = 255,
	LEEWAY_S = 30,
};

struct auth {
	bool open; /* LOADSTAR_AUTH=none */
	const char **secrets;
	size_t secret_count;
	const char *issuer, *audience;
};

static const char *const names[SCOPE_COUNT] = {
#define SCOPE(id, name) [SCOPE_##id] = name,
#include "handlers/scopes.def"
#undef SCOPE
};

const char *
scope_name(enum scope scope)
{
	ASSERT(scope < SCOPE_COUNT);
	return names[scope];
}

/* One secret a line; empty lines do not count. */
static bool
split_secrets(struct ctx *ctx, const struct secret *all, const char ***secrets, size_t *count)
{
	const char *s = secret_is_set(all) ? secret_reveal(all) : "";

	*count = 0;
	*secrets = ctx_alloc_array(ctx, strlen(s) + 1, sizeof(**secrets));
	while (*s != '\0') {
		size_t line = strcspn(s, "\n"), length = line;

		if (length > 0 && s[length - 1] == '\r')
			length--;
		if (length > 0 && length < SECRET_LEAST_BYTES)
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "LOADSTAR_JWT_SECRET: secret %zu has %zu bytes, but needs %d", *count + 1, length,
			    SECRET_LEAST_BYTES);
		if (length > 0)
			(*secrets)[(*count)++] = ctx_strndup(ctx, s, length);
		s += line + (s[line] == '\n');
	}
	if (*count == 0)
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_JWT_SECRET is not set");
	return true;
}

bool
auth_new(struct ctx *ctx, const struct config *config, struct auth **auth)
{
	struct auth *made = ctx_alloc(ctx, sizeof(*made));

	made->open = text_equal(config->auth, "none");
	made->issuer = config->jwt_issuer;
	made->audience = config->jwt_audience;
	*auth = made;
	if (made->open)
		return true;
	if (!text_equal(config->auth, "jwt"))
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_AUTH must be jwt or none");
	return split_secrets(ctx, &config->jwt_secret, &made->secrets, &made->secret_count);
}

static bool
refuse(struct ctx *ctx, const char *why)
{
	return fail(ctx, FAIL_UNAUTHORIZED, "%s", why);
}

/* The segment at *s up to `end` as a JSON object. False records nothing. */
static bool
read_segment(struct ctx *ctx, const char **s, char end, json_t **object)
{
	size_t length = strcspn(*s, ".");
	unsigned char *bytes;
	size_t size;

	if (length == 0 || (*s)[length] != end ||
	    !crypto_base64url_decode(ctx, ctx_strndup(ctx, *s, length), &bytes, &size))
		return false;
	*s += length + 1;
	if (json_parse(ctx, (const char *)bytes, size, object))
		return json_is_object(*object);
	fail_clear(ctx);
	return false;
}

/* HS256 and nothing that asks for more than that: keys in the header, extensions, other kinds of token. */
static bool
header_is_plain(const json_t *header)
{
	static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"};
	const json_t *type = json_object_get(header, "typ");

	for (size_t i = 0; i < LENGTH_OF(refused); i++)
		if (json_object_get(header, refused[i]) != NULL)
			return false;
	return text_equal(json_string_or(header, "alg", ""), "HS256") &&
	       (type == NULL || text_equal(json_string_value(type), "JWT"));
}

static bool
signature_is_ours(const struct auth *auth, const char *token)
{
	for (size_t i = 0; i < auth->secret_count; i++) {
		const char *secret = auth->secrets[i];
		jwt_t *jwt = NULL;
		bool ours;

		if (jwt_decode(&jwt, token, (const unsigned char *)secret, (int)strlen(secret)) != 0)
			continue;
		ours = jwt_get_alg(jwt) == JWT_ALG_HS256;
		jwt_free(jwt);
		if (ours)
			return true;
	}
	return false;
}

static bool
audience_holds(const json_t *audience, const char *ours)
{
	const json_t *item;
	size_t i;

	if (json_is_string(audience))
		return text_equal(json_string_value(audience), ours);
	json_array_foreach(audience, i, item) {
		if (text_equal(json_string_value(item), ours))
			return true;
	}
	return false;
}

static bool
check_times(struct ctx *ctx, const json_t *claims)
{
	const json_t *expires = json_object_get(claims, "exp");
	int64_t now_s = clock_now_us() / CLOCK_SECOND_US;
	static const char *const starts[] = {"nbf", "iat"};

	if (!json_is_integer(expires))
		return refuse(ctx, "the token has no exp claim that is a whole number");
	if (json_integer_value(expires) <= now_s - LEEWAY_S)
		return refuse(ctx, "the token is expired");
	for (size_t i = 0; i < LENGTH_OF(starts); i++) {
		const json_t *start = json_object_get(claims, starts[i]);

		if (start == NULL)
			continue;
		if (!json_is_integer(start) || json_integer_value(start) > now_s + LEEWAY_S)
			return refuse(ctx, "the token is not valid yet");
	}
	return true;
}

static bool
check_claims(struct ctx *ctx, const struct auth *auth, const json_t *claims)
{
	const char *subject = json_string_or(claims, "sub", "");

	if (!check_times(ctx, claims))
		return false;
	if (subject[0] == '\0' || strlen(subject) > SUBJECT_LIMIT_BYTES)
		return refuse(ctx, "the token has no usable sub claim");
	if (auth->issuer != NULL && !text_equal(json_string_or(claims, "iss", NULL), auth->issuer))
		return refuse(ctx, "the token is of another issuer");
	if (auth->audience != NULL && !audience_holds(json_object_get(claims, "aud"), auth->audience))
		return refuse(ctx, "the token is for another audience");
	return true;
}

/* The token after "Bearer ", or NULL. */
static const char *
bearer(const char *authorization)
{
	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	return authorization + 7 + strspn(authorization + 7, " ");
}

bool
auth_verify(struct ctx *ctx, const struct auth *auth, const char *authorization, struct principal **who)
{
	const char *token = bearer(authorization), *rest = token;
	json_t *header, *claims;
	unsigned char *signature;
	size_t size;

	*who = ctx_alloc(ctx, sizeof(**who));
	if (auth->open) {
		**who = (struct principal){.subject = "anonymous", .scopes = "admin"};
		return true;
	}
	if (token == NULL)
		return refuse(ctx, "no bearer token was sent");
	if (strlen(token) > TOKEN_LIMIT_BYTES)
		return refuse(ctx, "the token is too long");
	if (!read_segment(ctx, &rest, '.', &header) || !read_segment(ctx, &rest, '.', &claims) ||
	    !crypto_base64url_decode(ctx, rest, &signature, &size) || size != CRYPTO_SHA256_BYTES)
		return refuse(ctx, "the token cannot be read");
	if (!header_is_plain(header))
		return refuse(ctx, "the token is not a plain HS256 token");
	if (!signature_is_ours(auth, token))
		return refuse(ctx, "the token's signature is not ours");
	if (!check_claims(ctx, auth, claims))
		return false;
	(*who)->subject = ctx_strdup(ctx, json_string_or(claims, "sub", ""));
	(*who)->scopes = ctx_strdup(ctx, json_string_or(claims, "scope", ""));
	return true;
}

/* What a word of the scope claim gives of a scope: false nothing, else *pipeline NULL (all) or one. */
static bool
word_gives(const char *word, size_t length, const char *name, const char **pipeline, size_t *pipeline_length)
{
	size_t size = strlen(name);

	if (length < size || strncmp(word, name, size) != 0)
		return false;
	*pipeline = NULL;
	if (length == size)
		return true;
	*pipeline = word + size + 1;
	*pipeline_length = length - size - 1;
	return word[size] == ':' && *pipeline_length > 0;
}

typedef bool word_visitor(void *arg, const char *pipeline, size_t length);

/* Calls visit for each word that gives the scope, until it says true. */
static bool
visit_words(const struct principal *who, enum scope scope, word_visitor *visit, void *arg)
{
	for (const char *s = who->scopes + strspn(who->scopes, " "); *s != '\0'; s += strspn(s, " ")) {
		size_t length = strcspn(s, " "), pipeline_length = 0;
		const char *pipeline;

		if ((word_gives(s, length, scope_name(scope), &pipeline, &pipeline_length) ||
			word_gives(s, length, scope_name(SCOPE_ADMIN), &pipeline, &pipeline_length)) &&
		    visit(arg, pipeline, pipeline_length))
			return true;
		s += length;
	}
	return false;
}

static bool
reaches(void *arg, const char *pipeline, size_t length)
{
	const char *wanted = arg;

	return wanted == NULL || pipeline == NULL ||
	       (strlen(wanted) == length && strncmp(wanted, pipeline, length) == 0);
}

bool
auth_may(struct ctx *ctx, const struct principal *who, enum scope scope, const char *pipeline)
{
	char wanted[64]; /* longer than any pipeline's name */

	if (pipeline != NULL) {
		if (!text_is_name(pipeline))
			return fail(ctx, FAIL_FORBIDDEN, "the token does not reach this pipeline");
		memcpy(wanted, pipeline, strlen(pipeline) + 1);
	}
	if (visit_words(who, scope, reaches, pipeline != NULL ? wanted : NULL))
		return true;
	if (pipeline == NULL)
		return fail(ctx, FAIL_FORBIDDEN, "the token lacks the scope %s", scope_name(scope));
	return fail(ctx, FAIL_FORBIDDEN, "the token lacks the scope %s for pipeline %s", scope_name(scope), pipeline);
}

struct collection {
	struct ctx *ctx;
	const char **items;
	size_t count;
};

static bool
collect(void *arg, const char *pipeline, size_t length)
{
	struct collection *collection = arg;

	if (pipeline == NULL)
		return true;
	collection->items[collection->count++] = ctx_strndup(collection->ctx, pipeline, length);
	return false;
}

const char *const *
auth_pipelines(struct ctx *ctx, const struct principal *who, enum scope scope)
{
	struct collection collection = {.ctx = ctx};

	collection.items = ctx_alloc_array(ctx, strlen(who->scopes) + 1, sizeof(*collection.items));
	return visit_words(who, scope, collect, &collection) ? NULL : collection.items;
}

static char *
every_scope(struct ctx *ctx)
{
	struct text all;

	text_init(&all, ctx);
	for (size_t i = 0; i < SCOPE_COUNT; i++)
		text_addf(&all, "%s%s", i > 0 ? " " : "", names[i]);
	return all.data;
}

static bool
add_claims(jwt_t *jwt, const char *subject, const char *scopes, int64_t ttl_s)
{
	int64_t now_s = clock_now_us() / CLOCK_SECOND_US;

	return jwt_add_grant(jwt, "sub", subject) == 0 && jwt_add_grant(jwt, "scope", scopes) == 0 &&
	       jwt_add_grant_int(jwt, "iat", (long)now_s) == 0 &&
	       jwt_add_grant_int(jwt, "exp", (long)(now_s + ttl_s)) == 0;
}

bool
auth_issue(struct ctx *ctx, const struct secret *secrets, const char *subject, const char *scopes, int64_t ttl_s,
    const char *issuer, const char *audience, char **token)
{
	const char **keys;
	size_t count;
	jwt_t *jwt = NULL;
	char *text = NULL;

	if (!split_secrets(ctx, secrets, &keys, &count))
		return false;
	if (jwt_new(&jwt) == 0 &&
	    jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)keys[0], (int)strlen(keys[0])) == 0 &&
	    add_claims(jwt, subject, scopes != NULL ? scopes : every_scope(ctx), ttl_s) &&
	    (issuer == NULL || jwt_add_grant(jwt, "iss", issuer) == 0) &&
	    (audience == NULL || jwt_add_grant(jwt, "aud", audience) == 0))
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	if (text == NULL)
		return fail(ctx, FAIL_INTERNAL, "the token could not be signed");
	*token = ctx_strdup(ctx, text);
	free(text);
	return true;
}
