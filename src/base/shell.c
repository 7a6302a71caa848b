/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/shell.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:=@%+,";

	return *text && text[strspn(text, plain)] == '\0';
}

char *shell_word(const char *text)
{
	static const char quote[] = "'\\''"; /* ends the quotation, a quote, begins it again */
	char *word, *end;

	if (is_plain(text))
		return strdup(text);
	word = malloc(strlen(text) * strlen(quote) + sizeof("''"));
	if (!word)
		return NULL;
	end = word;
	*end++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			end = stpcpy(end, quote);
		else
			*end++ = *text;
	}
	strcpy(end, "'");
	return word;
}
