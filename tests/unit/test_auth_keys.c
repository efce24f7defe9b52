/* Public keys: which get into a set, and which signatures get in with them. */
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
#include "tests/support/token_case.h"

#define RS "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"r\"}"
#define ES "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"e\"}"

/* Keys are slow to make: once for all tests. */
static struct ctx *always;
static EVP_PKEY *rsa, *ec, *other_rsa, *other_ec;

struct fixture {
	struct ctx *ctx;
	char folder[32];
	const char *path; /* of the key set */
	struct auth *auth;
};

static int
make_keys(void **state)
{
	(void)state;
	always = ctx_new("keys", 0);
	rsa = token_case_rsa(always, 2048);
	ec = token_case_ec(always, "P-256");
	other_rsa = token_case_rsa(always, 2048);
	other_ec = token_case_ec(always, "P-256");
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	ctx_free(always);
	return 0;
}

static char *
set_of(struct ctx *ctx, const char *a, const char *b)
{
	return ctx_printf(ctx, "{\"keys\":[%s,%s]}", a, b);
}

static int
start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fixture *f = ctx_alloc(ctx, sizeof(*f));
	struct config config = {.auth = "jwt", .jwt_secret = secret_make(ctx, TOKEN_SECRET)};

	token_case_stop_clock();
	f->ctx = ctx;
	memcpy(f->folder, "/tmp/lsk-XXXXXX", 16);
	assert_non_null(mkdtemp(f->folder));
	config.jwks_url = f->path = ctx_printf(ctx, "%s/keys.json", f->folder);
	assert_true(file_write(ctx, f->path,
	    set_of(ctx, token_case_jwk(ctx, rsa, "r", ""), token_case_jwk(ctx, ec, "e", "")), 0600));
	*state = f;
	return auth_new(ctx, &config, &f->auth) ? 0 : -1;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path);
	(void)rmdir(f->folder);
	ctx_free(f->ctx);
	token_case_let_clock_go();
	return 0;
}

static bool
gets_in(struct fixture *f, const char *token)
{
	struct principal *who;
	bool in = auth_verify(f->ctx, f->auth, ctx_printf(f->ctx, "Bearer %s", token), &who);

	if (in)
		assert_string_equal(who->subject, "dana");
	else
		assert_int_equal(ctx_failure(f->ctx)->code, FAIL_UNAUTHORIZED);
	fail_clear(f->ctx);
	return in;
}

static void
signatures_of_our_keys_get_in(void **state)
{
	struct fixture *f = *state;
	char *claims = token_case_claims(f->ctx, "");

	assert_true(gets_in(f, token_case_sign(f->ctx, rsa, RS, claims)));
	assert_true(gets_in(f, token_case_sign(f->ctx, ec, ES, claims)));
	/* without a kid any key of the algorithm will do */
	assert_true(gets_in(f, token_case_sign(f->ctx, rsa, "{\"alg\":\"RS256\"}", claims)));
	assert_true(gets_in(f, token_case_sign(f->ctx, ec, "{\"alg\":\"ES256\"}", claims)));
	/* and secrets go on beside them */
	assert_true(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), TOKEN_SECRET, "{\"alg\":\"HS256\"}", claims)));
}

/* Each is signed rightly by somebody: by one of our keys where the header is at fault, else by a stranger. */
static void
tricks_stay_out(void **state)
{
	struct fixture *f = *state;
	struct ctx *ctx = f->ctx;
	const char *own = token_case_jwk(ctx, other_rsa, "r", "");
	const struct {
		EVP_PKEY *key;
		const char *header;
	} tricks[] = {
	    {other_rsa, RS},
	    {other_ec, ES},
	    {other_rsa, "{\"alg\":\"RS256\"}"},
	    {other_rsa, ctx_printf(ctx, "{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":%s}", own)},
	    {rsa, ctx_printf(ctx, "{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":%s}", own)},
	    {other_rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"jku\":\"http://127.0.0.1:1/keys\"}"},
	    {other_rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"x5u\":\"http://127.0.0.1:1/cert\"}"},
	    {other_rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"x5c\":[\"MIIB\"]}"},
	    /* a key of another kind under the name, and the algorithms of other tools for the same key */
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"e\"}"},
	    {ec, "{\"alg\":\"ES256\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"ES256\",\"kid\":\"r\"}"},
	    {ec, "{\"alg\":\"RS256\",\"kid\":\"e\"}"},
	    {rsa, "{\"alg\":\"rs256\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"RS384\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"PS256\",\"kid\":\"r\"}"},
	    {ec, "{\"alg\":\"ES256K\",\"kid\":\"e\"}"},
	    {ec, "{\"alg\":\"ES384\",\"kid\":\"e\"}"},
	    {ec, "{\"alg\":\"EdDSA\",\"kid\":\"e\"}"},
	    {rsa, "{\"alg\":\"none\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"HS256\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"kid\":\"r\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"],\"exp\":1}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r\",\"cty\":\"JWT\"}"},
	    /* names of keys that try to be more */
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"../../../../dev/null\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r' OR 1=1 --\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"R\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r \"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":\"r\\u0000\"}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":[\"r\"]}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":0}"},
	    {rsa, "{\"alg\":\"RS256\",\"kid\":null}"},
	    {rsa, ctx_printf(ctx, "{\"alg\":\"RS256\",\"kid\":\"%0*d\"}", 5000, 0)},
	};

	for (size_t i = 0; i < LENGTH_OF(tricks); i++)
		if (gets_in(f, token_case_sign(ctx, tricks[i].key, tricks[i].header, token_case_claims(ctx, ""))))
			assert_string_equal(tricks[i].header, "refused");
}

/* A public key is known to everybody: no form of it is a secret. */
static void
public_keys_are_no_secrets(void **state)
{
	struct fixture *f = *state;
	const char *headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"kid\":\"r\"}", RS};
	const char *secrets[] = {token_case_pem(f->ctx, rsa, false), token_case_jwk(f->ctx, rsa, "r", ""),
	    ctx_strndup(f->ctx, token_case_pem(f->ctx, rsa, false), 64)};

	for (size_t i = 0; i < LENGTH_OF(headers); i++)
		for (size_t j = 0; j < LENGTH_OF(secrets); j++)
			assert_false(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), secrets[j], headers[i],
						    token_case_claims(f->ctx, ""))));
}

static void
shapes_of_es256_signatures(void **state)
{
	struct fixture *f = *state;
	struct ctx *ctx = f->ctx;
	char *claims = token_case_claims(ctx, "");
	unsigned char zeros[96] = {0}, ones[64], *der;
	char *good = token_case_sign(ctx, ec, ES, claims), *dot = strrchr(good, '.');
	unsigned char *raw, *bent = ctx_alloc(ctx, 65);
	size_t length;

	memset(ones, 0xff, sizeof(ones));
	der = token_case_signature(ctx, ec, ES, claims, &length);
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, der, length)));
	for (length = 0; length <= sizeof(zeros); length++)
		assert_false(gets_in(f, token_case_join(ctx, ES, claims, zeros, length)));
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, ones, sizeof(ones))));
	assert_true(crypto_base64url_decode(ctx, dot + 1, &raw, &length));
	assert_int_equal(length, 64);
	memcpy(bent, raw, 64);
	assert_true(gets_in(f, token_case_join(ctx, ES, claims, bent, 64)));
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, bent, 65)));
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, bent, 63)));
	memset(bent, 0, 32); /* r = 0 */
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, bent, 64)));
	memcpy(bent, raw, 32);
	memset(bent + 32, 0, 32); /* s = 0 */
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, bent, 64)));
	memcpy(bent, raw + 32, 32); /* s, r */
	memcpy(bent + 32, raw, 32);
	assert_false(gets_in(f, token_case_join(ctx, ES, claims, bent, 64)));
}

static void
shapes_of_rs256_signatures(void **state)
{
	struct fixture *f = *state;
	char *claims = token_case_claims(f->ctx, "");
	size_t length;
	unsigned char *made = token_case_signature(f->ctx, rsa, RS, claims, &length), longer[512] = {0};

	assert_int_equal(length, 256);
	assert_false(gets_in(f, token_case_join(f->ctx, RS, claims, made, 255)));
	assert_false(gets_in(f, token_case_join(f->ctx, RS, claims, longer, 256)));
	memcpy(longer + 1, made, 256);
	assert_false(gets_in(f, token_case_join(f->ctx, RS, claims, longer, 257)));
	assert_true(gets_in(f, token_case_join(f->ctx, RS, claims, made, 256)));
}

/* Cut or bent at every place, and with what base64url must not have. */
static void
damaged_tokens_stay_out(void **state)
{
	static const char *const extra[] = {"=", "==", "A", "AA", "AAAA", ".", "..", " ", "\n", "+", "/", "%3d"};
	struct fixture *f = *state;
	char *token = token_case_sign(f->ctx, ec, ES, token_case_claims(f->ctx, ""));
	size_t length = strlen(token);

	for (size_t i = 0; i < length; i++) {
		char *bent = ctx_strdup(f->ctx, token);

		bent[i] = bent[i] == 'A' ? 'B' : 'A';
		assert_false(gets_in(f, bent));
		assert_false(gets_in(f, ctx_strndup(f->ctx, token, i)));
		assert_false(gets_in(f, ctx_printf(f->ctx, "%.*s %s", (int)i, token, token + i)) && i > 0);
	}
	for (size_t i = 0; i < LENGTH_OF(extra); i++)
		assert_false(gets_in(f, ctx_printf(f->ctx, "%s%s", token, extra[i])));
	assert_true(gets_in(f, token));
}

/* How many keys a set gives; -1: it is none. */
static int
keys_of(struct ctx *ctx, const char *text)
{
	struct auth_keys *keys = auth_keys_new();
	int count = auth_keys_add_jwks(ctx, keys, text, strlen(text)) ? (int)keys->count : -1;

	fail_clear(ctx);
	auth_keys_drop(keys);
	return count;
}

static void
keys_that_fit_no_signature_are_left_out(void **state)
{
	struct fixture *f = *state;
	struct ctx *ctx = f->ctx;
	const char *x = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", *good = token_case_jwk(ctx, ec, "e", "");
	EVP_PKEY *weak = token_case_rsa(ctx, 1024), *curve = token_case_ec(ctx, "P-384");
	const char *left_out[] = {
	    token_case_jwk(ctx, weak, "r", ""),
	    token_case_jwk(ctx, curve, "e", ""),
	    token_case_jwk(ctx, rsa, "r", ",\"use\":\"enc\""),
	    token_case_jwk(ctx, rsa, "r", ",\"key_ops\":[\"encrypt\"]"),
	    token_case_jwk(ctx, rsa, "r", ",\"alg\":\"RS512\""),
	    token_case_jwk(ctx, rsa, "r", ",\"alg\":\"HS256\""),
	    token_case_jwk(ctx, rsa, "r", ",\"d\":\"AQAB\""),
	    token_case_jwk(ctx, ec, "e", ",\"alg\":\"ES384\""),
	    ctx_printf(ctx, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x,
		x), /* not on the curve */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
	    "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
	    "{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}",
	    ctx_printf(ctx, "{\"kty\":\"RSA\",\"n\":\"%0*d\",\"e\":\"AQAB\"}", 342, 0),
	    "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"alg\":\"HS256\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
	    "{}",
	    "7",
	    "null",
	};
	static const char *const no_sets[] = {"", "[]", "{}", "null", "{\"keys\":{}}", "{\"keys\":null}",
	    "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}"};

	for (size_t i = 0; i < LENGTH_OF(left_out); i++)
		if (keys_of(ctx, set_of(ctx, left_out[i], good)) != 1)
			assert_string_equal(left_out[i], "left out");
	for (size_t i = 0; i < LENGTH_OF(no_sets); i++)
		assert_int_equal(keys_of(ctx, no_sets[i]), -1);
	assert_int_equal(keys_of(ctx, "{\"keys\":[]}"), 0);
	assert_int_equal(keys_of(ctx,
			     set_of(ctx, token_case_jwk(ctx, rsa, "r", ",\"use\":\"sig\",\"alg\":\"RS256\""), good)),
	    2);
}

/* An exponent of 1 makes every text its own signature. */
static void
exponents_that_are_none(void **state)
{
	static const char *const exponents[] = {"AQ", "Ag", "AA", "AQAAAAAAAAAB"};
	struct fixture *f = *state;
	char *jwk = token_case_jwk(f->ctx, rsa, "r", ""), *e = strstr(jwk, "\"e\":\"AQAB\"");

	assert_non_null(e);
	assert_int_equal(keys_of(f->ctx, ctx_printf(f->ctx, "{\"keys\":[%s]}", jwk)), 1);
	for (size_t i = 0; i < LENGTH_OF(exponents); i++)
		assert_int_equal(keys_of(f->ctx, ctx_printf(f->ctx, "{\"keys\":[%.*s\"e\":\"%s\"}]}", (int)(e - jwk),
						     jwk, exponents[i])),
		    0);
}

static bool
starts(struct ctx *ctx, const char *public_key, const char *jwks_url)
{
	CTX_SCOPE(own, ctx);
	struct config config = {.auth = "jwt", .jwt_public_key = public_key, .jwks_url = jwks_url};
	struct auth *auth;
	bool ok = auth_new(own, &config, &auth);

	if (!ok)
		assert_int_equal(ctx_failure(ctx)->code, FAIL_CONFIG_INVALID);
	fail_clear(ctx);
	return ok;
}

static void
settings_that_are_refused_at_start(void **state)
{
	struct fixture *f = *state;
	struct ctx *ctx = f->ctx;
	EVP_PKEY *weak = token_case_rsa(ctx, 1024), *curve = token_case_ec(ctx, "P-384");
	const char *pem = token_case_pem(ctx, rsa, false);
	const char *keys[] = {token_case_pem(ctx, weak, false), token_case_pem(ctx, curve, false),
	    token_case_pem(ctx, rsa, true), ctx_printf(ctx, "%s%s", pem, token_case_pem(ctx, weak, false)),
	    ctx_printf(ctx, "%s%s", pem, token_case_pem(ctx, rsa, true)),
	    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "/nonexistent/key.pem", f->path};
	static const char *const urls[] = {"http://issuer.example/keys", "http://127.0.0.1@issuer.example/keys",
	    "http://127.0.0.1.example/keys", "https://user:password@issuer.example/keys", "ftp://issuer.example/keys",
	    "file://host/keys", "/nonexistent/keys.json", "HTTPS//x"};

	for (size_t i = 0; i < LENGTH_OF(keys); i++)
		if (starts(ctx, keys[i], NULL))
			assert_string_equal(keys[i], "refused");
	for (size_t i = 0; i < LENGTH_OF(urls); i++)
		if (starts(ctx, NULL, urls[i]))
			assert_string_equal(urls[i], "refused");
	assert_true(file_write(ctx, f->path, "{\"keys\":[]}", 0600));
	assert_false(starts(ctx, NULL, f->path));
	assert_false(starts(ctx, NULL, NULL));
	assert_true(starts(ctx, pem, NULL));
	assert_true(starts(ctx, ctx_printf(ctx, "%s%s", pem, token_case_pem(ctx, ec, false)), NULL));
	assert_true(starts(ctx, NULL, "http://127.0.0.1:1/keys")); /* nobody is there yet */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(signatures_of_our_keys_get_in, start, stop),
	    cmocka_unit_test_setup_teardown(tricks_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(public_keys_are_no_secrets, start, stop),
	    cmocka_unit_test_setup_teardown(shapes_of_es256_signatures, start, stop),
	    cmocka_unit_test_setup_teardown(shapes_of_rs256_signatures, start, stop),
	    cmocka_unit_test_setup_teardown(damaged_tokens_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(keys_that_fit_no_signature_are_left_out, start, stop),
	    cmocka_unit_test_setup_teardown(exponents_that_are_none, start, stop),
	    cmocka_unit_test_setup_teardown(settings_that_are_refused_at_start, start, stop),
	};

	return cmocka_run_group_tests_name("auth keys", tests, make_keys, free_keys);
}
