/*
 * DESIGN. One writer, many readers. Pages are immutable and counted; a reader holds the lock for
 * one lookup in a hash table and takes its reference along. A run's version decides between two
 * pages of it, so that whoever read the database later wins, in whatever order they come here.
 *
 * The tail reads the outbox by id. Ids are given when a row is inserted and show when its
 * transaction commits, so a higher one may show first. A number that was passed over is a hole: it
 * is remembered with the time it was first missed, asked for again in every round, and forgotten
 * after 60 s: by then its transaction has ended one way or the other, because control transactions
 * are bounded (statement_timeout 10 s, idle_in_transaction_session_timeout 10 s, a few statements
 * each). Rolled-back transactions leave holes that never fill; they cost an id in a list for a
 * minute.
 *
 * After every (re)connection nothing on the board can be trusted: the tail notes where the outbox
 * ends, looks for holes in the rows before that place, empties the board and reads all unfinished
 * runs. A transaction older than those rows could still be missed; so the same is done once more 60
 * s later. Readers who read the database before the board was emptied may not put what they read:
 * the generation tells.
 */
#include "sql/board.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/shared.h"
#include "sql/board_internal.h"
#include "sql/run_store.h"

enum { LAG_LIMIT_SECONDS = 5 };

struct board_entry {
	struct board_entry *chain;
	struct board_entry *newer, *older; /* finished ones: in order of use */
	struct board_page *page;           /* one reference */
	int64_t version;
};

static void
lock(struct board *board)
{
	ASSERT(pthread_mutex_lock(&board->lock) == 0);
}

static void
unlock(struct board *board)
{
	ASSERT(pthread_mutex_unlock(&board->lock) == 0);
}

void
board_etag(char etag[48], const char *run_id, int64_t version)
{
	char id[33];
	size_t n = 0;

	for (; *run_id != '\0' && n < sizeof(id) - 1; run_id++)
		if (*run_id != '-')
			id[n++] = *run_id;
	id[n] = '\0';
	/* 12 hexadecimal digits: 2^48 changes of one run. */
	(void)snprintf(etag, 48, "\"%s-%llx\"", id, (unsigned long long)version & 0xffffffffffffULL);
}

/* A page in one block: the struct, then its texts. */
static struct board_page *
page_new(const struct run *run, const char *body)
{
	size_t id = strlen(run->id) + 1, pipeline = strlen(run->pipeline) + 1, length = strlen(body);
	struct board_page *page = shared_new(sizeof(*page) + id + pipeline + length + 1);
	char *texts = (char *)(page + 1);

	page->run_id = memcpy(texts, run->id, id);
	page->pipeline = memcpy(texts + id, run->pipeline, pipeline);
	page->body = memcpy(texts + id + pipeline, body, length + 1);
	page->length = length;
	page->final = run_status_is_final(run->status);
	board_etag(page->etag, run->id, run->version);
	return page;
}

static struct board_entry **
chain_of(struct board *board, const char *run_id)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *run_id != '\0'; run_id++)
		h = (h ^ (unsigned char)*run_id) * 16777619u;
	return &board->chains[h % BOARD_CHAINS];
}

/* The place that holds the entry, or the end of its chain. Under the lock, as all below. */
static struct board_entry **
find(struct board *board, const char *run_id)
{
	struct board_entry **link = chain_of(board, run_id);

	while (*link != NULL && strcmp((*link)->page->run_id, run_id) != 0)
		link = &(*link)->chain;
	return link;
}

static void
leave_order(struct board *board, struct board_entry *entry)
{
	if (!entry->page->final)
		return;
	*(entry->newer != NULL ? &entry->newer->older : &board->newest) = entry->older;
	*(entry->older != NULL ? &entry->older->newer : &board->oldest) = entry->newer;
	entry->newer = entry->older = NULL;
	board->finished--;
}

static void
enter_order(struct board *board, struct board_entry *entry)
{
	if (!entry->page->final)
		return;
	entry->older = board->newest;
	*(board->newest != NULL ? &board->newest->newer : &board->oldest) = entry;
	board->newest = entry;
	board->finished++;
}

static void
remove_entry(struct board *board, const char *run_id)
{
	struct board_entry **link = find(board, run_id), *entry = *link;

	if (entry == NULL)
		return;
	leave_order(board, entry);
	*link = entry->chain;
	shared_drop(entry->page);
	shared_drop(entry);
}

/* Takes over the page's reference. */
static void
put(struct board *board, struct board_page *page, int64_t version)
{
	struct board_entry **link = find(board, page->run_id), *entry = *link;

	if (entry == NULL) {
		entry = *link = shared_new(sizeof(*entry));
	} else {
		leave_order(board, entry);
		shared_drop(entry->page);
	}
	entry->page = page;
	entry->version = version;
	enter_order(board, entry);
	while (board->finished > BOARD_FINISHED_MAX)
		remove_entry(board, board->oldest->page->run_id);
}

void
board_put_run(struct ctx *ctx, struct board *board, const struct run *run, int64_t generation, struct board_page **page)
{
	CTX_SCOPE(tmp, ctx);
	struct board_page *mine = page_new(run, json_text(tmp, run_to_json(tmp, run)));
	struct board_entry *known;

	lock(board);
	known = *find(board, run->id);
	if (known != NULL && known->version >= run->version) {
		shared_drop(mine);
		mine = shared_hold(known->page);
	} else if (generation == board->generation) {
		put(board, shared_hold(mine), run->version);
	}
	unlock(board);
	if (page != NULL)
		*page = mine;
	else
		shared_drop(mine);
}

bool
board_read(struct ctx *ctx, struct board *board, struct pg *db, const char *run_id, int64_t generation,
    struct board_page **page, bool *found)
{
	CTX_SCOPE(tmp, ctx);
	struct run run;

	if (!run_find(tmp, db, run_id, &run, found))
		return false;
	if (*found) {
		board_put_run(tmp, board, &run, generation, page);
		return true;
	}
	lock(board);
	remove_entry(board, run_id);
	unlock(board);
	return true;
}

int64_t
board_generation(struct board *board)
{
	int64_t generation;

	lock(board);
	generation = board->generation;
	unlock(board);
	return generation;
}

void
board_empty(struct ctx *ctx, struct board *board, const char ***run_ids, size_t *count)
{
	size_t n = 0;

	lock(board);
	for (size_t i = 0; i < BOARD_CHAINS; i++)
		for (const struct board_entry *e = board->chains[i]; e != NULL; e = e->chain)
			n++;
	*run_ids = ctx_alloc_array(ctx, n + 1, sizeof(**run_ids));
	*count = 0;
	for (size_t i = 0; i < BOARD_CHAINS; i++) {
		while (board->chains[i] != NULL) {
			(*run_ids)[*count] = ctx_strdup(ctx, board->chains[i]->page->run_id);
			remove_entry(board, (*run_ids)[(*count)++]);
		}
	}
	board->generation++;
	unlock(board);
}

double
board_lag_seconds(const struct board *board)
{
	return (double)(clock_monotonic_us() - atomic_load(&board->succeeded_us)) / 1e6;
}

const struct board_page *
board_take(struct ctx *ctx, struct board *board, const char *run_id)
{
	struct board_page *page = NULL;
	struct board_entry *entry;

	if (board_lag_seconds(board) > LAG_LIMIT_SECONDS)
		return NULL;
	lock(board);
	entry = *find(board, run_id);
	if (entry != NULL) {
		leave_order(board, entry);
		enter_order(board, entry);
		page = shared_hold(entry->page);
	}
	unlock(board);
	if (page != NULL)
		ctx_defer(ctx, shared_drop, page);
	return page;
}

bool
board_load(struct ctx *ctx, struct board *board, struct pg *db, const char *run_id, const struct board_page **page,
    bool *found)
{
	struct board_page *held = NULL;

	if (!board_read(ctx, board, db, run_id, board_generation(board), &held, found))
		return false;
	if (held != NULL)
		ctx_defer(ctx, shared_drop, held);
	*page = held;
	return true;
}

struct board *
board_start(struct pool *pool, board_listener *listener, void *arg)
{
	struct ctx *ctx = ctx_new("board", 0);
	struct board *board = ctx_alloc(ctx, sizeof(*board));

	board->ctx = ctx;
	board->pool = pool;
	board->listener = listener;
	board->arg = arg;
	ASSERT(pthread_mutex_init(&board->lock, NULL) == 0);
	ASSERT(pthread_create(&board->thread, NULL, board_tail, board) == 0);
	return board;
}

void
board_stop(struct board *board)
{
	const char **run_ids;
	size_t count;

	(void)ctx_cancel_set(&board->stop, CANCEL_SHUTDOWN);
	ASSERT(pthread_join(board->thread, NULL) == 0);
	board_empty(board->ctx, board, &run_ids, &count);
	(void)pthread_mutex_destroy(&board->lock);
	ctx_free(board->ctx);
}
