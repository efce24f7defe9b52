/*
 * property: random runs over a small warehouse, beside a reference in memory that is simple enough to be believed.
 *
 * A world has databases of its own (control, source, warehouse) and one thread. A sequence begins with an empty warehouse, changes the
 * source, has runs accepted, claimed and executed by the service's own functions, lets statements, sessions and workers fail
 * (wire.h), and compares after each run. Everything random comes from the sequence's seed.
 */
#ifndef TESTS_SUPPORT_PROPERTY_H
#define TESTS_SUPPORT_PROPERTY_H

#include "base/text.h"
#include "etl/engine_room.h"
#include "sql/run_store.h"
#include "tests/support/wire.h"

enum {
	ORDERS = 12,
	LINES = 2 * ORDERS, /* two to an order; their amounts are WHOLE together */
	WHOLE = 100,
	PARTS = 3,
	KINDS = 3,
	DAYS = 4,
	CELLS_A_DAY = 4, /* every slice begins and ends with a cell */
	CELLS = (DAYS + 8) * CELLS_A_DAY,
	TIMES = 12,    /* at which a part was ever seen */
	COMMITS = 512, /* of a sequence */
	KEYS = LINES + KINDS + PARTS * TIMES,
	ENGINES = 2
};

enum table { DIM_KIND, DIM_PART, FACT_SALE, FACT_TOTAL, FACT_SEEN, TABLES };
extern const char *const property_tables[TABLES];

/* ---- the source, as it is */

struct order {
	bool there;
	int64_t sold_us, changed_us;
	int part, kind, amount;
	int grade; /* 1 fails the gate staging, 2 the gate published */
};
struct part {
	int name; /* 0: there is no such part */
	int64_t since_us;
};
struct source {
	struct order orders[ORDERS];
	struct part parts[PARTS];
	int labels[KINDS]; /* 0: there is no such kind */
	int64_t now_us;
};

/* ---- the reference (property_model.c): what the warehouse must hold */

/* What an attempt read, and when. */
struct extraction {
	struct extraction *next;
	const char *name; /* how its sessions' application_name ends */
	enum table table;
	int64_t number;      /* load number */
	int64_t snapshot_us; /* the source's clock, asked before */
	int serial;          /* order of extraction; 0: it never came to that */
	struct source source;
};

struct commit {
	enum table table;
	int64_t from_us, to_us, number;
	bool open;
	const struct extraction *read;
};

struct line {
	bool there;
	struct order order;
	int64_t number; /* of the load that last changed it */
	int serial;     /* of the extraction that last said so */
};

/* The last word on a part at each time; versions are made from these. */
struct seen {
	int64_t at_us;
	int name;
};

/* A surrogate key that was seen: it stays with its row, also when that was gone for a while. */
struct key {
	const char *row;
	int64_t value;
};

struct model {
	struct line lines[TABLES][LINES]; /* of the facts */
	int64_t numbers[KINDS];           /* of the load that last changed a kind */
	struct key keys[KEYS];
	int key_count;
	struct seen parts[PARTS][TIMES];
	int times[PARTS];
	int labels[KINDS];
	struct commit commits[COMMITS];
	int commit_count;
};

struct row_counts {
	int64_t read, inserted, updated, unchanged;
};

/* Applies a commit; NULL, or what is wrong with it. counts is for facts. */
const char *model_commit(struct model *model, const struct commit *commit, struct row_counts *counts);

/* Whether the load must have been stopped by a gate. */
bool model_is_refused(const struct extraction *read, enum table table, int64_t from_us, int64_t to_us);

/* Amount of a line; the other one of the order makes it whole. */
int model_amount(const struct order *order, int line);

/* The version of a part as of a time: its name and begin; false: the part is not known. */
bool model_part_at(const struct model *model, int part, int64_t at_us, int *name, int64_t *from_us);

/* The intervals a run means for a fact by time, by its mode; those that a step failed in are marked. */
struct wanted {
	int64_t from_us, to_us;
};
struct question {
	enum table table;
	const char *mode;
	const struct wanted *failed;
	size_t failed_count;
	int64_t lookback;
};
size_t model_plan(const struct model *model, const struct source *source, const struct question *question,
    struct wanted *intervals, size_t count);

/* ---- a world */

struct fault;

struct world {
	struct ctx *ctx; /* of the world */
	struct ctx *own; /* of the sequence */
	int place;
	uint64_t random;
	const char *control_id;
	struct config config;
	struct secret control_url;
	const char *source_database, *warehouse_database, *spec_hash;
	struct pg *control, *origin, *warehouse; /* sessions of the test's own */
	struct pool *pool;
	struct catalog *catalog;
	struct engine engines[ENGINES];
	const char *boots[ENGINES];
	bool lost[ENGINES]; /* its process is dead, or its lease is over */
	struct source source;
	struct model model;
	struct extraction *extractions;
	int serial;
	int depth;        /* of what happens within what */
	bool calm;        /* nothing went wrong on purpose, and nothing interfered, since the last run was accepted */
	struct text said; /* what was done, for the report */
	char *wrong;      /* NULL: all is well */
};

#define WORLD_DO(pg, ...) world_do(world, (pg), ctx_printf(world->own, __VA_ARGS__))

/* property_world.c */
struct world *world_new(struct ctx *ctx, int place);
void world_free(struct world *world);
void world_begin(struct world *world, uint64_t seed);
void world_end(struct world *world);
void world_do(struct world *world, struct pg *pg, const char *sql);
struct pg_rows world_ask(struct world *world, struct pg *pg, const char *sql);
/* The same question again and again: planned once. */
struct pg_rows world_ask_again(struct world *world, struct pg *pg, const char *name, const char *sql);
int64_t world_random(struct world *world, int64_t below);
bool world_chance(struct world *world, int percent);
void world_say(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
void world_wrong(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* property_source.c: the source changes, and the model's source with it. */
void source_begin(struct world *world);
void source_change(struct world *world);
void source_pass(struct world *world, int64_t us); /* time passes */
void source_heal(struct world *world);             /* no row fails a gate any more */

/* property_engine.c: what a replica does, one claim after the other. */
void engine_settle(struct world *world, bool calm); /* until nothing is left to do */

/* property_compare.c */
void compare_all(struct world *world);

/* property_reader.c: somebody who looks at the warehouse all the time, from the thread of its own. saw: NULL, or what must not be. */
struct reader;
struct reader *reader_start(struct ctx *ctx, const struct world *world);
const char *reader_saw(struct reader *reader, int64_t *looks);
void reader_stop(struct reader *reader);

/* property_sequence.c: one sequence; false: the world says what was wrong. */
/* Somebody asks for what this claim loads, or more of it, and goes before everybody else. */
void property_rival(struct world *world, const struct step_claim *claim);
void property_make_tables(struct world *world); /* once, by a run, before all sequences */
bool property_run(struct world *world, uint64_t seed);

#endif
