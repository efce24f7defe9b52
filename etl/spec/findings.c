#include "etl/spec/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MOST_FINDINGS = 500, MESSAGE_LIMIT = 400 };

bool
finding(struct findings *findings, const struct spec_place *place, const char *fmt, ...)
{
	struct spec_error *error;
	va_list args;
	char *message;

	if (findings->count == MOST_FINDINGS)
		return false;
	va_start(args, fmt);
	message = ctx_vprintf(findings->ctx, fmt, args);
	va_end(args);
	if (strlen(message) > MESSAGE_LIMIT + sizeof("…"))
		memcpy(message + MESSAGE_LIMIT, "…", sizeof("…"));
	message = text_sanitize(findings->ctx, message);
	for (char *p = message; *p != '\0'; p++)
		*p = *p == '\n' || *p == '\t' ? ' ' : *p;
	error = ctx_alloc(findings->ctx, sizeof(*error));
	error->place = *place;
	error->message = message;
	error->next = findings->first;
	findings->first = error;
	findings->count++;
	return false;
}

static int
compare(const void *a, const void *b)
{
	const struct spec_error *x = *(struct spec_error *const *)a, *y = *(struct spec_error *const *)b;
	int order = strcmp(x->place.file, y->place.file);

	if (order == 0)
		order = x->place.line - y->place.line;
	if (order == 0)
		order = x->place.column - y->place.column;
	return order != 0 ? order : strcmp(x->message, y->message);
}

struct spec_error *
findings_sorted(struct findings *findings)
{
	struct spec_error **items = ctx_alloc_array(findings->ctx, findings->count + 1, sizeof(*items));
	size_t count = 0;

	for (struct spec_error *e = findings->first; e != NULL; e = e->next)
		items[count++] = e;
	qsort(items, count, sizeof(struct spec_error *), compare);
	for (size_t i = 0; i < count; i++)
		items[i]->next = items[i + 1];
	return items[0];
}
