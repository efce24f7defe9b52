/* The stores against a real PostgreSQL: what is read of runs, steps, lines and pipelines. */
#include "sql/log_store.h"
#include "sql/pipeline_store.h"
#include "tests/support/stores_fixture.h"

static void
test_lists_page_newest_first(void **state)
{
	const char *const pipelines[] = {"p", "q", NULL}, *const statuses[] = {"queued", "failed", NULL};
	struct run_filter filters[] = {{.limit = 2}, {.limit = 2, .pipelines = pipelines},
	    {.limit = 2, .statuses = statuses}};
	const char *ids[5];
	struct run_list list;

	(void)state;
	for (int i = 0; i < 5; i++)
		ids[i] = stores_accept(f.ctx, f.db).id;
	for (int k = 0; k < 3; k++) {
		for (int left = 5; left > 0; left -= 2) {
			assert_true(run_list(f.ctx, f.db, &filters[k], &list));
			assert_int_equal(list.count, left < 2 ? left : 2);
			assert_int_equal(list.more, left > 2);
			assert_string_equal(list.items[0].id, ids[left - 1]);
			filters[k].before_id = list.items[list.count - 1].id;
			filters[k].before_us = list.items[list.count - 1].created_us;
		}
	}
	filters[0] = (struct run_filter){.limit = 9, .label_key = "a", .label_value = "b"};
	assert_true(run_list(f.ctx, f.db, &filters[0], &list));
	assert_int_equal(list.count, 0);
}

static void
test_steps_and_lines_are_listed(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 2, -1)};
	struct run run = stores_plan(f.ctx, f.db, steps, 2);
	struct step_filter filter = {.run_id = run.id, .limit = 2}, next;
	struct log_filter lines = {.run_id = run.id, .limit = 100};
	json_t *items = json_new_array(f.ctx), *line;
	struct step_claim claim = stores_claim(f.ctx, f.db);
	struct log_lines page;
	bool more;

	(void)state;
	succeed(&claim);
	assert_true(step_list(f.ctx, f.db, &filter, items, &more, &next));
	assert_true(more);
	assert_true(step_list(f.ctx, f.db, &next, items, &more, &next));
	assert_false(more);
	assert_int_equal(json_array_size(items), 3);
	assert_string_equal(json_text(f.ctx, json_object_get(json_array_get(items, 1), "slice")),
	    "{\"from\":\"2024-01-01T00:00:00Z\",\"to\":\"2024-01-02T00:00:00Z\"}");
	assert_string_equal(json_string_or(json_array_get(json_object_get(json_array_get(items, 1), "attempts"), 0),
				"status", ""),
	    "succeeded");
	assert_true(json_is_null(json_object_get(json_array_get(items, 2), "slice")));
	assert_true(log_page(f.ctx, f.db, &lines, &page));
	assert_true(page.count >= 6);
	for (size_t i = 0; i < page.count; i++)
		assert_int_equal(page.ids[i], i + 1);
	assert_true(json_parse(f.ctx, page.lines[0], strlen(page.lines[0]), &line));
	assert_string_equal(json_string_or(line, "run_id", ""), run.id);
}

static void
test_run_document_is_the_contracts(void **state)
{
	struct run run = stores_accept(f.ctx, f.db);
	const char *document = json_text(f.ctx, run_to_json(f.ctx, &run));

	(void)state;
	assert_true(text_starts_with(document,
	    ctx_printf(f.ctx,
		"{\"id\":\"%s\",\"pipeline\":\"p\",\"type\":\"full\",\"mode\":\"auto\",\"status\":\"queued\",\"attempt\":1,"
		"\"from\":null,\"to\":null,\"slice\":null,\"tables\":null,\"params\":{},\"labels\":{},\"note\":null,"
		"\"requested_by\":\"tester\",\"trigger\":{\"kind\":\"api\",\"ref\":null},\"spec_version\":\"sha256:1\","
		"\"created_at\":\"",
		run.id)));
	assert_non_null(strstr(document,
	    "\"started_at\":null,\"finished_at\":null,\"progress\":{\"steps_total\":null,\"steps_done\":0,\"rows_read\":0,"
	    "\"rows_written\":0,\"rows_rejected\":0,\"bytes_read\":0,\"eta_seconds\":null},\"quality\":{\"passed\":0,"
	    "\"warned\":0,\"failed\":0,\"errored\":0},\"error\":null,\"links\":{\"self\":\"/v1/runs/"));
	assert_string_equal(json_text(f.ctx, an_error(FAIL_SQL_CONFLICT)),
	    "{\"code\":\"sql_conflict\",\"message\":\"it broke\",\"class\":\"conflict\",\"retryable\":true,\"step_id\":null,"
	    "\"table\":null,\"slice\":null,\"file\":null,\"line\":null,\"hint\":\"Tried again by itself.\"}");
}

/* Offers version `hash` where `expected` is active; what happened. */
static bool
offer(const char *hash, const char *expected, bool only_new)
{
	struct pipeline_offer version = {
	    .pipeline = "p",
	    .hash = hash,
	    .files = json_trusted(f.ctx, "{\"pipeline.yaml\":\"x\"}"),
	    .by = "u",
	    .expected = expected,
	    .only_new = only_new,
	};
	bool changed;

	assert_true(pipeline_apply(f.ctx, f.db, &version, &changed));
	return changed;
}

static void
test_pipelines_keep_their_versions(void **state)
{
	struct pipeline_version_row *versions;
	struct pipeline_row *rows;
	const char *hash;
	json_t *read;
	size_t count;
	bool found;

	(void)state;
	assert_true(offer("sha256:1", NULL, true));
	assert_false(offer("sha256:1", "sha256:1", false));
	assert_true(offer("sha256:2", "sha256:1", true));
	assert_false(offer("sha256:1", "sha256:2", true)); /* known: a start leaves it */
	assert_true(pipeline_find(f.ctx, f.db, "p", NULL, &hash, &read, &found));
	assert_true(found);
	assert_string_equal(json_text(f.ctx, read), "{\"pipeline.yaml\":\"x\"}");
	assert_string_equal(hash, "sha256:2");
	assert_true(pipeline_find(f.ctx, f.db, "p", "sha256:1", &hash, &read, &found));
	assert_true(found);
	assert_true(pipeline_find(f.ctx, f.db, "q", NULL, &hash, &read, &found));
	assert_false(found);
	assert_true(pipeline_list(f.ctx, f.db, &rows, &count));
	assert_int_equal(count, 1);
	assert_true(offer("sha256:1", "sha256:2", false));
	assert_true(pipeline_versions(f.ctx, f.db, "p", 0, 10, &versions, &count));
	assert_int_equal(count, 2);
	assert_string_equal(versions[0].hash, "sha256:2");
	assert_false(versions[0].active);
	assert_true(versions[1].active && versions[1].activated_us >= versions[0].activated_us);
	assert_string_equal(versions[1].activated_by, "u");
	assert_true(pipeline_versions(f.ctx, f.db, "p", versions[0].id, 10, &versions, &count));
	assert_int_equal(count, 1);
	expect("SELECT count(*) FROM control.pipeline_activation", "3");
}

/* Who judged a version against another than the one that is active now does not get it through. */
static void
test_pipeline_changed_meanwhile(void **state)
{
	struct pipeline_offer version = {.pipeline = "p", .hash = "sha256:9", .by = "u", .expected = "sha256:1"};
	bool changed;

	(void)state;
	assert_true(offer("sha256:1", NULL, false));
	assert_false(pipeline_apply(f.ctx, f.db, &version, &changed));
	assert_int_equal(ctx_failure(f.ctx)->code, FAIL_NOT_FOUND);
	fail_clear(f.ctx);
	assert_true(offer("sha256:2", "sha256:1", false));
	version.files = json_trusted(f.ctx, "{\"pipeline.yaml\":\"y\"}");
	assert_false(pipeline_apply(f.ctx, f.db, &version, &changed));
	assert_int_equal(ctx_failure(f.ctx)->code, FAIL_CONFLICT);
	fail_clear(f.ctx);
	expect("SELECT active_hash FROM control.pipeline", "sha256:2");
	expect("SELECT count(*) FROM control.pipeline_version", "2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_lists_page_newest_first),
	    STORES_TEST(test_steps_and_lines_are_listed),
	    STORES_TEST(test_run_document_is_the_contracts),
	    STORES_TEST(test_pipelines_keep_their_versions),
	    STORES_TEST(test_pipeline_changed_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
