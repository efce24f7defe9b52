#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/metrics_process.h"
#include "base/text.h"

enum {
	LABELS_MAX = 4,
	HASH_SIZE = 64, /* chains a metric; series are some hundred at most */
};

enum metric_type { TYPE_COUNTER, TYPE_GAUGE, TYPE_HISTOGRAM };

static const struct {
	const char *name;
	enum metric_type type;
	const char *labels;
	const char *help;
} table[] = {
#define METRIC(id, name_, type_, labels_, help_) \
	[METRIC_##id] = {.name = name_, .type = TYPE_##type_, .labels = labels_, .help = help_},
#include "base/metrics_table.def"
#undef METRIC
};

/* Upper bounds of the histograms' buckets in seconds, ended by 0; +Inf is implied. */
static const double fast_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 0};
static const double wait_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800, 0};
static const double long_bounds[] = {1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 0};
static const double *const bounds[METRIC_COUNT] = {
    [METRIC_RUN_DURATION] = long_bounds,
    [METRIC_STEP_START_DELAY] = wait_bounds,
    [METRIC_HTTP_DURATION] = fast_bounds,
};

struct series {
	struct series *next; /* in its chain */
	char *labels[LABELS_MAX];
	double value;      /* histograms: the sum */
	uint64_t count;    /* histograms */
	uint64_t *buckets; /* histograms: not cumulated */
};

struct family {
	pthread_mutex_t lock;
	struct series *chains[HASH_SIZE]; /* under lock */
};

static struct family families[METRIC_COUNT] = {
#define METRIC(id, name, type, labels, help) [METRIC_##id] = {.lock = PTHREAD_MUTEX_INITIALIZER},
#include "base/metrics_table.def"
#undef METRIC
};

static const double *
bounds_of(enum metric metric)
{
	return bounds[metric] != NULL ? bounds[metric] : wait_bounds;
}

static size_t
bounds_count(const double *list)
{
	size_t n = 0;

	while (list[n] != 0)
		n++;
	return n;
}

static size_t
label_count(enum metric metric)
{
	const char *names = table[metric].labels;
	size_t n = *names != '\0';

	for (; *names != '\0'; names++)
		n += *names == ',';
	ASSERT(n <= LABELS_MAX);
	return n;
}

static size_t
hash(const char *const *labels, size_t count)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < count; i++)
		for (const char *p = labels[i]; *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h % HASH_SIZE;
}

static void *
must_alloc(size_t count, size_t size_bytes)
{
	void *memory = calloc(count, size_bytes);

	ASSERT(memory != NULL);
	return memory;
}

/* A metric without labels may be given NULL for them. */
static const char *const *
given(enum metric metric, const char *const *labels)
{
	static const char *const none[LABELS_MAX] = {"", "", "", ""};

	ASSERT(labels != NULL || label_count(metric) == 0);
	return labels != NULL ? labels : none;
}

static struct series *
find(enum metric metric, const char *const *labels, size_t count)
{
	struct series *series = families[metric].chains[hash(labels, count)];

	for (; series != NULL; series = series->next) {
		size_t same = 0;

		while (same < count && strcmp(series->labels[same], labels[same]) == 0)
			same++;
		if (same == count)
			break;
	}
	return series;
}

/* The series, made when there is none. Under the family's lock. */
static struct series *
take(enum metric metric, const char *const *labels)
{
	size_t count = label_count(metric);
	struct series *series, **chain;

	for (size_t i = 0; i < count; i++)
		ASSERT(labels[i] != NULL);
	series = find(metric, labels, count);
	if (series != NULL)
		return series;
	series = must_alloc(1, sizeof(*series));
	for (size_t i = 0; i < count; i++) {
		series->labels[i] = strdup(labels[i]);
		ASSERT(series->labels[i] != NULL);
	}
	if (table[metric].type == TYPE_HISTOGRAM)
		series->buckets = must_alloc(bounds_count(bounds_of(metric)) + 1, sizeof(*series->buckets));
	chain = &families[metric].chains[hash(labels, count)];
	series->next = *chain;
	*chain = series;
	return series;
}

static void
lock(enum metric metric)
{
	ASSERT(metric < METRIC_COUNT);
	ASSERT(pthread_mutex_lock(&families[metric].lock) == 0);
}

static void
unlock(enum metric metric)
{
	ASSERT(pthread_mutex_unlock(&families[metric].lock) == 0);
}

void
metrics_add(enum metric metric, const char *const *labels, double amount)
{
	lock(metric);
	ASSERT(table[metric].type == TYPE_GAUGE || (table[metric].type == TYPE_COUNTER && amount >= 0));
	take(metric, given(metric, labels))->value += amount;
	unlock(metric);
}

void
metrics_set(enum metric metric, const char *const *labels, double value)
{
	lock(metric);
	ASSERT(table[metric].type == TYPE_GAUGE);
	take(metric, given(metric, labels))->value = value;
	unlock(metric);
}

void
metrics_observe(enum metric metric, const char *const *labels, double value)
{
	const double *list = bounds_of(metric);
	struct series *series;
	size_t bucket = 0;

	lock(metric);
	ASSERT(table[metric].type == TYPE_HISTOGRAM);
	series = take(metric, given(metric, labels));
	ASSERT(series->buckets != NULL);
	while (list[bucket] != 0 && value > list[bucket])
		bucket++;
	series->buckets[bucket]++;
	series->count++;
	series->value += value;
	unlock(metric);
}

void
metrics_clear(enum metric metric)
{
	lock(metric);
	ASSERT(table[metric].type == TYPE_GAUGE);
	for (size_t i = 0; i < HASH_SIZE; i++) {
		struct series *series = families[metric].chains[i], *next;

		families[metric].chains[i] = NULL;
		for (; series != NULL; series = next) {
			next = series->next;
			for (size_t n = 0; n < LABELS_MAX; n++)
				free(series->labels[n]);
			free(series);
		}
	}
	unlock(metric);
}

double
metrics_value(enum metric metric, const char *const *labels)
{
	const struct series *series;
	double value = 0;

	lock(metric);
	series = find(metric, given(metric, labels), label_count(metric));
	if (series != NULL)
		value = table[metric].type == TYPE_HISTOGRAM ? (double)series->count : series->value;
	unlock(metric);
	return value;
}

/* A label's value between its quotes. */
static void
add_escaped(struct text *page, const char *value)
{
	const char *clean = text_sanitize(page->ctx, value);

	for (; *clean != '\0'; clean++) {
		if (*clean == '\n')
			text_add(page, "\\n");
		else if (*clean == '"' || *clean == '\\')
			text_addf(page, "\\%c", *clean);
		else
			text_add_bytes(page, clean, 1);
	}
}

/* {pipeline="medrobotics",type="full",le="1"}; le NULL: none. */
static void
add_labels(struct text *page, enum metric metric, const struct series *series, const char *le)
{
	const char *names = table[metric].labels;
	size_t count = label_count(metric);

	if (count == 0 && le == NULL)
		return;
	text_add(page, "{");
	for (size_t i = 0; i < count; i++) {
		size_t length = strcspn(names, ",");

		text_addf(page, "%s%.*s=\"", i > 0 ? "," : "", (int)length, names);
		add_escaped(page, series->labels[i]);
		text_add(page, "\"");
		names += length + 1;
	}
	if (le != NULL)
		text_addf(page, "%sle=\"%s\"", count > 0 ? "," : "", le);
	text_add(page, "}");
}

static void
add_sample(struct text *page, enum metric metric, const struct series *series, const char *suffix, double value)
{
	text_addf(page, "%s%s", table[metric].name, suffix);
	add_labels(page, metric, series, NULL);
	text_add(page, " ");
	metrics_add_number(page, value);
	text_add(page, "\n");
}

static void
add_histogram(struct text *page, enum metric metric, const struct series *series)
{
	const double *list = bounds_of(metric);
	size_t count = bounds_count(list);
	uint64_t below = 0;

	for (size_t i = 0; i <= count; i++) {
		char le[32] = "+Inf";

		if (i < count)
			(void)snprintf(le, sizeof(le), "%g", list[i]);
		below += series->buckets[i];
		text_addf(page, "%s_bucket", table[metric].name);
		add_labels(page, metric, series, le);
		text_addf(page, " %llu\n", (unsigned long long)below);
	}
	add_sample(page, metric, series, "_sum", series->value);
	add_sample(page, metric, series, "_count", (double)series->count);
}

static void
add_family(struct text *page, enum metric metric)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	text_addf(page, "# HELP %s %s\n# TYPE %s %s\n", table[metric].name, table[metric].help, table[metric].name,
	    types[table[metric].type]);
	lock(metric);
	if (label_count(metric) == 0)
		/* A metric without labels is there from the start, as 0. */
		(void)take(metric, given(metric, NULL));
	for (size_t i = 0; i < HASH_SIZE; i++) {
		for (const struct series *s = families[metric].chains[i]; s != NULL; s = s->next) {
			if (table[metric].type == TYPE_HISTOGRAM)
				add_histogram(page, metric, s);
			else
				add_sample(page, metric, s, "", s->value);
		}
	}
	unlock(metric);
}

char *
metrics_render(struct ctx *ctx)
{
	struct text page;

	text_init(&page, ctx);
	for (size_t i = 0; i < METRIC_COUNT; i++)
		add_family(&page, (enum metric)i);
	metrics_add_process(&page);
	return page.data;
}
