/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The pipe to the cluster's server: lines in, lines out. A server that does not read must not hold
 * up the engine: what it does not take is kept, and of lines that only inform, some are dropped.
 * Where no engine runs, a channel can be told to wait instead.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

struct channel;

struct channel_callbacks {
	/*
	 * A line without its newline, NUL-terminated, the caller's to cut. Of one that is too long
	 * these are the first COMMAND_LINE_MAX bytes. length counts NULs within.
	 */
	void (*line)(char *line, size_t length, bool too_long, void *user_data);

	/* Nothing more will come. A line that was not ended is not told: it may be half of one. */
	void (*end)(void *user_data);
};

/* The descriptors stay the caller's. Returns 0 or -errno. */
int channel_new(sd_event *event, int in, int out, const struct channel_callbacks *callbacks,
	void *user_data, struct channel **ret_channel);

/* From here on each line waits until it is taken, and none is dropped. */
void channel_set_patient(struct channel *channel);

/* Waits up to a second for what has not been taken yet. */
void channel_free(struct channel *channel);

/* Sends a line: cut to COMMAND_LINE_MAX bytes; what is no text in it becomes '?'. */
void channel_answer(struct channel *channel, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with "* " in front, for the server's log. */
void channel_inform(struct channel *channel, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
