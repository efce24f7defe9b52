/*
 * canvas: a line of time, cut into segments, that is painted from the newest layer to the oldest.
 *
 * At each point of time the newest layer counts. The ends of everything that will be asked or painted cut time into segments; who
 * paints first keeps its segments. `next` skips painted segments, so that each is painted once.
 */
#ifndef ETL_CANVAS_H
#define ETL_CANVAS_H

#include "base/ctx.h"

struct canvas {
	int64_t *points; /* ascending; segment i is [points[i], points[i + 1]) */
	size_t count;
	const void **painted; /* by segment; NULL: nothing there */
	size_t *next;         /* first segment at or after i that is not painted */
};

/* points: in any order, with repetition; they become the canvas's own. */
struct canvas canvas_make(struct ctx *ctx, int64_t *points, size_t count);

/* An empty canvas over the same points. */
struct canvas canvas_again(struct ctx *ctx, const struct canvas *canvas);

/* The index of a point, which must be one. */
size_t canvas_find(const struct canvas *canvas, int64_t at_us);

/* Both ends must be points. */
void canvas_paint(struct canvas *canvas, int64_t from_us, int64_t to_us, const void *layer);

#endif
