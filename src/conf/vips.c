/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual addresses, from the setting "vips" and from vipaddrs files. */
#include "reader.h"

#include <errno.h>
#include <string.h>

static void add_vip(struct reader *reader, struct conf_group *group, struct conf_location location,
	const char *text)
{
	struct conf_vip *vip;
	struct prefix prefix;
	unsigned int widest;
	const char *fault;
	int r;

	r = prefix_parse(text, &prefix);
	if (r == -ERANGE)
		return fault_add(reader, location,
			"VIP \"%.64s\": the address is not the first of that subnet", text);
	if (r < 0)
		return fault_add(
			reader, location, "VIP \"%.64s\" is neither address nor subnet", text);
	widest = prefix.address.family == AF_INET6 ? CONF_VIP_LENGTH_MIN6 : CONF_VIP_LENGTH_MIN;
	if (prefix.length < widest)
		return fault_add(reader, location, "VIP %s is wider than /%u", text, widest);
	fault = address_fault(&prefix.address);
	if (fault)
		return fault_add(reader, location, "VIP %s %s", text, fault);
	vip = array_append(group->vips, group->n_vips);
	if (!vip)
		return fault_no_memory(reader);
	*vip = (struct conf_vip){ .prefix = prefix, .location = location };
}

void vip_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	add_vip(reader, object, reader_locate(reader, setting), config_setting_get_string(setting));
}

/* Reads one line, which is cut to its word in place. Returns false if it has none. */
static bool read_line(
	struct reader *reader, struct conf_group *group, struct conf_location location, char *line)
{
	static const char blanks[] = " \t\r\f\v";
	char *word, *rest;

	line[strcspn(line, "#")] = '\0';
	word = line + strspn(line, blanks);
	if (!*word)
		return false;
	rest = word + strcspn(word, blanks);
	if (rest[strspn(rest, blanks)]) {
		fault_add(reader, location, "a line has one address or subnet");
		return true;
	}
	*rest = '\0';
	add_vip(reader, group, location, word);
	return true;
}

/* Returns the number of lines that are neither blank nor comment. */
static size_t read_lines(struct reader *reader, struct conf_group *group, const char *file,
	char *text, size_t length)
{
	struct conf_location location = { .file = file };
	char *end = text + length;
	size_t n = 0;

	for (char *line = text, *next; line < end; line = next) {
		char *newline = memchr(line, '\n', (size_t)(end - line));

		location.line++;
		next = newline ? newline + 1 : end;
		if (newline)
			*newline = '\0';
		if (strlen(line) == (size_t)((newline ? newline : end) - line)) {
			n += read_line(reader, group, location, line);
			continue;
		}
		fault_add(reader, location, "there is a NUL character");
		n++;
	}
	return n;
}

void vips_file_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_group *group = object;
	struct conf_location location = reader_locate(reader, setting);
	_cleanup_(free_p) char *path = NULL, *text = NULL;
	const char *file;
	size_t length;
	int r;

	path = file_beside(location.file, config_setting_get_string(setting));
	file = path ? file_note(reader, path) : NULL;
	if (!file)
		return fault_no_memory(reader);
	r = file_read(path, &text, &length);
	if (r == -ENOMEM)
		return fault_no_memory(reader);
	if (r < 0)
		fault_add(reader, location, "vips_file: cannot read %s: %s", path, strerror(-r));
	else if (read_lines(reader, group, file, text, length) == 0 && group->n_vips == 0)
		fault_add(reader, location, "vips_file: %s names no VIP", path);
}
