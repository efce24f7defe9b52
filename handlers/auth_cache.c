#include "handlers/auth_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/bug.h"
#include "base/shared.h"
#include "handlers/auth.h"

/* A hash has its places in one row. */
enum { ROWS = 256, PLACES = 4 };

struct place {
	struct auth_cache_key key;
	int64_t until_s;
	char *texts; /* subject, NUL, scopes, NUL: shared with the requests that read it. NULL: free */
};

struct auth_cache {
	pthread_mutex_t lock; /* held for a look at one row */
	struct place places[ROWS][PLACES];
	unsigned turn; /* which place of a full row is given up next */
};

static void
release_cache(void *handle)
{
	struct auth_cache *cache = handle;

	for (size_t row = 0; row < ROWS; row++)
		for (size_t i = 0; i < PLACES; i++)
			shared_drop(cache->places[row][i].texts);
	(void)pthread_mutex_destroy(&cache->lock);
}

struct auth_cache *
auth_cache_new(struct ctx *ctx)
{
	struct auth_cache *cache = ctx_alloc(ctx, sizeof(*cache));

	ASSERT(pthread_mutex_init(&cache->lock, NULL) == 0);
	ctx_defer(ctx, release_cache, cache);
	return cache;
}

static struct place *
row_of(struct auth_cache *cache, const struct auth_cache_key *key)
{
	return cache->places[key->hash[0]];
}

static bool
is_of(const struct place *place, const struct auth_cache_key *key)
{
	return place->texts != NULL && place->key.generation == key->generation &&
	       crypto_equal(place->key.hash, key->hash, sizeof(key->hash));
}

bool
auth_cache_find(struct ctx *ctx, struct auth_cache *cache, const struct auth_cache_key *key, int64_t now_s,
    struct principal *who)
{
	struct place *row = row_of(cache, key);
	char *texts = NULL;

	ASSERT(pthread_mutex_lock(&cache->lock) == 0);
	for (size_t i = 0; i < PLACES && texts == NULL; i++)
		if (is_of(&row[i], key) && now_s < row[i].until_s)
			texts = shared_hold(row[i].texts);
	ASSERT(pthread_mutex_unlock(&cache->lock) == 0);
	if (texts == NULL)
		return false;
	ctx_defer(ctx, shared_drop, texts);
	who->subject = texts;
	who->scopes = texts + strlen(texts) + 1;
	return true;
}

static char *
make_texts(const struct principal *who)
{
	size_t subject = strlen(who->subject) + 1, scopes = strlen(who->scopes) + 1;
	char *texts = shared_new(subject + scopes);

	memcpy(texts, who->subject, subject);
	memcpy(texts + subject, who->scopes, scopes);
	return texts;
}

/* The same token's place, a free one, one of other keys, else the next in turn. */
static struct place *
choose(struct auth_cache *cache, struct place *row, const struct auth_cache_key *key)
{
	for (size_t i = 0; i < PLACES; i++)
		if (is_of(&row[i], key))
			return &row[i];
	for (size_t i = 0; i < PLACES; i++)
		if (row[i].texts == NULL || row[i].key.generation != key->generation)
			return &row[i];
	return &row[cache->turn++ % PLACES];
}

void
auth_cache_put(struct auth_cache *cache, const struct auth_cache_key *key, int64_t until_s, const struct principal *who)
{
	struct place *place;
	char *texts = make_texts(who), *before;

	ASSERT(pthread_mutex_lock(&cache->lock) == 0);
	place = choose(cache, row_of(cache, key), key);
	before = place->texts;
	*place = (struct place){.key = *key, .until_s = until_s, .texts = texts};
	ASSERT(pthread_mutex_unlock(&cache->lock) == 0);
	shared_drop(before);
}
