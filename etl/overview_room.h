/* overview_room: how an overview is made. Private to etl/overview*.c. */
#ifndef ETL_OVERVIEW_ROOM_H
#define ETL_OVERVIEW_ROOM_H

#include "etl/overview.h"

struct overview_question {
	const struct config *config;
	struct pool *control;
	const struct spec *spec;
	int64_t epoch;
	const json_t *before; /* the picture before this one, or null */
};

bool overview_make(struct ctx *ctx, const struct overview_question *question, json_t **tables) MUST_CHECK;

/* Every table as failed, with the ctx's failure. */
json_t *overview_of_failure(struct ctx *ctx, const struct spec *spec);

#endif
