#include "base/retry.h"

#include "base/crypto.h"

int64_t
retry_wait_ms(const struct retry_policy *policy, int64_t next_attempt)
{
	int64_t step_ms = policy->backoff_ms;
	unsigned char b[4];
	uint32_t random;

	for (int64_t n = 2; n < next_attempt && step_ms < policy->limit_ms; n++)
		step_ms *= 2;
	if (step_ms > policy->limit_ms)
		step_ms = policy->limit_ms;
	crypto_random(b, sizeof(b));
	random = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return step_ms / 2 + (int64_t)(random % (uint32_t)(step_ms / 2 + 1));
}

bool
retry_again(const struct retry_policy *policy, enum fail_code code, int64_t made)
{
	return fail_kind(code)->retryable && made < policy->attempts;
}
