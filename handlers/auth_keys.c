#include "handlers/auth_keys.h"

#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"

enum { KEYS_MOST = 64, KID_LIMIT_BYTES = 255 };

struct auth_key {
	const char *kid; /* NULL: for any */
	const struct crypto_key *key;
};

struct auth_keys *
auth_keys_new(void)
{
	struct ctx *ctx = ctx_new("keys", 0);
	struct auth_keys *keys = ctx_alloc(ctx, sizeof(*keys));

	keys->ctx = ctx;
	keys->keys = ctx_alloc_array(ctx, KEYS_MOST, sizeof(*keys->keys));
	atomic_init(&keys->references, 1);
	return keys;
}

struct auth_keys *
auth_keys_hold(struct auth_keys *keys)
{
	ASSERT(atomic_fetch_add(&keys->references, 1) > 0);
	return keys;
}

void
auth_keys_drop(void *handle)
{
	struct auth_keys *keys = handle;

	if (keys != NULL && atomic_fetch_sub(&keys->references, 1) == 1)
		ctx_free(keys->ctx);
}

/* The failure of the set's ctx as the caller's. */
static bool
hand_over(struct ctx *ctx, struct auth_keys *keys)
{
	const struct failure *failure = ctx_failure(keys->ctx);

	(void)fail(ctx, failure->code, "%s", failure->message);
	fail_clear(keys->ctx);
	return false;
}

static bool
add(struct auth_keys *keys, const char *kid, const struct crypto_key *key)
{
	if (keys->count == KEYS_MOST)
		return fail(keys->ctx, FAIL_CONFIG_INVALID, "more than %d public keys", KEYS_MOST);
	keys->keys[keys->count++] = (struct auth_key){ctx_strdup(keys->ctx, kid), key};
	return true;
}

bool
auth_keys_add_pem(struct ctx *ctx, struct auth_keys *keys, const char *pem)
{
	struct crypto_key **made;
	size_t count;

	if (!crypto_keys_from_pem(keys->ctx, pem, &made, &count))
		return hand_over(ctx, keys);
	for (size_t i = 0; i < count; i++)
		if (!add(keys, NULL, made[i]))
			return hand_over(ctx, keys);
	return true;
}

static bool
take_number(struct ctx *ctx, const json_t *jwk, const char *name, struct crypto_piece *number)
{
	unsigned char *bytes;

	if (!crypto_base64url_decode(ctx, json_string_or(jwk, name, ""), &bytes, &number->length) ||
	    number->length == 0)
		return fail(ctx, FAIL_CONFIG_INVALID, "%s is not a number in base64url", name);
	number->bytes = bytes;
	return true;
}

static bool
holds_text(const json_t *array, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		if (text_equal(json_string_value(item), text))
			return true;
	}
	return false;
}

/* What the key says of itself (RFC 7517 section 4) fits a signature of this algorithm. */
static bool
check_purpose(struct ctx *ctx, const json_t *jwk, const char *algorithm)
{
	const json_t *operations = json_object_get(jwk, "key_ops"), *kid = json_object_get(jwk, "kid");

	if (json_object_get(jwk, "d") != NULL)
		return fail(ctx, FAIL_CONFIG_INVALID, "a private key");
	if (!text_equal(json_string_or(jwk, "use", "sig"), "sig") ||
	    (operations != NULL && !holds_text(operations, "verify")))
		return fail(ctx, FAIL_CONFIG_INVALID, "not for signatures");
	if (!text_equal(json_string_or(jwk, "alg", algorithm), algorithm))
		return fail(ctx, FAIL_CONFIG_INVALID, "for another algorithm than %s", algorithm);
	if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > KID_LIMIT_BYTES))
		return fail(ctx, FAIL_CONFIG_INVALID, "its kid is no text of at most %d bytes", KID_LIMIT_BYTES);
	return true;
}

static bool
make_key(struct ctx *ctx, const json_t *jwk, struct crypto_key **key)
{
	const char *type = json_string_or(jwk, "kty", "");
	struct crypto_piece a, b;

	if (strcmp(type, "RSA") == 0)
		return check_purpose(ctx, jwk, "RS256") && take_number(ctx, jwk, "n", &a) &&
		       take_number(ctx, jwk, "e", &b) && crypto_key_rsa(ctx, &a, &b, key);
	if (strcmp(type, "EC") == 0)
		return check_purpose(ctx, jwk, "ES256") &&
		       (text_equal(json_string_or(jwk, "crv", ""), "P-256") ||
			   fail(ctx, FAIL_CONFIG_INVALID, "on another curve than P-256")) &&
		       take_number(ctx, jwk, "x", &a) && take_number(ctx, jwk, "y", &b) &&
		       crypto_key_p256(ctx, &a, &b, key);
	return fail(ctx, FAIL_CONFIG_INVALID, "of another type than RSA and EC");
}

bool
auth_keys_add_jwks(struct ctx *ctx, struct auth_keys *keys, const char *text, size_t length)
{
	CTX_SCOPE(tmp, keys->ctx);
	const json_t *jwk;
	json_t *set;
	size_t i;

	if (!json_parse(tmp, text, length, &set))
		return hand_over(ctx, keys);
	if (!json_is_array(json_object_get(set, "keys")))
		return fail(ctx, FAIL_CONFIG_INVALID, "not a JSON object with an array \"keys\"");
	json_array_foreach(json_object_get(set, "keys"), i, jwk) {
		const char *kid = json_string_or(jwk, "kid", NULL);
		struct crypto_key *key = NULL;

		if (make_key(keys->ctx, jwk, &key)) {
			if (!add(keys, kid, key))
				return hand_over(ctx, keys);
			continue;
		}
		log_line(ctx, LOG_WARN, "a key of the key set is left out", "kid", kid, "why",
		    ctx_failure(keys->ctx)->message, NULL);
		fail_clear(keys->ctx);
	}
	return true;
}

enum auth_match
auth_keys_verify(const struct auth_keys *keys, const struct auth_token *token)
{
	bool known = token->kid == NULL;

	for (size_t i = 0; i < keys->count; i++) {
		const struct auth_key *key = &keys->keys[i];
		bool named = key->kid != NULL && token->kid != NULL;

		if (crypto_key_algorithm(key->key) != token->algorithm || (named && strcmp(key->kid, token->kid) != 0))
			continue;
		if (crypto_key_verify(key->key, &token->message, &token->signature))
			return AUTH_VERIFIED;
		known = known || named;
	}
	return known ? AUTH_FORGED : AUTH_UNKNOWN_KEY;
}
