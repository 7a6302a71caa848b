/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel.h"

#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	INFORM_BACKLOG_MAX = 256 * 1024, /* above that, lines that only inform are dropped */
	LAST_WAIT_MS = 1000,
};

struct channel {
	const struct channel_callbacks *callbacks;
	void *user_data;
	sd_event_source *input, *output; /* output: NULL where writing never blocks */
	int in, out;
	bool broken; /* nobody reads any more */
	bool patient;

	char line[COMMAND_LINE_MAX + 1];
	size_t length;
	bool too_long;

	char *backlog;
	size_t backlog_length;
	size_t n_dropped;
};

/* --- out ------------------------------------------------------------------------------------ */

static bool can_write(const struct channel *channel, int timeout_ms)
{
	struct pollfd out = { .fd = channel->out, .events = POLLOUT };

	return poll(&out, 1, timeout_ms) > 0;
}

/*
 * A pipe that poll() calls writable takes PIPE_BUF bytes (4096, pipe(7)) without blocking, so
 * stdout, which may be somebody else's too, need not be made non-blocking.
 */
static void write_some(struct channel *channel, int timeout_ms)
{
	while (channel->backlog_length > 0 && !channel->broken && can_write(channel, timeout_ms)) {
		size_t n = channel->backlog_length;
		ssize_t written = write(channel->out, channel->backlog,
			n < COMMAND_LINE_MAX ? n : COMMAND_LINE_MAX);

		if (written < 0 && errno != EINTR && errno != EAGAIN)
			channel->broken = true;
		if (written <= 0)
			continue;
		channel->backlog_length -= (size_t)written;
		memmove(channel->backlog, channel->backlog + written, channel->backlog_length);
	}
	if (channel->output)
		(void)sd_event_source_set_enabled(
			channel->output, channel->backlog_length > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void append(struct channel *channel, const char *line, size_t length)
{
	char *grown = realloc(channel->backlog, channel->backlog_length + length);

	if (!grown)
		return;
	channel->backlog = grown;
	memcpy(grown + channel->backlog_length, line, length);
	channel->backlog_length += length;
}

static void __attribute__((format(printf, 3, 0)))
say(struct channel *channel, const char *prefix, const char *format, va_list arguments)
{
	char line[COMMAND_LINE_MAX];
	size_t length = strlen(prefix);
	int n;

	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): vsnprintf() ends it. */
	memcpy(line, prefix, length);
	n = vsnprintf(line + length, sizeof(line) - length, format, arguments);
	if (n < 0)
		return;
	length = strlen(line);
	for (size_t i = 0; i < length; i++)
		if (line[i] != '\t' && iscntrl((unsigned char)line[i]))
			line[i] = '?';
	line[length++] = '\n';
	append(channel, line, length);
	write_some(channel, channel->patient ? -1 : 0);
}

void channel_answer(struct channel *channel, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(channel, "", format, arguments);
	va_end(arguments);
}

static void tell_dropped(struct channel *channel)
{
	size_t n = channel->n_dropped;

	channel->n_dropped = 0;
	channel_answer(channel, "* %zu lines were not taken, and are lost", n);
}

void channel_inform(struct channel *channel, const char *format, ...)
{
	va_list arguments;

	if (channel->backlog_length > INFORM_BACKLOG_MAX) {
		channel->n_dropped++;
		return;
	}
	if (channel->n_dropped > 0)
		tell_dropped(channel);
	va_start(arguments, format);
	say(channel, "* ", format, arguments);
	va_end(arguments);
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	(void)source;
	(void)fd;
	(void)events;
	write_some(user_data, 0);
	return 0;
}

/* --- in ------------------------------------------------------------------------------------- */

static void end_line(struct channel *channel)
{
	size_t length = channel->length;
	bool too_long = channel->too_long;

	channel->line[length] = '\0';
	channel->length = 0;
	channel->too_long = false;
	channel->callbacks->line(channel->line, length, too_long, channel->user_data);
}

static void take_byte(struct channel *channel, char byte)
{
	if (byte == '\n')
		end_line(channel);
	else if (channel->length < COMMAND_LINE_MAX - 1)
		channel->line[channel->length++] = byte;
	else
		channel->too_long = true;
}

static int read_some(struct channel *channel)
{
	char bytes[COMMAND_LINE_MAX];
	ssize_t n = read(channel->in, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		(void)sd_event_source_set_enabled(channel->input, SD_EVENT_OFF);
		channel->callbacks->end(channel->user_data);
		return 0;
	}
	for (ssize_t i = 0; i < n; i++)
		take_byte(channel, bytes[i]);
	return 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	(void)source;
	(void)fd;
	(void)events;
	return read_some(user_data);
}

static int on_file(sd_event_source *source, void *user_data)
{
	(void)source;
	return read_some(user_data);
}

/* epoll knows no files: they can always be read, and written. */
static int open_sources(struct channel *channel, sd_event *event)
{
	int r = sd_event_add_io(event, &channel->input, channel->in, EPOLLIN, on_input, channel);

	if (r == -EPERM) {
		r = sd_event_add_defer(event, &channel->input, on_file, channel);
		if (r >= 0)
			r = sd_event_source_set_enabled(channel->input, SD_EVENT_ON);
	}
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &channel->output, channel->out, EPOLLOUT, on_output, channel);
	if (r == -EPERM)
		return 0;
	return r < 0 ? r : sd_event_source_set_enabled(channel->output, SD_EVENT_OFF);
}

int channel_new(sd_event *event, int in, int out, const struct channel_callbacks *callbacks,
	void *user_data, struct channel **ret_channel)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->callbacks = callbacks;
	channel->user_data = user_data;
	channel->in = in;
	channel->out = out;
	r = open_sources(channel, event);
	if (r < 0) {
		channel_free(channel);
		return r;
	}
	*ret_channel = channel;
	return 0;
}

void channel_set_patient(struct channel *channel)
{
	channel->patient = true;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	write_some(channel, LAST_WAIT_MS);
	sd_event_source_disable_unref(channel->input);
	sd_event_source_disable_unref(channel->output);
	free(channel->backlog);
	free(channel);
}
