/*
 * rate: how many writes a subject may ask of this replica: a token bucket each, in memory of fixed size.
 *
 * A bucket holds ten seconds' worth of writes and fills at the rate; a program that went wild is slowed down, a person with a
 * loop over months is not. Any thread.
 */
#ifndef HANDLERS_RATE_H
#define HANDLERS_RATE_H

#include "base/ctx.h"

struct rates;

/* per_second 0: no limit. Lives in ctx. */
struct rates *rates_new(struct ctx *ctx, int64_t per_second);

/* Takes one write of the subject at this monotonic time. 0: it may; else the seconds until it may again. */
int64_t rates_take(struct rates *rates, const char *subject, int64_t now_us);

#endif
