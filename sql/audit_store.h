/*
 * audit_store: who did what, in an append-only table of the control database (GET /v1/audit).
 *
 * Whoever changes something because a person or a client asked for it calls audit_write in the transaction of that change:
 *
 *	ok = audit_write(ctx, db, &(struct audit_entry){.action = "pipeline.pause", .pipeline = name});
 *
 * Subject, client address and trace are those of the ctx's tags, which the dispatcher sets for each request; nothing else is
 * to be passed through. An action that changed nothing (a repeat, a refusal) is not written. The rows are chained by hash a
 * few seconds later (audit_seal), so that writers do not wait for each other; view control.audit_verify checks the chain.
 */
#ifndef SQL_AUDIT_STORE_H
#define SQL_AUDIT_STORE_H

#include "base/json.h"
#include "sql/pg.h"

struct audit_entry {
	const char *action;   /* "resource.verb", lower case: run.submit, pipeline.activate */
	const char *pipeline; /* NULL: of none */
	const char *target;   /* id or name of what was acted on; NULL: the pipeline itself */
	const char *subject;  /* NULL: the tags' one, or "loadstar" when the service acts by itself */
	const json_t *detail; /* object with what matters of the request, no secrets; NULL: {} */
};

/* Within the caller's transaction: both commit or neither. */
bool audit_write(struct ctx *ctx, struct pg *db, const struct audit_entry *entry) MUST_CHECK;

/* Newest first. NULL and 0 do not filter. */
struct audit_filter {
	const char *subject, *action;
	const char *const *pipelines; /* NULL terminated */
	int64_t since_us;
	int64_t before_id; /* cursor: id of the last item */
	int64_t limit;
};
/* Adds the entries' objects to items; *next is where the next page goes on, 0: there is none. A page may hold fewer than limit
 * though there is more: what is read for one is bounded. */
bool audit_list(struct ctx *ctx, struct pg *db, const struct audit_filter *filter, json_t *items,
    int64_t *next) MUST_CHECK;

/* Asks the whole chain again: {intact, seals, sealed_to, broken_at, unsealed, unsealed_since}. An entry that was changed or taken
 * away lies after the seal before broken_at and not after broken_at itself. */
bool audit_verify(struct ctx *ctx, struct pg *db, json_t **chain) MUST_CHECK;

/* Chains what is not chained yet. Any replica, any time. */
bool audit_seal(struct ctx *ctx, struct pg *db) MUST_CHECK;

#endif
