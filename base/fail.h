/*
 * fail: the first failure of a ctx.
 *
 * Functions that can fail return bool, must be checked, and end with `return fail(ctx, FAIL_X, "…")`, which is false.
 * The first failure sticks: later ones change nothing, so that the cause survives the clean-up. fail_table.def is the
 * one table of codes: code, outside name, HTTP status, class, retryable, title, hint.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include "base/ctx.h"

enum fail_class {
	FAIL_CLASS_TRANSIENT, /* the same again may work: networks, restarts, pools */
	FAIL_CLASS_CONFLICT,  /* somebody else was faster: again after a pause */
	FAIL_CLASS_DATA,      /* the rows are wrong: again only after they are mended */
	FAIL_CLASS_QUALITY,   /* an error check said no */
	FAIL_CLASS_PERMANENT, /* a person has to change something */
};

enum fail_code {
#define FAIL(code, name, http_status, class, retryable, title, hint) FAIL_##code,
#include "base/fail_table.def"
#undef FAIL
	FAIL_COUNT
};

struct fail_kind {
	const char *name; /* the `code` of error objects and problem documents */
	int http_status;
	enum fail_class class;
	bool retryable; /* a worker tries again by itself */
	const char *title;
	const char *hint; /* what to do; NULL where the message says it */
};

/* One wrong field of a request. */
struct fail_field {
	struct fail_field *next;
	const char *pointer; /* JSON pointer */
	const char *detail;
};

struct failure {
	enum fail_code code; /* FAIL_NONE: none yet */
	char message[1024];
	char sqlstate[6];          /* "" when no database spoke */
	int position;              /* in the statement, in characters from 1, where the database says one; else 0 */
	struct fail_field *fields; /* in the order they were found */
	struct fail_field **fields_end;
};

const struct fail_kind *fail_kind(enum fail_code code);
const char *fail_class_name(enum fail_class which);

/* By outside name; FAIL_INTERNAL when unknown. */
enum fail_code fail_code_find(const char *name);

/* Records the first failure. Always false. */
bool fail(struct ctx *ctx, enum fail_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As fail, with the database's SQLSTATE. */
bool fail_sql(struct ctx *ctx, enum fail_code code, const char *sqlstate, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Adds a wrong field to a FAIL_INVALID_REQUEST (which it records). Always false. ctx must outlive the report: the
 * request's own ctx, not a scope. */
bool fail_field(struct ctx *ctx, const char *pointer, const char *fmt, ...) PRINTF_LIKE(3, 4);

bool ctx_failed(struct ctx *ctx);

/* Forgets the failure: only where a caller has dealt with it (a retry, an expected miss). */
void fail_clear(struct ctx *ctx);

#endif
