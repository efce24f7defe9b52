/* The examples of RFC 7520: signatures that others made, with keys in the form of RFC 7517. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "handlers/auth.h"
#include "handlers/auth_keys.h"

static int
start(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
stop(void **state)
{
	ctx_free(*state);
	return 0;
}

static json_t *
example(struct ctx *ctx, const char *name)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	char *text;
	size_t length;
	json_t *value;

	if (access(folder, R_OK) != 0)
		skip();
	assert_true(file_read(ctx, ctx_printf(ctx, "%s/jose/rfc7520/%s.json", folder, name), 65536, &text, &length));
	assert_true(json_parse(ctx, text, length, &value));
	return value;
}

static const char *
compact(const json_t *example)
{
	return json_string_or(json_object_get(example, "output"), "compact", NULL);
}

/* The parts of a token whose header and payload are not of our kind: this is about the signature alone. */
static struct auth_token
parts(struct ctx *ctx, const char *text, enum crypto_algorithm algorithm, const char *kid)
{
	struct auth_token token = {.algorithm = algorithm, .kid = kid};
	const char *dot = strrchr(text, '.');
	unsigned char *bytes;

	token.message = (struct crypto_piece){text, (size_t)(dot - text)};
	assert_true(crypto_base64url_decode(ctx, dot + 1, &bytes, &token.signature.length));
	token.signature.bytes = bytes;
	return token;
}

static struct auth_keys *
keys_of(struct ctx *ctx, const char *name)
{
	struct auth_keys *keys = auth_keys_new();
	char *set = ctx_printf(ctx, "{\"keys\":[%s]}", json_text(ctx, example(ctx, name)));

	assert_true(auth_keys_add_jwks(ctx, keys, set, strlen(set)));
	ctx_defer(ctx, auth_keys_drop, keys);
	return keys;
}

static void
rsa_signature(void **state)
{
	struct auth_keys *keys = keys_of(*state, "jwk/3_3.rsa_public_key");
	const char *text = compact(example(*state, "jws/4_1.rsa_v15_signature"));
	struct auth_token token = parts(*state, text, CRYPTO_RS256, "bilbo.baggins@hobbiton.example");
	struct crypto_piece whole = token.message;

	assert_int_equal(keys->count, 1);
	assert_int_equal(auth_keys_verify(keys, &token), AUTH_VERIFIED);
	token.message.length--;
	assert_int_equal(auth_keys_verify(keys, &token), AUTH_FORGED);
	token.message = whole;
	token.kid = "frodo.baggins@hobbiton.example";
	assert_int_equal(auth_keys_verify(keys, &token), AUTH_UNKNOWN_KEY);
	/* RSASSA-PSS over SHA-384 with the same key is another algorithm */
	token = parts(*state, compact(example(*state, "jws/4_2.rsa-pss_signature")), CRYPTO_RS256, NULL);
	assert_int_equal(auth_keys_verify(keys, &token), AUTH_FORGED);
}

/* Private keys, keys of other curves and secrets do not become public keys. */
static void
keys_that_are_left_out(void **state)
{
	static const char *const names[] = {"jwk/3_1.ec_public_key", "jwk/3_2.ec_private_key",
	    "jwk/3_4.rsa_private_key", "jwk/3_5.symmetric_key_mac_computation", "jwk/3_6.symmetric_key_encryption"};

	for (size_t i = 0; i < LENGTH_OF(names); i++)
		assert_int_equal(keys_of(*state, names[i])->count, 0);
}

static void
hmac_signature(void **state)
{
	json_t *key = example(*state, "jwk/3_5.symmetric_key_mac_computation");
	struct auth_token token =
	    parts(*state, compact(example(*state, "jws/4_4.hmac-sha2_integrity_protection")), CRYPTO_HS256, NULL);
	struct crypto_piece secret;
	unsigned char *bytes;

	assert_true(crypto_base64url_decode(*state, json_string_or(key, "k", ""), &bytes, &secret.length));
	secret.bytes = bytes;
	assert_true(crypto_hmac_verify(&secret, &token.message, &token.signature));
	secret.length--;
	assert_false(crypto_hmac_verify(&secret, &token.message, &token.signature));
}

/* None of them is a token for us, whoever signed: their payloads are no claims, or they ask for extensions. */
static void
no_example_gets_in(void **state)
{
	struct ctx *ctx = *state;
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	struct config config = {.auth = "jwt", .jwt_secret = secret_make(ctx, "0123456789abcdef0123456789abcdef")};
	struct principal *who;
	struct auth *auth;
	char **names;
	size_t count;

	if (access(folder, R_OK) != 0)
		skip();
	assert_true(auth_new(ctx, &config, &auth));
	assert_true(file_list(ctx, ctx_printf(ctx, "%s/jose/rfc7520/jws", folder), &names, &count));
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		const char *name = ctx_strndup(ctx, names[i], strlen(names[i]) - strlen(".json"));
		const char *text = compact(example(ctx, ctx_printf(ctx, "jws/%s", name)));

		if (text == NULL) /* detached or of several signatures: no compact form */
			continue;
		assert_false(auth_verify(ctx, auth, ctx_printf(ctx, "Bearer %s", text), &who));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_UNAUTHORIZED);
		fail_clear(ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(rsa_signature, start, stop),
	    cmocka_unit_test_setup_teardown(keys_that_are_left_out, start, stop),
	    cmocka_unit_test_setup_teardown(hmac_signature, start, stop),
	    cmocka_unit_test_setup_teardown(no_example_gets_in, start, stop),
	};

	return cmocka_run_group_tests_name("auth rfc7520", tests, NULL, NULL);
}
