/*
 * spec: what a pipeline declares, as understood.
 *
 * A spec is parsed once from its files (pipeline.yaml and SQL), checked whole, and immutable afterwards: threads share it.
 * It lives in a ctx of its own (see catalog.h). Every error names file:line:column; all are collected, not only the
 * first. etl/spec/keys.def is the one table of keys (section, key, type, required, doc): the parser, the reference and the
 * suggestion for a misspelt key read it.
 */
#ifndef ETL_SPEC_H
#define ETL_SPEC_H

#include "base/clock.h"
#include "base/json.h"
#include "base/retry.h"
#include "etl/cron.h"

/* Files of one version, sorted by path ("pipeline.yaml", "extract/surgeons.sql"). */
struct spec_file {
	const char *path;
	const char *text;
};
struct spec_files {
	struct spec_file *items;
	size_t count;
};

struct spec_place {
	const char *file; /* path within the pipeline's folder */
	int line, column; /* from 1 */
};

enum type_kind {
	TYPE_TEXT,
	TYPE_SMALLINT,
	TYPE_INTEGER,
	TYPE_BIGINT,
	TYPE_BOOLEAN,
	TYPE_NUMERIC,
	TYPE_DOUBLE,
	TYPE_DATE,
	TYPE_TIMESTAMP,
	TYPE_TIMESTAMPTZ,
	TYPE_UUID,
	TYPE_JSONB
};
struct spec_type {
	enum type_kind kind;
	int precision, scale; /* numeric; precision 0: unbounded */
};
/* As PostgreSQL's format_type() spells it: "timestamp with time zone", "numeric(10,2)". */
char *spec_type_name(struct ctx *ctx, const struct spec_type *type);

/* True for a text that PostgreSQL reads as a value of the type, at most 1000 bytes; jsonb: none. */
bool spec_type_accepts(const struct spec_type *type, const char *value) MUST_CHECK;

struct spec_column {
	const char *name;
	struct spec_type type;
	bool key;     /* part of key or grain */
	bool tracked; /* SCD2: a change opens a version; else it is overwritten in all versions */
	bool not_null;
	const char *default_text; /* of rows that were there before the column; NULL: none */
	bool implicit;            /* not declared: file_id of a table that is fed by files */
	const char *comment;
	struct spec_place place;
};

enum lookup_missing { MISSING_UNKNOWN, MISSING_FAIL, MISSING_INFER, MISSING_QUARANTINE };

struct spec_table;
struct spec_lookup {
	const struct spec_table *table;     /* it belongs to */
	const char *column;                 /* the surrogate key column it fills in this table */
	const struct spec_table *dimension; /* or a fact with a surrogate key: looked up by its grain */
	const char **match;                 /* columns of this table, in the order of the dimension's key */
	const char *as_of;                  /* column of this table; NULL: the current version */
	enum lookup_missing missing;
	bool before_first_missing; /* before a key's first version: false: the first one, true: as missing */
	struct spec_place place;
};

/* What a load may do to what is there without being allowed: see docs/spec.md. Shares in percent; -1: not asked. */
enum guard_level { GUARD_OFF, GUARD_WARN, GUARD_ERROR, GUARD_UNSAID /* only while it is read */ };
struct spec_guards {
	enum guard_level empty;
	int64_t shrink, close, change;
};

enum table_kind { TABLE_DIMENSION, TABLE_FACT };
enum write_mode { WRITE_REPLACE_RANGE, WRITE_APPEND, WRITE_UPSERT, WRITE_REPLACE_ALL };
/* Of a dimension: rows come in and change; the same, and rows that are not in the source go; rows only come in. */
enum dimension_write { DIMENSION_MERGE, DIMENSION_REPLACE, DIMENSION_APPEND };
enum delete_mode { DELETES_IGNORE, DELETES_CLOSE };

enum source_kind { SOURCE_POSTGRES, SOURCE_FILES };
enum file_format { FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV, FORMAT_PARQUET };

struct spec_source {
	const char *name;
	const char *type; /* "postgres", "files" */
	enum source_kind kind;
	const char *connection; /* name of LOADSTAR_CONNECTION_<NAME> */
	/* files */
	const char *path; /* template below the connection's folder, see etl/files.h */
	enum file_format format;
	const char *batch_date;  /* how {batch} is a date; NULL: it is a word, or there is none */
	const char *batch_param; /* the parameter that picks one batch; NULL: none */
	char csv_delimiter, csv_quote;
	const char *csv_null;
	bool bad_fails; /* on_bad_file: fail (default), or quarantine */
	struct spec_place place;
};

/* A column of the files, as the transform sees it, or of the table when there is none. */
struct spec_field {
	const char *name;
	const char *from; /* its name in the file; NULL: the same */
	struct spec_type type;
	struct spec_place place;
};

/* Of a dimension that is generated. */
enum calendar { CALENDAR_NONE, CALENDAR_DATE, CALENDAR_TIME };
struct spec_calendar {
	enum calendar kind;
	const char *start; /* YYYY-MM-DD */
	int64_t years;
	int64_t fiscal_year_start; /* month, from 1 */
};

struct spec_timeouts {
	int64_t statement_ms, step_ms, run_ms, lock_ms; /* 10m 1h 24h 30s unless declared */
};

struct spec_table {
	const char *name;
	enum table_kind kind;
	const char *comment;
	const struct spec_source *source; /* of a calendar: the warehouse */
	struct spec_calendar calendar;
	bool is_stage;                  /* kind stage: a fact that is loaded first and has no lookups */
	const struct spec_table *stage; /* the staging it is fed by; source: the warehouse; NULL: none */
	const char *query_path;
	const char *query;         /* text of the SQL file; NULL: fed by files */
	struct spec_field *fields; /* fed by files: what is read */
	size_t field_count;
	const char *transform_path;
	const char *transform;  /* a SELECT over the files, as a table of the source's name; NULL: none */
	bool transform_lines;   /* it gives loadstar_line */
	int64_t rejects_rows;   /* more rejected rows than this fail the step */
	int64_t rejects_permil; /* or than this share of all, in thousandths */
	const char *surrogate;  /* column name; default <dimension>_key; NULL for a fact without one */
	struct spec_column *columns;
	size_t column_count;
	const char **keys; /* key of a dimension, grain of a fact; columns marked key */
	size_t key_count;
	/* dimensions */
	int scd; /* 0: as first seen; 1: as last seen; 2: every version */
	enum dimension_write dimension_write;
	const char *valid_from; /* column; the observation's time */
	bool ties_first;        /* of two observations of a key at one time the first counts, not the last */
	enum delete_mode deletes;
	/* facts */
	const char *time;           /* column; NULL: whole-table slices only */
	int64_t begin_us;           /* first slice's start when absolute */
	struct period begin_before; /* "-P25M": that long before today, floored to the slice; zero: absolute */
	int64_t lag_ms;
	int64_t lookback;        /* slices */
	const char *changed_by;  /* column; NULL: none */
	struct period reconcile; /* slices that end in so long before now are compared with their source; zero: none */
	const char *reconcile_text; /* "P7D" */
	enum write_mode write;
	struct period slice;
	const char *slice_text; /* "P1M" */
	struct spec_lookup *lookups;
	size_t lookup_count;
	struct spec_guards guards;
	bool fail_run; /* on_error: fail (default), or continue */
	struct retry_policy retry;
	struct spec_timeouts timeouts;
	int64_t wave;       /* dimensions 2…, facts after them, each after those it looks up (0 plan, 1 ddl) */
	bool checked_after; /* checks of it are a step of their own, in the wave after it */
	struct spec_place place;
};

struct spec_param {
	const char *name;
	struct spec_type type;
	const char *pattern;      /* POSIX ERE over the whole value; NULL: any */
	const char *default_text; /* NULL: required */
	const char *column;       /* the column it narrows; NULL: none */
	bool picks_batch;         /* of files: without it a run means all of them */
	bool in_query;
	struct spec_place place;
};

/* True for a value of the parameter's type that matches its pattern. */
bool spec_param_accepts(struct ctx *ctx, const struct spec_param *param, const char *value) MUST_CHECK;

/* False for one that has a default, or does nothing but pick a batch of files: a run may leave it out. */
bool spec_param_is_required(const struct spec_param *param);

enum check_kind {
	CHECK_COMPLETENESS,
	CHECK_VALIDITY,
	CHECK_FRESHNESS,
	CHECK_UNIQUENESS,
	CHECK_REFERENTIAL,
	CHECK_VOLUME,
	CHECK_SQL
};
enum check_gate { GATE_STAGING, GATE_PUBLISHED, GATE_RUN };
enum check_expect { EXPECT_NULL, EXPECT_NUMBER, EXPECT_BOOLEAN, EXPECT_TEXT, EXPECT_RANGE };

/* A quality check; docs/spec.md says which members its kind has. Shares are in millionths. */
struct spec_check {
	const char *name;
	enum check_kind kind;
	const struct spec_table *table; /* NULL: sql across tables */
	bool warn;                      /* severity */
	enum check_gate gate;
	bool whole; /* gate published: scope table */
	const char *comment;
	const char **columns;
	size_t column_count;
	const char *column;
	const char *rule, *where; /* SQL expressions; NULL: none */
	struct spec_place rule_place, where_place;
	int64_t least_ppm;
	const struct spec_table *references;
	const char **referenced; /* the columns of `references`, in the order of columns */
	bool allow_unknown;
	int64_t max_age_ms;
	int64_t min_rows, max_rows;                          /* -1: none */
	int64_t least_of_previous_ppm, most_of_previous_ppm; /* -1: none */
	const char *query_path, *query;                      /* path NULL: written in the document */
	enum check_expect expect;
	const char *expected;                    /* number, true or false, text */
	const char *expected_min, *expected_max; /* numbers; NULL: none */
	const char *tolerance;                   /* a number */
	int64_t retry, retry_wait_ms;
	struct spec_place place;
};

/* Asked once a run in a step after the table's last slice: gate published, scope table, of a table that is loaded in slices. Of one that
 * is loaded whole there is one slice, and its transaction asks. */
bool spec_check_is_after(const struct spec_check *check);

const char *check_kind_name(enum check_kind kind);
const char *check_gate_name(enum check_gate gate);
const char *check_severity_name(const struct spec_check *check);

/* A view: the statement of a views file that makes it. */
struct spec_view {
	const char *name;
	const char *path;      /* of the file */
	const char *statement; /* CREATE OR REPLACE VIEW …, without the semicolon */
	struct spec_place place;
};

/* A saved question: a file with one SELECT below a comment. */
struct spec_query {
	const char *name; /* of the file, without folder and .sql */
	const char *path;
	const char *question; /* first line of the comment; NULL: none */
	const char *text;
};

/* SQL of somebody's own, run after the facts: statements in one transaction, once a run. */
struct spec_script {
	const char *name; /* of the file, without folder and .sql; no table, view or other script has it */
	const char *path;
	const char *text; /* statements; placeholders of the run and its parameters */
	struct spec_place place;
};

enum overlap_mode { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_CANCEL };
enum catchup_mode { CATCHUP_LAST, CATCHUP_ALL, CATCHUP_NONE };

/* When runs start by themselves. */
struct spec_schedule {
	const char *cron_text;
	struct cron cron;
	const char *timezone;
	const struct zone *zone;
	unsigned run, mode; /* of spec_run_types, spec_run_modes */
	enum overlap_mode overlap;
	enum catchup_mode catchup;
	int64_t window_ms; /* 0: any age */
	json_t *params;    /* name → text */
};
extern const char *const spec_run_types[];
extern const char *const spec_run_modes[];
extern const char *const spec_overlap_modes[];
extern const char *const spec_catchup_modes[];

/* Somebody who is told how runs end. */
struct spec_notify {
	const char *to;      /* name of LOADSTAR_NOTIFY_<NAME> */
	const char **events; /* see sql/notice_events.def */
	size_t event_count;
};

struct spec {
	const char *pipeline;
	const char *hash;      /* "sha256:…" over all files */
	const char *warehouse; /* connection name */
	const char *schema;
	const char *timezone;
	const struct zone *zone;
	const char *comment;
	const struct spec_schedule *schedule; /* NULL: none */
	struct spec_notify *notify;
	size_t notify_count;
	struct spec_param *params;
	size_t param_count;
	struct spec_source *sources;
	size_t source_count;
	struct spec_table *tables; /* in declared order */
	size_t table_count;
	struct spec_script *scripts; /* in the order they are run */
	size_t script_count;
	struct spec_check *checks; /* in declared order */
	size_t check_count;
	struct spec_view *views; /* in the order they are applied */
	size_t view_count;
	struct spec_query *queries; /* in declared order */
	size_t query_count;
	struct spec_timeouts timeouts;
	struct retry_policy retry; /* of steps without a table; the default of tables */
	struct spec_files files;
};

/* One finding of the check. */
struct spec_error {
	struct spec_place place;
	const char *message;
	struct spec_error *next;
};

/* Parses and checks. False: *errors lists every finding in order of place, and the failure FAIL_SPEC_INVALID is the first one as
 * "file:line:column: message". Everything lives in ctx. */
bool spec_parse(struct ctx *ctx, const struct spec_files *files, struct spec **spec,
    struct spec_error **errors) MUST_CHECK;

/* Reads a pipeline's folder: pipeline.yaml and every *.sql below it except sample/. */
bool spec_read_folder(struct ctx *ctx, const char *folder, struct spec_files *files) MUST_CHECK;
bool spec_files_from_json(struct ctx *ctx, const json_t *object, struct spec_files *files) MUST_CHECK;
json_t *spec_files_to_json(struct ctx *ctx, const struct spec_files *files);
char *spec_files_hash(struct ctx *ctx, const struct spec_files *files);

const struct spec_table *spec_find_table(const struct spec *spec, const char *name); /* NULL: none */
const struct spec_view *spec_find_view(const struct spec *spec, const char *name);   /* NULL: none */
const struct spec_script *spec_find_script(const struct spec *spec, const char *name);
bool spec_table_is_fed_by_files(const struct spec_table *table);
/* A range picks some of it: a fact with time, or from files whose batches are dates. */
bool spec_table_has_slices(const struct spec_table *table);
const struct spec_column *spec_find_column(const struct spec_table *table, const char *name);

/* What sql/pipeline_store.h keeps of a version's `notify`: an array of {to, events}. */
json_t *spec_notify_to_json(struct ctx *ctx, const struct spec *spec);

/* The schedule, which must be there. */
json_t *spec_schedule_to_json(struct ctx *ctx, const struct spec *spec);

/* The parameters as a JSON Schema of a request's params. */
json_t *spec_params_schema(struct ctx *ctx, const struct spec *spec);

/* The spec as understood, for GET /v1/pipelines/{p}. */
json_t *spec_to_json(struct ctx *ctx, const struct spec *spec);
json_t *spec_table_to_json(struct ctx *ctx, const struct spec_table *table);
json_t *spec_guards_to_json(struct ctx *ctx, const struct spec_table *table);
json_t *spec_source_to_json(struct ctx *ctx, const struct spec_source *source);

/* A hash of what says which rows a table has: its declaration without what only says when and how it is loaded, its source, and the
 * text of its SQL. Two versions of a pipeline with one fingerprint load the same rows into the table. */
char *spec_table_fingerprint(struct ctx *ctx, const struct spec *spec, const struct spec_table *table);

/* The declared checks, as part of spec_to_json. */
json_t *spec_checks_to_json(struct ctx *ctx, const struct spec *spec);

/* What a check wants, in words: "at least 99.5% of rows". */
char *spec_check_expected(struct ctx *ctx, const struct spec_check *check);

/* A slice's length: on the grid of period_is_grid, at most 100 years. */
bool spec_slice_parse(const char *text, struct period *slice) MUST_CHECK;

/* Start of the first slice at a given now; CLOCK_MINUS_INFINITY for a table without time. */
int64_t spec_begin(const struct spec_table *table, int64_t now_us);

#endif
