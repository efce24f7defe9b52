/* print_checks: checks as they are understood, and what each wants in words. */
#include "base/text.h"
#include "etl/spec.h"

/* 995000 millionths as "99.5%". */
static char *
share_text(struct ctx *ctx, int64_t ppm)
{
	char *text = ctx_printf(ctx, "%lld.%04lld", (long long)(ppm / 10000), (long long)(ppm % 10000));
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	while (text[length - 1] == '0')
		length--;
	if (text[length - 1] == '.')
		length--;
	text[length] = '\0';
	return ctx_printf(ctx, "%s%%", text);
}

static char *
volume_text(struct ctx *ctx, const struct spec_check *check)
{
	struct text out;

	text_init(&out, ctx);
	if (check->min_rows >= 0)
		text_addf(&out, "at least %lld rows", (long long)check->min_rows);
	if (check->max_rows >= 0)
		text_addf(&out, "%sat most %lld rows", out.length > 0 ? ", " : "", (long long)check->max_rows);
	if (check->least_of_previous_ppm >= 0)
		text_addf(&out, "%sat least %s of the previous load", out.length > 0 ? ", " : "",
		    share_text(ctx, check->least_of_previous_ppm));
	if (check->most_of_previous_ppm >= 0)
		text_addf(&out, "%sat most %s of the previous load", out.length > 0 ? ", " : "",
		    share_text(ctx, check->most_of_previous_ppm));
	return out.data;
}

static char *
value_text(struct ctx *ctx, const struct spec_check *check)
{
	switch (check->expect) {
	case EXPECT_NULL: return ctx_strdup(ctx, "null");
	case EXPECT_NUMBER:
		return check->tolerance == NULL ? ctx_strdup(ctx, check->expected)
						: ctx_printf(ctx, "%s ± %s", check->expected, check->tolerance);
	case EXPECT_BOOLEAN:
	case EXPECT_TEXT: return ctx_strdup(ctx, check->expected);
	case EXPECT_RANGE: break;
	}
	if (check->expected_max == NULL)
		return ctx_printf(ctx, "at least %s", check->expected_min);
	if (check->expected_min == NULL)
		return ctx_printf(ctx, "at most %s", check->expected_max);
	return ctx_printf(ctx, "%s to %s", check->expected_min, check->expected_max);
}

char *
spec_check_expected(struct ctx *ctx, const struct spec_check *check)
{
	switch (check->kind) {
	case CHECK_FRESHNESS: return ctx_printf(ctx, "at most %lld s old", (long long)(check->max_age_ms / 1000));
	case CHECK_VOLUME: return volume_text(ctx, check);
	case CHECK_SQL: return value_text(ctx, check);
	case CHECK_COMPLETENESS:
	case CHECK_VALIDITY:
	case CHECK_UNIQUENESS:
	case CHECK_REFERENTIAL: break;
	}
	return check->least_ppm == 1000000 ? ctx_strdup(ctx, "all rows")
					   : ctx_printf(ctx, "at least %s of rows", share_text(ctx, check->least_ppm));
}

json_t *
spec_checks_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *checks = json_new_array(ctx);

	for (size_t i = 0; i < spec->check_count; i++) {
		const struct spec_check *check = &spec->checks[i];
		json_t *object = json_new_object(ctx), *columns = json_new_array(ctx);

		for (size_t k = 0; k < check->column_count; k++)
			json_add_string(ctx, columns, check->columns[k]);
		if (check->column != NULL)
			json_add_string(ctx, columns, check->column);
		json_put_string(ctx, object, "name", check->name);
		json_put_string(ctx, object, "kind", check_kind_name(check->kind));
		json_put_string(ctx, object, "table", check->table != NULL ? check->table->name : NULL);
		json_put_string(ctx, object, "severity", check_severity_name(check));
		json_put_string(ctx, object, "gate", check_gate_name(check->gate));
		json_put_string(ctx, object, "scope", check->whole || check->gate == GATE_RUN ? "table" : "slice");
		json_put_string(ctx, object, "comment", check->comment);
		json_put(object, "columns", columns);
		json_put_string(ctx, object, "rule", check->rule);
		json_put_string(ctx, object, "where", check->where);
		json_put_string(ctx, object, "references", check->references != NULL ? check->references->name : NULL);
		json_put_string(ctx, object, "query", check->query);
		json_put_string(ctx, object, "expected", spec_check_expected(ctx, check));
		json_add(checks, object);
	}
	return checks;
}
