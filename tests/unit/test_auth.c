/* Tokens that must not get in, and what those that do may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/auth.h"
#include "tests/support/token_case.h"

#define SECRET TOKEN_SECRET
#define SECOND "second-secret-second-secret-second"
#define PLAIN "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

struct fixture {
	struct ctx *ctx;
	struct config config;
	struct auth *auth;
};

static int
start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fixture *f = ctx_alloc(ctx, sizeof(*f));

	token_case_stop_clock();
	f->ctx = ctx;
	f->config = (struct config){
	    .auth = "jwt",
	    .jwt_secret = secret_make(ctx, SECRET "\n" SECOND "\n"),
	    .jwt_issuer = "https://issuer",
	    .jwt_audience = "loadstar",
	};
	*state = f;
	return auth_new(ctx, &f->config, &f->auth) ? 0 : -1;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	ctx_free(f->ctx);
	token_case_let_clock_go();
	return 0;
}

static char *
claims(struct ctx *ctx, const char *rest)
{
	return ctx_printf(ctx,
	    "{\"sub\":\"dana\",\"scope\":\"runs:read\",\"iss\":\"https://issuer\",\"aud\":\"loadstar\"%s}", rest);
}

static bool
gets_in(struct fixture *f, const char *token)
{
	struct principal *who;
	bool in = auth_verify(f->ctx, f->auth, ctx_printf(f->ctx, "Bearer %s", token), &who);

	if (!in) {
		assert_int_equal(ctx_failure(f->ctx)->code, FAIL_UNAUTHORIZED);
		assert_null(strstr(ctx_failure(f->ctx)->message, SECRET));
	}
	fail_clear(f->ctx);
	return in;
}

static void
good_tokens_get_in(void **state)
{
	struct fixture *f = *state;
	static const char *const good[] = {
	    ",\"exp\":1706702401",
	    ",\"exp\":1706702375", /* expired 25 s ago: clocks differ */
	    ",\"exp\":1706706000,\"nbf\":1706702400,\"iat\":1706702400",
	    ",\"exp\":1706706000,\"nbf\":1706702425",
	};
	static const char *const headers[] = {
	    "{\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
	    "{\"typ\":\"application/at+jwt\",\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
	    "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", /* a name of a key says nothing about secrets */
	};

	for (size_t i = 0; i < LENGTH_OF(good); i++) {
		assert_true(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, PLAIN, claims(f->ctx, good[i]))));
		assert_true(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECOND, PLAIN, claims(f->ctx, good[i]))));
	}
	for (size_t i = 0; i < LENGTH_OF(headers); i++)
		assert_true(
		    gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, headers[i], claims(f->ctx, good[0]))));
	assert_true(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, PLAIN,
				   "{\"sub\":\"dana\",\"exp\":1706706000,\"iss\":\"https://issuer\","
				   "\"aud\":[\"other\",\"loadstar\"]}")));
}

static void
wrong_claims_stay_out(void **state)
{
	static const char *const wrong[] = {
	    "",                        /* no exp */
	    ",\"exp\":\"1706706000\"", /* a text */
	    ",\"exp\":1706706000.5",   /* a float */
	    ",\"exp\":1706706000.0",
	    ",\"exp\":1e12",
	    ",\"exp\":true",
	    ",\"exp\":null",
	    ",\"exp\":-1",
	    ",\"exp\":0",
	    ",\"exp\":1706702369",                    /* expired */
	    ",\"exp\":1706702369,\"exp\":1706706000", /* duplicate */
	    ",\"exp\":1706706000,\"sub\":\"root\"",   /* duplicate */
	    ",\"exp\":99999999999999999999",          /* no int64 */
	    ",\"exp\":1706706000,\"nbf\":1706702431", /* not yet */
	    ",\"exp\":1706706000,\"nbf\":\"0\"",
	    ",\"exp\":1706706000,\"iat\":1706703000", /* made in the future */
	    ",\"exp\":1706706000,\"iat\":1.5",
	    ",\"exp\":253402300800", /* no year of four digits */
	    ",\"exp\":9223372036854775807",
	    ",\"exp\":-9223372036854775808",
	    ",\"exp\":[1706706000]",
	    ",\"Exp\":1706706000",
	    ",\"exp\":1706706000,\"nbf\":9223372036854775807",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
		if (gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, PLAIN, claims(f->ctx, wrong[i]))))
			assert_string_equal(wrong[i], "refused");
}

static void
wrong_payloads_stay_out(void **state)
{
	static const char *const wrong[] = {
	    "{\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}", /* no sub */
	    "{\"sub\":\"\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\nd\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u0000\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u007f\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u009b31m\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u202ebda\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u2028\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\\u2069\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":7,\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\",\"exp\":1706706000,\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\",\"exp\":1706706000,\"iss\":\"https://evil\",\"aud\":\"loadstar\"}",
	    "{\"sub\":\"d\",\"exp\":1706706000,\"iss\":\"https://issuer\"}",
	    "{\"sub\":\"d\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":[\"other\"]}",
	    "{\"sub\":\"d\",\"exp\":1706706000,\"iss\":\"https://issuer\",\"aud\":{\"a\":\"loadstar\"}}",
	    "[]",
	    "null",
	    "\"text\"",
	    "{",
	    "",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
		if (gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, PLAIN, wrong[i])))
			assert_string_equal(wrong[i], "refused");
}

static void
wrong_headers_stay_out(void **state)
{
	static const char *const wrong[] = {
	    "{\"alg\":\"none\"}",
	    "{\"alg\":\"None\"}",
	    "{\"alg\":\"\"}",
	    "{}",
	    "{\"alg\":\"hs256\"}",
	    "{\"alg\":\"HS384\"}",
	    "{\"alg\":\"HS512\"}",
	    "{\"alg\":\"RS256\"}",
	    "{\"alg\":[\"HS256\"]}",
	    "{\"alg\":\"none\",\"alg\":\"HS256\"}",
	    "{\"alg\":\"HS256\",\"alg\":\"none\"}",
	    "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
	    "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
	    "{\"alg\":\"HS256\",\"jku\":\"https://evil/keys\"}",
	    "{\"alg\":\"HS256\",\"x5u\":\"https://evil/cert\"}",
	    "{\"alg\":\"HS256\",\"x5c\":[\"AAAA\"]}",
	    "{\"alg\":\"HS256\",\"b64\":false}",
	    "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
	    "{\"alg\":\"HS256\",\"cty\":\"JWT\"}",
	    "{\"alg\":\"HS256\",\"enc\":\"A256GCM\"}",
	    "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}",
	    "{\"alg\":\"HS256\",\"typ\":\"JWS\"}",
	    "{\"alg\":\"HS256\",\"typ\":\"\"}",
	    "{\"alg\":\"HS256\",\"typ\":null}",
	    "{\"alg\":\"HS256\",\"typ\":7}",
	    "{\"alg\":\"HS256\",\"kid\":7}",
	    "{\"alg\":\"HS256\",\"kid\":null}",
	    "{\"alg\":\"HS256\\u0000\"}",
	    "{\"alg\":\"HS256 \"}",
	    "{\"alg\":\"HS256\"} x",
	    "\xef\xbb\xbf{\"alg\":\"HS256\"}",
	    "{\"Alg\":\"HS256\"}",
	    "{\"alg\":\"nonE\"}",
	    "{\"alg\":null}",
	    "{\"alg\":\"HS256\"",
	};
	struct fixture *f = *state;
	char *payload = claims(f->ctx, ",\"exp\":1706706000");

	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
		if (gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, wrong[i], payload)))
			assert_string_equal(wrong[i], "refused");
	assert_false(gets_in(f, token_case_hmac(f->ctx, EVP_sha512(), SECRET, "{\"alg\":\"HS512\"}", payload)));
	assert_false(gets_in(f, token_case_hmac(f->ctx, EVP_sha512(), SECRET, PLAIN, payload)));
}

/* A public key is no secret: a token "signed" with its text must not get in where it is not configured. */
static void
wrong_keys_stay_out(void **state)
{
	static const char *const keys[] = {
	    "another-secret-another-secret-another",
	    "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n",
	    SECRET "\n" SECOND "\n",
	    SECRET "\n",
	    "0",
	};
	struct fixture *f = *state;
	char *payload = claims(f->ctx, ",\"exp\":1706706000");

	for (size_t i = 0; i < LENGTH_OF(keys); i++)
		assert_false(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), keys[i], PLAIN, payload)));
}

static void
damaged_tokens_stay_out(void **state)
{
	struct fixture *f = *state;
	struct ctx *ctx = f->ctx;
	char *token = token_case_hmac(ctx, EVP_sha256(), SECRET, PLAIN, claims(ctx, ",\"exp\":1706706000"));
	size_t length = strlen(token);
	char *head = ctx_strndup(ctx, token, (size_t)(strrchr(token, '.') - token));
	const char *wrong[] = {
	    "",
	    ".",
	    "..",
	    "...",
	    "a.b.c",
	    head,
	    ctx_printf(ctx, "%s.", head),
	    ctx_printf(ctx, "%s=", token),
	    ctx_printf(ctx, "%s.", token),
	    ctx_printf(ctx, "%s.x", token),
	    ctx_printf(ctx, ".%s", token),
	    ctx_printf(ctx, "%s ", token),
	    ctx_printf(ctx, "%s\t", token),
	    ctx_printf(ctx, "%s, %s", token, token),
	    ctx_printf(ctx, "%s.%s", head, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
	};

	assert_true(gets_in(f, token));
	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
		if (gets_in(f, wrong[i]))
			assert_string_equal(wrong[i], "refused");
	for (size_t i = 0; i < length; i++) {
		char *cut = ctx_strndup(ctx, token, i), *bent = ctx_strdup(ctx, token);

		bent[i] = bent[i] == 'A' ? 'B' : 'A';
		assert_false(gets_in(f, cut));
		if (gets_in(f, bent))
			assert_string_equal(bent, "refused");
	}
}

static void
long_tokens_and_other_schemes_stay_out(void **state)
{
	struct fixture *f = *state;
	struct principal *who;
	char *padding = ctx_alloc(f->ctx, 9000);
	static const char *const wrong[] = {"", "Bearer", "Bearer ", "Basic ZGFuYTpkYW5h", "bearer"};

	memset(padding, 'x', 8999);
	assert_false(gets_in(f, token_case_hmac(f->ctx, EVP_sha256(), SECRET, PLAIN,
				    claims(f->ctx, ctx_printf(f->ctx, ",\"exp\":1706706000,\"x\":\"%s\"", padding)))));
	for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
		assert_false(auth_verify(f->ctx, f->auth, wrong[i], &who));
		fail_clear(f->ctx);
	}
	assert_false(auth_verify(f->ctx, f->auth, NULL, &who));
}

static void
issued_tokens_get_in(void **state)
{
	struct fixture *f = *state;
	struct principal *who;
	char *token;

	assert_true(
	    auth_issue(f->ctx, &f->config.jwt_secret, "dana", NULL, 3600, "https://issuer", "loadstar", &token));
	assert_true(auth_verify(f->ctx, f->auth, ctx_printf(f->ctx, "bearer %s", token), &who));
	assert_string_equal(who->subject, "dana");
	for (int scope = 0; scope < SCOPE_COUNT; scope++)
		assert_true(auth_may(f->ctx, who, (enum scope)scope, "medrobotics"));
}

static void
short_secrets_are_refused(void **state)
{
	static const char *const wrong[] = {"short", SECRET "\nshort", "", "\n\n"};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
		struct config config = {.auth = "jwt", .jwt_secret = secret_make(f->ctx, wrong[i])};
		struct auth *auth;

		assert_false(auth_new(f->ctx, &config, &auth));
		assert_int_equal(ctx_failure(f->ctx)->code, FAIL_CONFIG_INVALID);
		assert_null(strstr(ctx_failure(f->ctx)->message, "short"));
		fail_clear(f->ctx);
	}
}

static void
scopes_reach_as_far_as_they_say(void **state)
{
	static const struct {
		const char *scopes;
		enum scope scope;
		const char *pipeline;
		bool may;
	} cases[] = {
	    {"runs:read", SCOPE_RUNS_READ, NULL, true},
	    {"runs:read", SCOPE_RUNS_READ, "med", true},
	    {"runs:read", SCOPE_RUNS_WRITE, "med", false},
	    {"runs:read:med", SCOPE_RUNS_READ, "med", true},
	    {"runs:read:med", SCOPE_RUNS_READ, NULL, true},
	    {"runs:read:med", SCOPE_RUNS_READ, "medrobotics", false},
	    {"runs:read:medrobotics", SCOPE_RUNS_READ, "med", false},
	    {"  runs:write   runs:read:med ", SCOPE_RUNS_READ, "med", true},
	    {"admin", SCOPE_DATA_READ, "med", true},
	    {"admin:med", SCOPE_DATA_READ, "med", true},
	    {"admin:med", SCOPE_DATA_READ, "other", false},
	    {"administrator", SCOPE_RUNS_READ, "med", false},
	    {"runs:readx", SCOPE_RUNS_READ, NULL, false},
	    {"runs:read:", SCOPE_RUNS_READ, NULL, false},
	    {"", SCOPE_RUNS_READ, NULL, false},
	    {"runs:read", SCOPE_RUNS_READ, "No Name", false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct principal who = {"dana", cases[i].scopes};

		assert_int_equal(auth_may(f->ctx, &who, cases[i].scope, cases[i].pipeline), cases[i].may);
		fail_clear(f->ctx);
	}
}

static void
pipelines_of_a_scope(void **state)
{
	struct fixture *f = *state;
	struct principal two = {"d", "runs:read:a runs:write admin:b"}, all = {"d", "runs:read:a runs:read"};
	const char *const *names = auth_pipelines(f->ctx, &two, SCOPE_RUNS_READ);

	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	assert_null(names[2]);
	assert_null(auth_pipelines(f->ctx, &all, SCOPE_RUNS_READ));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(good_tokens_get_in, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_claims_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_payloads_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_headers_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_keys_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(damaged_tokens_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(long_tokens_and_other_schemes_stay_out, start, stop),
	    cmocka_unit_test_setup_teardown(issued_tokens_get_in, start, stop),
	    cmocka_unit_test_setup_teardown(short_secrets_are_refused, start, stop),
	    cmocka_unit_test_setup_teardown(scopes_reach_as_far_as_they_say, start, stop),
	    cmocka_unit_test_setup_teardown(pipelines_of_a_scope, start, stop),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
