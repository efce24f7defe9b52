/*
 * pg_internal: what the files of the libpq room share. Nobody else includes this, the pool
 * excepted.
 *
 * DESIGN. Sockets are non-blocking and nothing of libpq that blocks is called: every wait is a
 * poll() of at most PG_TICK_MS, after which the ctx's cancel flag is looked at. There is one way
 * out of a broken or cancelled session: it is closed (conn is NULL from then on) and the failure
 * says why. What such an end means while a COMMIT is under way is decided in one place, by
 * `committing`.
 */
#ifndef SQL_PG_INTERNAL_H
#define SQL_PG_INTERNAL_H

#include <libpq-fe.h>
#include <poll.h>

#include "sql/pg.h"

enum { PG_TICK_MS = 100, PG_NEVER = -1 };

struct pg_prepared {
	struct pg_prepared *next;
	const char *name;
};

struct pg {
	struct ctx *owner; /* the ctx it was opened in */
	PGconn *conn;      /* NULL: closed */
	const char *what;  /* for error texts */
	const char *place;
	struct secret password;       /* to keep it out of texts */
	struct pg_prepared *prepared; /* names known to this session */
	int64_t notices;              /* received so far */
	int pid;
	int64_t answer_limit_us; /* a server silent for longer is lost; 0: none */
	bool committing;         /* a COMMIT was sent and has no answer yet */
};

/* pg_fail.c: all return false, but pg_fail_code. */
enum fail_code pg_fail_code(const char *sqlstate, const char *message);
char *pg_clean(struct ctx *ctx, const struct secret *password, const char *message);
/* The message of a data exception with *** for the value it quotes: everything from its first quote to the last. */
char *pg_hide_value(struct ctx *ctx, const char *message);
bool pg_fail_result(struct ctx *ctx, struct pg *pg, const PGresult *result);
bool pg_fail_lost(struct ctx *ctx, struct pg *pg);      /* by libpq's own words; closes */
bool pg_fail_silent(struct ctx *ctx, struct pg *pg);    /* no answer in time; closes */
bool pg_fail_closed(struct ctx *ctx, struct pg *pg);    /* a call on a closed session */
bool pg_fail_cancelled(struct ctx *ctx, struct pg *pg); /* by the flag's reason; closes */
bool pg_fail_reason(struct ctx *ctx, enum cancel_reason reason, const char *what);

/* pg_wait.c */

/* Waits until the socket is ready or deadline_us (monotonic, PG_NEVER: none) has passed; ready may
 * be NULL. False when the ctx was cancelled (the session is closed then). */
bool pg_wait_socket(struct ctx *ctx, struct pg *pg, short events, int64_t deadline_us, bool *ready) MUST_CHECK;

/* Sends what libpq still holds, reading meanwhile. */
bool pg_flush(struct ctx *ctx, struct pg *pg) MUST_CHECK;

/* The next result, owned by the ctx; NULL after the last. False when the session is lost. */
bool pg_next(struct ctx *ctx, struct pg *pg, PGresult **result) MUST_CHECK;

/* Reads every result of what was sent. *last is the last one; the first error is the failure. */
bool pg_finish(struct ctx *ctx, struct pg *pg, PGresult **last) MUST_CHECK;

/* After a failure: reads what is left, so that the session can be used again. Always false. */
bool pg_drain(struct ctx *ctx, struct pg *pg);

/* Sends a COPY statement and waits until it is in the COPY state wanted (PGRES_COPY_IN,
 * PGRES_COPY_OUT). */
bool pg_enter_copy(struct ctx *ctx, struct pg *pg, const char *sql, ExecStatusType want) MUST_CHECK;

/* pg.c: before anything is sent: the session is open and nobody has asked for the end. */
bool pg_may_send(struct ctx *ctx, struct pg *pg) MUST_CHECK;

/* True when the session is open, in no transaction, and its server has not hung up meanwhile. For
 * the pool. */
bool pg_is_idle(struct pg *pg);

#endif
