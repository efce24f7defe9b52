/* Any bytes as a pipeline.yaml beside two queries: findings in order, or a specification that can be shown. */
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "etl/spec.h"

const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses its buffer when a long quoted text ends in an error. What we hold of it, the unit tests under ASan watch. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctx *ctx = ctx_new("fuzz", 256 * 1024 * 1024);
	struct spec_file items[] = {
	    {"extract/a.sql", "SELECT 1"},
	    {"extract/b.sql", "SELECT :from, :to"},
	    {"pipeline.yaml", ctx_strndup(ctx, (const char *)data, size)},
	};
	struct spec_files files = {.items = items, .count = LENGTH_OF(items)};
	struct spec_error *errors;
	struct spec *spec;

	if (spec_parse(ctx, &files, &spec, &errors)) {
		ASSERT(errors == NULL && json_text(ctx, spec_to_json(ctx, spec)) != NULL);
		for (size_t i = 0; i < spec->table_count; i++)
			(void)spec_begin(&spec->tables[i], CLOCK_DAY_US * 20000);
	} else {
		ASSERT(errors != NULL || ctx_failure(ctx)->code == FAIL_MEMORY_LIMIT);
		for (; errors != NULL; errors = errors->next)
			ASSERT(errors->place.line >= 1 && errors->place.column >= 1 && errors->message[0] != '\0');
	}
	ctx_free(ctx);
	return 0;
}
