#include "base/uuid.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/crypto.h"

/* Drawn by the hundred: one by one they cost more than the rest. Good for names, not for secrets. */
static void
take_random(unsigned char *bytes, size_t length)
{
	static _Thread_local unsigned char drawn[512];
	static _Thread_local size_t left;

	if (left < length) {
		crypto_random(drawn, sizeof(drawn));
		left = sizeof(drawn);
	}
	left -= length;
	memcpy(bytes, drawn + left, length);
}

/* RFC 9562 method 1: a counter in rand_a that restarts at random in each new millisecond. */
static uint64_t
next_stamp(void)
{
	static _Thread_local uint64_t last; /* ms << 12 | counter */
	uint64_t now = (uint64_t)(clock_now_us() / 1000) << 12;
	unsigned char start[2];

	if (now >> 12 > last >> 12) {
		take_random(start, sizeof(start));
		last = now | (uint64_t)((start[0] << 8 | start[1]) & 0x3ff);
	} else {
		last++;
	}
	return last;
}

static char *
make_text(struct ctx *ctx, const unsigned char bytes[16])
{
	static const char digits[] = "0123456789abcdef";
	char *text = ctx_alloc(ctx, UUID_TEXT_LENGTH + 1), *s = text;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*s++ = '-';
		*s++ = digits[bytes[i] >> 4];
		*s++ = digits[bytes[i] & 15];
	}
	return text;
}

char *
uuid_make(struct ctx *ctx)
{
	uint64_t stamp = next_stamp(), ms = stamp >> 12;
	unsigned char b[16];

	take_random(b, sizeof(b));
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | (stamp >> 8 & 0x0f));
	b[7] = (unsigned char)stamp;
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	return make_text(ctx, b);
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
