#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "etl/spec.h"

enum { FILE_LIMIT_BYTES = 1024 * 1024, FILES_LIMIT = 1000, DEPTH_LIMIT = 4 };

struct walk {
	struct ctx *ctx;
	const char *folder;
	struct spec_files *files;
};

/* As the control database and JSON will want it. */
static bool
is_utf8(struct ctx *ctx, const char *text)
{
	CTX_SCOPE(tmp, ctx);

	return json_array_append_new(json_new_array(tmp), json_string(text)) == 0;
}

static bool
add_file(struct walk *walk, const char *path)
{
	struct spec_files *files = walk->files;
	char *text;
	size_t length;

	if (files->count == FILES_LIMIT)
		return fail(walk->ctx, FAIL_SPEC_INVALID, "%s holds more than %d files", walk->folder, FILES_LIMIT);
	if (!file_read(walk->ctx, ctx_printf(walk->ctx, "%s/%s", walk->folder, path), FILE_LIMIT_BYTES, &text, &length))
		return false;
	if (strlen(text) != length || !is_utf8(walk->ctx, text))
		return fail(walk->ctx, FAIL_SPEC_INVALID, "%s/%s is not UTF-8 text", walk->folder, path);
	files->items[files->count++] = (struct spec_file){.path = path, .text = text};
	return true;
}

/* Adds pipeline.yaml and the SQL files of a folder below the pipeline's; below is "" or ends with a slash. */
static bool
add_folder(struct walk *walk, const char *below, int depth)
{
	char **names;
	size_t count;

	if (depth > DEPTH_LIMIT)
		return fail(walk->ctx, FAIL_SPEC_INVALID, "%s/%s is nested too deep", walk->folder, below);
	if (!file_list(walk->ctx, ctx_printf(walk->ctx, "%s/%s", walk->folder, below), &names, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char *path = ctx_printf(walk->ctx, "%s%s", below, names[i]);

		if (file_is_folder(ctx_printf(walk->ctx, "%s/%s", walk->folder, path))) {
			if (strcmp(path, "sample") != 0 &&
			    !add_folder(walk, ctx_printf(walk->ctx, "%s/", path), depth + 1))
				return false;
		} else if (strcmp(path, "pipeline.yaml") == 0 || text_ends_with(path, ".sql")) {
			if (!add_file(walk, path))
				return false;
		}
	}
	return true;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct spec_file *)a)->path, ((const struct spec_file *)b)->path);
}

static void
sort(struct spec_files *files)
{
	qsort(files->items, files->count, sizeof(*files->items), compare_paths);
}

bool
spec_read_folder(struct ctx *ctx, const char *folder, struct spec_files *files)
{
	struct walk walk = {.ctx = ctx, .folder = folder, .files = files};

	files->count = 0;
	files->items = ctx_alloc_array(ctx, FILES_LIMIT, sizeof(*files->items));
	if (!add_folder(&walk, "", 0))
		return false;
	sort(files);
	return true;
}

bool
spec_files_from_json(struct ctx *ctx, const json_t *object, struct spec_files *files)
{
	const char *path;
	const json_t *text;

	files->count = 0;
	if (!json_is_object(object) || json_object_size(object) > FILES_LIMIT)
		return fail(ctx, FAIL_SPEC_INVALID, "the files must be an object of at most %d texts", FILES_LIMIT);
	files->items = ctx_alloc_array(ctx, json_object_size(object) + 1, sizeof(*files->items));
	json_object_foreach((json_t *)(uintptr_t)object, path, text) {
		if (!json_is_string(text) || json_string_length(text) > FILE_LIMIT_BYTES)
			return fail(ctx, FAIL_SPEC_INVALID, "the file %s must be a text of at most %d bytes",
			    text_sanitize(ctx, path), FILE_LIMIT_BYTES);
		files->items[files->count].path = ctx_strdup(ctx, path);
		files->items[files->count++].text = ctx_strdup(ctx, json_string_value(text));
	}
	sort(files);
	return true;
}

json_t *
spec_files_to_json(struct ctx *ctx, const struct spec_files *files)
{
	json_t *object = json_new_object(ctx);

	for (size_t i = 0; i < files->count; i++)
		json_put_string(ctx, object, files->items[i].path, files->items[i].text);
	return object;
}

char *
spec_files_hash(struct ctx *ctx, const struct spec_files *files)
{
	struct crypto_piece *pieces = ctx_alloc_array(ctx, files->count * 2 + 1, sizeof(*pieces));

	for (size_t i = 0; i < files->count; i++) {
		const struct spec_file *file = &files->items[i];

		pieces[i * 2] = (struct crypto_piece){file->path, strlen(file->path)};
		pieces[i * 2 + 1] = (struct crypto_piece){file->text, strlen(file->text)};
	}
	return ctx_printf(ctx, "sha256:%s", crypto_sha256_pieces(ctx, pieces, files->count * 2));
}
