/* How a session begins and ends. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "sql/pg_internal.h"

enum {
	CONNECT_TIMEOUT_US = 5 * 1000 * 1000,
	APPLICATION_NAME_BYTES = 63,
	VERSION_OLDEST = 90600, /* what answers less is Redshift: it says 8.0.2 */
	VERSION_CONNECTION_CHECK = 140000,
	ANSWER_GRACE_MS = 2000
};

void
pg_close(struct pg *pg)
{
	PGconn *conn = pg->conn;

	pg->conn = NULL;
	pg->prepared = NULL;
	pg->committing = false;
	if (conn != NULL)
		PQfinish(conn);
}

static void
release_session(void *handle)
{
	pg_close(handle);
}

bool
pg_is_open(const struct pg *pg)
{
	return pg->conn != NULL;
}

int
pg_backend_pid(const struct pg *pg)
{
	return pg->pid;
}

bool
pg_is_idle(struct pg *pg)
{
	struct pollfd fd = {.events = POLLIN};

	if (pg->conn == NULL || PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		return false;
	fd.fd = PQsocket(pg->conn);
	while (fd.fd >= 0 && poll(&fd, 1, 0) > 0) /* last words first, then the end */
		if (PQconsumeInput(pg->conn) == 0)
			return false;
	return PQstatus(pg->conn) == CONNECTION_OK;
}

static void
on_notice(void *arg, const char *message)
{
	struct pg *pg = arg;
	struct ctx *tmp = ctx_new("notice", 0);

	pg->notices++;
	log_line(NULL, LOG_DEBUG, "notice", "from", pg->what, "text", pg_clean(tmp, &pg->password, message), NULL);
	ctx_free(tmp);
}

static void
release_options(void *handle)
{
	PQconninfoFree(handle);
}

static const char *
option_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

/* Finds the password, and refuses a URL that libpq would read otherwise than it was meant: a
 * password with a bare @, / or ? would end up in the host, and from there in error texts. Nothing
 * of the URL may be quoted here. */
static bool
read_url(struct ctx *ctx, const struct secret *url, struct pg *pg)
{
	char *message = NULL;
	const char *value, *user;
	PQconninfoOption *options;

	if (!secret_is_set(url))
		return fail(ctx, FAIL_DATABASE_UNREACHABLE, "%s: no URL is set", pg->what);
	options = PQconninfoParse(secret_reveal(url), &message);
	PQfreemem(message);
	if (options != NULL)
		ctx_defer(ctx, release_options, options);
	if (options == NULL || !secret_url_is_sound(url))
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "%s: the URL cannot be read; write @ / ? # : and %% in a password as %%40 %%2F %%3F %%23 %%3A %%25",
		    pg->what);
	value = option_value(options, "password");
	user = option_value(options, "user");
	/* A password that is no secret (postgres:postgres) would only garble the texts. */
	if (value != NULL && !text_equal(value, user) && !text_equal(value, option_value(options, "dbname")))
		pg->password = secret_make(pg->owner, value);
	return true;
}

/* Before "dbname": our defaults, which the URL may change. After it: what is ours to say. A
 * tcp_user_timeout also ends connections whose peer takes no data for a while, as the target of a
 * COPY may: it must not be short. */
static PGconn *
start(const struct secret *url, const char *application_name)
{
	const char *const pairs[][2] = {
	    {"keepalives", "1"},
	    {"keepalives_idle", "30"},
	    {"keepalives_interval", "10"},
	    {"keepalives_count", "3"},
	    {"tcp_user_timeout", "120000"},
	    {"gssencmode", "disable"},
	    {"dbname", secret_reveal(url)},
	    {"application_name", application_name},
	    {"client_encoding", "UTF8"},
	    {NULL, NULL},
	};
	const char *keywords[LENGTH_OF(pairs)], *values[LENGTH_OF(pairs)];

	for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
		keywords[i] = pairs[i][0];
		values[i] = pairs[i][1];
	}
	return PQconnectStartParams(keywords, values, 1);
}

static bool
fail_unreachable(struct ctx *ctx, struct pg *pg, const char *message)
{
	CTX_SCOPE(tmp, ctx);

	(void)fail(ctx, FAIL_DATABASE_UNREACHABLE, "%s at %s cannot be reached: %s", pg->what, pg->place,
	    pg_clean(tmp, &pg->password, message));
	pg_close(pg);
	return false;
}

static bool
connect_loop(struct ctx *ctx, struct pg *pg)
{
	int64_t deadline_us = clock_monotonic_us() + CONNECT_TIMEOUT_US;
	short events = POLLOUT;
	bool ready = false;

	if (PQstatus(pg->conn) == CONNECTION_BAD)
		return fail_unreachable(ctx, pg, PQerrorMessage(pg->conn));
	for (;;) {
		if (!pg_wait_socket(ctx, pg, events, deadline_us, &ready))
			return false;
		if (!ready)
			return fail_unreachable(ctx, pg, "no answer within 5 s");
		switch (PQconnectPoll(pg->conn)) {
		case PGRES_POLLING_OK: return true;
		case PGRES_POLLING_READING: events = POLLIN; break;
		case PGRES_POLLING_WRITING: events = POLLOUT; break;
		default: return fail_unreachable(ctx, pg, PQerrorMessage(pg->conn));
		}
	}
}

/* One round trip. Always all of them, so that a role's or a database's defaults do not surprise. */
static char *
settings(struct ctx *ctx, const struct pg_options *options, int version)
{
	const char *zone = options->time_zone != NULL ? options->time_zone : "UTC";
	struct text sql;

	text_init(&sql, ctx);
	text_addf(&sql,
	    "SET DateStyle = 'ISO, YMD'; SET TimeZone = %s; SET extra_float_digits = 1; "
	    "SET statement_timeout = %lld",
	    pg_literal(ctx, zone), (long long)options->statement_timeout_ms);
	if (version < VERSION_OLDEST)
		return sql.data; /* Redshift refuses what follows */
	text_addf(&sql,
	    "; SET IntervalStyle = iso_8601; SET standard_conforming_strings = on; SET lock_timeout = %lld; "
	    "SET idle_in_transaction_session_timeout = %lld; SET default_transaction_read_only = %s",
	    (long long)options->lock_timeout_ms, (long long)options->idle_in_transaction_timeout_ms,
	    options->read_only ? "on" : "off");
	if (version >= VERSION_CONNECTION_CHECK)
		text_add(&sql, "; SET client_connection_check_interval = '1s'");
	return sql.data;
}

static bool
open_session(struct ctx *ctx, const struct secret *url, const struct pg_options *options, struct pg *pg)
{
	const char *name = options->application_name != NULL ? options->application_name : "loadstar";

	if (!read_url(ctx, url, pg))
		return false;
	pg->conn = start(url, ctx_strndup(ctx, name, strnlen(name, APPLICATION_NAME_BYTES)));
	ASSERT(pg->conn != NULL);
	(void)PQsetNoticeProcessor(pg->conn, on_notice, pg);
	if (!connect_loop(ctx, pg))
		return false;
	pg->pid = PQbackendPID(pg->conn);
	if (PQsetnonblocking(pg->conn, 1) != 0)
		return pg_fail_lost(ctx, pg);
	if (pg_run(ctx, pg, settings(ctx, options, PQserverVersion(pg->conn))))
		return true;
	pg_close(pg);
	return false;
}

bool
pg_open(struct ctx *ctx, const struct secret *url, const struct pg_options *options, struct pg **pg)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *session = ctx_alloc(ctx, sizeof(*session));

	session->owner = ctx;
	session->what = ctx_strdup(ctx, options->what != NULL ? options->what : "database");
	session->place = secret_url_place(ctx, url);
	if (options->statement_timeout_ms > 0)
		session->answer_limit_us = (options->statement_timeout_ms + ANSWER_GRACE_MS) * 1000;
	*pg = session;
	ctx_defer(ctx, release_session, session);
	return open_session(tmp, url, options, session);
}
