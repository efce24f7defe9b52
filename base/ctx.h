/*
 * ctx: the owner of everything one piece of work needs.
 *
 * One HTTP request, one attempt of a step, one command of the command line has one ctx. It owns an arena (memory lives
 * until the ctx dies, nobody else frees), deferred releases of handles (run in reverse order), the first failure (it
 * sticks; see fail.h), a cancel flag to look at, and the tags that log lines carry.
 *
 * Threads: a ctx belongs to one thread at a time; hand it over whole or not at all. Only the cancel flag is shared.
 * Memory: allocation never returns NULL. Crossing the limit marks the ctx failed (FAIL_MEMORY_LIMIT) and still
 * succeeds, so that only loops over outside input need to look at ctx_failed().
 */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

struct ctx;

/* Why work should stop before its end; kept in a ctx_cancel and looked at by everything that waits. */
enum cancel_reason {
	CANCEL_NONE = 0,
	CANCEL_REQUESTED,  /* somebody asked for it */
	CANCEL_DEADLINE,   /* the step's time is over */
	CANCEL_SUPERSEDED, /* another attempt owns the work now: touch nothing more */
	CANCEL_SHUTDOWN,   /* the process ends: hand the work back */
};

struct ctx_cancel {
	atomic_int reason; /* enum cancel_reason; the first one set stays */
};

/* Tags of log lines and of the audit log; NULL where they do not apply. The strings outlive the ctx. */
struct ctx_tags {
	const char *run_id;
	const char *step_id;
	const char *trace_id;
	const char *subject; /* who asked */
	const char *client;  /* and from which address */
};

/* A root ctx. name: a literal for error texts and logs. limit_bytes 0: the default, 64 MiB. */
struct ctx *ctx_new(const char *name, size_t limit_bytes);

/* A ctx that dies sooner than its parent: own memory and releases, the parent's failure, cancel flag and tags. */
struct ctx *ctx_child(struct ctx *parent);

/* Runs the deferred releases, frees the memory. NULL is allowed. */
void ctx_free(struct ctx *ctx);

void ctx_scope_end(struct ctx **ctx);
#define CTX_SCOPE(name, parent) struct ctx *name __attribute__((cleanup(ctx_scope_end))) = ctx_child(parent)

/* Zeroed memory, aligned for anything. */
void *ctx_alloc(struct ctx *ctx, size_t size_bytes);
void *ctx_alloc_array(struct ctx *ctx, size_t count, size_t size_bytes);
char *ctx_strdup(struct ctx *ctx, const char *s); /* NULL gives NULL */
char *ctx_strndup(struct ctx *ctx, const char *s, size_t length);
char *ctx_printf(struct ctx *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *ctx_vprintf(struct ctx *ctx, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* Runs release(handle) when the ctx dies, last deferred first. */
void ctx_defer(struct ctx *ctx, void (*release)(void *handle), void *handle);

void ctx_set_tags(struct ctx *ctx, const struct ctx_tags *tags);
const struct ctx_tags *ctx_get_tags(const struct ctx *ctx);

/* The flag must outlive the ctx. Without one a ctx is never cancelled. */
void ctx_watch_cancel(struct ctx *ctx, struct ctx_cancel *cancel);
enum cancel_reason ctx_cancelled(const struct ctx *ctx);

/* Sets the reason unless one is set already; true when this call set it. */
bool ctx_cancel_set(struct ctx_cancel *cancel, enum cancel_reason reason);

/* The failure shared by a root ctx and its children; see fail.h. */
struct failure;
struct failure *ctx_failure(struct ctx *ctx);

/* Size of the arena so far, for tests and limits. */
size_t ctx_size_bytes(const struct ctx *ctx);

#endif
