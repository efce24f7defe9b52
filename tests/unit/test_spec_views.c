/* The specification of views and queries: what is understood, what is refused and where. */
#include "base/bug.h"
#include "tests/support/spec_text.h"

/* The good document with views and queries, and files of these texts beside it. */
static bool
parse_views(struct spec_fixture *f, const char *keys, const char *views, const char *query)
{
	f->files.items = ctx_alloc_array(f->ctx, 6, sizeof(struct spec_file));
	f->files.items[0] = (struct spec_file){"extract/robots.sql", spec_robots_sql};
	f->files.items[1] = (struct spec_file){"extract/uses.sql", spec_uses_sql};
	f->files.items[2] = (struct spec_file){"pipeline.yaml", ctx_printf(f->ctx, "%s%s", spec_good, keys)};
	f->files.items[3] = (struct spec_file){"queries/deep/other.sql", "SELECT 3"};
	f->files.items[4] = (struct spec_file){"queries/top.sql", query};
	f->files.items[5] = (struct spec_file){"views.sql", views};
	f->files.count = 6;
	fail_clear(f->ctx);
	return spec_parse(f->ctx, &f->files, &f->spec, &f->errors);
}

static const char two_views[] = "-- All; of them.\nCREATE OR REPLACE VIEW vw_a AS SELECT ';' AS x;\n"
				"/* then */ create  or replace\nview vw_b(y) AS SELECT x FROM vw_a\n";
static const char top_sql[] = "-- Which is used most?\n-- One row.\nSELECT 1";

static void
test_views(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec_view *view;

	if (!parse_views(f, "views: [views.sql]\nqueries: [queries/*.sql]\n", two_views, top_sql))
		spec_print_errors(f);
	assert_null(f->errors);
	assert_int_equal(f->spec->view_count, 2);
	view = spec_find_view(f->spec, "vw_a");
	assert_string_equal(view->statement, "CREATE OR REPLACE VIEW vw_a AS SELECT ';' AS x");
	view = spec_find_view(f->spec, "vw_b");
	assert_string_equal(view->path, "views.sql");
	assert_int_equal(view->place.line, 3);
	assert_int_equal(view->place.column, 12);
	assert_null(spec_find_view(f->spec, "dim_robots"));
	assert_int_equal(f->spec->query_count, 1);
	assert_string_equal(f->spec->queries[0].name, "top");
	assert_string_equal(f->spec->queries[0].question, "Which is used most?");
	assert_int_equal(json_array_size(json_object_get(spec_to_json(f->ctx, f->spec), "views")), 2);
}

static void
test_post_load(void **state)
{
	static const struct {
		const char *text, *error;
	} refused[] = {
	    {"-- nothing\n", "queries/top.sql:1:1: the file holds no statement"},
	    {"SELECT 1;\n Commit", "queries/top.sql:2:2: commit may not stand here"},
	    {"DELETE FROM x;\nstart transaction", ":2:1: start may not stand here"},
	    {"SELECT :from", ":1:8: ':from' is neither a parameter nor run_id or load_id"},
	    {"SELECT 'x", ":1:1: a literal, name or comment"},
	};
	struct spec_fixture *f = *state;
	const char *keys = "post_load: [queries/top.sql]\n";

	if (!parse_views(f, keys, two_views, "BEGIN_OF_DAY(:run_id);\nCALL commit_all(:load_id, ':x')"))
		spec_print_errors(f);
	assert_null(f->errors);
	assert_int_equal(f->spec->script_count, 1);
	assert_string_equal(spec_find_script(f->spec, "top")->path, "queries/top.sql");
	assert_null(spec_find_script(f->spec, "queries/top.sql"));
	for (size_t i = 0; i < LENGTH_OF(refused); i++) {
		assert_false(parse_views(f, keys, two_views, refused[i].text));
		assert_true(spec_has_error(f, refused[i].error));
	}
	/* One name is one thing. */
	assert_false(parse_views(f, "post_load: [queries/top.sql]\nviews: [views.sql]\n",
	    "CREATE OR REPLACE VIEW top AS SELECT 1", "SELECT 1"));
	assert_true(spec_has_error(f, "views.sql:1:1: 'top' is a file of post_load"));
}

static void
test_views_refused(void **state)
{
	static const struct {
		const char *keys, *views, *query, *error;
	} cases[] = {
	    {"views: views.sql\n", two_views, top_sql, "pipeline.yaml:38:8: 'views' must be a list of files"},
	    {"queries: {}\n", two_views, top_sql, "pipeline.yaml:38:10: 'queries' must be a list of files"},
	    {"views: []\n", two_views, top_sql, ":38:8: the list is empty"},
	    {"views: [view.sql]\n", two_views, top_sql, ":38:9: there is no file 'view.sql'"},
	    {"views: [views.sql, views.sql]\n", two_views, top_sql, ":38:20: 'views.sql' is here twice"},
	    {"views: [pipeline.yaml]\n", two_views, top_sql, ":38:9: the path of a .sql file"},
	    {"views: [[views.sql]]\n", two_views, top_sql, ":38:9: the path of a .sql file"},
	    {"queries: [queries/*.sql, queries/top.sql]\n", two_views, top_sql, "'queries/top.sql' is here twice"},
	    {"queries: [query/*.sql]\n", two_views, top_sql, ":38:11: there is no file 'query/*.sql'"},
	    {"queries: [queries/t*.sql]\n", two_views, top_sql, ":38:11: 'queries/t*.sql': a star may only"},
	    {"queries: ['*.sql']\n", two_views, top_sql, ":38:12: '*.sql': a star may only"},
	    {"queries: ['*/*.sql']\n", two_views, top_sql, ":38:12: '*/*.sql': a star may only"},
	    {"queries: [queries/top.sql]\n", two_views, "SELECT 1;\n", "queries/top.sql:1:9: a semicolon"},
	    {"queries: [queries/top.sql]\n", two_views, "-- What?\n", "queries/top.sql:1:1: the file has no statement"},
	    {"queries: [queries/top.sql]\n", two_views, "SELECT :x", "queries/top.sql:1:8: ':x': nothing fills"},
	    {"views: [views.sql]\n", "-- none;", top_sql, "views.sql:1:1: the file declares no view"},
	    {"views: [views.sql]\n", "\n DROP VIEW a", top_sql, "views.sql:2:2: only CREATE OR REPLACE VIEW"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEWS a AS SELECT 1", top_sql, "views.sql:1:1: only"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEW a.b AS SELECT 1", top_sql,
		"'a.b' must be a name, without"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEW fact_uses AS SELECT 1", top_sql, "'fact_uses' is a table"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEW a AS SELECT 1;\nCREATE OR REPLACE VIEW a AS SELECT 1",
		top_sql, "views.sql:2:1: the view 'a' is here twice"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEW a AS SELECT '", top_sql,
		"views.sql:1:1: a literal, name or comment"},
	    {"views: [views.sql]\n", "CREATE OR REPLACE VIEW a AS SELECT :from", top_sql,
		"views.sql:1:36: ':from': nothing fills"},
	};
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_false(parse_views(f, cases[i].keys, cases[i].views, cases[i].query));
		assert_true(spec_has_error(f, cases[i].error));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_views),
	    SPEC_TEST(test_post_load),
	    SPEC_TEST(test_views_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
