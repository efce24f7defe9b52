#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/text.h"

enum { LINE_LIMIT_BYTES = 16 * 1024 };

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum log_level least = LOG_INFO; /* written before threads start */

void
log_set_level(enum log_level level)
{
	least = level;
}

bool
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	ASSERT(level < LENGTH_OF(names));
	return names[level];
}

static void
add_field(struct ctx *ctx, struct text *line, const char *key, const char *value)
{
	if (value == NULL)
		return;
	text_add(line, ",");
	json_quote(line, key);
	text_add(line, ":");
	json_quote(line, text_sanitize(ctx, value));
}

/* One write, so that lines of several threads (and of a dying process) stay whole. */
static void
emit(struct text *line)
{
	text_add(line, "}\n");
	if (write(STDERR_FILENO, line->data, line->length) < 0)
		return; /* a log that cannot be written has nowhere to say so */
}

void
log_line(struct ctx *ctx, enum log_level level, const char *message, ...)
{
	static const struct ctx_tags no_tags;
	const struct ctx_tags *tags = ctx != NULL ? ctx_get_tags(ctx) : &no_tags;
	struct ctx *tmp;
	struct text line;
	const char *key;
	va_list args;

	if (level < least)
		return;
	tmp = ctx_new("log line", 0);
	text_init(&line, tmp);
	text_addf(&line, "{\"at\":\"%s\",\"level\":\"%s\"", clock_format(tmp, clock_now_us()), names[level]);
	add_field(tmp, &line, "message", message);
	add_field(tmp, &line, "run_id", tags->run_id);
	add_field(tmp, &line, "step_id", tags->step_id);
	add_field(tmp, &line, "trace_id", tags->trace_id);
	add_field(tmp, &line, "subject", tags->subject);
	add_field(tmp, &line, "client", tags->client);
	va_start(args, message);
	while ((key = va_arg(args, const char *)) != NULL) {
		const char *value = va_arg(args, const char *);

		if (value != NULL && line.length + strlen(value) < LINE_LIMIT_BYTES)
			add_field(tmp, &line, key, value);
	}
	va_end(args);
	emit(&line);
	ctx_free(tmp);
}

void
log_failure(struct ctx *ctx, const char *message)
{
	const struct failure *failure = ctx_failure(ctx);

	log_line(ctx, LOG_ERROR, message, "code", fail_kind(failure->code)->name, "error", failure->message, "sqlstate",
	    failure->sqlstate[0] != '\0' ? failure->sqlstate : NULL, NULL);
}
