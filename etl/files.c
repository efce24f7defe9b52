#include "etl/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

enum { DEEPEST = 16 };

/* One listing in progress. */
struct walk {
	struct ctx *ctx;
	const char *root;
	struct path_batch rule;
	struct file_entries *entries;
	size_t capacity;
	char batch[PATH_BATCH_ROOM]; /* what {batch} stands for on the way to where we are */
	bool has_batch;
};

bool
files_root(struct ctx *ctx, const struct config *config, const char *pipeline, const struct spec_source *source,
    const char **root)
{
	static const char scheme[] = "file://";
	struct secret url;
	const char *path;

	if (!config_connection_of(ctx, config, pipeline, source->connection, &url))
		return false;
	path = secret_reveal(&url);
	if (!text_starts_with(path, scheme))
		return fail(ctx, FAIL_NOT_IMPLEMENTED, "%s must be file:///folder: files elsewhere cannot be read yet",
		    config_connection_variable(ctx, source->connection));
	path += sizeof(scheme) - 1;
	if (*path != '/')
		return fail(ctx, FAIL_CONFIG_INVALID, "%s must be file:///folder: its folder is not absolute",
		    config_connection_variable(ctx, source->connection));
	*root = file_real_path(ctx, path);
	if (*root == NULL || !file_is_folder(*root))
		return fail(ctx, FAIL_IO, "%s: the folder %s cannot be read: %s",
		    config_connection_variable(ctx, source->connection), path,
		    *root != NULL ? "it is no folder" : strerrordesc_np(errno));
	return true;
}

static bool
is_below(const char *root, const char *path)
{
	size_t length = strlen(root);

	return strcmp(root, "/") == 0 || (text_starts_with(path, root) && path[length] == '/');
}

static void
describe(struct ctx *ctx, const struct stat *info, struct file_entry *entry)
{
	entry->size_bytes = info->st_size;
	entry->arrived_us = info->st_mtim.tv_sec * INT64_C(1000000) + info->st_mtim.tv_nsec / 1000;
	entry->etag = ctx_printf(ctx, "%llx-%llx%08lx-%llx", (unsigned long long)info->st_size,
	    (unsigned long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec, (unsigned long long)info->st_ino);
}

bool
files_look(struct ctx *ctx, const char *root, struct file_entry *entry, const char **real_path)
{
	char *path = ctx_printf(ctx, "%s/%s", root, entry->path);
	struct stat info;

	*real_path = file_real_path(ctx, path);
	if (*real_path == NULL || stat(*real_path, &info) != 0)
		return fail(ctx, FAIL_FILE_UNREADABLE, "%s cannot be read: %s", path, strerrordesc_np(errno));
	if (!is_below(root, *real_path))
		return fail(ctx, FAIL_FILE_UNREADABLE, "%s leads out of the connection's folder", path);
	if (!S_ISREG(info.st_mode))
		return fail(ctx, FAIL_FILE_UNREADABLE, "%s is no file", path);
	describe(ctx, &info, entry);
	return true;
}

static bool
add_file(struct walk *walk, const char *path)
{
	struct file_entries *entries = walk->entries;
	struct file_entry entry = {.path = ctx_strdup(walk->ctx, path)};
	CTX_SCOPE(tmp, walk->ctx);
	const char *real_path;

	if (entries->count == FILES_MOST)
		return fail(walk->ctx, FAIL_INVALID_REQUEST, "more than %d files: pick some by a range or a batch",
		    FILES_MOST);
	if (!text_equal(path, text_sanitize(tmp, path)))
		return fail(walk->ctx, FAIL_FILE_UNREADABLE, "the name of %s is no clean UTF-8", path);
	if (!files_look(tmp, walk->root, &entry, &real_path))
		return false;
	entry.etag = ctx_strdup(walk->ctx, entry.etag);
	if (walk->has_batch)
		entry.batch = ctx_strdup(walk->ctx, walk->batch);
	if (entries->count == walk->capacity) {
		struct file_entry *more = ctx_alloc_array(walk->ctx, walk->capacity * 2, sizeof(*more));

		memcpy(more, entries->items, entries->count * sizeof(*more));
		entries->items = more;
		walk->capacity *= 2;
	}
	entries->items[entries->count++] = entry;
	return !ctx_failed(walk->ctx);
}

/* Links are followed where the template names them; `**` keeps to real folders, so that it comes to an end. */
static bool
is_folder(const struct walk *walk, struct ctx *tmp, const char *path, bool follow)
{
	char *whole = ctx_printf(tmp, "%s/%s", walk->root, path);
	struct stat info;

	return (follow ? stat(whole, &info) : lstat(whole, &info)) == 0 && S_ISDIR(info.st_mode);
}

static bool walk_folder(struct walk *walk, const char *folder, const char *template, int depth);

/* A name that fits the template's first part. */
static bool
take_entry(struct walk *walk, const char *path, const char *rest, int depth)
{
	CTX_SCOPE(tmp, walk->ctx);

	if (rest != NULL)
		return !is_folder(walk, tmp, path, true) || walk_folder(walk, path, rest, depth + 1);
	return is_folder(walk, tmp, path, true) || add_file(walk, path);
}

/* `**` is nothing, or any folder and then `**` again. */
static bool
walk_deep(struct walk *walk, const char *folder, const char *name, const char *template, int depth)
{
	CTX_SCOPE(tmp, walk->ctx);
	const char *path = ctx_printf(tmp, "%s%s%s", folder, *folder != '\0' ? "/" : "", name);

	return !is_folder(walk, tmp, path, false) || walk_folder(walk, path, template, depth + 1);
}

static bool
walk_name(struct walk *walk, const char *folder, const char *name, const char *template, int depth)
{
	CTX_SCOPE(tmp, walk->ctx);
	size_t length = strcspn(template, "/");
	const char *rest = template[length] == '/' ? template + length + 1 : NULL;
	bool has_batch = memmem(template, length, "{batch}", 7) != NULL;
	bool good;

	if (!path_name_matches(template, length, name, &walk->rule, walk->batch))
		return true;
	walk->has_batch = walk->has_batch || has_batch;
	good = take_entry(walk, ctx_printf(tmp, "%s%s%s", folder, *folder != '\0' ? "/" : "", name), rest, depth);
	walk->has_batch = walk->has_batch && !has_batch;
	return good;
}

/* template is what of it is left for what lies in this folder. */
static bool
walk_folder(struct walk *walk, const char *folder, const char *template, int depth)
{
	CTX_SCOPE(tmp, walk->ctx);
	bool deep = text_starts_with(template, "**/");
	char **names;
	size_t count;

	if (depth > DEEPEST)
		return fail(walk->ctx, FAIL_FILE_UNREADABLE, "%s/%s is nested too deep", walk->root, folder);
	if (ctx_cancelled(walk->ctx) != CANCEL_NONE)
		return fail(walk->ctx, FAIL_CANCELLED, "cancelled while listing files");
	if (deep && !walk_folder(walk, folder, template + 3, depth))
		return false;
	if (!file_list(tmp, ctx_printf(tmp, "%s/%s", walk->root, folder), &names, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!(deep ? walk_deep(walk, folder, names[i], template, depth)
			   : walk_name(walk, folder, names[i], template, depth)))
			return false;
	return true;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct file_entry *)a)->path, ((const struct file_entry *)b)->path);
}

bool
files_list(struct ctx *ctx, const char *root, const struct spec_source *source, const char *batch,
    struct file_entries *entries)
{
	struct walk walk = {.ctx = ctx,
	    .root = root,
	    .rule = {.date = source->batch_date, .want = batch},
	    .entries = entries,
	    .capacity = 64};

	entries->count = 0;
	entries->items = ctx_alloc_array(ctx, walk.capacity, sizeof(*entries->items));
	if (!walk_folder(&walk, "", source->path, 0))
		return false;
	qsort(entries->items, entries->count, sizeof(*entries->items), compare_paths);
	return true;
}
