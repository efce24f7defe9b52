/* The owner of everything: order of releases, limits, sticking failures, the cancel flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/shared.h"

#include <cmocka.h>

static char order[16];

static void
note(void *handle)
{
	size_t n = strlen(order);

	order[n] = *(const char *)handle;
	order[n + 1] = '\0';
}

static void
test_releases(void **state)
{
	static char names[] = "abcd";
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	order[0] = '\0';
	ctx_defer(ctx, note, &names[0]);
	{
		CTX_SCOPE(inner, ctx);

		ctx_defer(inner, note, &names[1]);
		ctx_defer(inner, note, &names[2]);
	}
	assert_string_equal(order, "cb");
	ctx_defer(ctx, note, &names[3]);
	ctx_free(ctx);
	assert_string_equal(order, "cbda");
	ctx_free(NULL);
}

static void
test_memory(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	for (size_t size = 0; size < 20000; size += 37) {
		unsigned char *memory = ctx_alloc(ctx, size);

		assert_true((uintptr_t)memory % _Alignof(max_align_t) == 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xee, size);
	}
	assert_null(ctx_strdup(ctx, NULL));
	assert_string_equal(ctx_strndup(ctx, "abc", 2), "ab");
	assert_string_equal(ctx_printf(ctx, "%s-%d", "x", 7), "x-7");
	ctx_free(ctx);
}

/* Over the limit work goes on but is marked; what a scope took is given back. */
static void
test_limit(void **state)
{
	struct ctx *ctx = ctx_new("small work", 100 * 1024);

	(void)state;
	for (int i = 0; i < 100; i++) {
		CTX_SCOPE(inner, ctx);

		assert_non_null(ctx_alloc(inner, 50 * 1024));
	}
	assert_false(ctx_failed(ctx));
	assert_int_equal(ctx_size_bytes(ctx), 0);
	{
		CTX_SCOPE(inner, ctx);

		memset(ctx_alloc(inner, 200 * 1024), 1, 200 * 1024);
		assert_true(ctx_failed(inner));
	}
	assert_int_equal(ctx_failure(ctx)->code, FAIL_MEMORY_LIMIT);
	assert_non_null(strstr(ctx_failure(ctx)->message, "small work"));
	ctx_free(ctx);
}

static void
test_failure_sticks(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	assert_false(ctx_failed(ctx));
	{
		CTX_SCOPE(inner, ctx);

		assert_false(fail_sql(inner, FAIL_SQL_DATA, "23P01", "first %d", 1));
		assert_false((fail)(inner, FAIL_INTERNAL, "second"));
	}
	assert_int_equal(ctx_failure(ctx)->code, FAIL_SQL_DATA);
	assert_string_equal(ctx_failure(ctx)->message, "first 1");
	assert_string_equal(ctx_failure(ctx)->sqlstate, "23P01");
	fail_clear(ctx);
	assert_false(ctx_failed(ctx));
	assert_false((fail)(ctx, FAIL_IO, "%2000s", "long"));
	assert_int_equal(strlen(ctx_failure(ctx)->message), sizeof(ctx_failure(ctx)->message) - 1);
	assert_string_equal(ctx_failure(ctx)->sqlstate, "");
	ctx_free(ctx);
}

static void
test_fields(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	const struct fail_field *field;

	(void)state;
	assert_false(fail_field(ctx, "/type", "must be one of %s", "full, range"));
	assert_false(fail_field(ctx, "/range/from", "is missing"));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_INVALID_REQUEST);
	assert_string_equal(ctx_failure(ctx)->message, "/type: must be one of full, range");
	field = ctx_failure(ctx)->fields;
	assert_string_equal(field->pointer, "/type");
	assert_string_equal(field->next->pointer, "/range/from");
	assert_null(field->next->next);
	fail_clear(ctx);
	assert_null(ctx_failure(ctx)->fields);
	assert_false(fail_field(ctx, "/a", "b"));
	assert_string_equal(ctx_failure(ctx)->fields->pointer, "/a");
	ctx_free(ctx);
}

/* Names are unique, and what HTTP tells a client fits what a worker does. */
static void
test_table(void **state)
{
	(void)state;
	for (int i = 0; i < FAIL_COUNT; i++) {
		const struct fail_kind *kind = fail_kind((enum fail_code)i);

		assert_int_equal(fail_code_find(kind->name), i);
		assert_non_null(kind->title);
		assert_true(i == FAIL_NONE || (kind->http_status >= 400 && kind->http_status < 600));
		assert_int_equal(kind->retryable,
		    kind->class == FAIL_CLASS_TRANSIENT || kind->class == FAIL_CLASS_CONFLICT);
	}
	assert_int_equal(fail_code_find("no such code"), FAIL_INTERNAL);
}

static void
test_cancel(void **state)
{
	struct ctx_cancel cancel = {CANCEL_NONE};
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	assert_int_equal(ctx_cancelled(ctx), CANCEL_NONE);
	ctx_watch_cancel(ctx, &cancel);
	{
		CTX_SCOPE(inner, ctx);

		assert_true(ctx_cancel_set(&cancel, CANCEL_DEADLINE));
		assert_false(ctx_cancel_set(&cancel, CANCEL_REQUESTED));
		assert_int_equal(ctx_cancelled(inner), CANCEL_DEADLINE);
	}
	assert_int_equal(ctx_cancelled(ctx), CANCEL_DEADLINE);
	ctx_free(ctx);
}

static void
test_shared(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	char *block = shared_new(10);

	(void)state;
	assert_true((uintptr_t)block % _Alignof(max_align_t) == 0);
	(void)strcpy(block, "still");
	assert_ptr_equal(shared_hold(block), block);
	ctx_defer(ctx, shared_drop, block);
	ctx_free(ctx);
	assert_string_equal(block, "still");
	shared_drop(block);
	shared_drop(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_releases),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_failure_sticks),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
