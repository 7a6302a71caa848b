/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_brace(const struct scanner *scanner, char c)
{
	return scanner->has_blocks && (c == '{' || c == '}');
}

static bool ends_word(const struct scanner *scanner, bool is_path, char c)
{
	return c == '\0' || c == '\n' || is_blank(c) || is_brace(scanner, c) ||
	       (is_path && c == '/');
}

/* Cuts the word at the scanner, which is not at a blank; quotes keep blanks in it. */
static char *take_word(struct scanner *scanner, bool is_path, char *ret_stop)
{
	bool quoted = *scanner->at == '"';
	char *word = quoted ? ++scanner->at : scanner->at;

	while (quoted ? *scanner->at && *scanner->at != '"' && *scanner->at != '\n'
		      : !ends_word(scanner, is_path, *scanner->at)) {
		/* Words get into messages: nothing in them may steer a terminal. */
		if (!isascii(*scanner->at) || !isprint(*scanner->at))
			*scanner->at = '?';
		scanner->at++;
	}
	*ret_stop = *scanner->at;
	if (*scanner->at)
		*scanner->at++ = '\0';
	return word;
}

static bool is_comment(const struct scanner *scanner)
{
	return strchr(scanner->comments, *scanner->at) ||
	       (scanner->has_paths && strncmp(scanner->at, "/*", 2) == 0);
}

static void add_word(struct site *site, struct statement *statement, char *word)
{
	if (statement->n < SCAN_WORDS_MAX)
		statement->words[statement->n++] = word;
	else
		site_note(site, statement->line, "\"%.64s\": a line has at most %d words", word,
			SCAN_WORDS_MAX);
}

/* Acts on a character that is no word: true if the statement ends with it. */
static bool take_end(struct scanner *scanner, char c, struct statement *statement)
{
	if (c == '\n') {
		scanner->line++;
		return statement->n > 0;
	}
	statement->end = c == '{' ? STATEMENT_OPEN : STATEMENT_CLOSE;
	return true;
}

bool scan_next(struct scanner *scanner, struct site *site, struct statement *statement)
{
	static char root[] = "/";
	bool is_path = false;
	char stop;

	*statement = (struct statement){ .line = scanner->line };
	while (*scanner->at && site->error == 0) {
		char c = *scanner->at;

		if (statement->n == 0) {
			statement->line = scanner->line;
			is_path = false;
		}
		if (is_blank(c) || (is_path && c == '/')) {
			scanner->at++;
		} else if (c == '\n' || is_brace(scanner, c)) {
			scanner->at++;
			if (take_end(scanner, c, statement))
				return true;
		} else if (is_comment(scanner)) {
			scanner->at += strcspn(scanner->at, "\n");
		} else if (scanner->has_paths && statement->n == 0 && c == '/') {
			is_path = true;
			add_word(site, statement, root);
		} else {
			add_word(site, statement, take_word(scanner, is_path, &stop));
			if ((stop == '\n' || is_brace(scanner, stop)) &&
				take_end(scanner, stop, statement))
				return true;
		}
	}
	return site->error == 0 && statement->n > 0;
}

void scan_skip_block(struct scanner *scanner, struct site *site)
{
	struct statement statement;
	size_t depth = 1;

	while (depth > 0 && scan_next(scanner, site, &statement)) {
		if (statement.end == STATEMENT_OPEN)
			depth++;
		else if (statement.end == STATEMENT_CLOSE)
			depth--;
	}
}

const char *statement_word(const struct statement *statement, size_t index)
{
	return index < statement->n ? statement->words[index] : "";
}

/* The number of words that match, 0 if not all do. */
static size_t match(const struct statement *statement, const char *words)
{
	for (size_t n = 0; n < statement->n; n++) {
		size_t length = strcspn(words, " ");

		if (strlen(statement->words[n]) != length ||
			strncasecmp(statement->words[n], words, length) != 0)
			return 0;
		if (words[length] == '\0')
			return n + 1;
		words += length + 1;
	}
	return 0;
}

bool statement_begins(const struct statement *statement, const char *words)
{
	return match(statement, words) > 0;
}

/* The statement as it was written, as far as a message has room for it; "/c/slb/real/5". */
static void join_words(const struct statement *statement, char *buffer, size_t size)
{
	bool is_path = strcmp(statement_word(statement, 0), "/") == 0;
	size_t length = 0;

	buffer[0] = '\0';
	for (size_t i = is_path; i < statement->n && length < size; i++)
		length += (size_t)snprintf(buffer + length, size - length, "%s%s",
			is_path ? "/"
			: i     ? " "
				: "",
			statement->words[i]);
}

void scan_dispatch(const struct keyword *keywords, size_t n, void *parser, struct site *site,
	const struct statement *statement)
{
	char text[80];

	join_words(statement, text, sizeof(text));
	for (size_t i = 0; i < n; i++) {
		size_t matched = match(statement, keywords[i].words);

		if (matched == 0)
			continue;
		if (statement->n < matched + keywords[i].least)
			site_note(site, statement->line, "\"%s\": words are missing", text);
		else if (keywords[i].read)
			keywords[i].read(parser, statement);
		else if (keywords[i].reason)
			site_note(site, statement->line, "\"%s\": %s", text, keywords[i].reason);
		return;
	}
	site_note(site, statement->line, "\"%s\" is not known here", text);
}

bool scan_number(const char *word, unsigned long max, unsigned long *ret_number)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return false;
	errno = 0;
	number = strtoul(word, &end, 10);
	if (*end || errno || number > max)
		return false;
	*ret_number = number;
	return true;
}
