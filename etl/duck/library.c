#include "etl/duck/library.h"

#include <dlfcn.h>

#include "base/bug.h"
#include "base/fail.h"

struct duck_library duck;

static const struct {
	const char *name;
	void *place; /* of the pointer in duck */
} functions[] = {
#define DUCK(name) {"duckdb_" #name, &duck.name},
#include "etl/duck/library.def"
#undef DUCK
};

bool
duck_library_load(struct ctx *ctx, const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return fail(ctx, FAIL_CONFIG_INVALID, "DuckDB cannot be loaded: %s", dlerror());
	for (size_t i = 0; i < LENGTH_OF(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return fail(ctx, FAIL_CONFIG_INVALID, "%s is not the DuckDB this was built for: no %s", path,
			    functions[i].name);
		*(void **)functions[i].place = function;
	}
	return true;
}
