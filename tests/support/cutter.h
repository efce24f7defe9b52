/*
 * cutter: a socket between a client and the test's PostgreSQL that breaks one session around its COMMIT.
 *
 * The first COMMIT that passes is cut, before the server has seen it or after it has answered; everything else, before and after, is
 * relayed. One thread, until cutter_stop.
 */
#ifndef TESTS_SUPPORT_CUTTER_H
#define TESTS_SUPPORT_CUTTER_H

#include "base/ctx.h"

struct cutter;

enum cut { CUT_BEFORE_SERVER, CUT_AFTER_SERVER };

struct cutter *cutter_start(struct ctx *ctx, enum cut cut);
/* URL of a database by way of the cutter. */
char *cutter_url(struct ctx *ctx, const struct cutter *cutter, const char *database);
/* True when a COMMIT was cut. */
bool cutter_stop(struct cutter *cutter);

#endif
