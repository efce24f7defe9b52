/*
 * generate: the SQL of a load, made from the declarations by pure functions.
 *
 * Nothing here talks to a database. The texts contain the placeholders :load_id, :step_id, :run_id, :from, :to, :snapshot_at that
 * slice.c fills (template.h), so that `loadstar plan` prints exactly what runs; golden files in tests/golden hold them.
 * Staging lives in temporary tables of the loading session: loadstar_stage (as extracted, with stage_row), loadstar_rows (deduplicated
 * and resolved), loadstar_keys (keys touched).
 */
#ifndef ETL_GENERATE_H
#define ETL_GENERATE_H

#include "etl/spec.h"

/* What a statement's result means. */
enum load_counter {
	COUNT_NOTHING,
	COUNT_ROW, /* one row whose column names are the names of struct load_counts' fields: each is added; one named
			 * `missed`: rows that had to be written and are not, FAIL_ROW_LAW when not 0 */
	COUNT_AFFECTED, /* rows of the command tag are added to the field `field` */
	COUNT_MUST_BE_0, /* one row: n, and a detail (text or NULL): n > 0 fails with `code`: "<n> <message>: <detail>" */
};

/* Most slices are loaded into nothing, and need none of the comparing then. */
enum load_when {
	WHEN_ALWAYS,
	WHEN_EMPTY,  /* only if rows_before is 0 */
	WHEN_FILLED, /* only if it is not */
};

struct load_statement {
	const char *name; /* logged, and shown by plan: "delete vanished rows" */
	const char *sql;
	enum load_counter counter;
	const char *field; /* COUNT_AFFECTED */
	enum fail_code code;
	const char *message;
	enum load_when when;
};
struct load_statements {
	struct load_statement *items;
	size_t count;
};

/* X-macro of every count: the contract's rows, the contract's effects, and what the laws need. */
/* clang-format off */
#define LOAD_COUNTS(X) \
	X(read) X(inserted) X(updated) X(unchanged) X(closed) X(deduplicated) X(filtered) \
	X(rejected) X(versions_opened) X(versions_closed) X(rows_deleted) X(members_inferred) X(rows_repointed) \
	X(children) X(rows_moved) X(rows_before) X(rows_after) X(rows_opened) X(content_rows) \
	X(held) X(members_closed) X(members_changed)
/* clang-format on */
struct load_counts {
#define X(field) int64_t field;
	LOAD_COUNTS(X)
#undef X
};

/* DDL of one table with its bookkeeping (surrogate, effective_from …, load_id, loaded_at, observation log, retired keys, unique
 * keys, indexes, the unknown member -1). Idempotent: what is there is left as it is (table_changes.h extends it). */
bool generate_ddl(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out) MUST_CHECK;

/* The run's parameters, as given or declared, in the order of spec->params. */
struct template_value;
void generate_params(struct ctx *ctx, const struct spec *spec, const json_t *params, struct template_value *values);

/* The source query with :from, :to and params filled; and cut to the declared columns by name. */
bool generate_source(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql) MUST_CHECK;
/* Where a character of the filled query stands in its file; the file's start for a position of 0. */
struct spec_place generate_source_place(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    const int64_t slice_us[2], const json_t *params, int position);
bool generate_extract(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql) MUST_CHECK;

/* For tables with `changed_by`: places, from 1, of the intervals that start at $1 and end at $2 with a row that changed after $3. */
bool generate_source_changed(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql) MUST_CHECK;

/* For tables with `reconcile`. One text, "rows:sum": of staging; of the source by place, for the intervals that start at $1 and end at $2. */
char *generate_staged_content(struct ctx *ctx, const struct spec_table *table);
bool generate_source_content(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql) MUST_CHECK;

/* STAGE: create the staging table; then (after COPY) index, ANALYZE, keys that are NULL. */
void generate_stage_table(struct ctx *ctx, const struct spec_table *table, char **create, char **copy_from);
bool generate_stage_checks(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out) MUST_CHECK;

/* PUBLISH between the protocol's checks and the ledger row: resolve, difference, re-point, counts. scope: table or time. */
bool generate_publish(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out) MUST_CHECK;

/* True when a difference counts all of its slice: rows_before is what the slice held. Else a statement of its own counts `held`. */
bool table_counts_its_slice(const struct spec_table *table);

/* One row, one column: the content hash of the slice as protocol.md defines it. */
char *generate_content_hash(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    const char *scope);

/* Names whose advisory locks PUBLISH takes, sorted; exclusive or shared. */
struct load_lock {
	const char *table; /* schema-qualified, unquoted: public.dim_robots */
	bool exclusive;
};
void generate_locks(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_lock **locks,
    size_t *count);

/* schema.table with quotes, and without (lock and ledger name). */
char *generate_table_identifier(struct ctx *ctx, const struct spec *spec, const char *table);
char *generate_table_name(struct ctx *ctx, const struct spec *spec, const char *table);

#endif
