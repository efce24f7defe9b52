/* The specification: what is understood, what is refused and where, and that the reference tells the same. */
#include "base/bug.h"
#include "base/file.h"
#include "tests/support/spec_text.h"

static void
test_good(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec_table *dimension, *fact;

	if (!spec_try(f, spec_good, spec_robots_sql, spec_uses_sql))
		spec_print_errors(f);
	assert_null(f->errors);
	assert_string_equal(f->spec->schema, "public");
	assert_string_equal(f->spec->timezone, "UTC");
	assert_int_equal(f->spec->timeouts.run_ms, 86400000);
	dimension = spec_find_table(f->spec, "dim_robots");
	fact = spec_find_table(f->spec, "fact_uses");
	assert_string_equal(dimension->surrogate, "dim_robots_key");
	assert_int_equal(dimension->scd, 2);
	assert_true(dimension->columns[0].key && dimension->columns[0].not_null && !dimension->columns[0].tracked);
	assert_true(dimension->columns[1].tracked && dimension->columns[1].not_null);
	assert_false(dimension->columns[3].tracked);
	assert_int_equal(f->spec->retry.attempts, 5); /* of the plan and the ddl */
	assert_int_equal(dimension->retry.attempts, 5);
	assert_int_equal(dimension->timeouts.step_ms, 7200000);
	assert_int_equal(dimension->wave, 2);
	assert_int_equal(fact->wave, 3);
	assert_int_equal(fact->retry.backoff_ms, 3000);
	assert_int_equal(fact->lag_ms, 600000);
	assert_string_equal(fact->slice_text, "P1M");
	assert_int_equal(fact->slice.months, 1);
	assert_false(fact->fail_run);
	assert_ptr_equal(fact->lookups[0].dimension, dimension);
	assert_int_equal(fact->lookups[0].missing, MISSING_FAIL);
	assert_string_equal(fact->query, spec_uses_sql);
	assert_string_equal(spec_type_name(f->ctx, &dimension->columns[2].type), "numeric(10,2)");
}

static void
test_begin(void **state)
{
	struct spec_fixture *f = *state;
	int64_t now_us;

	assert_true(clock_parse("2024-03-31T12:00:00Z", &now_us));
	assert_true(spec_try(f, spec_good, spec_robots_sql, spec_uses_sql));
	assert_string_equal(clock_format(f->ctx, spec_begin(&f->spec->tables[1], now_us)), "2022-02-01T00:00:00Z");
	assert_int_equal(spec_begin(&f->spec->tables[0], now_us), CLOCK_MINUS_INFINITY);
	assert_true(spec_try(f, spec_edit(f, "-P25M", "2023-01-15"), spec_robots_sql, spec_uses_sql));
	assert_string_equal(clock_format(f->ctx, spec_begin(&f->spec->tables[1], now_us)), "2023-01-01T00:00:00Z");
}

static const struct refusal {
	const char *from, *to, *error;
} refusals[] = {
    {"spec: 1", "spec: 2", "pipeline.yaml:1:7: 'spec' is '2', but must be 1"},
    {"spec: 1", "", "pipeline.yaml:2:1: the document lacks the key 'spec'"},
    {"pipeline: shop", "pipeline: Shop", ":2:11: 'pipeline' is 'Shop', but must be a name"},
    {"    columns: {", "    colums: {", ":28:5: unknown key 'colums'; did you mean 'columns'?"},
    {"    key: [robot_id]\n", "", ":13:3: 'dim_robots' lacks the key 'key'"},
    {"from: rds, query: extract/uses.sql", "from: rds", ":25:5: 'source' lacks the key 'query'"},
    {"from: rds, query: extract/uses.sql", "query: extract/uses.sql", ":25:5: 'source' lacks the key 'from'"},
    {"    grain: [use_id]\n", "", ":23:3: 'fact_uses' lacks the key 'grain'"},
    {"    lookback: 2\n", "    lookback: two\n",
	":32:15: 'lookback' is 'two', but must be a whole number from 0 to 10000"},
    {"    key: [robot_id]", "    key: [robotid]",
	":16:11: 'dim_robots' has no column 'robotid'; did you mean 'robot_id'?"},
    {"    key: [robot_id]", "    grain: [robot_id]", ":16:5: 'grain' is a key of facts; this table is a dimension"},
    {"kind: fact", "kind: table", ":24:11: 'kind' must be dimension, fact or stage"},
    {"model: {", "row_hash: {", ":19:7: the name 'row_hash' is reserved"},
    {"model: {", "loadstar_x: {", ":19:7: the name 'loadstar_x' is reserved"},
    {"model: {", "Model: {", ":19:7: 'Model' must be a name"},
    {"model: {", "dim_robots_key: {", ":19:7: 'dim_robots_key' is the surrogate key already"},
    {"model: { type: text,", "model: { type: txt,", ":19:22: 'txt' is no type; did you mean 'text'?"},
    {"price: numeric(10,2)", "price: numeric(2,10)", ":20:14: 'numeric(2,10)' is no type"},
    {"valid_from: updated_at", "valid_from: model", ":22:48: 'model' must be a date, timestamp or timestamptz"},
    {"track: all", "track: [modl]", ":22:32: 'dim_robots' has no column 'modl'; did you mean 'model'?"},
    {"track: all", "track: [robot_id]", "'robot_id' is part of the key: it cannot be tracked"},
    {"scd: 2", "scd: 1", ":22:24: 'track' needs scd 2"},
    {"scd: 2", "scd: 3", "'scd' is '3', but must be a whole number from 0 to 2"},
    {"scd: 2", "scd: 0", ":22:24: 'track' needs scd 2"},
    {"    history: { scd: 2, track: all, valid_from: updated_at, deletes: ignore }",
	"    history: { scd: 1, ties: first }", ":22:24: 'ties' needs scd 2"},
    {"    key: [robot_id]\n", "    key: [robot_id]\n    write: append\n",
	":17:12: 'write: append' is scd 0; 'history' says scd 2"},
    {"    key: [robot_id]\n", "    key: [robot_id]\n    write: replace\n",
	":17:12: 'write: replace' needs scd 1; with scd 2 'deletes: close' ends what is gone"},
    {"    history: { scd: 2, track: all, valid_from: updated_at, deletes: ignore }\n", "    write: replace\n",
	"robots.sql:1:37: ':region' is not available yet where rows that are not read are taken away (write: replace)"},
    {"model: {", "sequence: {", ":19:7: the name 'sequence' is the observation log's in a dimension with scd 2"},
    {"model: {", "is_inferred: {", ":19:7: the name 'is_inferred' is reserved"},
    {"time: start_time", "time: robot_id", ":29:11: 'robot_id' must be a date, timestamp or timestamptz to be 'time'"},
    {"time: start_time", "time: start_tim",
	":29:11: 'fact_uses' has no column 'start_tim'; did you mean 'start_time'?"},
    {"changed_by: updated_at", "changed_by: update_at",
	":33:17: 'fact_uses' has no column 'update_at'; did you mean 'updated_at'?"},
    {"valid_from: updated_at", "valid_from: update_at",
	":22:48: 'dim_robots' has no column 'update_at'; did you mean 'updated_at'?"},
    {"grain: [use_id]", "grain: [robot_id, used_id]",
	":27:23: 'fact_uses' has no column 'used_id'; did you mean 'use_id'?"},
    {"match: robot_id", "match: robot", ":35:59: 'fact_uses' has no column 'robot'"},
    {"as_of: start_time", "as_of: start", ":35:76: 'fact_uses' has no column 'start'"},
    {"start_time: timestamptz, updated_at: timestamptz }\n    time: start_time\n",
	"start_time: date, updated_at: timestamptz }\n    time: start_time\n    slice: PT6H\n",
	":30:12: 'start_time' is a date, which slices of PT6H do not divide: P1D is the shortest"},
    {"write: replace_range", "slice: P1M1D", ":34:12: 'slice' is 'P1M1D', but must be a period"},
    {"    begin: -P25M\n", "", ":23:3: 'fact_uses' has 'time' and so needs 'begin'"},
    {"-P25M", "yesterday", ":30:12: 'begin' is 'yesterday'"},
    {"  slice: P1M\n", "", "'fact_uses' has 'time' and so needs 'slice'"},
    {"slice: P1M", "slice: PT7H", ":5:10: 'slice' is 'PT7H', but must be a period"},
    {"slice: P1M", "slice: month", ":5:10: 'slice' is 'month', but must be a period"},
    {"lag: 10m", "lag: ten", ":31:10: 'lag' is 'ten', but must be a duration"},
    {"write: replace_range", "write: replace_all",
	":29:5: 'time' cuts a table into slices; 'write: replace_all' has one slice, the whole table"},
    {"dimension: dim_robots", "dimension: dim_robot",
	":35:40: there is no dimension 'dim_robot'; did you mean 'dim_robots'?"},
    {"dimension: dim_robots", "dimension: fact_uses", "'fact_uses' is a fact, not a dimension"},
    {"dimension: dim_robots, ", "", ":35:16: 'robot_key' lacks the key 'dimension' or 'fact'"},
    {"dimension: dim_robots", "dimension: dim_robots, fact: fact_uses",
	"a lookup names a dimension or a fact, not both"},
    {"dimension: dim_robots", "fact: dim_robots", ":35:35: 'dim_robots' is a dimension, not a fact"},
    {"dimension: dim_robots", "fact: fact_uses", ":35:35: 'fact_uses' cannot look itself up"},
    {"dimension: dim_robots", "fact: fact_us", ":35:35: there is no fact 'fact_us'"},
    {"dimension: dim_robots", "fact: fact_uses", "'as_of' needs a dimension: a fact has no versions"},
    {"match: robot_id", "match: [robot_id, use_id]", "'dim_robots' has a key of 1 columns, 'match' names 2"},
    {"match: robot_id", "match: start_time",
	"'start_time' is timestamp with time zone, but the key 'robot_id' of 'dim_robots' is bigint"},
    {"as_of: start_time", "as_of: use_id", "'use_id' must be a date, timestamp or timestamptz to be 'as_of'"},
    {"{ robot_key:", "{ robot_id:", ":35:16: 'robot_id' is a column already"},
    {"from: rds, query: extract/uses.sql", "from: rd, query: extract/uses.sql",
	"there is no source 'rd'; did you mean 'rds'?"},
    {"extract/uses.sql", "extract/use.sql", "there is no SQL file 'extract/use.sql'; did you mean 'extract/uses.sql'?"},
    {"default: ch", "default: CH", ":9:55: the default 'CH' is no text that matches the pattern"},
    {"[a-z]{2}", "([a-z]", "the pattern is not a POSIX extended regular expression"},
    {"[a-z]{2}", "((a{99}){99}){99}", "the pattern repeats too often"},
    {"  region:", "  from:", ":9:3: the name 'from' is reserved"},
    {"warehouse: warehouse\n", "warehouse: warehouse\nschema: loadstar\n",
	":4:9: 'schema' is 'loadstar', which is reserved"},
    {"warehouse: warehouse\n", "warehouse: warehouse\nschema: pg_catalog\n", "which is reserved"},
    {"warehouse: warehouse\n", "warehouse: warehouse\nschema: information_schema\n", "which is reserved"},
    {"warehouse: warehouse\n", "warehouse: warehouse\ntimezone: Europe/Zürich\n",
	":4:11: 'Europe/Zürich' is no time zone"},
    {"attempts: 5", "attempts: 0", "'attempts' is '0', but must be a whole number from 1 to 100"},
    {"    retry: { backoff: 3s }", "    timeouts: { run: 1h }", ":37:17: 'run' belongs to the timeouts in defaults"},
    {"not_null: true", "not_null: yes", "'not_null' is 'yes', but must be true or false"},
    {"on_error: continue", "on_error: [continue]", "'on_error' must be one of `continue`, `fail`, not a list"},
    {"    on_error: continue", "    on_error:", ":36:5: 'on_error' has no value"},
    {"    lookback: 2\n", "    lookback: 2\n    lookback: 3\n", ":33:5: key 'lookback' is here twice"},
    {"pipeline: shop", "pipeline: &a shop", "anchors and aliases are not allowed"},
    {"pipeline: shop", "pipeline: !!str shop", "tags (!…) are not allowed"},
    {"    retry: {", "    <<: {", "merge keys (<<) are not allowed"},
    {"pipeline: shop", "[a, b]: shop", "a key must be text"},
    {"    retry: { backoff: 3s }\n", "    retry: { backoff: 3s }\n---\nspec: 1\n", "a second document"},
    {"pipeline: shop", "pipeline: \"a\\0b\"", "the text has control characters or is not UTF-8"},
    {"pipeline: shop", "pipeline: [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]", "nested deeper than 16 levels"},
    {"pipeline: shop", "pipeline: sh\xffop", ":2:13: a control character, or a byte that is not UTF-8"},
    {"pipeline: shop", "pipeline: {", ":3:1: not YAML: "},
};

static void
test_refusals(void **state)
{
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
		assert_false(
		    spec_try(f, spec_edit(f, refusals[i].from, refusals[i].to), spec_robots_sql, spec_uses_sql));
		assert_true(spec_has_error(f, refusals[i].error));
		assert_int_equal(ctx_failure(f->ctx)->code, FAIL_SPEC_INVALID);
	}
}

static void
test_queries(void **state)
{
	struct spec_fixture *f = *state;

	assert_false(spec_try(f, spec_good, "SELECT :region,\n  :from", spec_uses_sql));
	assert_true(spec_has_error(f, "extract/robots.sql:2:3: ':from' needs 'time': 'dim_robots' is loaded whole"));
	assert_false(spec_try(f, spec_good, spec_robots_sql, "SELECT :from, :too"));
	assert_true(spec_has_error(f, "extract/uses.sql:1:15: unknown placeholder ':too'; did you mean ':to'?"));
	assert_true(spec_has_error(f, "pipeline.yaml:25:33: the query must keep to the slice"));
	assert_false(spec_try(f, spec_good, "SELECT 1", spec_uses_sql));
	assert_true(spec_has_error(f, "pipeline.yaml:9:3: no query uses ':region'"));
	assert_false(spec_try(f, spec_good, spec_robots_sql, "SELECT :from, :to, :region"));
	assert_true(spec_has_error(f, "extract/uses.sql:1:20: ':region' is not available yet"));
	assert_false(spec_try(f, spec_good, "SELECT :region;", spec_uses_sql));
	assert_true(spec_has_error(f, "extract/robots.sql:1:15: a semicolon"));
	assert_false(spec_try(f, spec_good, "SELECT :region /* and", spec_uses_sql));
	assert_true(spec_has_error(f, "extract/robots.sql:1:16: this literal, name or comment has no end"));
	assert_false(spec_try(f, spec_good, "-- nothing", spec_uses_sql));
	assert_true(spec_has_error(f, "extract/robots.sql:1:1: the file has no statement"));
}

static void
test_all_in_order(void **state)
{
	struct spec_fixture *f = *state;
	int line = 0, count = 0;

	assert_false(
	    spec_try(f, "spec: 2\npipelin: x\nwarehouse: 1x\nsources: []\ntables: {a: {kind: fact}, b: 1}\n", "", ""));
	for (const struct spec_error *e = f->errors; e != NULL; e = e->next, count++) {
		assert_true(e->place.line >= line);
		line = e->place.line;
	}
	assert_true(count >= 8);
	assert_true(
	    text_starts_with(ctx_failure(f->ctx)->message, "pipeline.yaml:1:1: the document lacks the key 'pipeline'"));
}

static void
test_no_document(void **state)
{
	struct spec_fixture *f = *state;

	assert_false(spec_try(f, "", "", ""));
	assert_true(spec_has_error(f, "pipeline.yaml:1:1: the file is empty"));
	assert_false(spec_try(f, "- 1\n", "", ""));
	assert_true(spec_has_error(f, "pipeline.yaml:1:1: the document must be a mapping"));
	f->files.count = 2;
	fail_clear(f->ctx);
	assert_false(spec_parse(f->ctx, &f->files, &f->spec, &f->errors));
	assert_true(spec_has_error(f, "pipeline.yaml:1:1: the pipeline has no file pipeline.yaml"));
}

/* Dimensions that look each other up: refused as not available, and as a circle, without an endless search. */
static void
test_circle(void **state)
{
	static const char yaml[] =
	    "spec: 1\npipeline: p\nwarehouse: w\nsources: { s: { type: postgres, connection: c } }\ntables:\n"
	    "  a: { kind: dimension, source: { from: s, query: extract/robots.sql }, key: k, columns: { k: text },\n"
	    "       lookups: { x: { dimension: b, match: k } } }\n"
	    "  b: { kind: dimension, source: { from: s, query: extract/robots.sql }, key: k, columns: { k: text },\n"
	    "       lookups: { y: { dimension: a, match: k } } }\n";
	struct spec_fixture *f = *state;

	assert_false(spec_try(f, yaml, "SELECT 1", spec_uses_sql));
	assert_true(spec_has_error(f, "pipeline.yaml:7:19: the lookups go in a circle: a -> b -> a"));
	assert_true(spec_has_error(f, "pipeline.yaml:7:8: lookups of a dimension are not available yet"));
}

/* Facts that look each other up, or one that has nothing to be found by. */
static void
test_fact_lookups(void **state)
{
	static const char yaml[] =
	    "spec: 1\npipeline: p\nwarehouse: w\nsources: { s: { type: postgres, connection: c } }\ntables:\n"
	    "  a: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text },\n"
	    "       surrogate: a_key, lookups: { x: { fact: b, match: k, missing: infer } } }\n"
	    "  b: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text },\n"
	    "       lookups: { y: { fact: a, match: k } } }\n"
	    "  c: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text },\n"
	    "       surrogate: c_key }\n"
	    "  d: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text },\n"
	    "       lookups: { y: { fact: c, match: k } } }\n";
	struct spec_fixture *f = *state;
	char *good;

	assert_false(spec_try(f, yaml, "SELECT 1", spec_uses_sql));
	assert_true(spec_has_error(f, "pipeline.yaml:7:37: the lookups go in a circle: a -> b -> a"));
	assert_true(spec_has_error(f, "pipeline.yaml:7:70: 'missing: infer' needs a dimension"));
	assert_true(spec_has_error(f, "pipeline.yaml:7:48: 'b' has no 'surrogate', and so cannot be looked up"));
	good = ctx_printf(f->ctx, "%.*s%s", (int)(strstr(yaml, "  a: {") - yaml), yaml, strstr(yaml, "  c: {"));
	if (!spec_try(f, good, "SELECT 1", spec_uses_sql))
		spec_print_errors(f);
	assert_null(f->errors);
	assert_int_equal(spec_find_table(f->spec, "d")->wave, spec_find_table(f->spec, "c")->wave + 1);
}

/* A circle is told once, by its tables; who only looks one of them up is not blamed. */
static void
test_long_circle(void **state)
{
	struct spec_fixture *f = *state;
	struct text yaml;
	int circles = 0;

	text_init(&yaml, f->ctx);
	text_add(&yaml,
	    "spec: 1\npipeline: p\nwarehouse: w\nsources: { s: { type: postgres, connection: c } }\ntables:\n");
	for (const char *t = "zacbd"; *t != '\0'; t++) /* z -> a -> b -> c -> a; d -> a */
		text_addf(&yaml,
		    "  %c: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text }, surrogate: n,\n"
		    "       lookups: { x: { fact: %c, match: k } } }\n",
		    *t, *t == 'z' || *t == 'd' || *t == 'c' ? 'a' : *t + 1);
	assert_false(spec_try(f, yaml.data, "SELECT 1", spec_uses_sql));
	for (const struct spec_error *e = f->errors; e != NULL; e = e->next)
		circles += strstr(e->message, "circle") != NULL;
	assert_int_equal(circles, 1);
	assert_true(spec_has_error(f, "pipeline.yaml:9:19: the lookups go in a circle: a -> b -> c -> a"));
}

static void
test_calendars(void **state)
{
	static const char yaml[] =
	    "spec: 1\npipeline: p\nwarehouse: w\nsources: { s: { type: postgres, connection: c } }\ntables:\n"
	    "  d: { kind: dimension, source: { generate: date, start: 2020-02-30, years: 500, from: s }, key: k }\n"
	    "  t: { kind: dimension, source: { generate: time, years: 3 }, history: { scd: 2 } }\n"
	    "  e: { kind: dimension, source: { generate: date } }\n"
	    "  f: { kind: fact, source: { from: s, query: extract/robots.sql }, grain: k, columns: { k: text, d: date },\n"
	    "       lookups: { x: { dimension: d, match: k }, y: { dimension: t, match: d, missing: infer } } }\n"
	    "  g: { kind: fact, source: { generate: time } }\n"
	    "  h: { kind: fact, source: { from: s, query: extract/robots.sql, years: 2 }, grain: k, columns: { k: text } }\n";
	static const char *const errors[] = {
	    "pipeline.yaml:6:58: 'start' is '2020-02-30', but must be a date",
	    "pipeline.yaml:6:77: 'years' is '500', but must be a whole number from 1 to 400",
	    "pipeline.yaml:6:82: 'from' is not for a generated dimension",
	    "pipeline.yaml:6:93: 'key' is not for a generated dimension",
	    "pipeline.yaml:7:51: 'years' is for dates",
	    "pipeline.yaml:7:63: 'history' is not for a generated dimension",
	    "pipeline.yaml:8:25: 'source' lacks the key 'start'",
	    "pipeline.yaml:10:45: 'k' is text; the calendar 'd' is found by a date, timestamp or timestamptz",
	    "pipeline.yaml:10:76: 'd' is date; the calendar 't' is found by a timestamp or timestamptz",
	    "'t' is a calendar: it has no members to be inferred",
	    "pipeline.yaml:11:30: only a dimension can be generated",
	    "pipeline.yaml:12:66: 'years' needs 'generate: date'",
	};
	struct spec_fixture *f = *state;

	assert_false(spec_try(f, yaml, "SELECT 1", spec_uses_sql));
	for (size_t i = 0; i < LENGTH_OF(errors); i++)
		assert_true(spec_has_error(f, errors[i]));
}

static void
test_files(void **state)
{
	struct spec_fixture *f = *state;
	struct spec_files again;
	json_t *json;

	assert_true(spec_try(f, spec_good, spec_robots_sql, spec_uses_sql));
	json = spec_files_to_json(f->ctx, &f->files);
	assert_true(spec_files_from_json(f->ctx, json, &again));
	assert_int_equal(again.count, 3);
	assert_string_equal(spec_files_hash(f->ctx, &again), f->spec->hash);
	assert_true(text_starts_with(f->spec->hash, "sha256:"));
	again.items[1].text = "SELECT 2";
	assert_string_not_equal(spec_files_hash(f->ctx, &again), f->spec->hash);
	assert_non_null(strstr(json_text(f->ctx, spec_to_json(f->ctx, f->spec)), "\"begin\":\"-P25M\""));
}

static void
test_value_types(void **state)
{
	static const struct {
		const char *type, *value;
		bool good;
	} cases[] = {
	    {"smallint", "32767", true},
	    {"smallint", "32768", false},
	    {"integer", "-5", true},
	    {"integer", "1;", false},
	    {"numeric(5,2)", "1.50", true},
	    {"numeric", "1e5", false},
	    {"numeric", ".", false},
	    {"double", "1e5", true},
	    {"boolean", "true", true},
	    {"boolean", "yes", false},
	    {"date", "2024-02-30", false},
	    {"date", "2024-02-29", true},
	    {"timestamptz", "2024-02-29T10:00:00+02:00", true},
	    {"timestamptz", "infinity", false},
	    {"timestamp", "2024-02-29 10:00:00", true},
	    {"timestamp", "2024-02-29T10:00:00Z", false},
	    {"uuid", "01890a5d-ac96-774b-bcce-b302099a8057", true},
	    {"uuid", "01890a5d", false},
	    {"text", "'", true},
	    {"jsonb", "{}", false},
	};
	struct spec_type type;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_true(spec_type_parse(cases[i].type, &type));
		assert_int_equal(spec_type_accepts(&type, cases[i].value), cases[i].good);
	}
}

/* The pipelines that ship are right. */
static void
test_shipped(void **state)
{
	static const char folder[] = "sql/pipelines";
	struct spec_fixture *f = *state;
	char **names;
	size_t count;

	assert_true(file_list(f->ctx, folder, &names, &count));
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(spec_read_folder(f->ctx, ctx_printf(f->ctx, "%s/%s", folder, names[i]), &f->files));
		if (!spec_parse(f->ctx, &f->files, &f->spec, &f->errors))
			spec_print_errors(f);
		assert_null(f->errors);
		assert_string_equal(f->spec->pipeline, names[i]);
		for (size_t k = 0; k < f->files.count; k++)
			assert_false(text_starts_with(f->files.items[k].path, "sample/"));
	}
}

/* docs/spec.md has a row for each key, as the table of keys says it. */
static void
test_reference(void **state)
{
	struct spec_fixture *f = *state;
	char *text;

	assert_true(file_read(f->ctx, "docs/spec.md", 1 << 20, &text, NULL));
	for (size_t i = 0; i < SECTION_COUNT; i++)
		assert_non_null(
		    strstr(text, ctx_printf(f->ctx, "### %s\n\n%s\n", spec_sections[i].place, spec_sections[i].doc)));
	for (size_t i = 0; i < spec_keys_count; i++) {
		const struct spec_key *key = &spec_keys[i];
		char *row = ctx_printf(f->ctx, "| `%s` | %s | %s | %s |\n", key->key, spec_key_type_text(f->ctx, key),
		    key->required ? "yes" : "", key->doc);
		char *section = strstr(text, ctx_printf(f->ctx, "### %s\n", spec_sections[key->section].place));

		if (section == NULL || strstr(section, row) == NULL)
			fail_msg("docs/spec.md, %s, lacks the row:\n%s", spec_sections[key->section].place, row);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_good),
	    SPEC_TEST(test_begin),
	    SPEC_TEST(test_refusals),
	    SPEC_TEST(test_queries),
	    SPEC_TEST(test_all_in_order),
	    SPEC_TEST(test_no_document),
	    SPEC_TEST(test_circle),
	    SPEC_TEST(test_fact_lookups),
	    SPEC_TEST(test_long_circle),
	    SPEC_TEST(test_calendars),
	    SPEC_TEST(test_files),
	    SPEC_TEST(test_value_types),
	    SPEC_TEST(test_shipped),
	    SPEC_TEST(test_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
