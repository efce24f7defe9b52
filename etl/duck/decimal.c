/* decimal: numbers as digits, for what must not pass through a double. */
#include <string.h>

#include "etl/duck/value.h"

enum { LARGEST_EXPONENT = 2000 };

struct mantissa {
	const char *at, *end;
	bool point; /* seen */
	int digits; /* any, zeros too */
};

/* Digits before and after the point; zeros in front count only towards the place of the point. */
static bool
take_mantissa(struct mantissa *mantissa, struct decimal *decimal)
{
	for (; mantissa->at < mantissa->end; mantissa->at++) {
		char c = *mantissa->at;

		if (c == '.' && !mantissa->point) {
			mantissa->point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		mantissa->digits++;
		decimal->scale += mantissa->point;
		if (c == '0' && decimal->count == 0) {
			decimal->point -= mantissa->point;
			continue;
		}
		if (decimal->count == DECIMAL_DIGITS)
			return false;
		decimal->digits[decimal->count++] = (char)(c - '0');
		decimal->point += !mantissa->point;
	}
	return mantissa->digits > 0;
}

static bool
take_exponent(const char **at, const char *end, int *exponent)
{
	bool negative = false;
	const char *first;

	*exponent = 0;
	if (*at == end)
		return true;
	if (**at != 'e' && **at != 'E')
		return false;
	(*at)++;
	if (*at < end && (**at == '+' || **at == '-'))
		negative = *(*at)++ == '-';
	for (first = *at; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		*exponent = *exponent * 10 + (**at - '0');
		if (*exponent > LARGEST_EXPONENT)
			return false;
	}
	if (negative)
		*exponent = -*exponent;
	return *at > first && *at == end;
}

bool
decimal_parse(const char *text, size_t length, struct decimal *decimal)
{
	struct mantissa mantissa = {.at = text, .end = text + length};
	int exponent;

	decimal->negative = length > 0 && *text == '-';
	decimal->count = decimal->point = decimal->scale = 0;
	if (length > 0 && (*text == '-' || *text == '+'))
		mantissa.at++;
	if (!take_mantissa(&mantissa, decimal) || !take_exponent(&mantissa.at, mantissa.end, &exponent))
		return false;
	decimal->point += exponent;
	decimal->scale = decimal->scale > exponent ? decimal->scale - exponent : 0;
	if (decimal->count == 0)
		decimal->point = 0;
	return true;
}

bool
decimal_to_scaled(const struct decimal *decimal, int precision, int scale, __int128 *scaled)
{
	int keep = decimal->point + scale; /* digits of the result, before rounding */
	__int128 value = 0, limit = 1;

	*scaled = 0;
	if (decimal->count == 0 || keep < 0)
		return true;
	if (keep > precision)
		return false;
	for (int i = 0; i < keep; i++)
		value = value * 10 + (i < decimal->count ? decimal->digits[i] : 0);
	if (keep < decimal->count && decimal->digits[keep] >= 5)
		value++;
	for (int i = 0; i < precision; i++)
		limit *= 10;
	*scaled = decimal->negative ? -value : value;
	return value < limit;
}

void
decimal_from_scaled(__int128 scaled, int scale, struct decimal *decimal)
{
	unsigned __int128 rest = scaled < 0 ? -(unsigned __int128)scaled : (unsigned __int128)scaled;
	char backwards[40] = {0};
	int count = 0;

	/* Most fit 64 bits, whose division is one instruction. */
	for (; rest > UINT64_MAX; rest /= 10)
		backwards[count++] = (char)(rest % 10);
	for (uint64_t low = (uint64_t)rest; low > 0; low /= 10)
		backwards[count++] = (char)(low % 10);
	for (int i = 0; i < count; i++)
		decimal->digits[i] = backwards[count - 1 - i];
	decimal->negative = scaled < 0;
	decimal->count = count;
	decimal->point = count == 0 ? 0 : count - scale;
	decimal->scale = scale;
}
