/* Any bytes as a template: filling with hostile values either fails or leaves a text that has no fault unless the template had one. */
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "etl/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

	if (template_fault(sql, &line, &column) == NULL &&
	    template_fill(ctx, "fuzz.sql", sql, values, LENGTH_OF(values), &filled))
		ASSERT(template_fault(filled, &line, &column) == NULL);
	ctx_free(ctx);
	return 0;
}
