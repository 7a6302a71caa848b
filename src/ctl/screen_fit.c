/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screen.h"

#include <string.h>

#define ERASE_TO_END "\033[K"
#define PLAIN        "\033[0m"

/* "\033[31m" and the like take no room. */
static size_t sequence_length(const char *text)
{
	size_t length = 2;

	if (text[0] != '\033' || text[1] != '[')
		return 0;
	while (text[length] && strchr("0123456789;", text[length]))
		length++;
	return text[length] ? length + 1 : length;
}

/* UTF-8: a first byte, and those that follow it. */
static size_t character_length(const char *text)
{
	size_t length = 1;

	while (((unsigned char)text[length] & 0xc0) == 0x80)
		length++;
	return length;
}

/* Writes one line up to its end or the last column. */
static void fit_line(const char *line, const char *end, size_t columns, FILE *out)
{
	bool painted = false;
	size_t width = 0;

	while (line < end) {
		size_t length = sequence_length(line);

		if (length > 0)
			painted = true;
		else if (width++ == columns)
			break;
		else
			length = character_length(line);
		fwrite(line, 1, length, out);
		line += length;
	}
	if (painted)
		fputs(PLAIN, out);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

size_t screen_fit(
	const char *text, size_t skip, size_t columns, size_t rows, bool terminal, FILE *out)
{
	size_t n = count_lines(text), most = n > rows ? n - rows : 0;
	char more[64];

	if (skip > most)
		skip = most;
	for (size_t line = 0; line < n && line < skip + rows; line++) {
		const char *end = strchrnul(text, '\n'), *next = end + 1;

		if (line + 1 == skip + rows && line + 1 < n) {
			snprintf(more, sizeof(more), "(%zu more lines: j and k scroll)", n - line);
			text = more;
			end = text + strlen(text);
		}
		if (line > skip)
			fputc('\n', out);
		if (line >= skip)
			fit_line(text, end, columns, out);
		if (line >= skip && terminal)
			fputs(ERASE_TO_END, out);
		text = next;
	}
	return skip;
}
