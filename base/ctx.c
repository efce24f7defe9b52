#include "base/ctx.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"

enum {
	BLOCK_SIZE_BYTES = 8 * 1024,
	DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024,
};

struct block {
	struct block *next;
	size_t size_bytes; /* of data */
	size_t used_bytes;
	alignas(max_align_t) char data[];
};

struct release {
	struct release *next;
	void (*fn)(void *handle);
	void *handle;
};

struct ctx {
	const char *name;
	struct ctx *root;     /* itself for a root: holds the limit and the failure */
	struct block *blocks; /* newest first */
	struct release *releases;
	size_t size_bytes;      /* of this ctx and, in a root, of its living children */
	size_t limit_bytes;     /* root only */
	struct failure failure; /* root only */
	struct ctx_cancel *cancel;
	struct ctx_tags tags;
};

static void *
must_alloc(size_t size_bytes)
{
	void *memory = calloc(1, size_bytes);

	ASSERT(memory != NULL); /* the kernel has no page left: nothing sensible can follow */
	return memory;
}

struct ctx *
ctx_new(const char *name, size_t limit_bytes)
{
	struct ctx *ctx = must_alloc(sizeof(*ctx));

	ctx->name = name;
	ctx->root = ctx;
	ctx->limit_bytes = limit_bytes != 0 ? limit_bytes : DEFAULT_LIMIT_BYTES;
	return ctx;
}

struct ctx *
ctx_child(struct ctx *parent)
{
	struct ctx *ctx = must_alloc(sizeof(*ctx));

	ctx->name = parent->name;
	ctx->root = parent->root;
	ctx->cancel = parent->cancel;
	ctx->tags = parent->tags;
	return ctx;
}

static void
run_releases(struct ctx *ctx)
{
	while (ctx->releases != NULL) {
		struct release *release = ctx->releases;

		ctx->releases = release->next;
		release->fn(release->handle);
	}
}

void
ctx_free(struct ctx *ctx)
{
	struct block *block, *next;

	if (ctx == NULL)
		return;
	run_releases(ctx);
	if (ctx->root != ctx)
		ctx->root->size_bytes -= ctx->size_bytes;
	for (block = ctx->blocks; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	free(ctx);
}

void
ctx_scope_end(struct ctx **ctx)
{
	ctx_free(*ctx);
	*ctx = NULL;
}

static void
account(struct ctx *ctx, size_t size_bytes)
{
	struct ctx *root = ctx->root;

	ctx->size_bytes += size_bytes;
	if (root != ctx)
		root->size_bytes += size_bytes;
	if (root->size_bytes > root->limit_bytes && !ctx_failed(root))
		(void)fail(root, FAIL_MEMORY_LIMIT, "%s needs more than %zu bytes", root->name, root->limit_bytes);
}

static struct block *
add_block(struct ctx *ctx, size_t least_bytes)
{
	size_t size_bytes = least_bytes > BLOCK_SIZE_BYTES ? least_bytes : BLOCK_SIZE_BYTES;
	struct block *block = must_alloc(sizeof(*block) + size_bytes);

	block->size_bytes = size_bytes;
	block->next = ctx->blocks;
	ctx->blocks = block;
	account(ctx, size_bytes);
	return block;
}

void *
ctx_alloc(struct ctx *ctx, size_t size_bytes)
{
	size_t align = alignof(max_align_t);
	size_t rounded = (size_bytes + align - 1) / align * align;
	struct block *block = ctx->blocks;
	void *memory;

	ASSERT(rounded >= size_bytes);
	if (block == NULL || block->size_bytes - block->used_bytes < rounded)
		block = add_block(ctx, rounded);
	memory = block->data + block->used_bytes;
	block->used_bytes += rounded;
	return memory;
}

void *
ctx_alloc_array(struct ctx *ctx, size_t count, size_t size_bytes)
{
	size_t total;

	ASSERT(!__builtin_mul_overflow(count, size_bytes, &total));
	return ctx_alloc(ctx, total);
}

char *
ctx_strndup(struct ctx *ctx, const char *s, size_t length)
{
	char *copy = ctx_alloc(ctx, length + 1);

	memcpy(copy, s, length);
	return copy;
}

char *
ctx_strdup(struct ctx *ctx, const char *s)
{
	return s == NULL ? NULL : ctx_strndup(ctx, s, strlen(s));
}

char *
ctx_vprintf(struct ctx *ctx, const char *fmt, va_list args)
{
	va_list again;
	int length;
	char *s;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	ASSERT(length >= 0);
	s = ctx_alloc(ctx, (size_t)length + 1);
	(void)vsnprintf(s, (size_t)length + 1, fmt, args);
	return s;
}

char *
ctx_printf(struct ctx *ctx, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = ctx_vprintf(ctx, fmt, args);
	va_end(args);
	return s;
}

void
ctx_defer(struct ctx *ctx, void (*release)(void *handle), void *handle)
{
	struct release *entry = ctx_alloc(ctx, sizeof(*entry));

	entry->fn = release;
	entry->handle = handle;
	entry->next = ctx->releases;
	ctx->releases = entry;
}

void
ctx_set_tags(struct ctx *ctx, const struct ctx_tags *tags)
{
	ctx->tags = *tags;
}

const struct ctx_tags *
ctx_get_tags(const struct ctx *ctx)
{
	return &ctx->tags;
}

void
ctx_watch_cancel(struct ctx *ctx, struct ctx_cancel *cancel)
{
	ctx->cancel = cancel;
}

enum cancel_reason
ctx_cancelled(const struct ctx *ctx)
{
	if (ctx->cancel == NULL)
		return CANCEL_NONE;
	return (enum cancel_reason)atomic_load(&ctx->cancel->reason);
}

bool
ctx_cancel_set(struct ctx_cancel *cancel, enum cancel_reason reason)
{
	int none = CANCEL_NONE;

	return atomic_compare_exchange_strong(&cancel->reason, &none, (int)reason);
}

struct failure *
ctx_failure(struct ctx *ctx)
{
	return &ctx->root->failure;
}

size_t
ctx_size_bytes(const struct ctx *ctx)
{
	return ctx->size_bytes;
}
