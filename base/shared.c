#include "base/shared.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"

struct block {
	atomic_int references;
	alignas(max_align_t) char data[];
};

static struct block *
block_of(void *data)
{
	return (struct block *)(void *)((char *)data - offsetof(struct block, data));
}

void *
shared_new(size_t size_bytes)
{
	struct block *block = calloc(1, sizeof(*block) + size_bytes);

	ASSERT(block != NULL);
	atomic_init(&block->references, 1);
	return block->data;
}

void *
shared_hold(void *data)
{
	ASSERT(atomic_fetch_add(&block_of(data)->references, 1) > 0);
	return data;
}

void
shared_drop(void *data)
{
	int before;

	if (data == NULL)
		return;
	before = atomic_fetch_sub(&block_of(data)->references, 1);
	ASSERT(before > 0);
	if (before == 1)
		free(block_of(data));
}
