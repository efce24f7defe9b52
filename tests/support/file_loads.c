#include "tests/support/file_loads.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

static const char document[] =
    "spec: 1\n"
    "pipeline: files\n"
    "warehouse: warehouse\n"
    "timezone: Europe/Zurich\n"
    "params: { batch: { type: text, pattern: '[0-9]{8}' } }\n"
    "sources:\n"
    "  points: { type: files, connection: raw, path: 'points/{batch}/*.json', batch: { date: '%Y%m%d' },\n"
    "            format: ndjson, on_bad_file: quarantine }\n"
    "  csv: { type: files, connection: raw, path: 'csv/*.csv', format: csv, csv: { delimiter: ';', null: 'NA' },\n"
    "         on_bad_file: quarantine }\n"
    "  json: { type: files, connection: raw, path: '**/*.js', format: json }\n"
    "  parquet: { type: files, connection: raw, path: '*.parquet', format: parquet }\n"
    "tables:\n"
    "  dim_robot:\n"
    "    kind: dimension\n"
    "    source: { from: csv, fields: { robot_id: { from: Robot }, model: { from: 'Model name' } } }\n"
    "    key: [robot_id]\n"
    "    columns: { robot_id: text, model: text }\n"
    "    rejects: { share: 100% }\n"
    "  fact_point:\n"
    "    kind: fact\n"
    "    source: { from: points, fields: { at: { from: timestamp } } }\n"
    "    surrogate: point_key\n"
    "    grain: [robot_id, at]\n"
    "    columns: { robot_id: text, at: timestamptz, value: { type: 'numeric(10,2)', not_null: true } }\n"
    "    time: at\n"
    "    lookups: { robot_key: { dimension: dim_robot, match: robot_id } }\n"
    "    rejects: { rows: 3, share: 50% }\n"
    "  fact_sum:\n"
    "    kind: fact\n"
    "    source: { from: points, fields: { robot_id: text, timestamp: timestamptz, value: 'numeric(10,2)' } }\n"
    "    transform: sum.sql\n"
    "    grain: [robot_id, day]\n"
    "    columns: { robot_id: text, day: date, total: 'numeric(12,2)', points: bigint }\n"
    "  fact_note:\n"
    "    kind: fact\n"
    "    source: { from: points }\n"
    "    write: append\n"
    "    columns: { robot_id: text, value: 'numeric(10,2)' }\n"
    "    lookups: { robot_key: { dimension: dim_robot, match: robot_id } }\n"
    "  fact_json:\n"
    "    kind: fact\n"
    "    source: { from: json }\n"
    "    grain: [id]\n"
    "    columns: { id: bigint, tags: jsonb }\n"
    "  fact_parquet:\n"
    "    kind: fact\n"
    "    source: { from: parquet }\n"
    "    grain: [id]\n"
    "    columns: { id: bigint, name: text }\n";

static struct spec_file files[] = {
    {"pipeline.yaml", document},
    {"sum.sql",
	"SELECT robot_id, CAST(timestamp AS DATE) AS day, sum(value) AS total, count(*) AS points, max(loadstar_file) AS loadstar_file\n"
	"  FROM points GROUP BY ALL"},
};

static const struct loads_pipeline pipeline = {
    .files = files,
    .count = LENGTH_OF(files),
    .source_tables = "SELECT 1",
    .no_tables = "DROP TABLE IF EXISTS dim_robot, fact_point, fact_sum, fact_note, fact_json, fact_parquet",
};

const struct spec *
file_loads_spec(struct ctx *ctx)
{
	return loads_spec_of(ctx, &pipeline);
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

struct file_loads *
file_loads_new(void)
{
	struct loads *loads = loads_new_of(&pipeline);
	struct file_loads *f = ctx_alloc(loads->ctx, sizeof(*f));
	char name[] = "/tmp/loadstar-files-XXXXXX";

	ASSERT(mkdtemp(name) != NULL);
	f->loads = loads;
	f->folder = ctx_printf(loads->ctx, "%s/raw", name);
	f->type = "full";
	ASSERT(file_make_folder(loads->ctx, f->folder, 0755));
	loads->config.home = ctx_strdup(loads->ctx, name);
	config_add_connection(loads->ctx, &loads->config, "raw", ctx_printf(loads->ctx, "file://%s", f->folder));
	return f;
}

void
file_loads_free(struct file_loads *f)
{
	(void)nftw(f->loads->config.home, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	loads_free(f->loads);
}

void
file_loads_write(struct file_loads *f, const char *path, const char *text)
{
	struct ctx *ctx = f->loads->ctx;
	char *whole = ctx_printf(ctx, "%s/%s", f->folder, path), *folder = ctx_strdup(ctx, whole);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1700000000 + ++f->files}};

	*strrchr(folder, '/') = '\0';
	ASSERT(file_make_folder(ctx, folder, 0755) && file_write(ctx, whole, text, 0644));
	ASSERT(utimensat(AT_FDCWD, whole, times, 0) == 0);
}

void
file_loads_copy(struct file_loads *f, const char *from, const char *path)
{
	struct ctx *ctx = f->loads->ctx;
	char *text, *whole = ctx_printf(ctx, "%s/%s", f->folder, path);
	size_t length;
	FILE *to;

	ASSERT(file_read(ctx, from, 1 << 20, &text, &length));
	to = fopen(whole, "w");
	ASSERT(to != NULL && fwrite(text, 1, length, to) == length && fclose(to) == 0);
}

void
file_loads_remove(struct file_loads *f, const char *path)
{
	ASSERT(unlink(ctx_printf(f->loads->ctx, "%s/%s", f->folder, path)) == 0);
}

static struct step_claim
plan_claim(struct file_loads *f, const char *table, const char *mode, const char *batch)
{
	struct ctx *ctx = f->loads->ctx;
	struct slice_job job = loads_job(f->loads, table, -1);
	struct step_claim claim = *job.claim;

	claim.kind = "plan";
	claim.table = NULL;
	claim.run_type = f->type;
	claim.mode = mode;
	claim.descending = f->descending;
	claim.tables = json_new_array(ctx);
	json_add_string(ctx, claim.tables, table);
	claim.params = json_new_object(ctx);
	if (batch != NULL)
		json_put_string(ctx, claim.params, "batch", batch);
	if (f->from != NULL)
		ASSERT(clock_parse(f->from, &claim.run_from_us) && clock_parse(f->to, &claim.run_to_us));
	ASSERT(clock_parse("2024-02-10T12:00:00Z", &claim.run_created_us));
	return claim;
}

int
file_loads_plan(struct file_loads *f, const char *table, const char *mode, const char *batch)
{
	struct ctx *ctx = f->loads->ctx;
	struct slice_job job = loads_job(f->loads, table, -1);
	struct step_claim *claim = ctx_alloc(ctx, sizeof(*claim));
	size_t kept = 0;

	*claim = plan_claim(f, table, mode, batch);
	job.claim = claim;
	job.table = NULL;
	if (!plan_make(ctx, &job, NULL, &f->plan)) {
		f->loads->failure = ctx_strdup(ctx, ctx_failure(ctx)->message);
		fail_clear(ctx);
		return -1;
	}
	for (size_t i = 0; i < f->plan.count; i++)
		if (f->plan.steps[i].table != NULL)
			f->plan.steps[kept++] = f->plan.steps[i];
	f->plan.count = kept;
	return kept == 1 && f->plan.steps[0].skip_reason != NULL ? 0 : (int)kept;
}

struct slice_job
file_loads_job(struct file_loads *f, size_t step)
{
	const struct step_plan *planned = &f->plan.steps[step];
	struct slice_job job = loads_job(f->loads, planned->table, -1);
	struct step_claim *claim = ctx_alloc(f->loads->ctx, sizeof(*claim));

	*claim = *job.claim;
	claim->id = planned->id;
	claim->scope = planned->scope;
	claim->slice = planned->slice;
	claim->from_us = planned->from_us;
	claim->to_us = planned->to_us;
	claim->files = planned->files;
	job.claim = claim;
	return job;
}

enum fail_code
file_loads_run(struct file_loads *f, const char *table, const char *mode, const char *batch)
{
	int steps = file_loads_plan(f, table, mode, batch);
	struct load_counts *sum = &f->sum;

	*sum = (struct load_counts){0};
	ASSERT(steps >= 0);
	for (int i = 0; i < steps; i++) {
		struct slice_job job = file_loads_job(f, (size_t)i);
		enum fail_code code = loads_try(f->loads, &job, &f->outcome);

		if (code != FAIL_NONE)
			return code;
#define X(field) sum->field += f->outcome.counts.field;
		LOAD_COUNTS(X)
#undef X
	}
	return FAIL_NONE;
}

int
file_loads_load(struct file_loads *f, const char *table, const char *mode)
{
	if (file_loads_run(f, table, mode, NULL) != FAIL_NONE) {
		fprintf(stderr, "%s: %s\n", table, f->loads->failure);
		ASSERT(!"a load failed");
	}
	return f->plan.count == 1 && f->plan.steps[0].skip_reason != NULL ? 0 : (int)f->plan.count;
}

const char *
file_loads_counts(struct file_loads *f)
{
	const struct load_counts *sum = &f->sum;

	return ctx_printf(f->loads->ctx, "%lld+%lld*%lld= %lldd %lldr -%lld", (long long)sum->inserted,
	    (long long)sum->updated, (long long)sum->unchanged, (long long)sum->deduplicated, (long long)sum->rejected,
	    (long long)sum->rows_deleted);
}
