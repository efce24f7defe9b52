/*
 * plan_files: which files a run loads, and in which steps.
 *
 * The files of a batch are one step, or several when they are many. With a transform the batch is the unit, for its rows may be made of
 * several files: it is always read whole; and without batches each file is read by itself. What is planned is pinned: path, and the
 * version that was seen. A step reads what lies there when it runs, and records that.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/file_ledger.h"
#include "etl/plan_internal.h"

enum { STEP_FILES_MOST = 1000, BATCH_FILES_MOST = 10000 };
static const int64_t step_bytes_most = INT64_C(4) << 30;

struct choice {
	struct file_entry file;
	int64_t batch_us;
	bool wanted;
};

struct choices {
	struct choice *items;
	size_t count;
};

static bool
fits_mode(const char *mode, const struct file_entry *file, const struct file_seen *seen)
{
	if (text_equal(mode, "all"))
		return true;
	if (text_equal(mode, "missing"))
		return !seen->loaded;
	if (text_equal(mode, "failed"))
		return seen->failed;
	return seen->etag == NULL || seen->failed || seen->waits || !text_equal(seen->etag, file->etag);
}

/* Staging whose batches have no date is loaded for every range: what it feeds picks its own. */
static bool
fits_range(const struct slice_job *job, int64_t batch_us)
{
	const struct step_claim *claim = job->claim;

	return !text_equal(claim->run_type, "range") || job->table->source->batch_date == NULL ||
	       (batch_us >= claim->run_from_us && batch_us < claim->run_to_us);
}

static int
compare_choices(const void *one, const void *two)
{
	const struct choice *a = one, *b = two;
	int order = (a->batch_us > b->batch_us) - (a->batch_us < b->batch_us);

	if (order == 0 && a->file.batch != NULL && b->file.batch != NULL)
		order = strcmp(a->file.batch, b->file.batch);
	return order != 0 ? order : strcmp(a->file.path, b->file.path);
}

static bool
same_batch(const struct choice *a, const struct choice *b)
{
	return a->file.batch != NULL && text_equal(a->file.batch, b->file.batch);
}

/* A batch of which one file is wanted is wanted whole. */
static void
widen(struct choices *list)
{
	for (size_t first = 0, next; first < list->count; first = next) {
		bool wanted = false;

		for (next = first;
		     next == first || (next < list->count && same_batch(&list->items[first], &list->items[next]));
		     next++)
			wanted = wanted || list->items[next].wanted;
		for (size_t i = first; i < next; i++)
			list->items[i].wanted = wanted;
	}
}

static bool
choose(struct ctx *ctx, const struct slice_job *job, const struct file_entries *entries, struct choices *list)
{
	struct file_seen *seen;
	size_t kept = 0;

	list->items = ctx_alloc_array(ctx, entries->count + 1, sizeof(*list->items));
	list->count = 0;
	if (!file_ledger_ask(ctx, job, entries, &seen))
		return false;
	for (size_t i = 0; i < entries->count; i++) {
		if (!fits_range(job, seen[i].batch_us))
			continue;
		list->items[list->count++] = (struct choice){.file = entries->items[i],
		    .batch_us = seen[i].batch_us,
		    .wanted = fits_mode(job->claim->mode, &entries->items[i], &seen[i])};
	}
	qsort(list->items, list->count, sizeof(*list->items), compare_choices);
	if (job->table->transform != NULL)
		widen(list);
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].wanted)
			list->items[kept++] = list->items[i];
	list->count = kept;
	return true;
}

/* How many of the choices, from the first on, make a step. */
static size_t
step_size(const struct spec_table *table, const struct choice *first, size_t left)
{
	bool whole = table->transform != NULL;
	int64_t bytes = first->file.size_bytes;
	size_t count = 1;

	if (whole && first->file.batch == NULL)
		return 1;
	for (; count < left; count++) {
		const struct choice *next = &first[count];

		bytes += next->file.size_bytes;
		if ((first->file.batch != NULL && !same_batch(first, next)) ||
		    (!whole && (count == STEP_FILES_MOST || bytes > step_bytes_most)))
			break;
	}
	return count;
}

static json_t *
pin(struct ctx *ctx, const struct choice *first, size_t count)
{
	json_t *slice = json_new_object(ctx), *files = json_new_array(ctx);

	for (size_t i = 0; i < count; i++) {
		json_t *file = json_new_object(ctx);

		json_put_string(ctx, file, "path", first[i].file.path);
		json_put_string(ctx, file, "etag", first[i].file.etag);
		json_put_int(file, "size", first[i].file.size_bytes);
		json_put_time(ctx, file, "arrived_at", first[i].file.arrived_us);
		json_add(files, file);
	}
	json_put_string(ctx, slice, "batch", first->file.batch);
	if (first->batch_us != CLOCK_MINUS_INFINITY)
		json_put_time(ctx, slice, "batch_at", first->batch_us);
	json_put(slice, "files", files);
	return slice;
}

static bool
add_steps(struct planning *planning, const struct spec_table *table, const struct choices *list)
{
	struct ctx *ctx = planning->ctx;
	bool descending = planning->job->claim->descending;

	for (size_t at = 0, size, n = 0; at < list->count; at += size, n++) {
		struct step_plan step = plan_table_step(ctx, table);

		size = step_size(table, &list->items[at], list->count - at);
		if (size > BATCH_FILES_MOST)
			return fail(ctx, FAIL_INVALID_REQUEST,
			    "batch %s of source %s has more than %d files, too many for a transform",
			    list->items[at].file.batch, table->source->name, BATCH_FILES_MOST);
		step.scope = "files";
		step.slice = ctx_printf(ctx, "files:%s", step.id);
		step.from_us = step.to_us = CLOCK_MINUS_INFINITY;
		step.ordinal = descending ? -(int64_t)n : (int64_t)n;
		step.files = pin(ctx, &list->items[at], size);
		plan_add_step(planning, step);
	}
	return true;
}

static const char *
wanted_batch(const struct slice_job *job)
{
	const struct spec_source *source = job->table->source;
	const char *batch =
	    source->batch_param == NULL ? NULL : json_string_or(job->claim->params, source->batch_param, NULL);

	return batch != NULL && *batch != '\0' ? batch : NULL;
}

bool
plan_files(struct planning *planning, const struct spec_table *table)
{
	struct ctx *ctx = planning->ctx;
	struct slice_job job = *planning->job;
	struct file_entries entries;
	struct choices list;
	const char *root;

	job.table = table;
	if (!files_root(ctx, job.config, job.spec->pipeline, table->source, &root) ||
	    !files_list(ctx, root, table->source, wanted_batch(&job), &entries) || !choose(ctx, &job, &entries, &list))
		return false;
	if (list.count == 0) {
		plan_add_skipped(planning, table, entries.count == 0 ? SKIP_NO_FILES : SKIP_ALREADY_LOADED);
		return true;
	}
	return add_steps(planning, table, &list);
}
