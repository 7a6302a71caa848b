/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A terminal as a screen: what is shown is drawn anew each time, on the terminal's alternate
 * screen, so that what was there before comes back at the end. Where the output is no terminal,
 * there is none, and text goes there as it is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct screen;

/*
 * plain: act as if the output were no terminal. Takes SIGINT, SIGTERM, SIGHUP, SIGTSTP and SIGWINCH
 * over for as long as it lives. Returns 0 or -errno.
 */
int screen_open(bool plain, struct screen **ret_screen);

/* The terminal is as it was. */
void screen_close(struct screen *screen);

/* False if the output is no terminal. */
bool screen_is_terminal(const struct screen *screen);

/* Columns to write to; without a terminal, those of an old one. */
size_t screen_columns(const struct screen *screen);

/* Shows a text as far as it fits. Its only escape sequences are those of text_paint(). */
void screen_show(struct screen *screen, const char *text);

enum screen_event {
	SCREEN_TIME,   /* it is time */
	SCREEN_REDRAW, /* the size or the place in the text is another: show it again */
	SCREEN_END,    /* q, Ctrl-C, or the terminal is gone */
};

/* Waits until a time (us, monotonic clock) or for what happens before it. */
enum screen_event screen_wait(struct screen *screen, uint64_t until_us);

/*
 * Writes the lines of a text, each ended by a newline, behind the first "skip", cut to so many
 * columns and rows; the last row says how many have no room. With terminal, each line erases what
 * was behind it. Returns how many were skipped: no more than leaves the rows filled.
 */
size_t screen_fit(
	const char *text, size_t skip, size_t columns, size_t rows, bool terminal, FILE *out);
