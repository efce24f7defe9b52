/* run_request: the body of POST /v1/runs, checked against the pipeline's spec. Every wrong field gets a JSON pointer. */
#ifndef ETL_RUN_REQUEST_H
#define ETL_RUN_REQUEST_H

#include "etl/spec.h"
#include "sql/run_store.h"

struct run_request {
	const char *pipeline;
	bool dry_run;
	const char *on_duplicate;
	const char *fingerprint;         /* SHA-256 of the canonical body */
	const char *from_text, *to_text; /* as written; NULL: none */
	struct run run;                  /* filled but for id, status, spec_version, requested_by, trigger */
};

/* The run of a schedule's fire, as if somebody had asked for it. FAIL_INVALID_REQUEST says why it cannot be. */
bool run_request_of_schedule(struct ctx *ctx, const struct spec *spec, int64_t scheduled_us,
    struct run_request *request) MUST_CHECK;

/* Needs no spec: known fields, types, formats, from < to, from and to belong to range. FAIL_INVALID_REQUEST with all wrong
 * fields. */
bool run_request_parse(struct ctx *ctx, const json_t *body, struct run_request *request) MUST_CHECK;

/* Against the spec: tables exist and fit the type, params declared and typed, at most 100,000 slices. Then run.params has every
 * declared parameter as a text, defaults filled in, and run.deadline_us is set by timeouts.run. */
bool run_request_check(struct ctx *ctx, const struct spec *spec, struct run_request *request) MUST_CHECK;

#endif
