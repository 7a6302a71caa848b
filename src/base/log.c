/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where a process logs is as much its own as its stderr. */
static struct {
	log_sink_t write;
	void *user_data;
} sink;

void log_set_sink(log_sink_t write, void *user_data)
{
	sink.write = write;
	sink.user_data = user_data;
}

static void write_stderr(int priority, const char *line)
{
	/* One write per line, so that lines of several processes never mix. */
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%s\n", line);
	else
		fprintf(stderr, "<%d>%s\n", priority, line);
}

void log_write(int priority, const char *format, ...)
{
	int saved_errno = errno;
	char line[1024];
	va_list arguments;

	if (priority == LOG_DEBUG && !getenv("DROVER_DEBUG"))
		return;

	va_start(arguments, format);
	errno = saved_errno;
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);

	if (sink.write)
		sink.write(priority, line, sink.user_data);
	else
		write_stderr(priority, line);
	errno = saved_errno;
}
