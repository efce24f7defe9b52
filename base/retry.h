/* retry: how long to wait before the next attempt. Full jitter over an exponential backoff (AWS Architecture Blog,
 * "Exponential Backoff And Jitter"), with a floor of half the step so that a retry is never at once. */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include "base/ctx.h"
#include "base/fail.h"

struct retry_policy {
	int64_t attempts;   /* executions in all, ≥ 1 */
	int64_t backoff_ms; /* of the first wait; doubles */
	int64_t limit_ms;   /* of one wait */
};

/* Milliseconds before attempt number next_attempt (2, 3, …). */
int64_t retry_wait_ms(const struct retry_policy *policy, int64_t next_attempt);

/* True when the failure is worth another attempt and the policy has one left after `made` executions. */
bool retry_again(const struct retry_policy *policy, enum fail_code code, int64_t made);

#endif
