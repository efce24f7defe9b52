#include "etl/catalog.h"

#include <pthread.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/pipeline_store.h"

/* Enough for the largest files a specification may have, several times over. */
enum { SPEC_LIMIT_BYTES = 512 * 1024 * 1024 };

struct entry {
	struct ctx *ctx; /* owns this and the spec */
	const struct spec *spec;
	struct entry *next;
};

struct catalog {
	struct ctx *ctx; /* owns this */
	pthread_mutex_t lock;
	struct entry *entries; /* guarded by lock; an entry itself never changes */
};

struct catalog *
catalog_new(void)
{
	struct ctx *ctx = ctx_new("catalog", 0);
	struct catalog *catalog = ctx_alloc(ctx, sizeof(*catalog));

	catalog->ctx = ctx;
	ASSERT(pthread_mutex_init(&catalog->lock, NULL) == 0);
	return catalog;
}

void
catalog_free(struct catalog *catalog)
{
	struct entry *next;

	if (catalog == NULL)
		return;
	for (struct entry *entry = catalog->entries; entry != NULL; entry = next) {
		next = entry->next;
		ctx_free(entry->ctx);
	}
	(void)pthread_mutex_destroy(&catalog->lock);
	ctx_free(catalog->ctx);
}

/* Under the lock. */
static const struct spec *
look_up(const struct catalog *catalog, const char *pipeline, const char *hash)
{
	for (const struct entry *entry = catalog->entries; entry != NULL; entry = entry->next)
		if (strcmp(entry->spec->hash, hash) == 0 && strcmp(entry->spec->pipeline, pipeline) == 0)
			return entry->spec;
	return NULL;
}

static const struct spec *
find_known(struct catalog *catalog, const char *pipeline, const char *hash)
{
	const struct spec *spec;

	pthread_mutex_lock(&catalog->lock);
	spec = look_up(catalog, pipeline, hash);
	pthread_mutex_unlock(&catalog->lock);
	return spec;
}

/* Takes the entry, or drops it when another thread was faster. */
static const struct spec *
keep(struct catalog *catalog, struct entry *entry)
{
	const struct spec *spec;

	pthread_mutex_lock(&catalog->lock);
	spec = look_up(catalog, entry->spec->pipeline, entry->spec->hash);
	if (spec == NULL) {
		entry->next = catalog->entries;
		catalog->entries = entry;
	}
	pthread_mutex_unlock(&catalog->lock);
	if (spec == NULL)
		return entry->spec;
	ctx_free(entry->ctx);
	return spec;
}

/* Parses into a root ctx of its own; its failure becomes ctx's. */
static bool
parse(struct ctx *ctx, const json_t *files, struct entry **parsed)
{
	struct ctx *own = ctx_new("specification", SPEC_LIMIT_BYTES);
	struct entry *entry = ctx_alloc(own, sizeof(*entry));
	struct spec_files list;
	struct spec_error *errors;
	struct spec *spec;

	entry->ctx = own;
	if (!spec_files_from_json(own, files, &list) || !spec_parse(own, &list, &spec, &errors)) {
		const struct failure *failure = ctx_failure(own);

		(void)fail(ctx, failure->code, "%s", failure->message);
		ctx_free(own);
		return false;
	}
	entry->spec = spec;
	*parsed = entry;
	return true;
}

bool
catalog_find(struct ctx *ctx, struct catalog *catalog, struct pg *db, const char *pipeline, const char *hash,
    const struct spec **spec)
{
	const char *found_hash;
	struct entry *entry;
	json_t *files;
	bool found;

	if (hash != NULL && (*spec = find_known(catalog, pipeline, hash)) != NULL)
		return true;
	if (!pipeline_find(ctx, db, pipeline, hash, &found_hash, &files, &found))
		return false;
	if (!found && hash == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline %s", pipeline);
	if (!found)
		return fail(ctx, FAIL_NOT_FOUND, "pipeline %s has no version %s", pipeline, hash);
	if ((*spec = find_known(catalog, pipeline, found_hash)) != NULL)
		return true;
	if (!parse(ctx, files, &entry))
		return false;
	if (strcmp(entry->spec->hash, found_hash) != 0 || strcmp(entry->spec->pipeline, pipeline) != 0) {
		ctx_free(entry->ctx);
		return fail(ctx, FAIL_SPEC_INVALID, "the stored files of %s are not those of %s", pipeline, found_hash);
	}
	*spec = keep(catalog, entry);
	return true;
}
