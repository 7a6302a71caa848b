/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reader.h"

#include <ctype.h>
#include <string.h>

static const char *const kind_names[] = {
	[VALUE_TEXT] = "a string: \"…\"",
	[VALUE_NUMBER] = "a whole number",
	[VALUE_SECONDS] = "a number of seconds",
	[VALUE_BOOLEAN] = "true or false",
	[VALUE_TEXTS] = "a list of strings: [ \"…\", … ]",
	[VALUE_SECTION] = "a section: { … }",
	[VALUE_SECTIONS] = "a list of sections: ( { … }, … )",
};

struct conf_location reader_locate(const struct reader *reader, const config_setting_t *setting)
{
	unsigned int line = config_setting_source_line(setting);

	if (line < 1 || line > reader->source.n_lines)
		return conf_nowhere(reader->conf);
	return reader->source.lines[line - 1];
}

static bool is_list(const config_setting_t *setting)
{
	return config_setting_is_array(setting) || config_setting_is_list(setting);
}

static bool has_kind(const config_setting_t *setting, enum value_kind kind)
{
	int type = config_setting_type(setting);

	switch (kind) {
	case VALUE_TEXT:
		return type == CONFIG_TYPE_STRING;
	case VALUE_NUMBER:
		return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	case VALUE_SECONDS:
		return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64 ||
		       type == CONFIG_TYPE_FLOAT;
	case VALUE_BOOLEAN:
		return type == CONFIG_TYPE_BOOL;
	case VALUE_TEXTS:
	case VALUE_SECTIONS:
		return is_list(setting);
	case VALUE_SECTION:
		return type == CONFIG_TYPE_GROUP;
	}
	return false;
}

static void read_elements(struct reader *reader, const config_setting_t *list,
	const struct key *key, enum value_kind kind, void *object)
{
	int n = config_setting_length(list);

	if (n == 0 && key->flags & KEY_FILLED)
		fault_add(reader, reader_locate(reader, list), "%s is empty", key->name);
	for (int i = 0; i < n; i++) {
		const config_setting_t *element = config_setting_get_elem(list, (unsigned int)i);

		if (has_kind(element, kind))
			key->read(reader, element, object);
		else
			fault_add(reader, reader_locate(reader, element),
				"element %d of %s must be %s", i + 1, key->name, kind_names[kind]);
	}
}

static void read_value(
	struct reader *reader, const config_setting_t *setting, const struct key *key, void *object)
{
	if (!has_kind(setting, key->kind))
		fault_add(reader, reader_locate(reader, setting), "%s must be %s", key->name,
			kind_names[key->kind]);
	else if (key->kind == VALUE_TEXTS)
		read_elements(reader, setting, key, VALUE_TEXT, object);
	else if (key->kind == VALUE_SECTIONS)
		read_elements(reader, setting, key, VALUE_SECTION, object);
	else
		key->read(reader, setting, object);
}

static bool is_missed(const struct reader *reader, const struct key *key)
{
	return key->flags & KEY_REQUIRED && !(reader->helper && key->flags & KEY_TOLD);
}

static bool key_is_known(const struct key *keys, size_t n_keys, const char *name)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcmp(keys[i].name, name) == 0)
			return true;
	return false;
}

void reader_section(struct reader *reader, const config_setting_t *section, const struct key *keys,
	size_t n_keys, void *object)
{
	for (int i = 0; i < config_setting_length(section); i++) {
		const config_setting_t *setting = config_setting_get_elem(section, (unsigned int)i);
		const char *name = config_setting_name(setting);

		if (!key_is_known(keys, n_keys, name))
			fault_add(reader, reader_locate(reader, setting),
				"unknown setting \"%.64s\"", name);
	}
	for (size_t i = 0; i < n_keys; i++) {
		const config_setting_t *setting = config_setting_get_member(section, keys[i].name);

		if (setting)
			read_value(reader, setting, &keys[i], object);
		else if (is_missed(reader, &keys[i]))
			fault_add(reader, reader_locate(reader, section), "%s is missing",
				keys[i].name);
	}
}

bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length > CONF_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && (i == 0 || !strchr("_.-", name[i]))))
			return false;
	return true;
}

struct scope reader_scope(
	const struct reader *reader, const char *kind, const config_setting_t *setting)
{
	const char *name = NULL;

	if (config_setting_lookup_string(setting, "name", &name) && !name_is_valid(name))
		name = NULL;
	return (struct scope){
		.parent = reader->scope,
		.kind = kind,
		.name = name,
		.number = (size_t)config_setting_index(setting) + 1,
	};
}

void reader_enter(struct reader *reader, const struct scope *scope)
{
	reader->scope = scope;
}

void reader_leave(struct reader *reader)
{
	reader->scope = reader->scope->parent;
}
