/*
 * metrics: Prometheus counters, gauges and histograms. metrics_table.def is the one table of names, types, labels, help.
 *
 * Series are made on first use and live for ever; label values must be bounded (pipelines, tables, route templates; never
 * ids or raw paths). Any thread may count: one lock a metric, held for nanoseconds.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/ctx.h"

enum metric {
#define METRIC(id, name, type, labels, help) METRIC_##id,
#include "base/metrics_table.def"
#undef METRIC
	METRIC_COUNT
};

/* Label values in the table's order; their number is the table's: METRIC_LABELS("medrobotics", "full", "succeeded"). */
#define METRIC_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

void metrics_add(enum metric metric, const char *const *labels, double amount);
void metrics_set(enum metric metric, const char *const *labels, double value);
void metrics_observe(enum metric metric, const char *const *labels, double value); /* histograms */

/* Removes every series of a gauge before it is set anew (queue depth by pipeline). */
void metrics_clear(enum metric metric);

/* The whole page: text/plain; version=0.0.4. Includes process_* read from /proc. */
char *metrics_render(struct ctx *ctx);

/* For tests: the value of a series, 0 when there is none (histograms: the count). */
double metrics_value(enum metric metric, const char *const *labels);

#endif
