/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include "drover/cleanup.h"

#include <string.h>

enum {
	ESCAPE_MAX = 6, /* "\u009b" */
};

/*
 * Writes one escaped character and returns how many bytes of the input it took.
 * U+0080 to U+009F are control characters too: U+009B alone begins a terminal sequence.
 */
static size_t escape_one(const char *text, bool keep_layout, char output[static ESCAPE_MAX + 1])
{
	unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

	if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
		snprintf(output, ESCAPE_MAX + 1, "\\u00%02x", next);
		return 2;
	}
	if ((c >= 0x20 && c != 0x7f) || (keep_layout && (c == '\n' || c == '\t')))
		snprintf(output, ESCAPE_MAX + 1, "%c", c);
	else if (c == '\n')
		snprintf(output, ESCAPE_MAX + 1, "\\n");
	else if (c == '\t')
		snprintf(output, ESCAPE_MAX + 1, "\\t");
	else
		snprintf(output, ESCAPE_MAX + 1, "\\x%02x", c);
	return 1;
}

char *text_escape(const char *text, bool keep_layout)
{
	_cleanup_(free_p) char *escaped = NULL;
	char *end;

	escaped = malloc(strlen(text) * ESCAPE_MAX + 1);
	if (!escaped)
		return NULL;
	end = escaped;
	*end = '\0';
	while (*text) {
		char one[ESCAPE_MAX + 1];

		text += escape_one(text, keep_layout, one);
		end = stpcpy(end, one);
	}
	return take_ptr(escaped);
}

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *paint_sequence(enum text_paint paint)
{
	switch (paint) {
	case TEXT_GOOD:
		return "\033[32m";
	case TEXT_WARNING:
		return "\033[33m";
	case TEXT_BAD:
		return "\033[31m";
	case TEXT_PLAIN:
		break;
	}
	return NULL;
}

void text_paint(FILE *out, bool colour, enum text_paint paint, const char *text)
{
	const char *sequence = colour ? paint_sequence(paint) : NULL;

	if (sequence)
		fprintf(out, "%s%s\033[0m", sequence, text);
	else
		fputs(text, out);
}

const char *text_short(uint64_t value, unsigned int base, char buffer[static TEXT_SHORT_MAX])
{
	static const char units[] = "kMGTPE";
	const char *unit = units;
	uint64_t size = base, whole;

	if (value < 10000) {
		snprintf(buffer, TEXT_SHORT_MAX, "%u", (unsigned int)value);
		return buffer;
	}
	while (unit[1] && value / size >= base) {
		size *= base;
		unit++;
	}
	whole = value / size;
	if (whole >= 10)
		snprintf(buffer, TEXT_SHORT_MAX, "%u%c", (unsigned int)whole, *unit);
	else
		snprintf(buffer, TEXT_SHORT_MAX, "%u.%u%c", (unsigned int)whole,
			(unsigned int)(value % size * 10 / size), *unit);
	return buffer;
}

/* Columns that a share of the width takes, rounded. */
static size_t bar_length(double share, size_t width)
{
	size_t length;

	if (!(share > 0))
		return 0;
	if (share >= 1)
		return width;
	length = (size_t)(share * (double)width + 0.5);
	return length > 0 ? length : 1;
}

const char *text_bar_marked(double share, double mark, size_t width, char *buffer)
{
	size_t length = bar_length(share, width), place = bar_length(mark, width);

	memset(buffer, ' ', width);
	memset(buffer, '#', length);
	if (place > 0)
		buffer[place - 1] = '|';
	buffer[length > place ? length : place] = '\0';
	return buffer;
}

const char *text_bar(double share, char buffer[static TEXT_BAR_MAX])
{
	size_t length = bar_length(share, TEXT_BAR_MAX - 1);

	memset(buffer, '#', length);
	buffer[length] = '\0';
	return buffer;
}
