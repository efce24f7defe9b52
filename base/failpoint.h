/*
 * failpoint: places where a test makes the process fail.
 *
 * LOADSTAR_FAILPOINTS=name=action,… with the actions exit (at once, status 86), error (a retryable failure), sleep:500ms, drop (where
 * the caller loses a session on purpose); 1in20:action acts once in 20 times, at random. Compiled to nothing unless the build has
 * FAILPOINTS=1. Loaded once, before threads; read by any.
 *
 *   after_open     the slice is registered             before_commit  all is written, COMMIT comes next
 *   after_stage    the rows are staged and checked     lose_commit    (drop) the session breaks once COMMIT was sent
 *   after_revoke   a higher registration is in place   after_commit   committed, nobody has been told
 *   notice_claimed a notice is leased, and not sent    notice_sent    it was sent, nobody has written that down
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/config.h"

/* FAIL_CONFIG_INVALID for a text that cannot be read, or when the build has no failpoints. */
bool failpoint_load(struct ctx *ctx, const struct config *config) MUST_CHECK;

#ifdef LOADSTAR_FAILPOINTS
/* False when the point failed on purpose. */
bool failpoint(struct ctx *ctx, const char *name) MUST_CHECK;

/* True when the point says drop. */
bool failpoint_drops(const char *name);
#else
static inline MUST_CHECK bool
failpoint(struct ctx *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

static inline bool
failpoint_drops(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif
