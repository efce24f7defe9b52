/*
 * pg: one PostgreSQL session, as the control-database and the warehouse rooms use it.
 *
 * A session belongs to the ctx it was opened in (closed when the ctx dies) and to one thread. Every wait looks at the
 * ctx's cancel flag at least every 100 ms; a cancelled wait closes the session and fails with FAIL_CANCELLED,
 * FAIL_STEP_DEADLINE, FAIL_FENCED or FAIL_HANDED_BACK by the flag's reason. Failures are classed by SQLSTATE in one table
 * (pg_fail.c). Texts in failures never hold a password: they name the place (secret_url_place) and the server's message.
 * Values are text format; times are ISO with time zone UTC (DateStyle ISO, TimeZone as asked, extra_float_digits 1,
 * IntervalStyle iso_8601 are set on every session).
 */
#ifndef SQL_PG_H
#define SQL_PG_H

#include "base/ctx.h"
#include "base/secret.h"

struct pg;

struct pg_options {
	const char *what;             /* for error texts: "control database", "warehouse", "source rds" */
	const char *application_name; /* ≤ 63 bytes; NULL: "loadstar" */
	const char *time_zone;        /* NULL: UTC */
	int64_t statement_timeout_ms; /* 0: none */
	int64_t lock_timeout_ms;
	int64_t idle_in_transaction_timeout_ms;
	bool read_only; /* sources: default_transaction_read_only */
};

/* Connects within 5 s an address, sets the session up (also client_connection_check_interval = 1s). */
bool pg_open(struct ctx *ctx, const struct secret *url, const struct pg_options *options, struct pg **pg) MUST_CHECK;

/* Closes before the ctx dies. Idempotent. */
void pg_close(struct pg *pg);
bool pg_is_open(const struct pg *pg); /* false once a failure broke or closed it */

/* A result. Memory lives as long as the ctx of the call. */
struct pg_rows {
	void *result; /* libpq's; read through the functions below */
	int count;
	int columns;
	int64_t affected; /* rows of the command tag */
};
const char *pg_value(const struct pg_rows *rows, int row, int column); /* NULL for NULL */
int64_t pg_i64(const struct pg_rows *rows, int row, int column);       /* ASSERTs a number; 0 for NULL */
bool pg_bool(const struct pg_rows *rows, int row, int column);
int64_t pg_time_us(const struct pg_rows *rows, int row, int column); /* 0 for NULL */
const char *pg_column_name(const struct pg_rows *rows, int column);

/* One statement with text parameters ($1…; NULL is NULL). rows may be NULL. */
struct pg_params {
	const char *const *values;
	int count;
};
#define PG_PARAMS(...) \
	((struct pg_params){(const char *const[]){__VA_ARGS__}, \
	    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))})
#define PG_NO_PARAMS ((struct pg_params){NULL, 0})
bool pg_query(struct ctx *ctx, struct pg *pg, const char *sql, struct pg_params params,
    struct pg_rows *rows) MUST_CHECK;

/* A prepared statement by name, prepared on first use in this session. */
bool pg_query_prepared(struct ctx *ctx, struct pg *pg, const char *name, const char *sql, struct pg_params params,
    struct pg_rows *rows) MUST_CHECK;

/* Several statements without parameters or results, one simple query. */
bool pg_run(struct ctx *ctx, struct pg *pg, const char *sql) MUST_CHECK;

/* Transactions. pg_commit: when the answer is lost the failure is FAIL_COMMIT_UNKNOWN, never anything else. pg_rollback
 * ignores a broken session (the server rolls back by itself) and keeps the recorded failure. */
bool pg_begin(struct ctx *ctx, struct pg *pg) MUST_CHECK;
bool pg_commit(struct ctx *ctx, struct pg *pg) MUST_CHECK;
void pg_rollback(struct pg *pg);

/* For failpoints: sends COMMIT and loses the session at once. Always FAIL_COMMIT_UNKNOWN, as pg_commit would say. */
bool pg_commit_and_drop(struct ctx *ctx, struct pg *pg) MUST_CHECK;

/* Column names and types of a SELECT, without running it. Types as format_type() spells them. */
struct pg_column {
	const char *name;
	const char *type;
	unsigned oid;
};
bool pg_describe(struct ctx *ctx, struct pg *pg, const char *sql, struct pg_column **columns, int *count) MUST_CHECK;

/* Streams COPY … TO STDOUT of one session into COPY … FROM STDIN of another in 64 KiB pieces, unread. rows: as the
 * target's command tag says. On failure the target's COPY is ended (its transaction fails). */
struct pg_copied {
	int64_t rows;
	int64_t bytes;
};
bool pg_copy(struct ctx *ctx, struct pg *from, const char *copy_to, struct pg *to, const char *copy_from,
    struct pg_copied *copied) MUST_CHECK;

/* COPY … FROM STDIN with bytes of our own making (tests, generated rows). */
bool pg_copy_text(struct ctx *ctx, struct pg *to, const char *copy_from, const char *bytes, size_t length) MUST_CHECK;

/* COPY … FROM STDIN with bytes that somebody makes. `read` gives what is there, or waits for at most 100 ms and gives nothing; when it
 * says `ended`, everything was well. It is not called while the target still holds bytes. On failure (its own, or of the target, or a
 * cancel) the target's COPY is ended, and its transaction fails. */
struct pg_fed {
	size_t length;
	bool ended;
};
struct pg_feed {
	bool (*read)(struct ctx *ctx, void *arg, char *bytes, size_t room, struct pg_fed *fed);
	void *arg;
	const char *what; /* for the target's log */
};
bool pg_copy_from(struct ctx *ctx, struct pg *to, const char *copy_from, const struct pg_feed *feed,
    struct pg_copied *copied) MUST_CHECK;

/* LISTEN: true when a notification arrived within timeout_ms; drains them all. */
bool pg_wait_notify(struct ctx *ctx, struct pg *pg, int64_t timeout_ms, bool *notified) MUST_CHECK;

/* Backend pid of the session. */
int pg_backend_pid(const struct pg *pg);

/* "name" with quotes doubled; 'text' with quotes doubled (standard_conforming_strings is on). NUL cannot occur. */
char *pg_identifier(struct ctx *ctx, const char *name);
char *pg_literal(struct ctx *ctx, const char *text);

/* An array parameter: {"a","b"} with escapes; a NULL item is NULL. */
char *pg_text_array(struct ctx *ctx, const char *const *items, size_t count);

#endif
