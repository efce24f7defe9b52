/* Symbols of the program go before those of libraries: the service's calls end here, and RTLD_NEXT is libpq. */
#include "tests/support/wire.h"

#include <dlfcn.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"

enum { ANSWER_MS = 60000 };

static const char refusal[] =
    "DO $$BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = 'serialization_failure'; END$$";

static _Thread_local const struct wire *current;

const struct wire *
wire_set(const struct wire *wire)
{
	const struct wire *was = current;

	current = wire;
	return was;
}

/* libpq's function of that name. POSIX lets an object pointer be one of a function; ISO C has no cast for it. */
#define REAL(name, pointer) \
	do { \
		void *symbol = dlsym(RTLD_NEXT, name); \
		ASSERT(symbol != NULL); \
		memcpy(&(pointer), &symbol, sizeof(symbol)); \
	} while (0)

static enum wire_fate
fate_of(PGconn *conn, const char *sql)
{
	const struct wire *wire = current;
	enum wire_fate fate;

	if (wire == NULL)
		return WIRE_PASS;
	fate = wire->fate(wire->arg, conn, sql);
	if (fate == WIRE_LOST)
		(void)shutdown(PQsocket(conn), SHUT_RDWR);
	return fate;
}

static int
after(PGconn *conn, enum wire_fate fate, int sent)
{
	struct pollfd answer = {.fd = PQsocket(conn), .events = POLLIN};

	if (fate != WIRE_UNHEARD && fate != WIRE_RACING)
		return sent;
	for (int i = 0; i < ANSWER_MS && PQflush(conn) > 0; i++)
		(void)poll(NULL, 0, 1);
	if (fate == WIRE_UNHEARD)
		(void)poll(&answer, 1, ANSWER_MS);
	(void)shutdown(answer.fd, SHUT_RDWR);
	return sent;
}

static int
refuse(PGconn *conn)
{
	int (*real)(PGconn *, const char *);

	REAL("PQsendQuery", real);
	return real(conn, refusal);
}

int
PQsendQuery(PGconn *conn, const char *query)
{
	enum wire_fate fate = fate_of(conn, query);
	int (*real)(PGconn *, const char *);

	if (fate == WIRE_REFUSED)
		return refuse(conn);
	REAL("PQsendQuery", real);
	return after(conn, fate, real(conn, query));
}

int
PQsendQueryParams(PGconn *conn, const char *command, int nParams, const Oid *paramTypes, const char *const *paramValues,
    const int *paramLengths, const int *paramFormats, int resultFormat)
{
	enum wire_fate fate = fate_of(conn, command);
	int (*real)(PGconn *, const char *, int, const Oid *, const char *const *, const int *, const int *, int);

	if (fate == WIRE_REFUSED)
		return refuse(conn);
	REAL("PQsendQueryParams", real);
	return after(conn, fate,
	    real(conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat));
}

int
PQsendQueryPrepared(PGconn *conn, const char *stmtName, int nParams, const char *const *paramValues,
    const int *paramLengths, const int *paramFormats, int resultFormat)
{
	enum wire_fate fate = fate_of(conn, stmtName);
	int (*real)(PGconn *, const char *, int, const char *const *, const int *, const int *, int);

	if (fate == WIRE_REFUSED)
		return refuse(conn);
	REAL("PQsendQueryPrepared", real);
	return after(conn, fate, real(conn, stmtName, nParams, paramValues, paramLengths, paramFormats, resultFormat));
}

int
PQputCopyEnd(PGconn *conn, const char *errormsg)
{
	enum wire_fate fate = fate_of(conn, NULL);
	int (*real)(PGconn *, const char *);

	REAL("PQputCopyEnd", real);
	return after(conn, fate, real(conn, errormsg));
}
