/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The section "helper": more words for the commands that drover-helper(8) lists. */
#include "reader.h"

#include <ctype.h>
#include <string.h>

static bool word_is_valid(const char *word)
{
	size_t length = strlen(word);

	if (length < 1 || length > CONF_NAME_MAX || isdigit((unsigned char)word[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isascii(word[i]) || (!isalnum(word[i]) && !strchr("_-", word[i])))
			return false;
	return true;
}

static void read_alias(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf *conf = object;
	struct conf_location location = reader_locate(reader, setting);
	const char *word = config_setting_get_string(setting);
	struct conf_verb *verb;

	if (!word_is_valid(word))
		return fault_add(reader, location,
			"\"%.64s\" is no command: 1 to 63 letters, digits, '_' or '-', no digit "
			"first",
			word);
	for (size_t i = 0; i < conf->n_verbs; i++)
		if (strcasecmp(conf->verbs[i].word, word) == 0)
			return fault_add(reader, location, "\"%s\" is listed twice", word);
	verb = array_append(conf->verbs, conf->n_verbs);
	if (!verb)
		return fault_no_memory(reader);
	verb->location = location;
	read_text(reader, setting, &verb->word);
	verb->meaning = strdup(config_setting_name(config_setting_parent(setting)));
	if (!verb->word || !verb->meaning)
		fault_no_memory(reader);
}

static void read_verbs(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "activate", VALUE_TEXTS, 0, read_alias },
		{ "standby", VALUE_TEXTS, 0, read_alias },
		{ "servers", VALUE_TEXTS, 0, read_alias },
		{ "add", VALUE_TEXTS, 0, read_alias },
		{ "remove", VALUE_TEXTS, 0, read_alias },
		{ "weight", VALUE_TEXTS, 0, read_alias },
		{ "nothing", VALUE_TEXTS, 0, read_alias },
		{ "interface", VALUE_TEXTS, 0, read_alias },
		{ "quit", VALUE_TEXTS, 0, read_alias },
	};
	struct scope scope = { .parent = reader->scope, .kind = "verbs" };

	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), object);
	reader_leave(reader);
}

void helper_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	static const struct key keys[] = {
		{ "verbs", VALUE_SECTION, 0, read_verbs },
	};
	struct scope scope = { .kind = "helper" };

	reader_enter(reader, &scope);
	reader_section(reader, setting, keys, ARRAY_SIZE(keys), object);
	reader_leave(reader);
}
