#include "tests/support/spec_text.h"

const char spec_good[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "defaults:\n"
    "  slice: P1M\n"
    "  retry: { attempts: 5 }\n"
    "  timeouts: { step: 2h }\n"
    "params:\n"
    "  region: { type: text, pattern: \"[a-z]{2}\", default: ch }\n"
    "sources:\n"
    "  rds: { type: postgres, connection: rds }\n"
    "tables:\n"
    "  dim_robots:\n"
    "    kind: dimension\n"
    "    source: { from: rds, query: extract/robots.sql }\n"
    "    key: [robot_id]\n"
    "    columns:\n"
    "      robot_id: bigint\n"
    "      model: { type: text, comment: as printed on it, not_null: true }\n"
    "      price: numeric(10,2)\n"
    "      updated_at: timestamptz\n"
    "    history: { scd: 2, track: all, valid_from: updated_at, deletes: ignore }\n"
    "  fact_uses:\n"
    "    kind: fact\n"
    "    source: { from: rds, query: extract/uses.sql }\n"
    "    surrogate: use_key\n"
    "    grain: [use_id]\n"
    "    columns: { use_id: bigint, robot_id: bigint, start_time: timestamptz, updated_at: timestamptz }\n"
    "    time: start_time\n"
    "    begin: -P25M\n"
    "    lag: 10m\n"
    "    lookback: 2\n"
    "    changed_by: updated_at\n"
    "    write: replace_range\n"
    "    lookups: { robot_key: { dimension: dim_robots, match: robot_id, as_of: start_time, missing: fail } }\n"
    "    on_error: continue\n"
    "    retry: { backoff: 3s }\n";
const char spec_robots_sql[] = "SELECT * FROM robots WHERE region = :region";
const char spec_uses_sql[] = "SELECT * FROM uses WHERE start_time >= :from AND start_time < :to";

int
spec_setup(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct spec_fixture *f = ctx_alloc(ctx, sizeof(*f));

	f->ctx = ctx;
	*state = f;
	return 0;
}

int
spec_teardown(void **state)
{
	ctx_free(((struct spec_fixture *)*state)->ctx);
	return 0;
}

bool
spec_try(struct spec_fixture *f, const char *yaml, const char *robots, const char *uses)
{
	f->files.items = ctx_alloc_array(f->ctx, 3, sizeof(struct spec_file));
	f->files.items[0] = (struct spec_file){"extract/robots.sql", robots};
	f->files.items[1] = (struct spec_file){"extract/uses.sql", uses};
	f->files.items[2] = (struct spec_file){"pipeline.yaml", yaml};
	f->files.count = 3;
	fail_clear(f->ctx);
	return spec_parse(f->ctx, &f->files, &f->spec, &f->errors);
}

char *
spec_edit(struct spec_fixture *f, const char *from, const char *to)
{
	const char *at = strstr(spec_good, from);

	assert_non_null(at);
	return ctx_printf(f->ctx, "%.*s%s%s", (int)(at - spec_good), spec_good, to, at + strlen(from));
}

void
spec_print_errors(const struct spec_fixture *f)
{
	for (const struct spec_error *e = f->errors; e != NULL; e = e->next)
		print_message("%s:%d:%d: %s\n", e->place.file, e->place.line, e->place.column, e->message);
}

bool
spec_has_error(struct spec_fixture *f, const char *want)
{
	for (const struct spec_error *e = f->errors; e != NULL; e = e->next) {
		char *got =
		    ctx_printf(f->ctx, "%s:%d:%d: %s", e->place.file, e->place.line, e->place.column, e->message);

		if (strstr(got, want) != NULL)
			return true;
	}
	print_message("wanted: %s\n", want);
	spec_print_errors(f);
	return false;
}
