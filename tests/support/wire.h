/*
 * wire: what a test does to statements on their way to a server: they pass, are lost, are answered to nobody, or are refused.
 *
 * The functions by which libpq sends a statement are ours here, and pass on to libpq's. Nothing happens to a thread without a wire.
 * The service is not built differently for this, and n statements after a start are the same n in every run.
 */
#ifndef TESTS_SUPPORT_WIRE_H
#define TESTS_SUPPORT_WIRE_H

#include <stdbool.h>

#include <libpq-fe.h>

enum wire_fate {
	WIRE_PASS,
	WIRE_LOST,    /* the session breaks before the server has seen the statement */
	WIRE_UNHEARD, /* the server has done it, and the session breaks before its answer is read */
	WIRE_RACING,  /* the session breaks while the server may still be doing it */
	WIRE_REFUSED, /* the server answers with a failure for which one tries again */
};

/* Asked for each statement of this thread; sql is NULL for the end of a COPY's rows, and the name for a prepared statement. */
struct wire {
	enum wire_fate (*fate)(void *arg, PGconn *conn, const char *sql);
	void *arg;
};

/* What is in force from now on; returns what was. NULL: nothing. */
const struct wire *wire_set(const struct wire *wire);

#endif
