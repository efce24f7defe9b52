/*
 * slice_files_limits: what one reader of files may use of what the process may.
 *
 * Every worker may be reading at once, so each has an equal part. What there is of memory is the least of the machine's and of the
 * cgroup's, as a container sees it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "etl/slice_files.h"

enum { LEAST_MIB = 64, THREAD_MIB = 125, MOST_THREADS = 2, LEAST_SPILL_MIB = 256 };
static const int64_t mib = 1024 * INT64_C(1024);

/* A file of the system's that holds a number; INT64_MAX: it does not, or is not there. */
static int64_t
read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[64] = "";
	int64_t number;
	bool good;

	if (file == NULL)
		return INT64_MAX;
	good = fgets(line, sizeof(line), file) != NULL;
	(void)fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return good && text_to_i64(line, &number) ? number : INT64_MAX;
}

static int64_t
memory_there(void)
{
	static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
	    "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
	int64_t least = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int64_t limit = read_number(limits[i]);

		if (limit > 0 && limit < least)
			least = limit;
	}
	return least;
}

static int64_t
disk_there(const char *folder)
{
	struct statvfs info;

	return statvfs(folder, &info) == 0 ? (int64_t)info.f_bavail * (int64_t)info.f_frsize : 0;
}

static int64_t
part(int64_t set, int64_t there, int64_t workers, int64_t least)
{
	int64_t all = set > 0 ? set : there / 2;

	return all / workers > least ? all / workers : least;
}

struct duck_limits
files_limits(const struct config *config, const struct spec_table *table)
{
	int64_t workers = config->workers > 0 ? config->workers : sysconf(_SC_NPROCESSORS_ONLN);
	struct duck_limits limits = {.reject_rows = table->rejects_rows, .reject_share = 1};

	limits.memory_bytes = part(config->memory_bytes, memory_there(), workers, LEAST_MIB * mib);
	limits.temp_bytes = part(config->spool_bytes, disk_there(config->home), workers, LEAST_SPILL_MIB * mib);
	limits.threads = (int)(limits.memory_bytes / (THREAD_MIB * mib));
	limits.threads = limits.threads < 1 ? 1 : limits.threads > MOST_THREADS ? MOST_THREADS : limits.threads;
	return limits;
}

bool
files_temp_folder(struct ctx *ctx, const struct config *config, const char **folder)
{
	char *path = ctx_printf(ctx, "%s/duck", config->home);

	if (!file_make_folder(ctx, path, 0700))
		return false;
	*folder = file_real_path(ctx, path);
	return *folder != NULL || fail(ctx, FAIL_IO, "cannot read %s: %s", path, strerrordesc_np(errno));
}

void
slice_sweep(struct ctx *ctx, const struct config *config)
{
	CTX_SCOPE(tmp, ctx);
	const char *folder = file_real_path(tmp, ctx_printf(tmp, "%s/duck", config->home));
	int removed = folder != NULL ? duck_sweep(tmp, folder) : 0;

	if (removed > 0)
		log_line(tmp, LOG_INFO, "removed what dead readers of files left", "folders",
		    text_from_i64(tmp, removed), NULL);
}
