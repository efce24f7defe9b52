/*
 * Any bytes as a template: filling with a hostile value either fails or leaves a text without placeholders that has no fault
 * unless the template had one.
 */
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "etl/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
no_placeholder(void *arg, const char *name, int line, int column)
{
	(void)arg, (void)name, (void)line, (void)column;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct template_value values[] = {
	    {"a", "text", "'; DROP TABLE x; -- \\' $$ /* :a"},
	    {"b", "bigint", "-1"},
	    {"c", "numeric(10,2)", NULL},
	};
	struct ctx *ctx = ctx_new("fuzz", 256 * 1024 * 1024);
	char *sql = ctx_strndup(ctx, (const char *)data, size), *filled;
	int line, column;

	if (template_fill(ctx, "fuzz.sql", sql, values, LENGTH_OF(values), &filled)) {
		ASSERT(template_scan(filled, no_placeholder, NULL));
		if (template_fault(sql, &line, &column) == NULL)
			ASSERT(template_fault(filled, &line, &column) == NULL);
	}
	ctx_free(ctx);
	return 0;
}
