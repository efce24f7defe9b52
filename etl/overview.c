#include "etl/overview.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "etl/overview_room.h"

static const int64_t KEPT_US = 5 * CLOCK_SECOND_US;

/* The picture of one pipeline. Guarded by overview.lock; `text` is replaced with its ctx. */
struct picture {
	struct picture *next;
	struct ctx *ctx; /* owns text */
	const char *text, *spec_hash;
	int64_t taken_us; /* monotonic */
	bool being_taken;
	char pipeline[64];
};

struct overview {
	pthread_mutex_t lock; /* held for a look at one picture */
	struct ctx *ctx;      /* owns the list; used under the lock */
	struct picture *pictures;
	const struct config *config;
	struct pool *control;
	int64_t epoch;
};

struct overview *
overview_new(const struct config *config, struct pool *control, int64_t epoch)
{
	struct ctx *ctx = ctx_new("overview", 0);
	struct overview *overview = ctx_alloc(ctx, sizeof(*overview));

	*overview = (struct overview){.ctx = ctx, .config = config, .control = control, .epoch = epoch};
	ASSERT(pthread_mutex_init(&overview->lock, NULL) == 0);
	return overview;
}

void
overview_free(struct overview *overview)
{
	for (struct picture *picture = overview->pictures; picture != NULL; picture = picture->next)
		if (picture->ctx != NULL)
			ctx_free(picture->ctx);
	(void)pthread_mutex_destroy(&overview->lock);
	ctx_free(overview->ctx);
}

static void
lock(struct overview *overview)
{
	ASSERT(pthread_mutex_lock(&overview->lock) == 0);
}

static void
unlock(struct overview *overview)
{
	ASSERT(pthread_mutex_unlock(&overview->lock) == 0);
}

static struct picture *
find_picture(struct overview *overview, const char *pipeline)
{
	struct picture *picture = overview->pictures;

	while (picture != NULL && !text_equal(picture->pipeline, pipeline))
		picture = picture->next;
	if (picture == NULL) {
		picture = ctx_alloc(overview->ctx, sizeof(*picture));
		(void)snprintf(picture->pipeline, sizeof(picture->pipeline), "%s", pipeline);
		picture->next = overview->pictures;
		overview->pictures = picture;
	}
	return picture;
}

/* What there is; *mine: it is old, and this caller makes the next one. An older version of the pipeline has no picture of this one. */
static const char *
look(struct ctx *ctx, struct overview *overview, const struct spec *spec, bool *mine)
{
	const char *text = NULL;
	struct picture *picture;

	lock(overview);
	picture = find_picture(overview, spec->pipeline);
	if (picture->text != NULL && text_equal(picture->spec_hash, spec->hash))
		text = ctx_strdup(ctx, picture->text);
	*mine = text == NULL || (!picture->being_taken && clock_monotonic_us() - picture->taken_us > KEPT_US);
	picture->being_taken = picture->being_taken || *mine;
	unlock(overview);
	return text;
}

/* text NULL: none could be made; the old one stays, and is tried again after its time. */
static void
keep(struct overview *overview, const struct spec *spec, const char *text)
{
	struct ctx *ctx = ctx_new("overview", 0), *old = ctx;
	struct picture *picture;

	lock(overview);
	picture = find_picture(overview, spec->pipeline);
	if (text != NULL) {
		old = picture->ctx;
		picture->ctx = ctx;
		picture->text = ctx_strdup(ctx, text);
		picture->spec_hash = ctx_strdup(ctx, spec->hash);
	}
	picture->taken_us = clock_monotonic_us();
	picture->being_taken = false;
	unlock(overview);
	if (old != NULL)
		ctx_free(old);
}

bool
overview_tables(struct ctx *ctx, struct overview *overview, const struct spec *spec, json_t **tables)
{
	struct ctx *own;
	bool mine, made;
	const char *text = look(ctx, overview, spec, &mine);

	if (!mine) {
		*tables = json_trusted(ctx, text);
		return true;
	}
	own = ctx_new("overview", 0); /* a failure is no failure of the request */
	ctx_set_tags(own, ctx_get_tags(ctx));
	made = overview_make(own,
	    &(struct overview_question){.config = overview->config,
		.control = overview->control,
		.spec = spec,
		.epoch = overview->epoch,
		.before = json_trusted(own, text)},
	    tables);
	if (!made) {
		log_failure(own, "the overview of a pipeline could not be made");
		if (text == NULL)
			text = json_text(ctx, overview_of_failure(own, spec));
		keep(overview, spec, NULL);
	} else {
		text = json_text(ctx, *tables);
		keep(overview, spec, text);
	}
	ctx_free(own);
	*tables = json_trusted(ctx, text);
	return true;
}
