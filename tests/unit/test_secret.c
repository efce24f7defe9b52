/* What may be shown of a URL: never a part of its password, however it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/secret.h"

#include <cmocka.h>

static void
test_redact(void **state)
{
	static const struct {
		const char *url, *shown, *place;
	} cases[] = {
	    {"postgresql://u:p@db:5432/x", "postgresql://u:***@db:5432/x", "db:5432/x"},
	    {"postgresql://u@db/x", "postgresql://u@db/x", "db/x"},
	    {"postgresql://db/x", "postgresql://db/x", "db/x"},
	    {"postgresql://u:p%40q%2Fr@db/x?sslmode=require&password=s", "postgresql://u:***@db/x?***", "db/x"},
	    {"postgresql://u:@db/x", "postgresql://u:***@db/x", "db/x"},
	    {"postgresql://u:p:q@[::1]:5432/x", "postgresql://u:***@[::1]:5432/x", "[::1]:5432/x"},
	    {"postgresql:///x?host=/run/pg&password=s", "postgresql:///x?***", "/run/pg/x"},
	    {"s3://key:secret@bucket/path", "s3://key:***@bucket/path", "bucket/path"},
	    {"host=db password=s", "***", "(unreadable URL)"},
	    {"", "(unset)", "(unset)"},
	    {NULL, "(unset)", "(unset)"},
	};
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct secret url = secret_make(ctx, cases[i].url);

		assert_string_equal(secret_redact_url(ctx, &url), cases[i].shown);
		assert_string_equal(secret_url_place(ctx, &url), cases[i].place);
		assert_true(secret_url_is_sound(&url));
	}
	ctx_free(ctx);
}

/* Every position of every troublesome character in a password: no piece of it shows. */
static void
test_unescaped(void **state)
{
	static const char *const marks[] = {"@", "/", ":", "?", "#", "&", "=", "%", "@@", "/@", "?@", "@?", "//", "?/@",
	    "://"};
	static const char *const tails[] = {"@db:5432/x", "@db/x?sslmode=require", "@/x?host=/run/pg"};

	(void)state;
	for (size_t m = 0; m < sizeof(marks) / sizeof(*marks); m++) {
		for (size_t t = 0; t < sizeof(tails) / sizeof(*tails); t++) {
			struct ctx *ctx = ctx_new("test", 0);
			struct secret url = secret_make(ctx,
			    ctx_printf(ctx, "postgresql://u:AAA%sBBB%sCCC%s", marks[m], marks[m], tails[t]));
			const char *shown = secret_redact_url(ctx, &url), *place = secret_url_place(ctx, &url);

			for (size_t p = 0; p < 3; p++) {
				static const char *const pieces[] = {"AAA", "BBB", "CCC"};

				assert_null(strstr(shown, pieces[p]));
				assert_null(strstr(place, pieces[p]));
			}
			assert_true(strlen(shown) <= strlen(secret_reveal(&url)) + 64);
			assert_true(secret_url_is_sound(&url) == (strpbrk(marks[m], "@/?") == NULL));
			ctx_free(ctx);
		}
	}
}

static void
test_secret(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct secret set = secret_make(ctx, "value"), empty = secret_make(ctx, ""), unset = secret_make(ctx, NULL);

	(void)state;
	assert_string_equal(secret_show(&set), "***");
	assert_string_equal(secret_show(&empty), "(unset)");
	assert_string_equal(secret_show(&unset), "(unset)");
	assert_string_equal(secret_reveal(&set), "value");
	assert_false(secret_is_set(&empty) || secret_is_set(&unset));
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_redact),
	    cmocka_unit_test(test_unescaped),
	    cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
