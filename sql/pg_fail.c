#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/pg_internal.h"

/* The first prefix that fits counts. https://www.postgresql.org/docs/15/errcodes-appendix.html */
static const struct {
	const char *prefix;
	enum fail_code code;
} classes[] = {
    {"08", FAIL_CONNECTION_LOST},
    {"57P01", FAIL_CONNECTION_LOST}, /* admin_shutdown, pg_terminate_backend too */
    {"57P02", FAIL_CONNECTION_LOST}, /* crash_shutdown */
    {"57P03", FAIL_CONNECTION_LOST}, /* cannot_connect_now */
    {"57P05", FAIL_CONNECTION_LOST}, /* idle_session_timeout */
    {"25P03", FAIL_CONNECTION_LOST}, /* idle_in_transaction_session_timeout */
    {"40003", FAIL_CONNECTION_LOST}, /* statement_completion_unknown */
    {"53100", FAIL_DISK_FULL},
    {"53", FAIL_SQL_RESOURCES},
    {"40001", FAIL_SQL_CONFLICT}, /* serialization_failure */
    {"40P01", FAIL_SQL_CONFLICT}, /* deadlock_detected */
    {"55P03", FAIL_LOCK_TIMEOUT},
    {"57014", FAIL_STATEMENT_TIMEOUT},
    {"22", FAIL_SQL_DATA},
    {"23", FAIL_SQL_DATA},
};

enum fail_code
pg_fail_code(const char *sqlstate, const char *message)
{
	for (size_t i = 0; i < LENGTH_OF(classes); i++)
		if (text_starts_with(sqlstate, classes[i].prefix))
			return classes[i].code;
	/* Redshift's "1023 … Serializable isolation violation" has no SQLSTATE of its own. */
	if (strcmp(sqlstate, "XX000") == 0 && strstr(message, "1023") != NULL)
		return FAIL_SQL_CONFLICT;
	return FAIL_SQL_ERROR;
}

/* The first line, valid UTF-8, without the password: libpq's own texts may quote parts of a URL. */
char *
pg_clean(struct ctx *ctx, const struct secret *password, const char *message)
{
	char *line = text_sanitize(ctx, message);
	const char *hidden = secret_is_set(password) ? secret_reveal(password) : NULL;
	const char *at, *from;
	struct text out;

	line[strcspn(line, "\n")] = '\0';
	if (hidden == NULL)
		return line;
	text_init(&out, ctx);
	for (from = line; (at = strstr(from, hidden)) != NULL; from = at + strlen(hidden)) {
		text_add_bytes(&out, from, (size_t)(at - from));
		text_add(&out, "***");
	}
	text_add(&out, from);
	return out.data;
}

/* ", COPY t, line 5, column c" of a context line, without the value that may follow: it may be
 * somebody's secret. */
static char *
copy_position(struct ctx *ctx, const PGresult *result)
{
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
	const char *end;

	if (context == NULL || !text_starts_with(context, "COPY "))
		return ctx_strdup(ctx, "");
	end = strstr(context, ": \"");
	return ctx_printf(ctx, " (%.*s)", (int)(end != NULL ? (size_t)(end - context) : strcspn(context, ":\n")),
	    context);
}

static const char *
severity_of(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity != NULL ? severity : PQresultErrorField(result, PG_DIAG_SEVERITY);
}

static bool
is_fatal(const PGresult *result)
{
	return text_equal(severity_of(result), "FATAL") || text_equal(severity_of(result), "PANIC");
}

/* The first quote that is no name's: column "c", encoding "UTF8". NULL: none. */
static const char *
find_value(const char *message)
{
	static const char *const names[] = {"column ", "encoding "};
	const char *quote = strchr(message, '"');

	while (quote != NULL) {
		bool named = false;

		for (size_t i = 0; i < LENGTH_OF(names); i++) {
			size_t length = strlen(names[i]);

			named = named ||
				((size_t)(quote - message) >= length && strncmp(quote - length, names[i], length) == 0);
		}
		if (!named)
			return quote;
		quote = strchr(quote + 1, '"');
		quote = quote != NULL ? strchr(quote + 1, '"') : NULL;
	}
	return NULL;
}

char *
pg_hide_value(struct ctx *ctx, const char *message)
{
	const char *from = find_value(message), *to = strrchr(message, '"');

	if (from == NULL)
		return ctx_strdup(ctx, message);
	return ctx_printf(ctx, "%.*s\"***\"%s", (int)(from - message), message, to > from ? to + 1 : "");
}

/* What the server says. A data exception (class 22) quotes the value that does not fit, but errors are told to more people than rows
 * are: to all who may look at runs, in notices, in the service log. Where it speaks another language it quotes otherwise, too. */
static const char *
message_of(struct ctx *ctx, const PGresult *result, const char *sqlstate)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (message == NULL)
		return PQresultErrorMessage(result);
	if (sqlstate == NULL || !text_starts_with(sqlstate, "22"))
		return message;
	if (!text_equal(severity_of(result), PQresultErrorField(result, PG_DIAG_SEVERITY)))
		return "a value does not fit";
	return pg_hide_value(ctx, message);
}

bool
pg_fail_result(struct ctx *ctx, struct pg *pg, const PGresult *result)
{
	CTX_SCOPE(tmp, ctx);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = message_of(tmp, result, sqlstate);
	const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	bool first = !ctx_failed(ctx), lost;
	enum fail_code code;
	int64_t at = 0;

	if (sqlstate == NULL) {
		sqlstate = "";
		code = pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK ? FAIL_CONNECTION_LOST : FAIL_SQL_ERROR;
	} else {
		code = pg_fail_code(sqlstate, message);
	}
	lost = code == FAIL_CONNECTION_LOST || is_fatal(result);
	if (lost && pg->committing)
		code = FAIL_COMMIT_UNKNOWN;
	(void)fail_sql(ctx, code, sqlstate, "%s at %s: %s%s", pg->what, pg->place,
	    pg_clean(tmp, &pg->password, message), copy_position(tmp, result));
	if (first && position != NULL && text_to_i64(position, &at))
		ctx_failure(ctx)->position = (int)at;
	if (lost)
		pg_close(pg);
	return false;
}

static bool
lose(struct ctx *ctx, struct pg *pg, const char *why)
{
	(void)fail(ctx, pg->committing ? FAIL_COMMIT_UNKNOWN : FAIL_CONNECTION_LOST, "%s at %s: %s", pg->what,
	    pg->place, why);
	pg_close(pg);
	return false;
}

bool
pg_fail_lost(struct ctx *ctx, struct pg *pg)
{
	CTX_SCOPE(tmp, ctx);
	const char *message = pg_clean(tmp, &pg->password, PQerrorMessage(pg->conn));

	return lose(ctx, pg, *message != '\0' ? message : "the connection broke");
}

bool
pg_fail_silent(struct ctx *ctx, struct pg *pg)
{
	return lose(ctx, pg, "the server does not answer, nor does its statement timeout");
}

bool
pg_fail_closed(struct ctx *ctx, struct pg *pg)
{
	return fail(ctx, FAIL_CONNECTION_LOST, "%s at %s: the session is closed", pg->what, pg->place);
}

bool
pg_fail_reason(struct ctx *ctx, enum cancel_reason reason, const char *what)
{
	switch (reason) {
	case CANCEL_DEADLINE: return fail(ctx, FAIL_STEP_DEADLINE, "%s: the time is over", what);
	case CANCEL_SUPERSEDED: return fail(ctx, FAIL_FENCED, "%s: another attempt owns the work", what);
	case CANCEL_SHUTDOWN: return fail(ctx, FAIL_HANDED_BACK, "%s: the process is ending", what);
	case CANCEL_REQUESTED:
	case CANCEL_NONE: break;
	}
	return fail(ctx, FAIL_CANCELLED, "%s: cancelled", what);
}

bool
pg_fail_cancelled(struct ctx *ctx, struct pg *pg)
{
	if (pg->committing)
		(void)fail(ctx, FAIL_COMMIT_UNKNOWN, "%s at %s: cancelled while it committed", pg->what, pg->place);
	(void)pg_fail_reason(ctx, ctx_cancelled(ctx), pg->what);
	pg_close(pg);
	return false;
}
