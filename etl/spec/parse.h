/*
 * parse: how the parts of the parser share their work.
 *
 * First the document is read key by key as keys.def says (parse_*.c); then check.c looks at what the parts say about
 * each other. Both go on after a finding, so a struct may be incomplete: NULL where a value is missing or wrong.
 */
#ifndef ETL_SPEC_PARSE_H
#define ETL_SPEC_PARSE_H

#include "etl/spec/yaml.h"

enum section {
#define SECTION(id, place, doc) SECTION_##id,
#define KEY(section, key, type, target, required, values, doc)
#include "etl/spec/keys.def"
#undef SECTION
#undef KEY
	SECTION_COUNT
};
#define IN(id) (1U << SECTION_##id)

enum key_type {
	KEY_TEXT,     /* const char *: not empty */
	KEY_NAME,     /* const char *: [a-z][a-z0-9_]{0,62} */
	KEY_NAMES,    /* a list of names, or one */
	KEY_COUNT,    /* int64_t: whole number within values "least..most" */
	KEY_DURATION, /* int64_t: ms, at least values */
	KEY_SHARE,    /* int64_t: 0 to 100 of "50%"; "off": -1 */
	KEY_PERIOD,   /* const char *: a calendar period that divides the calendar */
	KEY_BOOL,     /* bool: true or false */
	KEY_CHOICE,   /* an enum: index in values "a|b|c" */
	KEY_FLAG,     /* bool: values "false|true" */
	KEY_TYPE,     /* struct spec_type */
	KEY_FILES,    /* a list of files in the pipeline's folder; a star for all SQL files of a folder in it */
	KEY_PERCENT,  /* int64_t: "99.5%" in millionths, at most values percent */
	KEY_LIST,     /* a list */
	KEY_MAP,      /* a mapping */
	KEY_ANY
};

struct spec_key {
	enum section section;
	const char *key;
	enum key_type type;
	size_t offset; /* in the section's struct; SIZE_MAX: read by code of its own */
	bool required;
	const char *values;
	const char *doc;
};
extern const struct spec_key spec_keys[];
extern const size_t spec_keys_count;

struct spec_section {
	const char *place;
	const char *doc;
};
extern const struct spec_section spec_sections[SECTION_COUNT];

/* The column "type" of the reference for a key: "one of `a`, `b`". */
char *spec_key_type_text(struct ctx *ctx, const struct spec_key *key);

struct parse {
	struct findings findings;
	const struct spec_files *files;
	struct spec *spec;
	const struct node *root;
	const struct node **table_nodes; /* as spec->tables; NULL: could not be read */
	const struct node **check_nodes; /* as spec->checks */
	struct spec_table defaults;      /* slice, retry, timeouts */
};

/* Reads a mapping that may hold the keys of the sections given as bits. False when it is no mapping or something is
 * wrong; target then has the rest. */
bool read_section(struct parse *parse, unsigned sections, const struct node *map, void *target);

/* A name or a list of names without repetition. False after a finding. */
bool read_names(struct parse *parse, const struct node *node, const char ***names, size_t *count);

/* The place to blame for what a mapping lacks: its key, or its start. */
const struct spec_place *node_blame(const struct node *node);

/* A scalar in a well-formed mapping that is there and of the right kind, else NULL. */
const char *node_text(const struct node *map, const char *key);

void read_document(struct parse *parse);

/* Files: what a source of them says more, and what a table says of the fields, of the transform and of rejects. */
void read_files_source(struct parse *parse, struct spec_source *source, const struct node *node);
void read_file_table(struct parse *parse, struct spec_table *table, const struct node *node);
void read_tables(struct parse *parse, const struct node *node);
void read_retry(struct parse *parse, const struct node *map, struct retry_policy *retry,
    struct spec_timeouts *timeouts);

/* A dimension whose source is `generate: …` gets its columns, key and query; false: it has another source. */
bool read_calendar(struct parse *parse, struct spec_table *table, const struct node *map);

/* The files `views` and `queries` name, after the tables. */
/* parse_lists.c: files in the order they are named; those of a star in the order of their paths. */
struct parse_listed {
	const struct spec_file **files;
	size_t count;
};
struct parse_listed parse_list_files(struct parse *parse, const char *key);
void parse_refuse_placeholders(struct parse *parse, const struct spec_file *file);
const char *parse_stem(struct ctx *ctx, const char *path); /* a file's name without folder and .sql */

void read_post_load(struct parse *parse); /* before the views */
void read_views(struct parse *parse);
void read_queries(struct parse *parse);

/* `timezone`, `schedule` and `notify`, after the parameters. */
void read_zone(struct parse *parse);
void read_schedule(struct parse *parse);
void read_notify(struct parse *parse);
/* The list `checks`, after the tables; and what checks say about tables, columns and gates, after the tables are checked. */
void read_checks(struct parse *parse);
void check_checks(struct parse *parse);

/* guards.c; the check fills in what is not said. */
extern const struct spec_guards guards_unless_said;
void read_guards(struct parse *parse, const struct node *map, struct spec_guards *guards);
void check_guards(struct parse *parse, struct spec_table *table, const struct node *map);

/* Cross-references. */
void check_document(struct parse *parse);
void check_table(struct parse *parse, struct spec_table *table, const struct node *node);
void check_lookups(struct parse *parse, struct spec_table *table, const struct node *node);
/* Staging: what it may not have, and the one that feeds a table (false: none is named). */
void check_stage(struct parse *parse, struct spec_table *table, const struct node *map);
bool check_stage_source(struct parse *parse, struct spec_table *table, const struct node *map);
void check_files_source(struct parse *parse, struct spec_source *source);
/* After the columns: fields are checked, and the columns get file_id. */
void check_file_table(struct parse *parse, struct spec_table *table, const struct node *node);
/* The SQL file that a key of a mapping names; false after a finding. */
bool find_sql_file(struct parse *parse, const struct node *node, const char **path, const char **text);
void check_query(struct parse *parse, struct spec_table *table, const struct node *node, bool *params_used);
void check_waves(struct parse *parse);
void check_schedule_params(struct parse *parse); /* last: what is required shows in how parameters are used */

/* The document of a specification that was parsed; and where it says what a JSON pointer into spec_to_json names, or would: the
 * deepest part of it that is there. */
const struct node *spec_document(struct ctx *ctx, const struct spec *spec);
struct spec_place spec_place_find(struct ctx *ctx, const struct spec *spec, const struct node *document,
    const char *pointer);

/* "timestamptz", "numeric(10,2)"; false: no type of ours. */
bool spec_type_parse(const char *text, struct spec_type *type) MUST_CHECK;

/* Names of types for messages and suggestions. */
extern const char *const spec_type_words[];
extern const size_t spec_type_words_count;

/* True for a POSIX ERE that compiles and cannot run away: short, few repetitions, no back-references. *why: else. */
bool spec_pattern_is_sane(const char *pattern, const char **why) MUST_CHECK;

#endif
