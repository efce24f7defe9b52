#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "etl/duck/copy.h"

enum {
	EPOCH_DAYS = 10957,    /* from 1970-01-01 to PostgreSQL's 2000-01-01 */
	FIRST_DAY = -2451545,  /* 4714-11-24 BC, of PostgreSQL's epoch */
	LAST_DAY = 2145031948, /* 5874897-12-31 */
	FIRST_CAPACITY = 512 * 1024,
};

static char *
reserve(struct copy_buffer *buffer, size_t size)
{
	if (buffer->capacity - buffer->length < size) {
		size_t capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity * 2;

		while (capacity - buffer->length < size)
			capacity *= 2;
		buffer->data = realloc(buffer->data, capacity);
		ASSERT(buffer->data != NULL);
		buffer->capacity = capacity;
	}
	buffer->length += size;
	return buffer->data + buffer->length - size;
}

void
copy_free(struct copy_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct copy_buffer){0};
}

static void
set16(char *to, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(to, &value, sizeof(value));
}

static void
set32(char *to, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(to, &value, sizeof(value));
}

static void
set64(char *to, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(to, &value, sizeof(value));
}

void
copy_put_header(struct copy_buffer *buffer)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* signature, flags, extension: 19 bytes */

	memcpy(reserve(buffer, sizeof(header)), header, sizeof(header));
}

void
copy_put_trailer(struct copy_buffer *buffer)
{
	set16(reserve(buffer, 2), UINT16_MAX);
}

void
copy_put_row(struct copy_buffer *buffer, size_t columns)
{
	set16(reserve(buffer, 2), (uint16_t)columns);
}

void
copy_put_null(struct copy_buffer *buffer)
{
	set32(reserve(buffer, 4), UINT32_MAX);
}

void
copy_put_boolean(struct copy_buffer *buffer, bool value)
{
	char *to = reserve(buffer, 5);

	set32(to, 1);
	to[4] = value ? 1 : 0;
}

void
copy_put_smallint(struct copy_buffer *buffer, int16_t value)
{
	char *to = reserve(buffer, 6);

	set32(to, 2);
	set16(to + 4, (uint16_t)value);
}

void
copy_put_integer(struct copy_buffer *buffer, int32_t value)
{
	char *to = reserve(buffer, 8);

	set32(to, 4);
	set32(to + 4, (uint32_t)value);
}

void
copy_put_bigint(struct copy_buffer *buffer, int64_t value)
{
	char *to = reserve(buffer, 12);

	set32(to, 8);
	set64(to + 4, (uint64_t)value);
}

void
copy_put_double(struct copy_buffer *buffer, double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	copy_put_bigint(buffer, bits);
}

void
copy_put_uuid(struct copy_buffer *buffer, unsigned __int128 value)
{
	char *to = reserve(buffer, 20);

	set32(to, 16);
	set64(to + 4, (uint64_t)(value >> 64));
	set64(to + 12, (uint64_t)value);
}

void
copy_put_text(struct copy_buffer *buffer, const char *data, size_t length)
{
	char *to = reserve(buffer, 4 + length);

	set32(to, (uint32_t)length);
	memcpy(to + 4, data, length);
}

/* Version 1: the text. */
void
copy_put_jsonb(struct copy_buffer *buffer, const char *data, size_t length)
{
	char *to = reserve(buffer, 5 + length);

	set32(to, (uint32_t)length + 1);
	to[4] = 1;
	memcpy(to + 5, data, length);
}

bool
copy_put_date(struct copy_buffer *buffer, int32_t days)
{
	if (days == INT32_MAX || days == -INT32_MAX) {
		copy_put_integer(buffer, days > 0 ? INT32_MAX : INT32_MIN);
		return true;
	}
	if (days < FIRST_DAY + EPOCH_DAYS || days - EPOCH_DAYS > LAST_DAY)
		return false;
	copy_put_integer(buffer, days - EPOCH_DAYS);
	return true;
}

bool
copy_put_timestamp(struct copy_buffer *buffer, int64_t us)
{
	if (us == INT64_MAX || us == -INT64_MAX) {
		copy_put_bigint(buffer, us > 0 ? INT64_MAX : INT64_MIN);
		return true;
	}
	if (us < (FIRST_DAY + EPOCH_DAYS) * CLOCK_DAY_US)
		return false;
	copy_put_bigint(buffer, us - EPOCH_DAYS * CLOCK_DAY_US);
	return true;
}

/* Digits in groups of four around the point; groups of zeros at either end are not written. */
void
copy_put_numeric(struct copy_buffer *buffer, const struct decimal *decimal)
{
	uint16_t groups[DECIMAL_DIGITS / 4 + 2] = {0};
	int weight = 0, count = 0, at = 0, first;
	char *to;

	/* floor((point - 1) / 4): the power of 10000 of the first group, which may be cut by zeros in front. */
	if (decimal->count > 0)
		weight = decimal->point > 0 ? (decimal->point - 1) / 4 : -((4 - decimal->point) / 4);
	first = decimal->point - 4 * weight; /* 1…4 digits of the first group */
	while (at < decimal->count) {
		int digits = count == 0 ? first : 4, group = 0;

		for (int i = 0; i < digits; i++, at++)
			group = group * 10 + (at < decimal->count ? decimal->digits[at] : 0);
		groups[count++] = (uint16_t)group;
	}
	while (count > 0 && groups[count - 1] == 0)
		count--;
	to = reserve(buffer, 12 + 2 * (size_t)count);
	set32(to, 8 + 2 * (uint32_t)count);
	set16(to + 4, (uint16_t)count);
	set16(to + 6, count > 0 ? (uint16_t)weight : 0);
	set16(to + 8, decimal->negative && count > 0 ? 0x4000 : 0);
	set16(to + 10, (uint16_t)decimal->scale);
	for (int i = 0; i < count; i++)
		set16(to + 12 + 2 * i, groups[i]);
}
