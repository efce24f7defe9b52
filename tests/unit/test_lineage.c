/* What is made of what, read from texts. */
#include "base/bug.h"
#include "etl/lineage.h"
#include "etl/template.h"
#include "tests/support/spec_text.h"

static bool
add_word(void *arg, const struct template_word *word)
{
	struct text *out = arg;

	text_addf(out, "%s%.*s%s ", word->after_dot ? "." : "", (int)word->length, word->at, word->quoted ? "!" : "");
	return !text_ends_with(out->data, "stop ");
}

static void
test_words(void **state)
{
	static const struct {
		const char *sql, *words;
	} cases[] = {
	    {"", ""},
	    {"a", "a "},
	    {"SELECT a.b, \"C d\".\"e\" FROM x", "SELECT a .b C d! .e! FROM x "},
	    {"'in' -- at\n/* of /* to */ by */ on", "on "},
	    {"$$in$$ $t$ of $t$ a1_b E'x\\'y' z", "a1_b E z "},
	    {"a . b", "a .b "},
	    {"\xc3\xa4rger::text", "\xc3\xa4rger text "},
	    {"go stop here", "go stop "},
	    {"a 'open", "a "},
	};
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct text out;

		text_init(&out, f->ctx);
		(void)template_words(cases[i].sql, add_word, &out);
		assert_string_equal(out.data, cases[i].words);
	}
}

/* "from>to" of one kind of edge. */
static const char *
edges(struct spec_fixture *f, const char *kind)
{
	json_t *graph = lineage_to_json(f->ctx, f->spec), *edge;
	struct text out;
	size_t i;

	text_init(&out, f->ctx);
	json_array_foreach(json_object_get(graph, "edges"), i, edge)
		if (text_equal(json_string_or(edge, "kind", ""), kind))
			text_addf(&out, "%s>%s ", json_string_or(edge, "from", ""), json_string_or(edge, "to", ""));
	return out.data;
}

static void
parse(struct spec_fixture *f, const char *views, const char *query)
{
	struct spec_file items[] = {{"extract/robots.sql", spec_robots_sql}, {"extract/uses.sql", spec_uses_sql},
	    {"pipeline.yaml", ctx_printf(f->ctx, "%sviews: [views.sql]\nqueries: [q.sql]\n", spec_good)},
	    {"q.sql", query}, {"views.sql", views}};

	f->files =
	    (struct spec_files){.items = ctx_alloc_array(f->ctx, LENGTH_OF(items), sizeof(*items)), LENGTH_OF(items)};
	memcpy(f->files.items, items, sizeof(items));
	fail_clear(f->ctx);
	if (!spec_parse(f->ctx, &f->files, &f->spec, &f->errors))
		spec_print_errors(f);
	assert_null(f->errors);
}

static void
test_graph(void **state)
{
	struct spec_fixture *f = *state;

	parse(f,
	    "CREATE OR REPLACE VIEW plain AS SELECT r.model, 'fact_uses' AS literal FROM Dim_Robots r; -- fact_uses\n"
	    "CREATE OR REPLACE VIEW both AS SELECT u.plain FROM public.fact_uses u JOIN plain ON true JOIN plain p ON true;\n"
	    "CREATE OR REPLACE VIEW other AS SELECT x.dim_robots FROM elsewhere.fact_uses x, \"PLAIN\", \"both\";",
	    "-- How many?\nSELECT count(*) FROM both, dim_robots");
	assert_string_equal(edges(f, "load"), "source:rds>table:dim_robots source:rds>table:fact_uses ");
	assert_string_equal(edges(f, "lookup"), "table:dim_robots>table:fact_uses ");
	assert_string_equal(edges(f, "read"),
	    "table:dim_robots>view:plain table:fact_uses>view:both view:plain>view:both view:both>view:other "
	    "view:both>query:q table:dim_robots>query:q ");
	assert_int_equal(json_array_size(json_object_get(lineage_to_json(f->ctx, f->spec), "nodes")), 7);
}

static void
test_params_schema(void **state)
{
	struct spec_fixture *f = *state;

	assert_true(spec_try(f,
	    spec_edit(f, "params:\n",
		"params:\n  code: { type: integer }\n  day: { type: date, default: 2024-01-31 }\n"),
	    "SELECT * FROM robots WHERE region = :region AND code = :code AND day = :day", spec_uses_sql));
	assert_string_equal(json_text(f->ctx, spec_params_schema(f->ctx, f->spec)),
	    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
	    "\"code\":{\"type\":[\"string\",\"integer\"],\"description\":\"integer\",\"minimum\":-2147483648,\"maximum\":2147483647},"
	    "\"day\":{\"type\":[\"string\"],\"description\":\"date\",\"format\":\"date\",\"default\":\"2024-01-31\"},"
	    "\"region\":{\"type\":[\"string\"],\"description\":\"text\",\"pattern\":\"^([a-z]{2})$\",\"default\":\"ch\"}},"
	    "\"required\":[\"code\"],\"additionalProperties\":false}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_words),
	    SPEC_TEST(test_graph),
	    SPEC_TEST(test_params_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
