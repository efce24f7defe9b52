#include "etl/canvas.h"

#include <stdlib.h>

#include "base/bug.h"

static int
compare_points(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

size_t
canvas_find(const struct canvas *canvas, int64_t at_us)
{
	const int64_t *point = bsearch(&at_us, canvas->points, canvas->count, sizeof(at_us), compare_points);

	ASSERT(point != NULL);
	return (size_t)(point - canvas->points);
}

static size_t
find_next(struct canvas *canvas, size_t i)
{
	size_t end = i, step;

	while (canvas->next[end] != end)
		end = canvas->next[end];
	for (; canvas->next[i] != i; i = step) {
		step = canvas->next[i];
		canvas->next[i] = end;
	}
	return end;
}

void
canvas_paint(struct canvas *canvas, int64_t from_us, int64_t to_us, const void *layer)
{
	size_t end = canvas_find(canvas, to_us);

	for (size_t i = find_next(canvas, canvas_find(canvas, from_us)); i < end; i = find_next(canvas, i)) {
		canvas->painted[i] = layer;
		canvas->next[i] = i + 1;
	}
}

struct canvas
canvas_again(struct ctx *ctx, const struct canvas *canvas)
{
	struct canvas again = {.points = canvas->points, .count = canvas->count};

	again.painted = ctx_alloc_array(ctx, again.count + 1, sizeof(*again.painted));
	again.next = ctx_alloc_array(ctx, again.count + 1, sizeof(*again.next));
	for (size_t i = 0; i <= again.count; i++)
		again.next[i] = i;
	return again;
}

struct canvas
canvas_make(struct ctx *ctx, int64_t *points, size_t count)
{
	struct canvas canvas = {.points = points};

	qsort(points, count, sizeof(*points), compare_points);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || points[i] != points[i - 1])
			points[canvas.count++] = points[i];
	return canvas_again(ctx, &canvas);
}
