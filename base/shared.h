/*
 * shared: counted memory that outlives a ctx, for what several threads hold at once.
 *
 * A block starts with one reference and is freed with its last. The count is atomic; what is in the
 * block is the owners' business: make it immutable before it is shared, or keep it behind a lock.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stddef.h>

/* Zeroed, aligned for anything, one reference. Never NULL. */
void *shared_new(size_t size_bytes);

/* One more reference; returns block. */
void *shared_hold(void *block);

/* One reference less. NULL is allowed. Fits ctx_defer. */
void shared_drop(void *block);

#endif
