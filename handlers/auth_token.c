#include "handlers/auth_token.h"

#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"

enum { TOKEN_LIMIT_BYTES = 8 * 1024, SUBJECT_LIMIT_BYTES = 255, KID_LIMIT_BYTES = 255 };

/* The end of the year 9999: what lies behind it is no time but a mistake or a trick. */
static const int64_t LAST_SECOND = INT64_C(253402300799);

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

static bool
type_is_ours(const json_t *type)
{
	static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};

	if (type == NULL)
		return true;
	for (size_t i = 0; i < LENGTH_OF(types); i++)
		if (json_is_string(type) && strcasecmp(json_string_value(type), types[i]) == 0)
			return true;
	return false;
}

/* Nothing that asks for more than a signature by one of our keys: keys in the header, extensions, other kinds of token. */
static bool
header_is_plain(const json_t *header)
{
	static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "cty"};

	for (size_t i = 0; i < LENGTH_OF(refused); i++)
		if (json_object_get(header, refused[i]) != NULL)
			return false;
	return type_is_ours(json_object_get(header, "typ"));
}

static bool
find_algorithm(const json_t *header, enum crypto_algorithm *algorithm)
{
	static const char *const names[] =
	    {[CRYPTO_HS256] = "HS256", [CRYPTO_RS256] = "RS256", [CRYPTO_ES256] = "ES256"};

	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		*algorithm = (enum crypto_algorithm)i;
		if (text_equal(json_string_or(header, "alg", NULL), names[i]))
			return true;
	}
	return false;
}

static bool
read_header(struct ctx *ctx, const json_t *header, struct auth_token *token)
{
	const json_t *kid = json_object_get(header, "kid");

	if (!find_algorithm(header, &token->algorithm))
		return refuse(ctx, "the token's alg is not HS256, RS256 or ES256");
	if (!header_is_plain(header))
		return refuse(ctx, "the token's header asks for more than a signature");
	if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > KID_LIMIT_BYTES))
		return refuse(ctx, "the token's kid is not the name of a key");
	token->kid = json_string_value(kid);
	return true;
}

bool
auth_token_read(struct ctx *ctx, const char *text, struct auth_token *token)
{
	const char *rest = text;
	json_t *header, *claims;
	unsigned char *signature;
	size_t size;

	*token = (struct auth_token){0};
	if (strnlen(text, TOKEN_LIMIT_BYTES + 1) > TOKEN_LIMIT_BYTES)
		return refuse(ctx, "the token is too long");
	if (!read_segment(ctx, &rest, '.', &header) || !read_segment(ctx, &rest, '.', &claims) ||
	    !crypto_base64url_decode(ctx, rest, &signature, &size))
		return refuse(ctx, "the token cannot be read");
	token->claims = claims;
	token->message = (struct crypto_piece){text, (size_t)(rest - text) - 1};
	token->signature = (struct crypto_piece){signature, size};
	return read_header(ctx, header, token);
}

static bool
check_times(struct ctx *ctx, struct auth_token *token)
{
	static const char *const starts[] = {"nbf", "iat"};
	const json_t *expires = json_object_get(token->claims, "exp");
	int64_t now_s = clock_now_us() / CLOCK_SECOND_US;

	if (!json_is_integer(expires) || json_integer_value(expires) > LAST_SECOND)
		return refuse(ctx, "the token has no exp claim that is a whole number of seconds");
	token->expires_s = json_integer_value(expires);
	if (token->expires_s <= now_s - AUTH_LEEWAY_S)
		return refuse(ctx, "the token is expired");
	for (size_t i = 0; i < LENGTH_OF(starts); i++) {
		const json_t *start = json_object_get(token->claims, starts[i]);

		if (start == NULL)
			continue;
		if (!json_is_integer(start) || json_integer_value(start) > now_s + AUTH_LEEWAY_S)
			return refuse(ctx, "the token is not valid yet");
	}
	return true;
}

/* Controls that a terminal obeys (C0, DEL, C1), and what makes a line read as another: U+2028, U+2029 and marks of direction. */
static bool
is_control(const char *s)
{
	unsigned char a = (unsigned char)s[0], b = a != '\0' ? (unsigned char)s[1] : 0;
	unsigned char c = b != '\0' ? (unsigned char)s[2] : 0;

	if (a < ' ' || a == 0x7f || (a == 0xc2 && b < 0xa0))
		return true;
	return a == 0xe2 && ((b == 0x80 && (c == 0x8e || c == 0x8f || (c >= 0xa8 && c <= 0xae))) ||
				(b == 0x81 && c >= 0xa6 && c <= 0xa9));
}

/* A name of somebody, which ends up in logs and on terminals. */
static bool
subject_is_usable(const char *subject)
{
	size_t length = strlen(subject);

	for (size_t i = 0; i < length; i++)
		if (is_control(subject + i))
			return false;
	return length > 0 && length <= SUBJECT_LIMIT_BYTES;
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

bool
auth_token_check(struct ctx *ctx, struct auth_token *token, const char *issuer, const char *audience)
{
	if (!check_times(ctx, token))
		return false;
	if (!subject_is_usable(json_string_or(token->claims, "sub", "")))
		return refuse(ctx, "the token has no usable sub claim");
	if (issuer != NULL && !text_equal(json_string_or(token->claims, "iss", NULL), issuer))
		return refuse(ctx, "the token is of another issuer");
	if (audience != NULL && !audience_holds(json_object_get(token->claims, "aud"), audience))
		return refuse(ctx, "the token is for another audience");
	return true;
}
