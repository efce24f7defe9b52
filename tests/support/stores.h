/* stores: what tests of the control database's stores share: a migrated database, and runs made in one line. */
#ifndef TESTS_SUPPORT_STORES_H
#define TESTS_SUPPORT_STORES_H

#include "sql/replica_store.h"
#include "sql/run_store.h"
#include "sql/step_store.h"

#define STORES_BOOT "boot-a"

/* A session of the test's own cluster, started and migrated by the first call of the process. */
struct pg *stores_open(struct ctx *ctx);

/* Of that cluster, for pools; after stores_open. */
const struct secret *stores_url(void);

/* Empties every table and registers STORES_BOOT with a long lease. */
void stores_reset(struct ctx *ctx, struct pg *db);

/* A one-row, one-column answer, "" for NULL. */
const char *stores_ask(struct ctx *ctx, struct pg *db, const char *sql);
void stores_do(struct ctx *ctx, struct pg *db, const char *sql);

/* An accepted run of pipeline p; claims its plan step and finishes it with steps. */
struct run stores_accept(struct ctx *ctx, struct pg *db);
struct run stores_plan(struct ctx *ctx, struct pg *db, const struct step_plan *steps, size_t count);

/* A planned day (from 2024-01-01 on) of table in wave; the whole table for day -1. */
struct step_plan stores_step(struct ctx *ctx, const char *table, int64_t wave, int day);

/* The next claim of STORES_BOOT; fails the test when there is none. */
struct step_claim stores_claim(struct ctx *ctx, struct pg *db);
/* Steps that STORES_BOOT gets from a claim up to limit. */
struct step_claims stores_claim_many(struct ctx *ctx, struct pg *db, int limit);
struct run stores_find(struct ctx *ctx, struct pg *db, const char *id);

#endif
