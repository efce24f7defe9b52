/* board_internal: what board.c (the picture) and board_tail.c (the thread that keeps it true)
 * share. */
#ifndef SQL_BOARD_INTERNAL_H
#define SQL_BOARD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "sql/board.h"

enum {
	BOARD_CHAINS = 4096,
	BOARD_FINISHED_MAX = 10000,
};

struct board_entry;

struct board {
	struct ctx *ctx; /* its own: holds this struct */
	struct pool *pool;
	board_listener *listener; /* NULL: nobody */
	void *arg;
	pthread_t thread;
	struct ctx_cancel stop;
	_Atomic int64_t succeeded_us; /* when the tail last succeeded, monotonic; 0: never */
	pthread_mutex_t lock;
	/* under lock: */
	struct board_entry *chains[BOARD_CHAINS];
	struct board_entry *newest, *oldest; /* finished runs by last use */
	size_t finished;
	int64_t generation; /* grows when the board is emptied */
};

int64_t board_generation(struct board *board);

/* Reads a run and puts it on the board of that generation, unless the board knows a newer version
 * or was emptied since. *page: the newer of the two, with a reference for the caller; page may be
 * NULL. A run that is gone leaves the board. */
bool board_read(struct ctx *ctx, struct board *board, struct pg *db, const char *run_id, int64_t generation,
    struct board_page **page, bool *found) MUST_CHECK;

struct run;
void board_put_run(struct ctx *ctx, struct board *board, const struct run *run, int64_t generation,
    struct board_page **page);

/* Takes everything off the board; ids of what was on it, for the listener. */
void board_empty(struct ctx *ctx, struct board *board, const char ***run_ids, size_t *count);

/* The tail's thread; arg is the board. */
void *board_tail(void *arg);

#endif
