#include "base/uuid.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/crypto.h"

/* RFC 9562 method 1: a counter in rand_a that restarts at random in each new millisecond. */
static uint64_t
next_stamp(void)
{
	static _Thread_local uint64_t last; /* ms << 12 | counter */
	uint64_t now = (uint64_t)(clock_now_us() / 1000) << 12;
	unsigned char start[2];

	if (now >> 12 > last >> 12) {
		crypto_random(start, sizeof(start));
		last = now | (uint64_t)((start[0] << 8 | start[1]) & 0x3ff);
	} else {
		last++;
	}
	return last;
}

char *
uuid_make(struct ctx *ctx)
{
	uint64_t stamp = next_stamp(), ms = stamp >> 12;
	unsigned char b[16];

	crypto_random(b, sizeof(b));
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | (stamp >> 8 & 0x0f));
	b[7] = (unsigned char)stamp;
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	return ctx_printf(ctx, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
	    b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

bool
uuid_is_valid(const char *s)
{
	if (strlen(s) != UUID_TEXT_LENGTH)
		return false;
	for (int i = 0; i < UUID_TEXT_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : strchr("0123456789abcdef", s[i]) == NULL)
			return false;
	}
	return true;
}
