/* property_model: the reference. Arrays and loops; each function is one sentence of the specification. */
#include <string.h>

#include "base/clock.h"
#include "tests/support/property.h"

int
model_amount(const struct order *order, int line)
{
	return line % 2 == 0 ? order->amount : WHOLE - order->amount;
}

static bool
is_within(const struct order *order, int64_t from_us, int64_t to_us)
{
	return order->there && order->sold_us >= from_us && order->sold_us < to_us;
}

bool
model_is_refused(const struct extraction *read, enum table table, int64_t from_us, int64_t to_us)
{
	for (int i = 0; i < ORDERS; i++)
		if (table == FACT_SALE && is_within(&read->source.orders[i], from_us, to_us) &&
		    read->source.orders[i].grade > 0)
			return true;
	return false;
}

/* What a table has of an order. */
static bool
is_equal(enum table table, const struct order *a, const struct order *b)
{
	if (a->sold_us != b->sold_us || a->amount != b->amount)
		return false;
	if (table == FACT_TOTAL)
		return true;
	if (table == FACT_SEEN)
		return a->changed_us == b->changed_us;
	return a->part == b->part && a->kind == b->kind && a->grade == b->grade && a->changed_us == b->changed_us;
}

/* A fact's slice becomes what its source was: by upsert nothing goes. */
static const char *
commit_fact(struct model *model, const struct commit *commit, struct row_counts *counts)
{
	for (int i = 0; i < LINES; i++) {
		const struct order *order = &commit->read->source.orders[i / 2];
		struct line *line = &model->lines[commit->table][i];
		bool held = line->there && is_within(&line->order, commit->from_us, commit->to_us);

		if (!is_within(order, commit->from_us, commit->to_us)) {
			if (held && commit->table != FACT_SEEN)
				line->there = false;
			continue;
		}
		counts->read++;
		if (line->there && is_equal(commit->table, &line->order, order)) {
			counts->unchanged++;
			line->serial = commit->read->serial;
			continue;
		}
		if (line->there && line->serial > commit->read->serial)
			return "an older extraction was written over a newer one";
		counts->inserted += !line->there;
		counts->updated += line->there;
		*line = (struct line){.there = true,
		    .order = *order,
		    .number = commit->number,
		    .serial = commit->read->serial};
	}
	return NULL;
}

static void
commit_part(struct model *model, int part, const struct part *read)
{
	int i;

	if (read->name == 0)
		return;
	for (i = 0; i < model->times[part]; i++)
		if (model->parts[part][i].at_us == read->since_us)
			break;
	if (i == model->times[part] && i < TIMES)
		model->times[part]++;
	if (i < TIMES)
		model->parts[part][i] = (struct seen){.at_us = read->since_us, .name = read->name};
}

/* Loads of a table that overlap are committed in the order of their numbers, and were extracted in that order. */
static const char *
check_order(const struct model *model, const struct commit *commit)
{
	for (int i = 0; i < model->commit_count; i++) {
		const struct commit *other = &model->commits[i];

		if (other->table != commit->table || other->from_us >= commit->to_us || other->to_us <= commit->from_us)
			continue;
		if (other->number >= commit->number)
			return "a load was committed after a newer one of the same time";
		if (other->read->serial >= commit->read->serial)
			return "a load covers one that was extracted later";
	}
	return NULL;
}

const char *
model_commit(struct model *model, const struct commit *commit, struct row_counts *counts)
{
	const struct source *source = &commit->read->source;
	const char *wrong = check_order(model, commit);

	*counts = (struct row_counts){0};
	if (wrong == NULL && model_is_refused(commit->read, commit->table, commit->from_us, commit->to_us))
		wrong = "rows that fail a gate were published";
	if (wrong == NULL && commit->table == FACT_SALE && commit->open != (commit->to_us > commit->read->snapshot_us))
		wrong = "open or not is not as the extraction's time says";
	if (wrong != NULL || model->commit_count == COMMITS)
		return wrong != NULL ? wrong : "too many commits for the test";
	model->commits[model->commit_count++] = *commit;
	if (commit->table >= FACT_SALE)
		return commit_fact(model, commit, counts);
	for (int i = 0; commit->table == DIM_PART && i < PARTS; i++)
		commit_part(model, i, &source->parts[i]);
	for (int i = 0; commit->table == DIM_KIND && i < KINDS; i++)
		if (source->labels[i] > 0 && source->labels[i] != model->labels[i]) {
			model->labels[i] = source->labels[i];
			model->numbers[i] = commit->number;
		}
	return NULL;
}

/* The last time a part was seen at or before at_us, and after after_us; NULL: none. */
static const struct seen *
seen_before(const struct model *model, int part, int64_t at_us)
{
	const struct seen *last = NULL;

	for (int i = 0; i < model->times[part]; i++) {
		const struct seen *seen = &model->parts[part][i];

		if (seen->at_us <= at_us && (last == NULL || seen->at_us > last->at_us))
			last = seen;
	}
	return last;
}

bool
model_part_at(const struct model *model, int part, int64_t at_us, int *name, int64_t *from_us)
{
	const struct seen *seen = seen_before(model, part, at_us), *before;

	if (model->times[part] == 0)
		return false;
	if (seen == NULL) { /* before the first version that one counts */
		seen = &model->parts[part][0];
		for (int i = 1; i < model->times[part]; i++)
			if (model->parts[part][i].at_us < seen->at_us)
				seen = &model->parts[part][i];
	}
	while ((before = seen_before(model, part, seen->at_us - 1)) != NULL && before->name == seen->name)
		seen = before;
	*name = seen->name;
	*from_us = seen->at_us;
	return true;
}

/* The load that counts at a point of time. */
static const struct commit *
commit_at(const struct model *model, enum table table, int64_t at_us)
{
	const struct commit *newest = NULL;

	for (int i = 0; i < model->commit_count; i++) {
		const struct commit *commit = &model->commits[i];

		if (commit->table == table && commit->from_us <= at_us && at_us < commit->to_us &&
		    (newest == NULL || commit->number > newest->number))
			newest = commit;
	}
	return newest;
}

struct coverage {
	bool covered, open;
	int64_t since_us;
};

static struct coverage
cover(const struct model *model, enum table table, const struct wanted *interval)
{
	struct coverage coverage = {.covered = true, .since_us = INT64_MAX};

	for (int64_t at_us = interval->from_us; at_us < interval->to_us; at_us += CLOCK_DAY_US / CELLS_A_DAY) {
		const struct commit *commit = commit_at(model, table, at_us);

		if (commit == NULL) {
			coverage.covered = false;
			continue;
		}
		coverage.open = coverage.open || commit->open;
		if (commit->read->snapshot_us < coverage.since_us)
			coverage.since_us = commit->read->snapshot_us;
	}
	return coverage;
}

static bool
is_touched(const struct source *source, const struct wanted *interval, int64_t since_us)
{
	for (int i = 0; i < ORDERS; i++)
		if (is_within(&source->orders[i], interval->from_us, interval->to_us) &&
		    source->orders[i].changed_us > since_us)
			return true;
	return false;
}

static bool
has_failed(const struct question *question, const struct wanted *interval)
{
	for (size_t i = 0; i < question->failed_count; i++)
		if (question->failed[i].from_us < interval->to_us && question->failed[i].to_us > interval->from_us)
			return true;
	return false;
}

size_t
model_plan(const struct model *model, const struct source *source, const struct question *question,
    struct wanted *intervals, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct coverage is = cover(model, question->table, &intervals[i]);
		bool loaded = is.covered && !is.open, wanted = true;
		int64_t from_end = (int64_t)(count - 1 - i);

		if (strcmp(question->mode, "missing") == 0)
			wanted = !loaded;
		if (strcmp(question->mode, "failed") == 0)
			wanted = !loaded && has_failed(question, &intervals[i]);
		if (strcmp(question->mode, "auto") == 0)
			wanted = !loaded || is_touched(source, &intervals[i], is.since_us) ||
				 (from_end > 0 ? from_end - 1 : 0) < question->lookback;
		if (wanted)
			intervals[kept++] = intervals[i];
	}
	return kept;
}
