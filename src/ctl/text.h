/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Text on its way to a terminal. Whatever the daemon says may have come from a
 * file, a neighbour or a peer, so nothing is printed unescaped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum text_paint {
	TEXT_PLAIN,
	TEXT_GOOD,
	TEXT_WARNING,
	TEXT_BAD,
};

enum {
	TEXT_SHORT_MAX = 24,
	TEXT_BAR_MAX = 11,
};

/*
 * Returns a new string with control characters written as escapes, NULL without
 * memory. keep_layout leaves line feeds and tabs as they are.
 */
char *text_escape(const char *text, bool keep_layout);

/* Number of columns that a text takes: UTF-8 characters, not bytes. */
size_t text_width(const char *text);

/* Writes a text in a colour, or plainly if colour is false. */
void text_paint(FILE *out, bool colour, enum text_paint paint, const char *text);

/* Writes "4.2M": exact below 10000, then cut (never rounded up) to two or three digits. */
const char *text_short(uint64_t value, unsigned int base, char buffer[static TEXT_SHORT_MAX]);

/*
 * Writes a bar of so many columns, at least one, for a whole of 1: '#' up to the share, and '|'
 * where the mark is. A share or mark above zero has at least one; blanks at the end are left out.
 * The buffer holds width + 1 bytes.
 */
const char *text_bar_marked(double share, double mark, size_t width, char *buffer);

/* Writes a bar of one '#' for each 10 %, at least one for a share above zero. */
const char *text_bar(double share, char buffer[static TEXT_BAR_MAX]);
