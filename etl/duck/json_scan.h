/*
 * json_scan: strict JSON (RFC 8259) in place, without a tree.
 *
 * A scan moves over bytes that are known to be UTF-8. What PostgreSQL's jsonb refuses although it is JSON is marked, not
 * refused, since only declared columns matter: U+0000 and half surrogate pairs (broken), exponents no numeric holds (huge).
 */
#ifndef ETL_DUCK_JSON_SCAN_H
#define ETL_DUCK_JSON_SCAN_H

#include "etl/duck/value.h"

struct json_scan {
	const char *at, *end;
	int depth;
	bool broken, huge; /* since the start, or since the caller cleared them */
};

struct json_slice {
	enum field_kind kind;
	const char *data; /* as written; a string with its quotes */
	size_t length;
	bool escaped; /* a string with backslashes */
};

void json_scan_space(struct json_scan *scan);

/* One value. False when it is no JSON or ends too early; at is where. */
bool json_scan_value(struct json_scan *scan, struct json_slice *slice) MUST_CHECK;

/* The bytes of a string slice into `to`, which has room for slice->length; the length. */
size_t json_unescape(const struct json_slice *slice, char *to);

bool utf8_valid(const char *data, size_t length);

#endif
