/* loads: what tests of the slice protocol share: a small pipeline, a source, a warehouse, and slices loaded in one line. */
#ifndef TESTS_SUPPORT_LOADS_H
#define TESTS_SUPPORT_LOADS_H

#include "etl/slice.h"

/* dim_part (history, valid_from, deletes: close), dim_tag (history without valid_from, deletes: ignore, one column not tracked),
 * dim_kind (no history), fact_sale (by time, surrogate, lookups to all three). */
struct loads {
	struct ctx *ctx;
	const struct spec *spec;
	struct config config;
	struct pg *source, *warehouse;
	int64_t number;      /* of the last load_id */
	const char *failure; /* message of the last load that failed */
};

/* A pipeline of a test's own. */
struct loads_pipeline {
	struct spec_file *files;
	size_t count;
	const char *source_tables; /* SQL that makes the source's tables anew */
	const char *no_tables;     /* SQL that drops the warehouse's */
};

/* The pipeline alone. */
const struct spec *loads_spec(struct ctx *ctx);
const struct spec *loads_spec_of(struct ctx *ctx, const struct loads_pipeline *pipeline);

/* Fresh source tables and an empty warehouse with the pipeline's tables; ctx ends with loads_free. */
struct loads *loads_new(void);
struct loads *loads_new_of(const struct loads_pipeline *pipeline);
/* The same source and warehouse go on with other declarations, whose ddl is applied. */
void loads_redeclare(struct loads *loads, const struct loads_pipeline *pipeline);
void loads_free(struct loads *loads);

/* A job with the next load_id and a step of its own. day -1: the whole table; else that day of January 2024, from 0. */
struct slice_job loads_job(struct loads *loads, const char *table, int day);
/* The same step again, as its next attempt. */
struct slice_job loads_again(struct loads *loads, const struct slice_job *job);

/* Loads and must succeed. */
struct slice_outcome loads_load(struct loads *loads, const char *table, int day);
/* Loads a job; FAIL_NONE when it went well. */
enum fail_code loads_try(struct loads *loads, const struct slice_job *job, struct slice_outcome *outcome);

void loads_source(struct loads *loads, const char *sql);
void loads_do(struct loads *loads, const char *sql);
/* The rows of a query on the warehouse: columns by space, rows by newline; NULL as -. Lives in the ctx. */
const char *loads_ask(struct loads *loads, const char *sql);
const char *loads_ask_source(struct loads *loads, const char *sql);

#endif
