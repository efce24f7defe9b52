/* Keys that change while the service runs, and what is remembered of tokens. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/text.h"
#include "handlers/auth.h"
#include "handlers/auth_cache.h"
#include "handlers/auth_keyring.h"
#include "tests/support/token_case.h"

/* Nothing is read in turn within a test; out of turn three times. */
static const struct auth_pace patient = {.url_ms = 600000,
    .file_ms = 600000,
    .retry_ms = 600000,
    .stale_ms = 600000,
    .fetch_ms = 1000,
    .wait_ms = 5000,
    .refill_ms = 600000,
    .at_once = 3,
    .waiting = 2};
static const struct auth_pace hasty = {.url_ms = 20,
    .file_ms = 20,
    .retry_ms = 10,
    .stale_ms = 1500,
    .fetch_ms = 1000,
    .wait_ms = 5000,
    .refill_ms = 600000,
    .at_once = 1,
    .waiting = 2};

struct fixture {
	struct ctx *ctx;
	char folder[32];
	const char *path;
	const char *first, *second; /* sets of one key each: e1, e2 */
	struct config config;
};

static void
publish(struct fixture *f, const char *set)
{
	assert_true(file_write(f->ctx, f->path, set, 0600));
}

static int
start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fixture *f = ctx_alloc(ctx, sizeof(*f));

	f->ctx = ctx;
	memcpy(f->folder, "/tmp/lsr-XXXXXX", 16);
	assert_non_null(mkdtemp(f->folder));
	f->path = ctx_printf(ctx, "%s/keys.json", f->folder);
	f->first = ctx_printf(ctx, "{\"keys\":[%s]}", token_case_jwk(ctx, token_case_ec(ctx, "P-256"), "e1", ""));
	f->second = ctx_printf(ctx, "{\"keys\":[%s]}", token_case_jwk(ctx, token_case_ec(ctx, "P-256"), "e2", ""));
	f->config = (struct config){.auth = "jwt", .jwks_url = f->path};
	publish(f, f->first);
	*state = f;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *f = *state;
	char *folder = ctx_strdup(f->ctx, f->folder);

	(void)unlink(f->path);
	(void)rmdir(folder);
	ctx_free(f->ctx);
	return 0;
}

static double
readings(const char *result)
{
	return metrics_value(METRIC_AUTH_KEY_READS, METRIC_LABELS(result));
}

static void
wait_for_readings(const char *result, double count)
{
	int64_t until_us = clock_monotonic_us() + 10 * CLOCK_SECOND_US;

	while (readings(result) < count) {
		assert_true(clock_monotonic_us() < until_us);
		clock_sleep_ms(5);
	}
}

static void
an_unknown_key_is_asked_for_within_the_ration(void **state)
{
	struct fixture *f = *state;
	struct auth_keyring *ring;
	uint64_t first;
	double before;

	assert_true(auth_keyring_new(f->ctx, &f->config, &patient, &ring));
	first = auth_keyring_generation(ring);
	before = readings("ok");
	assert_int_equal(auth_keyring_ask(ring, first), AUTH_NO_NEWS);
	publish(f, f->second);
	assert_int_equal(auth_keyring_ask(ring, first), AUTH_NEWS);
	assert_int_equal(auth_keyring_ask(ring, first), AUTH_NEWS); /* it is there already: nothing is read */
	assert_true(readings("ok") == before + 2);
	assert_true(auth_keyring_generation(ring) > first);
	for (int i = 0; i < 50; i++)
		assert_int_equal(auth_keyring_ask(ring, auth_keyring_generation(ring)), AUTH_NO_NEWS);
	assert_true(readings("ok") == before + 3);
}

/* The old set stays whole for who holds it. */
static void
sets_are_held(void **state)
{
	struct fixture *f = *state;
	struct auth_keyring *ring;
	const struct auth_keys *keys;
	struct ctx *holder = ctx_new("holder", 0);

	assert_true(auth_keyring_new(f->ctx, &f->config, &patient, &ring));
	keys = auth_keyring_take(holder, ring);
	publish(f, f->second);
	assert_int_equal(auth_keyring_ask(ring, keys->generation), AUTH_NEWS);
	assert_int_equal(keys->count, 1);
	assert_true(keys->complete);
	ctx_free(holder);
}

static void
what_cannot_be_read_leaves_the_keys_until_they_are_stale(void **state)
{
	static const char *const broken[] = {"", "{", "{\"keys\":7}"};
	struct fixture *f = *state;
	struct auth_keyring *ring;
	struct ctx *holder = ctx_new("holder", 0);
	uint64_t generation;

	assert_true(auth_keyring_new(f->ctx, &f->config, &hasty, &ring));
	generation = auth_keyring_generation(ring);
	for (size_t i = 0; i < LENGTH_OF(broken); i++) {
		publish(f, broken[i]);
		wait_for_readings("failed", readings("failed") + 2);
		assert_true(auth_keyring_generation(ring) == generation);
		publish(f, f->first);
		wait_for_readings("ok", readings("ok") + 2);
	}
	assert_int_equal(unlink(f->path), 0);
	for (int i = 0; i < 1000 && auth_keyring_generation(ring) == generation; i++)
		clock_sleep_ms(5);
	assert_int_equal(auth_keyring_take(holder, ring)->count, 0);
	assert_false(auth_keyring_take(holder, ring)->complete);
	publish(f, f->second); /* and it comes back by itself */
	for (int i = 0; i < 1000 && auth_keyring_take(holder, ring)->count == 0; i++)
		clock_sleep_ms(5);
	assert_true(auth_keyring_take(holder, ring)->complete);
	ctx_free(holder);
}

/* An issuer that is away at the start and one that never answers: told apart from a wrong token. */
static void
keys_that_were_never_there(void **state)
{
	struct fixture *f = *state;
	struct principal *who;
	struct auth *auth;
	char *token = token_case_sign(f->ctx, token_case_ec(f->ctx, "P-256"), "{\"alg\":\"ES256\",\"kid\":\"e1\"}",
	    token_case_claims(f->ctx, ""));

	token_case_stop_clock();
	f->config.jwks_url = "http://127.0.0.1:1/keys";
	assert_true(auth_new(f->ctx, &f->config, &auth));
	assert_false(auth_verify(f->ctx, auth, ctx_printf(f->ctx, "Bearer %s", token), &who));
	assert_int_equal(ctx_failure(f->ctx)->code, FAIL_AUTH_KEYS);
	fail_clear(f->ctx);
	token_case_let_clock_go();
}

/* A PEM file that is written anew gives new keys by itself; half a file, or a private key in it, changes nothing. */
static void
a_pem_file_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct auth_keyring *ring;
	EVP_PKEY *key = token_case_ec(f->ctx, "P-256");
	char *pem = token_case_pem(f->ctx, key, false);
	uint64_t generation;

	f->config = (struct config){.auth = "jwt", .jwt_public_key = f->path};
	publish(f, pem);
	assert_true(auth_keyring_new(f->ctx, &f->config, &hasty, &ring));
	generation = auth_keyring_generation(ring);
	publish(f, ctx_strndup(f->ctx, pem, strlen(pem) / 2));
	wait_for_readings("failed", readings("failed") + 2);
	publish(f, token_case_pem(f->ctx, key, true));
	wait_for_readings("failed", readings("failed") + 2);
	assert_true(auth_keyring_generation(ring) == generation);
	publish(f, ctx_printf(f->ctx, "%s%s", pem, token_case_pem(f->ctx, token_case_ec(f->ctx, "P-256"), false)));
	wait_for_readings("ok", readings("ok") + 2);
	assert_int_equal(auth_keyring_take(f->ctx, ring)->count, 2);
	/* no key of a PEM file has a name that an issuer could be asked for */
	assert_int_equal(auth_keyring_ask(ring, auth_keyring_generation(ring)), AUTH_NO_NEWS);
}

struct asker {
	struct auth_keyring *ring;
	atomic_bool stop;
};

static void *
ask_on(void *arg)
{
	struct asker *asker = arg;

	while (!atomic_load(&asker->stop)) {
		struct ctx *ctx = ctx_new("asker", 0);

		ASSERT(auth_keyring_take(ctx, asker->ring)->count == 1);
		(void)auth_keyring_ask(asker->ring, auth_keyring_generation(asker->ring));
		ctx_free(ctx);
	}
	return NULL;
}

static void
many_read_while_keys_change(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.stop = false};
	pthread_t threads[4];

	assert_true(auth_keyring_new(f->ctx, &f->config, &hasty, &asker.ring));
	for (size_t i = 0; i < LENGTH_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asker), 0);
	for (int i = 0; i < 10; i++) {
		publish(f, i % 2 == 0 ? f->second : f->first);
		wait_for_readings("ok", readings("ok") + 2);
	}
	atomic_store(&asker.stop, true);
	for (size_t i = 0; i < LENGTH_OF(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(auth_keyring_generation(asker.ring) > 5);
}

static struct auth_cache_key
key_of(const char *text, uint64_t generation)
{
	struct auth_cache_key key = {.generation = generation};

	crypto_sha256(text, strlen(text), key.hash);
	return key;
}

static void
the_cache_forgets(void **state)
{
	struct fixture *f = *state;
	struct auth_cache *cache = auth_cache_new(f->ctx);
	const struct principal dana = {.subject = "dana", .scopes = "runs:read"};
	struct auth_cache_key key = key_of("token", 1), later = key_of("token", 2), other = key_of("tokem", 1);
	struct principal who;
	int found = 0;

	auth_cache_put(cache, &key, 100, &dana);
	assert_true(auth_cache_find(f->ctx, cache, &key, 99, &who));
	assert_string_equal(who.subject, "dana");
	assert_string_equal(who.scopes, "runs:read");
	assert_false(auth_cache_find(f->ctx, cache, &key, 100, &who));
	assert_false(auth_cache_find(f->ctx, cache, &later, 99, &who));
	assert_false(auth_cache_find(f->ctx, cache, &other, 99, &who));
	for (int i = 0; i < 5000; i++) {
		struct auth_cache_key more = key_of(ctx_printf(f->ctx, "%d", i), 1);

		auth_cache_put(cache, &more, 100, &dana);
		assert_true(auth_cache_find(f->ctx, cache, &more, 99, &who));
	}
	for (int i = 0; i < 5000; i++) {
		struct auth_cache_key more = key_of(ctx_printf(f->ctx, "%d", i), 1);

		found += auth_cache_find(f->ctx, cache, &more, 99, &who);
	}
	assert_in_range(found, 500, 1024); /* bounded */
}

/* What is remembered ends with the token, and with the key it was verified with. */
static void
remembered_tokens_end(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *ours = token_case_ec(f->ctx, "P-256");
	struct principal *who;
	struct auth *auth;
	char *bearer = ctx_printf(f->ctx, "Bearer %s",
	    token_case_sign(f->ctx, ours, "{\"alg\":\"ES256\",\"kid\":\"o\"}", token_case_claims(f->ctx, "")));
	char *unknown = ctx_printf(f->ctx, "Bearer %s",
	    token_case_sign(f->ctx, ours, "{\"alg\":\"ES256\",\"kid\":\"x\"}", token_case_claims(f->ctx, "")));

	token_case_stop_clock();
	publish(f, ctx_printf(f->ctx, "{\"keys\":[%s]}", token_case_jwk(f->ctx, ours, "o", "")));
	assert_true(auth_new(f->ctx, &f->config, &auth));
	for (int i = 0; i < 3; i++)
		assert_true(auth_verify(f->ctx, auth, bearer, &who));
	token_case_move_clock(3629);
	assert_true(auth_verify(f->ctx, auth, bearer, &who));
	token_case_move_clock(3630);
	assert_false(auth_verify(f->ctx, auth, bearer, &who));
	fail_clear(f->ctx);
	token_case_move_clock(0);
	assert_true(auth_verify(f->ctx, auth, bearer, &who));
	publish(f, f->second); /* the key is withdrawn, and an unknown one makes us look */
	assert_false(auth_verify(f->ctx, auth, unknown, &who));
	fail_clear(f->ctx);
	assert_false(auth_verify(f->ctx, auth, bearer, &who));
	fail_clear(f->ctx);
	token_case_let_clock_go();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_unknown_key_is_asked_for_within_the_ration, start, stop),
	    cmocka_unit_test_setup_teardown(sets_are_held, start, stop),
	    cmocka_unit_test_setup_teardown(what_cannot_be_read_leaves_the_keys_until_they_are_stale, start, stop),
	    cmocka_unit_test_setup_teardown(keys_that_were_never_there, start, stop),
	    cmocka_unit_test_setup_teardown(a_pem_file_is_read_again, start, stop),
	    cmocka_unit_test_setup_teardown(many_read_while_keys_change, start, stop),
	    cmocka_unit_test_setup_teardown(the_cache_forgets, start, stop),
	    cmocka_unit_test_setup_teardown(remembered_tokens_end, start, stop),
	};

	return cmocka_run_group_tests_name("auth keyring", tests, NULL, NULL);
}
