#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fail.h"

static bool
fail_errno(struct ctx *ctx, const char *verb, const char *path)
{
	enum fail_code code = errno == ENOSPC || errno == EDQUOT ? FAIL_DISK_FULL : FAIL_IO;

	return fail(ctx, code, "cannot %s %s: %s", verb, path, strerrordesc_np(errno));
}

static void
release_fd(void *handle)
{
	(void)close((int)(intptr_t)handle);
}

bool
file_read(struct ctx *ctx, const char *path, size_t limit_bytes, char **text, size_t *length)
{
	CTX_SCOPE(tmp, ctx);
	struct stat info;
	size_t size, got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(ctx, "open", path);
	ctx_defer(tmp, release_fd, (void *)(intptr_t)fd);
	if (fstat(fd, &info) != 0)
		return fail_errno(ctx, "read", path);
	if (!S_ISREG(info.st_mode))
		return fail(ctx, FAIL_IO, "cannot read %s: it is not a file", path);
	size = (size_t)info.st_size;
	if (size > limit_bytes)
		return fail(ctx, FAIL_IO, "cannot read %s: larger than %zu bytes", path, limit_bytes);
	*text = ctx_alloc(ctx, size + 1);
	while (got < size) {
		ssize_t n = read(fd, *text + got, size - got);

		if (n < 0 && errno != EINTR)
			return fail_errno(ctx, "read", path);
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	(*text)[got] = '\0';
	if (length != NULL)
		*length = got;
	return true;
}

static bool
write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	return fsync(fd) == 0;
}

bool
file_write(struct ctx *ctx, const char *path, const char *text, unsigned mode)
{
	CTX_SCOPE(tmp, ctx);
	char *fresh = ctx_printf(tmp, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return fail_errno(ctx, "create", fresh);
	ctx_defer(tmp, release_fd, (void *)(intptr_t)fd);
	if (!write_all(fd, text, strlen(text)))
		return fail_errno(ctx, "write", fresh);
	if (rename(fresh, path) != 0)
		return fail_errno(ctx, "rename", fresh);
	return true;
}

bool
file_make_folder(struct ctx *ctx, const char *path, unsigned mode)
{
	CTX_SCOPE(tmp, ctx);
	char *copy = ctx_strdup(tmp, path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return fail_errno(ctx, "create", copy);
		*slash = '/';
	}
	if (mkdir(copy, mode) != 0 && (errno != EEXIST || !file_is_folder(copy)))
		return fail_errno(ctx, "create", copy);
	return true;
}

bool
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool
file_is_folder(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
release_dir(void *handle)
{
	(void)closedir(handle);
}

bool
file_list(struct ctx *ctx, const char *path, char ***names, size_t *count)
{
	CTX_SCOPE(tmp, ctx);
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t capacity = 16;

	if (dir == NULL)
		return fail_errno(ctx, "open", path);
	ctx_defer(tmp, release_dir, dir);
	*count = 0;
	*names = ctx_alloc_array(ctx, capacity, sizeof(char *));
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (*count == capacity) {
			char **more = ctx_alloc_array(ctx, capacity * 2, sizeof(char *));

			memcpy(more, *names, capacity * sizeof(char *));
			*names = more;
			capacity *= 2;
		}
		(*names)[(*count)++] = ctx_strdup(ctx, entry->d_name);
	}
	qsort(*names, *count, sizeof(char *), compare_names);
	return true;
}

char *
file_real_path(struct ctx *ctx, const char *path)
{
	char buffer[PATH_MAX];

	return realpath(path, buffer) == NULL ? NULL : ctx_strdup(ctx, buffer);
}
