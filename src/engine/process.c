/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "process.h"

#include "drover/cleanup.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

static json_int_t microseconds(const struct timeval *time)
{
	return (json_int_t)time->tv_sec * 1000000 + time->tv_usec;
}

static void add_usage(json_t *report)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		json_object_set_new(report, "cpu_us",
			json_integer(
				microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime)));
}

/* proc(5): /proc/self/statm begins with both, in pages. */
static void add_memory(json_t *report)
{
	_cleanup_(fclose_p) FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, resident;
	long page = sysconf(_SC_PAGESIZE);

	if (!file || fscanf(file, "%lu %lu", &all, &resident) != 2)
		return;
	json_object_set_new(report, "virtual_bytes", json_integer((json_int_t)all * page));
	json_object_set_new(report, "resident_bytes", json_integer((json_int_t)resident * page));
}

static void add_descriptors(json_t *report)
{
	DIR *directory = opendir("/proc/self/fd");
	struct rlimit limit;
	json_int_t n = 0;

	if (directory) {
		while (readdir(directory))
			n++;
		closedir(directory);
		/* Without ".", ".." and the directory's own. */
		json_object_set_new(report, "open_fds", json_integer(n - 3));
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		json_object_set_new(report, "max_fds", json_integer((json_int_t)limit.rlim_cur));
}

json_t *process_report(void)
{
	json_t *report = json_object();

	if (!report)
		return NULL;
	add_usage(report);
	add_memory(report);
	add_descriptors(report);
	return report;
}
