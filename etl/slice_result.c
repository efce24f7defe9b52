/* slice_result: the counts of a load: kept in the ledger, read back, checked. */
#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

/* Where each count stands in the ledger's result. */
static const struct {
	const char *name;
	size_t offset;
	const char *section;
} fields[] = {
#define FIELD(section, field) \
	{ \
#field, offsetof(struct load_counts, field), section \
	}
    FIELD("rows", read),
    FIELD("rows", inserted),
    FIELD("rows", updated),
    FIELD("rows", unchanged),
    FIELD("rows", closed),
    FIELD("rows", deduplicated),
    FIELD("rows", filtered),
    FIELD("rows", rejected),
    FIELD("effects", versions_opened),
    FIELD("effects", versions_closed),
    FIELD("effects", rows_deleted),
    FIELD("effects", members_inferred),
    FIELD("effects", rows_repointed),
    FIELD("effects", children),
    FIELD("effects", rows_moved),
    FIELD("slice", rows_before),
    FIELD("slice", rows_after),
    FIELD("slice", rows_opened),
    FIELD("slice", content_rows),
    FIELD("slice", held),
    FIELD("slice", members_closed),
    FIELD("slice", members_changed),
#undef FIELD
};

#define X(field) +1
_Static_assert(LENGTH_OF(fields) == 0 LOAD_COUNTS(X), "every count has its place in the result");
#undef X

static int64_t *
count_at(struct load_counts *counts, size_t i)
{
	return (int64_t *)((char *)counts + fields[i].offset);
}

bool
add_count(struct load_counts *counts, const char *field, int64_t value)
{
	for (size_t i = 0; i < LENGTH_OF(fields); i++) {
		if (text_equal(fields[i].name, field)) {
			*count_at(counts, i) += value;
			return true;
		}
	}
	return false;
}

json_t *
slice_counts_to_json(struct ctx *ctx, const struct load_counts *counts, const char *section)
{
	struct load_counts copy = *counts;
	json_t *object = json_new_object(ctx);

	for (size_t i = 0; i < LENGTH_OF(fields); i++)
		if (text_equal(fields[i].section, section))
			json_put_int(object, fields[i].name, *count_at(&copy, i));
	return object;
}

json_t *
result_to_json(struct ctx *ctx, const struct loading *loading, const char *inputs)
{
	static const char *const sections[] = {"rows", "effects", "slice"};
	json_t *result = json_new_object(ctx);

	for (size_t i = 0; i < LENGTH_OF(sections); i++)
		json_put(result, sections[i], slice_counts_to_json(ctx, &loading->outcome->counts, sections[i]));
	json_put_string(ctx, result, "snapshot_at", loading->snapshot_at);
	json_put_int(result, "bytes_read", loading->outcome->bytes_read);
	if (json_array_size(loading->outcome->guards) > 0)
		json_put(result, "guards", loading->outcome->guards);
	if (loading->source_content != NULL)
		json_put_string(ctx, result, "source_content", loading->source_content);
	json_put(result, "inputs", json_trusted(ctx, inputs));
	if (loading->job->table != NULL)
		json_put_string(ctx, result, "declaration",
		    spec_table_fingerprint(ctx, loading->job->spec, loading->job->table));
	json_put(result, "checks", loading->outcome->checks);
	return result;
}

void
result_from_json(const json_t *result, struct slice_outcome *outcome)
{
	json_t *item;
	size_t i;

	for (i = 0; i < LENGTH_OF(fields); i++)
		*count_at(&outcome->counts, i) =
		    json_int_or(json_object_get(result, fields[i].section), fields[i].name, 0);
	outcome->bytes_read = json_int_or(result, "bytes_read", 0);
	(void)json_array_clear(outcome->checks); /* what this attempt asked meanwhile does not count */
	json_array_foreach(json_object_get(result, "checks"), i, item)
		json_add(outcome->checks, item);
	(void)json_array_clear(outcome->guards);
	json_array_foreach(json_object_get(result, "guards"), i, item)
		json_add(outcome->guards, item);
}

bool
check_laws(struct ctx *ctx, const struct load_counts *counts)
{
	int64_t classified = counts->inserted + counts->updated + counts->unchanged + counts->closed +
			     counts->deduplicated + counts->filtered + counts->rejected;
	int64_t after = counts->rows_before + counts->rows_opened - counts->rows_deleted;

	if (counts->read != classified)
		return fail(ctx, FAIL_ROW_LAW,
		    "%lld rows were read, %lld are accounted for (inserted %lld, updated %lld, unchanged %lld, closed %lld, "
		    "deduplicated %lld, filtered %lld, rejected %lld)",
		    (long long)counts->read, (long long)classified, (long long)counts->inserted,
		    (long long)counts->updated, (long long)counts->unchanged, (long long)counts->closed,
		    (long long)counts->deduplicated, (long long)counts->filtered, (long long)counts->rejected);
	if (counts->rows_after != after)
		return fail(ctx, FAIL_ROW_LAW,
		    "%lld rows after the load, %lld expected (before %lld, opened %lld, deleted %lld)",
		    (long long)counts->rows_after, (long long)after, (long long)counts->rows_before,
		    (long long)counts->rows_opened, (long long)counts->rows_deleted);
	return true;
}
