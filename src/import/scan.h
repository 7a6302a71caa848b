/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Text into statements of words. A statement ends with its line and, where the syntax has blocks,
 * at a brace.
 */

#include "site.h"

enum { SCAN_WORDS_MAX = 256 };

enum statement_end {
	STATEMENT_LINE,
	STATEMENT_OPEN,  /* … { */
	STATEMENT_CLOSE, /* … } */
};

struct statement {
	unsigned int line;
	char *words[SCAN_WORDS_MAX]; /* they point into the scanner's text; printable ASCII */
	size_t n;
	enum statement_end end;
};

struct scanner {
	char *at; /* text that is cut into words in place */
	unsigned int line;
	const char *comments; /* characters that begin a comment where a word could begin */
	bool has_blocks;
	bool has_paths; /* a line "/c/slb/real 5" is the words / c slb real 5; "/ *" is a comment */
};

/*
 * One kind of statement: its first words, and what is done with it. The first entry that fits is
 * taken. An entry without read notes its reason; one without either is a statement that says
 * nothing drover would have to carry.
 */
struct keyword {
	const char *words; /* with one blank between */
	size_t least;      /* words that the statement must have behind those */
	void (*read)(void *parser, const struct statement *statement);
	const char *reason;
};

/* Fetches the next statement; false at the end. Words beyond SCAN_WORDS_MAX are noted. */
bool scan_next(struct scanner *scanner, struct site *site, struct statement *statement);

/* Passes the rest of a block whose opening was just fetched. */
void scan_skip_block(struct scanner *scanner, struct site *site);

/* Hands a statement to its keyword; notes it if there is none, or words are missing. */
void scan_dispatch(const struct keyword *keywords, size_t n, void *parser, struct site *site,
	const struct statement *statement);

/* A word by index, "" if the statement has not so many. */
const char *statement_word(const struct statement *statement, size_t index);

/* Whether the statement begins with these words, which have one blank between. */
bool statement_begins(const struct statement *statement, const char *words);

/* Reads decimal digits up to a maximum; false if the word is anything else. */
bool scan_number(const char *word, unsigned long max, unsigned long *ret_number);
