/* file_loads: a pipeline fed by files in a folder of the test's own, planned and loaded as a run would. */
#ifndef TESTS_SUPPORT_FILE_LOADS_H
#define TESTS_SUPPORT_FILE_LOADS_H

#include "etl/plan.h"
#include "tests/support/loads.h"

struct file_loads {
	struct loads *loads;
	const char *folder; /* the connection raw */
	const char *type;   /* of the runs that are planned; "full" */
	const char *from, *to;
	bool descending;
	struct plan plan;             /* the last one */
	struct slice_outcome outcome; /* of the last step */
	struct load_counts sum;       /* of all steps of the last run */
	int64_t files;                /* written so far */
};

/* fact_point (NDJSON by day), fact_sum (a transform over the same files), fact_json and fact_parquet (a bad file fails), dim_robot
 * (CSV, scd 1). */
const struct spec *file_loads_spec(struct ctx *ctx);
struct file_loads *file_loads_new(void);
void file_loads_free(struct file_loads *f);

/* A file below the folder, with its folders; and its time of change, later by a second for every file written. */
void file_loads_write(struct file_loads *f, const char *path, const char *text);
/* One of the repository's. */
void file_loads_copy(struct file_loads *f, const char *from, const char *path);
void file_loads_remove(struct file_loads *f, const char *path);

/* The steps of a table in a run: how many; -1: the plan fails. */
int file_loads_plan(struct file_loads *f, const char *table, const char *mode, const char *batch);
struct slice_job file_loads_job(struct file_loads *f, size_t step);

/* Plans and loads; the first failure, or FAIL_NONE. */
enum fail_code file_loads_run(struct file_loads *f, const char *table, const char *mode, const char *batch);
/* The same, and must succeed; how many steps. */
int file_loads_load(struct file_loads *f, const char *table, const char *mode);

/* Of all steps of the last run: "2+1*7= 0d 1r -3" is inserted, updated, unchanged, deduplicated, rejected, deleted. */
const char *file_loads_counts(struct file_loads *f);

#endif
