/* kinds: a pipeline with a table of every kind and way of writing, for tests of what they do and of the SQL they become. */
#ifndef TESTS_SUPPORT_KINDS_H
#define TESTS_SUPPORT_KINDS_H

#include "tests/support/loads.h"

/*
 * Dimensions by id with a name and a note: dim_first (scd 0), dim_now (scd 1), dim_list (replaced whole), dim_past (scd 2, valid_from
 * since, what is gone stays). Facts by id with an amount: fact_append (no grain, by day), fact_once (append by grain, by day),
 * fact_upsert (by day, surrogate), fact_all (replace_all, surrogate); by the ids of dimensions: fact_guess (infers members of all),
 * fact_ask (now: unknown, list: quarantine, past: as of the day, missing before its first version).
 * dim_pair (two keys, replaced whole), whose members fact_pair infers. dim_date from 2024 for two years, fiscal from April, dim_time. fact_line (by day) looks up fact_upsert (quarantine) and fact_all. The source has a table of each one's name.
 */
extern const struct loads_pipeline kinds_pipeline;

#endif
