/*
 * log: the service log, one JSON object a line on stderr.
 *
 * A line: {"at":…,"level":…,"message":…,"run_id":…,"step_id":…, fields…}; at most 16 KiB, control bytes escaped. Lines of
 * several threads never mix. Run logs (what users read through the API) are rows of the control database: sql/log_store.h.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/ctx.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before threads start. */
void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *level) MUST_CHECK;
const char *log_level_name(enum log_level level);

/* Fields are key, value pairs of strings, ended by NULL: log_line(ctx, LOG_INFO, "listening", "url", url, NULL).
 * A NULL value leaves its pair out. ctx may be NULL (no tags). */
void log_line(struct ctx *ctx, enum log_level level, const char *message, ...) __attribute__((sentinel));

/* The failure of a ctx with its code: where the work ends, once. */
void log_failure(struct ctx *ctx, const char *message);

#endif
