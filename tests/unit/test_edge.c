/* What the settings say of clients: proxies, origins, certificates; and how fast they may write. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "handlers/rate.h"
#include "server/edge.h"

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

#define PROXIES "10.0.0.0/8, 192.0.2.1,fd00::/8"

static const struct {
	const char *peer, *forwarded_for, *forwarded, *client;
} clients[] = {
    {"198.51.100.1", NULL, NULL, "198.51.100.1"},
    {"198.51.100.1", "203.0.113.9", NULL, "198.51.100.1"}, /* no proxy of ours: not believed */
    {"198.51.100.1", NULL, "for=203.0.113.9", "198.51.100.1"}, {"10.1.2.3", NULL, NULL, "10.1.2.3"},
    {"10.1.2.3", "203.0.113.9", NULL, "203.0.113.9"},
    {"10.1.2.3", "1.1.1.1, 203.0.113.9", NULL, "203.0.113.9"}, /* the first one is the client's own tale */
    {"10.1.2.3", "1.1.1.1,203.0.113.9 , 10.9.9.9", NULL, "203.0.113.9"}, {"10.1.2.3", "10.7.7.7", NULL, "10.7.7.7"},
    {"192.0.2.1", "203.0.113.9:4711", NULL, "203.0.113.9"}, {"192.0.2.2", "203.0.113.9", NULL, "192.0.2.2"},
    {"fd00::1", "[2001:db8::5]:80", NULL, "2001:db8::5"}, {"fd00::1", "2001:db8::5", NULL, "2001:db8::5"},
    {"fe00::1", "2001:db8::5", NULL, "fe00::1"},
    {"::ffff:10.1.2.3", "203.0.113.9", NULL, "203.0.113.9"}, /* IPv4 on a socket of both */
    {"10.1.2.3", "unknown", NULL, "10.1.2.3"}, {"10.1.2.3", "203.0.113.9, _hidden", NULL, "10.1.2.3"},
    {"10.1.2.3", "203.0.113.9,", NULL, "10.1.2.3"}, {"10.1.2.3", "", NULL, "10.1.2.3"},
    {"10.1.2.3", "[::1", NULL, "10.1.2.3"},
    {"10.1.2.3", NULL, "for=203.0.113.9;proto=https;by=10.1.2.3", "203.0.113.9"},
    {"10.1.2.3", NULL, "proto=https; For=\"[2001:db8::5]:4711\", for=10.0.0.9", "2001:db8::5"},
    {"10.1.2.3", NULL, "for=1.1.1.1, proto=https", "10.1.2.3"}, {"10.1.2.3", NULL, "for=", "10.1.2.3"},
    {"10.1.2.3", "203.0.113.9", "for=203.0.113.9", "203.0.113.9"},
    {"10.1.2.3", "203.0.113.9", "for=1.1.1.1", "10.1.2.3"}, /* one of them is not the proxy's */
};

static const struct sockaddr *
address_of(struct ctx *ctx, const char *text)
{
	struct sockaddr_in *four = ctx_alloc(ctx, sizeof(*four));
	struct sockaddr_in6 *six = ctx_alloc(ctx, sizeof(*six));

	four->sin_family = AF_INET;
	six->sin6_family = AF_INET6;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		return (struct sockaddr *)four;
	assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
	return (struct sockaddr *)six;
}

static void
the_client_is_who_the_proxies_say(void **state)
{
	struct ctx *ctx = *state;
	struct peers trusted;

	assert_true(peers_parse(ctx, PROXIES, &trusted));
	assert_int_equal(trusted.count, 3);
	for (size_t i = 0; i < LENGTH_OF(clients); i++) {
		const char *found = peers_client(ctx, &trusted, address_of(ctx, clients[i].peer),
		    clients[i].forwarded_for, clients[i].forwarded);

		if (strcmp(found, clients[i].client) != 0)
			print_error("case %zu\n", i);
		assert_string_equal(found, clients[i].client);
	}
	assert_string_equal(peers_client(ctx, &trusted, NULL, "203.0.113.9", NULL), "");
	assert_true(peers_parse(ctx, "0.0.0.0/0, ::/0", &trusted));
	assert_string_equal(peers_client(ctx, &trusted, address_of(ctx, "8.8.8.8"), "1.1.1.1, 2.2.2.2", NULL),
	    "1.1.1.1");
	assert_true(peers_parse(ctx, NULL, &trusted));
	assert_string_equal(peers_client(ctx, &trusted, address_of(ctx, "10.1.2.3"), "1.1.1.1", NULL), "10.1.2.3");
	assert_true(peers_parse(ctx, "10.1.2.0/23", &trusted));
	assert_string_equal(peers_client(ctx, &trusted, address_of(ctx, "10.1.3.3"), "1.1.1.1", NULL), "1.1.1.1");
	assert_string_equal(peers_client(ctx, &trusted, address_of(ctx, "10.1.4.3"), "1.1.1.1", NULL), "10.1.4.3");
}

static void
expect_wrong(struct ctx *ctx, struct config config, const char *named)
{
	struct edge edge;

	assert_false(edge_open(ctx, &config, &edge));
	assert_non_null(strstr(ctx_failure(ctx)->message, named));
	fail_clear(ctx);
}

static void
wrong_settings_are_named(void **state)
{
	static const char *const networks[] = {"proxy.example.org", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129",
	    "/8"};
	static const char *const origins[] = {"dash.example.org", "https://", "https://a/", "HTTPS://a", "null",
	    "https://a b"};

	for (size_t i = 0; i < LENGTH_OF(networks); i++)
		expect_wrong(*state, (struct config){.trusted_proxies = networks[i]}, "LOADSTAR_TRUSTED_PROXIES");
	for (size_t i = 0; i < LENGTH_OF(origins); i++)
		expect_wrong(*state, (struct config){.cors_origins = origins[i]}, "LOADSTAR_CORS_ORIGINS");
	expect_wrong(*state, (struct config){.tls_key = "/dev/null"}, "LOADSTAR_TLS_CERT");
	expect_wrong(*state, (struct config){.tls_cert = "/dev/null"}, "LOADSTAR_TLS_KEY");
	expect_wrong(*state, (struct config){.tls_cert = "Makefile", .tls_key = "Makefile"}, "is not a PEM file");
	expect_wrong(*state, (struct config){.tls_cert = "/nowhere", .tls_key = "/nowhere"}, "/nowhere");
}

static void
origins_are_compared_whole(void **state)
{
	struct config config = {.cors_origins = "https://dash.example.org, http://localhost:3000"};
	struct edge edge;

	assert_true(edge_open(*state, &config, &edge));
	assert_true(edge_has_origins(&edge));
	assert_string_equal(edge_allow_origin(&edge, "http://localhost:3000"), "http://localhost:3000");
	assert_null(edge_allow_origin(&edge, "http://localhost:300"));
	assert_null(edge_allow_origin(&edge, "https://dash.example.org.evil"));
	assert_null(edge_allow_origin(&edge, "null"));
	assert_null(edge_allow_origin(&edge, NULL));
	config.cors_origins = "*";
	assert_true(edge_open(*state, &config, &edge));
	assert_string_equal(edge_allow_origin(&edge, "https://x"), "*");
	config.cors_origins = NULL;
	assert_true(edge_open(*state, &config, &edge));
	assert_false(edge_has_origins(&edge));
	assert_null(edge_allow_origin(&edge, "https://x"));
}

static void
writes_are_limited_by_subject(void **state)
{
	struct rates *rates = rates_new(*state, 2), *none = rates_new(*state, 0);
	int64_t now_us = 1000 * CLOCK_SECOND_US;

	for (int i = 0; i < 20; i++)
		assert_int_equal(rates_take(rates, "dana", now_us), 0);
	assert_int_equal(rates_take(rates, "dana", now_us), 1);
	assert_int_equal(rates_take(rates, "eve", now_us), 0); /* has a bucket of her own */
	now_us += CLOCK_SECOND_US / 2;
	assert_int_equal(rates_take(rates, "dana", now_us), 0);
	assert_int_equal(rates_take(rates, "dana", now_us), 1); /* a refusal costs nothing */
	now_us += 100 * CLOCK_SECOND_US;
	for (int i = 0; i < 20; i++)
		assert_int_equal(rates_take(rates, "dana", now_us), 0);
	assert_int_equal(rates_take(rates, "dana", now_us), 1);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(rates_take(none, "dana", now_us), 0);
}

/* Memory does not grow with the subjects; one that writes all the time keeps its bucket. */
static void
many_subjects_fit(void **state)
{
	struct rates *rates = rates_new(*state, 1);
	size_t before = ctx_size_bytes(*state);
	int64_t now_us = 1000 * CLOCK_SECOND_US;
	int allowed = 0;
	char subject[32];

	for (int i = 0; i < 50000; i++) {
		(void)snprintf(subject, sizeof(subject), "subject-%d", i);
		assert_int_equal(rates_take(rates, subject, now_us + i), 0);
		allowed += rates_take(rates, "wild", now_us + i) == 0 ? 1 : 0;
	}
	assert_int_equal(allowed, 10);
	assert_int_equal(ctx_size_bytes(*state), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_client_is_who_the_proxies_say, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_settings_are_named, start, stop),
	    cmocka_unit_test_setup_teardown(origins_are_compared_whole, start, stop),
	    cmocka_unit_test_setup_teardown(writes_are_limited_by_subject, start, stop),
	    cmocka_unit_test_setup_teardown(many_subjects_fit, start, stop),
	};

	return cmocka_run_group_tests_name("edge", tests, NULL, NULL);
}
