#include "base/metrics_process.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bug.h"

/* The shortest of the usual spellings that reads back as the same number. */
void
metrics_add_number(struct text *page, double value)
{
	char s[40];

	if (isnan(value) || isinf(value)) {
		text_add(page, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
		return;
	}
	(void)snprintf(s, sizeof(s), "%.15g", value);
	if (strtod(s, NULL) != value)
		(void)snprintf(s, sizeof(s), "%.17g", value);
	text_add(page, s);
}

static void
add_process_value(struct text *page, const char *name, const char *type, const char *help, double value)
{
	text_addf(page, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s ", name, help, name, type, name);
	metrics_add_number(page, value);
	text_add(page, "\n");
}

/* A number behind a key at the start of a line of a file in /proc; 0 when it is not there. */
static double
proc_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[512];
	double value = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtod(line + strlen(key), NULL);
	if (file != NULL)
		(void)fclose(file);
	return value;
}

/* Field 22 of /proc/self/stat, counted behind the name in brackets: clock ticks from boot to our start. */
static double
start_seconds(void)
{
	FILE *file = fopen("/proc/self/stat", "re");
	char line[1024] = "";
	char *p;
	int field = 2;

	if (file == NULL)
		return 0;
	p = fgets(line, sizeof(line), file);
	(void)fclose(file);
	p = p != NULL ? strrchr(line, ')') : NULL;
	for (; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p == NULL ? 0 : proc_number("/proc/stat", "btime ") + strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static double
open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	double n = -1; /* the one that reads the folder */
	const struct dirent *entry;

	if (folder == NULL)
		return 0;
	while ((entry = readdir(folder)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(folder);
	return n;
}

void
metrics_add_process(struct text *page)
{
	struct rusage usage;
	struct rlimit limit;
	double cpu;

	ASSERT(getrusage(RUSAGE_SELF, &usage) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	add_process_value(page, "cpu_seconds_total", "counter", "User and system CPU time.", cpu);
	add_process_value(page, "resident_memory_bytes", "gauge", "Resident memory.",
	    proc_number("/proc/self/status", "VmRSS:") * 1024);
	add_process_value(page, "virtual_memory_bytes", "gauge", "Virtual memory.",
	    proc_number("/proc/self/status", "VmSize:") * 1024);
	add_process_value(page, "start_time_seconds", "gauge", "Start of the process in Unix time.", start_seconds());
	add_process_value(page, "open_fds", "gauge", "Open file descriptors.", open_files());
	add_process_value(page, "max_fds", "gauge", "Most file descriptors that may be open.",
	    limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur);
}
