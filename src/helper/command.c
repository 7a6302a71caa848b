/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char blanks[] = " \t";

/* meaning: what the configuration calls it. */
static const struct {
	const char *meaning;
	const char *word;
	enum verb verb;
} verbs[] = {
	{ "interface", "INTF", VERB_INTERFACE },
	{ "activate", "ACTIVE", VERB_ACTIVATE },
	{ "standby", "STANDBY", VERB_STANDBY },
	{ "servers", "SERVERS", VERB_SERVERS },
	{ "add", "ADD", VERB_ADD },
	{ "remove", "DEL", VERB_REMOVE },
	{ "weight", "WEIGHT", VERB_WEIGHT },
	{ "nothing", "NOOP", VERB_NOTHING },
	{ "quit", "QUIT", VERB_QUIT },
};

static enum verb find_meaning(const char *meaning)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].meaning, meaning) == 0)
			return verbs[i].verb;
	return VERB_UNKNOWN;
}

/* A word of the configuration comes before one of the table: there, the site knows better. */
static enum verb find_verb(const char *word, const struct conf *conf)
{
	for (size_t i = 0; conf && i < conf->n_verbs; i++)
		if (strcasecmp(conf->verbs[i].word, word) == 0)
			return find_meaning(conf->verbs[i].meaning);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcasecmp(verbs[i].word, word) == 0)
			return verbs[i].verb;
	return VERB_UNKNOWN;
}

/* No name or address needs more than ASCII, and parts of a line are told in its answer. */
static bool is_text(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != '\t' && (!isascii(line[i]) || iscntrl((unsigned char)line[i])))
			return false;
	return true;
}

/* A number is digits and nothing else; what is longer, or something else, is a verb. */
static size_t number_length(const char *line)
{
	size_t n = strspn(line, "0123456789");

	return n <= COMMAND_NUMBER_MAX && (!line[n] || strchr(blanks, line[n])) ? n : 0;
}

char *command_next_word(char **text)
{
	char *word = *text + strspn(*text, blanks);

	if (!*word)
		return NULL;
	*text = word + strcspn(word, blanks);
	if (**text)
		*(*text)++ = '\0';
	return word;
}

int command_parse(char *line, size_t length, const struct conf *conf, struct command *ret_command)
{
	struct command command = { .verb = VERB_UNKNOWN };
	size_t n;

	if (length > 0 && line[length - 1] == '\r')
		line[--length] = '\0';
	n = strspn(line, blanks);
	line += n;
	length -= n;
	n = number_length(line);
	memcpy(command.number, line, n);
	command.rest = line + n;
	*ret_command = command;
	if (strlen(command.rest) != length - n || !is_text(line, length))
		return -EBADMSG;
	ret_command->word = command_next_word(&ret_command->rest);
	if (ret_command->word)
		ret_command->verb = find_verb(ret_command->word, conf);
	return 0;
}
