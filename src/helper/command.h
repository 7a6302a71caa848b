/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A line of the cluster's: a number, a verb, arguments. The generic exchange is published, the
 * verbs are not: so they are data, one table (command.c), to which the configuration adds words.
 */

#include "drover/conf.h"

enum verb {
	VERB_UNKNOWN,
	VERB_INTERFACE,
	VERB_ACTIVATE,
	VERB_STANDBY,
	VERB_SERVERS,
	VERB_ADD,
	VERB_REMOVE,
	VERB_WEIGHT,
	VERB_NOTHING,
	VERB_QUIT,
};

enum {
	COMMAND_LINE_MAX = 4096, /* bytes, the newline included */
	COMMAND_NUMBER_MAX = 20, /* digits */
};

struct command {
	char number[COMMAND_NUMBER_MAX + 1]; /* as it was written; "" if there is none */
	enum verb verb;
	char *word; /* the verb as it was written; NULL if the line ends before it */
	char *rest; /* what follows, to be taken by command_next_word() */
};

/*
 * Takes a line without its newline apart, in place: the command borrows it. conf has
 * the additional words; NULL: none. Returns 0, or -EBADMSG for a line with bytes that are no
 * text (then number is set all the same, so that the line can be answered).
 */
int command_parse(char *line, size_t length, const struct conf *conf, struct command *ret_command);

/* The next word of *text, which moves on; NULL behind the last. */
char *command_next_word(char **text);
