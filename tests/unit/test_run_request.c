/* The body of POST /v1/runs: what a run becomes, and every wrong field with its pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "etl/run_request.h"

/* After ours: it makes a macro of fail. */
#include <cmocka.h>

static struct spec_table tables[] = {
    {.name = "dim_a", .kind = TABLE_DIMENSION},
    {.name = "fact_b", .kind = TABLE_FACT, .time = "at", .slice = {.months = 1}, .slice_text = "P1M"},
    {.name = "fact_c", .kind = TABLE_FACT},
};
static struct spec_param params[] = {
    {.name = "batch", .type = {.kind = TYPE_TEXT}, .pattern = "[0-9]{8}"},
    {.name = "size", .type = {.kind = TYPE_INTEGER}, .default_text = "10"},
};

static struct spec
make_spec(void)
{
	return (struct spec){.pipeline = "shop",
	    .timezone = "UTC",
	    .tables = tables,
	    .table_count = LENGTH_OF(tables),
	    .params = params,
	    .param_count = LENGTH_OF(params),
	    .timeouts = {.run_ms = 1000}};
}

static bool
take(struct ctx *ctx, const char *text, const char *timezone, struct run_request *request)
{
	struct spec *spec = ctx_alloc(ctx, sizeof(*spec));
	json_t *body;

	*spec = make_spec();
	spec->timezone = timezone;
	assert_true(zone_load(ctx, timezone, &spec->zone));
	assert_true(json_parse(ctx, text, strlen(text), &body));
	return run_request_parse(ctx, body, request) && run_request_check(ctx, spec, request);
}

static void
test_good(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct run_request a, b;

	(void)state;
	assert_true(take(ctx,
	    "{\"pipeline\":\"shop\",\"type\":\"range\",\"from\":\"2024-01-01\",\"to\":\"2024-02-01T00:00:00+00:00\","
	    "\"slice\":\"P1D\",\"tables\":[\"fact_b\"],\"params\":{\"batch\":\"20240115\",\"size\":7},\"priority\":-3,"
	    "\"order\":\"desc\",\"max_parallel\":4,\"on_duplicate\":\"return\",\"allow\":[\"shrink\"],"
	    "\"labels\":{\"ticket\":\"OPS-7\"},\"note\":\"again\",\"mode\":null}",
	    "UTC", &a));
	assert_string_equal(a.run.mode, "all");
	assert_string_equal(clock_format(ctx, a.run.from_us), "2024-01-01T00:00:00Z");
	assert_true(a.run.descending && !a.dry_run);
	assert_int_equal(a.run.priority, -3);
	assert_string_equal(a.on_duplicate, "return");
	assert_string_equal(json_text(ctx, a.run.params), "{\"batch\":\"20240115\",\"size\":\"7\"}");
	assert_true(a.run.deadline_us > 0);

	assert_true(
	    take(ctx, "{\"type\":\"full\",\"params\":{\"batch\":\"20240115\"},\"pipeline\":\"shop\"}", "UTC", &a));
	assert_true(
	    take(ctx, "{\"pipeline\":\"shop\",\"type\":\"full\",\"params\":{\"batch\":\"20240115\"}}", "UTC", &b));
	assert_string_equal(a.run.mode, "auto");
	assert_string_equal(json_string_or(a.run.params, "size", ""), "10");
	assert_true(json_is_null(a.run.tables));
	assert_string_equal(a.on_duplicate, "queue");
	assert_string_equal(a.fingerprint, b.fingerprint);
	ctx_free(ctx);
}

#define SHOP "\"pipeline\":\"shop\",\"params\":{\"batch\":\"20240115\"},"
#define RANGE SHOP "\"type\":\"range\",\"from\":\"2024-01-01\","

static const struct {
	const char *body, *pointer, *detail;
} refusals[] = {
    {"[]", "", "must be an object"},
    {"{}", "/pipeline", "is required"},
    {"{}", "/type", "is required"},
    {"{" SHOP "\"type\":\"ful\"}", "/type", "must be one of full, dimensions, facts, range"},
    {"{" SHOP "\"type\":\"full\",\"colour\":1}", "/colour", "is not a known field"},
    {"{" SHOP "\"type\":\"full\",\"labls\":{}}", "/labls", "did you mean labels?"},
    {"{" SHOP "\"type\":\"full\",\"a/b~\":1}", "/a~1b~0", "is not a known field"},
    {"{" SHOP "\"type\":1}", "/type", "must be a text"},
    {"{" SHOP "\"type\":\"full\",\"from\":\"2024-01-01\"}", "/from", "belongs to type range alone"},
    {"{" RANGE "\"note\":\"\"}", "/to", "is required for a range"},
    {"{" RANGE "\"to\":\"2024-01-01\"}", "/to", "must be after from"},
    {"{" RANGE "\"to\":\"tomorrow\"}", "/to", "must be a date"},
    {"{" RANGE "\"to\":\"infinity\"}", "/to", "must be a date"},
    {"{" RANGE "\"to\":\"1969-01-01\"}", "/to", "must be after 1970"},
    {"{" RANGE "\"to\":\"2025-01-01\",\"slice\":\"PT1S\"}", "/slice", "this makes more than 100000 slices"},
    {"{" RANGE "\"to\":\"2025-01-01\",\"slice\":\"PT7H\"}", "/slice", "must be a period"},
    {"{" RANGE "\"to\":\"2025-01-01\",\"tables\":[\"fact_c\"]}", "/tables/0", "fact_c is a fact without time"},
    {"{" RANGE "\"to\":\"2025-01-01\",\"tables\":[\"dim_a\"]}", "/tables/0", "dim_a is a dimension"},
    {"{" SHOP "\"type\":\"full\",\"tables\":[]}", "/tables", "must name 1 to"},
    {"{" SHOP "\"type\":\"full\",\"tables\":[\"dim_a\",\"dim_a\"]}", "/tables/1", "is here twice"},
    {"{" SHOP "\"type\":\"full\",\"tables\":[\"dim_b\"]}", "/tables/0", "there is no table dim_b; did you mean dim_a?"},
    {"{" SHOP "\"type\":\"facts\",\"tables\":[\"dim_a\"]}", "/tables/0", "a run of type facts does not load it"},
    {"{" SHOP "\"type\":\"dimensions\",\"slice\":\"P1D\"}", "/slice", "dimensions have no slices"},
    {"{\"pipeline\":\"shop\",\"type\":\"full\"}", "/params/batch", "is required"},
    {"{\"pipeline\":\"shop\",\"type\":\"full\",\"params\":{\"batch\":\"1\"}}", "/params/batch", "matching [0-9]{8}"},
    {"{\"pipeline\":\"shop\",\"type\":\"full\",\"params\":{\"batch\":20240115}}", "/params/batch", "must be text"},
    {"{\"pipeline\":\"shop\",\"type\":\"full\",\"params\":{\"x\":1}}", "/params/x",
	"the pipeline has no such parameter"},
    {"{\"pipeline\":\"shop\",\"type\":\"full\",\"params\":{\"a/b\":[]}}", "/params/a~1b", "is not the name"},
    {"{" SHOP "\"type\":\"full\",\"priority\":101}", "/priority", "must be from -100 to 100"},
    {"{" SHOP "\"type\":\"full\",\"max_parallel\":0}", "/max_parallel", "must be from 1 to 64"},
    {"{" SHOP "\"type\":\"full\",\"dry_run\":\"yes\"}", "/dry_run", "must be true or false"},
    {"{" SHOP "\"type\":\"full\",\"allow\":[\"all\"]}", "/allow/0", "must be one of shrink, close, change, empty"},
    {"{" SHOP "\"type\":\"full\",\"labels\":{\"\":\"x\"}}", "/labels/", "the name of a label"},
    {"{" SHOP "\"type\":\"full\",\"labels\":{\"a\":1}}", "/labels/a", "must be a text"},
    {"{" SHOP "\"type\":\"full\",\"on_duplicate\":\"drop\"}", "/on_duplicate", "must be one of queue, return, reject"},
};

static bool
has_field(struct ctx *ctx, const char *pointer, const char *detail)
{
	for (const struct fail_field *field = ctx_failure(ctx)->fields; field != NULL; field = field->next)
		if (strcmp(field->pointer, pointer) == 0 && strstr(field->detail, detail) != NULL)
			return true;
	for (const struct fail_field *field = ctx_failure(ctx)->fields; field != NULL; field = field->next)
		print_message("%s: %s\n", field->pointer, field->detail);
	return false;
}

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
		struct ctx *ctx = ctx_new("test", 0);
		struct run_request request;

		assert_false(take(ctx, refusals[i].body, "UTC", &request));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_INVALID_REQUEST);
		if (!has_field(ctx, refusals[i].pointer, refusals[i].detail))
			fail_msg("%s: wanted %s: %s", refusals[i].body, refusals[i].pointer, refusals[i].detail);
		ctx_free(ctx);
	}
}

/* A date is midnight where the pipeline is, whatever its clock does that day. */
static void
test_time_zone(void **state)
{
	static const struct {
		const char *zone, *from, *to, *from_is, *to_is;
	} cases[] = {
	    {"UTC", "2024-01-01", "2024-02-01", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"},
	    {"Europe/Zurich", "2024-01-01T00:00:00+01:00", "2024-02-01T00:00:00Z", "2023-12-31T23:00:00Z",
		"2024-02-01T00:00:00Z"},
	    {"Europe/Zurich", "2024-01-01", "2024-07-01", "2023-12-31T23:00:00Z", "2024-06-30T22:00:00Z"},
	    {"America/Sao_Paulo", "2018-11-04", "2018-11-05", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
	};
	struct ctx *ctx = ctx_new("test", 0);
	struct run_request request;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_true(take(ctx,
		    ctx_printf(ctx, "{" SHOP "\"type\":\"range\",\"from\":\"%s\",\"to\":\"%s\"}", cases[i].from,
			cases[i].to),
		    cases[i].zone, &request));
		assert_string_equal(clock_format(ctx, request.run.from_us), cases[i].from_is);
		assert_string_equal(clock_format(ctx, request.run.to_us), cases[i].to_is);
	}
	/* Later in UTC, but not there. */
	assert_false(take(ctx, "{" SHOP "\"type\":\"range\",\"from\":\"2024-01-01\",\"to\":\"2024-01-01T04:00:00Z\"}",
	    "America/New_York", &request));
	assert_true(has_field(ctx, "/to", "must be after from"));
	ctx_free(ctx);
}

/* Hours do not divide a date; days do, and hours a time. */
static void
test_slices_of_dates(void **state)
{
	static const char body[] =
	    "{\"pipeline\":\"shop\",\"type\":\"range\",\"from\":\"2024-01-01\",\"to\":\"2024-02-01\","
	    "\"slice\":\"%s\",\"tables\":[\"fact_b\"],\"params\":{\"batch\":\"20240115\"}}";
	struct spec_column at = {.name = "at", .type = {.kind = TYPE_DATE}};
	struct ctx *ctx = ctx_new("test", 0);
	struct run_request request;

	(void)state;
	tables[1].columns = &at;
	tables[1].column_count = 1;
	assert_true(take(ctx, ctx_printf(ctx, body, "P1D"), "UTC", &request));
	assert_false(take(ctx, ctx_printf(ctx, body, "PT6H"), "UTC", &request));
	assert_string_equal(ctx_failure(ctx)->fields->pointer, "/slice");
	fail_clear(ctx);
	at.type.kind = TYPE_TIMESTAMP;
	assert_true(take(ctx, ctx_printf(ctx, body, "PT6H"), "UTC", &request));
	tables[1].column_count = 0;
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_time_zone),
	    cmocka_unit_test(test_slices_of_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
