/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vipaddrs files, named by the setting "vips_file" or alone. */
#include "drover/vipaddrs.h"

#include "reader.h"

#include <errno.h>
#include <string.h>

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
	vip_add(reader, group, location, word);
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

void vips_file_take(struct reader *reader, struct conf_group *group, struct conf_location location,
	const char *path)
{
	_cleanup_(free_p) char *text = NULL;
	const char *file = file_note(reader, path);
	size_t length;
	int r;

	if (!file)
		return fault_no_memory(reader);
	r = texts_read(reader->texts, path, &text, &length);
	if (r == -ENOMEM)
		return fault_no_memory(reader);
	if (r < 0)
		fault_add(reader, location, "vips_file: cannot read %s: %s", path, strerror(-r));
	else if (read_lines(reader, group, file, text, length) == 0 && group->n_vips == 0)
		fault_add(reader, location, "vips_file: %s names no VIP", path);
}

void vips_file_read(struct reader *reader, const config_setting_t *setting, void *object)
{
	struct conf_location location = reader_locate(reader, setting);
	_cleanup_(free_p) char *path = file_beside(
		location.file, config_setting_get_string(setting));

	if (path)
		vips_file_take(reader, object, location, path);
	else
		fault_no_memory(reader);
}

/* --- alone ----------------------------------------------------------------- */

static int copy_vips(const struct conf_group *group, struct prefix **ret_vips, size_t *ret_n)
{
	struct prefix *vips = calloc(group->n_vips, sizeof(*vips));

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < group->n_vips; i++)
		vips[i] = group->vips[i].prefix;
	*ret_vips = vips;
	*ret_n = group->n_vips;
	return 0;
}

/* To the reader, a configuration with one group that has nothing but VIPs. Cuts the text. */
static int read_alone(const char *path, char *text, size_t length, struct prefix **ret_vips,
	size_t *ret_n, struct conf_errors *errors)
{
	_cleanup_(conf_free_p) struct conf *conf = calloc(1, sizeof(*conf));
	struct reader reader = { .conf = conf };
	struct conf_group *group;
	const char *file;
	int r;

	if (!conf)
		return -ENOMEM;
	group = array_append(conf->groups, conf->n_groups);
	conf->path = strdup(path);
	file = file_note(&reader, path);
	if (!group || !conf->path || !file)
		return -ENOMEM;
	if (read_lines(&reader, group, file, text, length) == 0)
		fault_add(&reader, conf_nowhere(conf), "there is no VIP");
	check_vip_overlaps(&reader);
	r = faults_finish(&reader, errors);
	return r < 0 ? r : copy_vips(group, ret_vips, ret_n);
}

int vipaddrs_parse(const char *path, const char *text, size_t length, struct prefix **ret_vips,
	size_t *ret_n, struct conf_errors *errors)
{
	_cleanup_(free_p) char *copy = malloc(length + 1);

	*errors = (struct conf_errors){ 0 };
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return read_alone(path, copy, length, ret_vips, ret_n, errors);
}

int vipaddrs_load(
	const char *path, struct prefix **ret_vips, size_t *ret_n, struct conf_errors *errors)
{
	_cleanup_(free_p) char *text = NULL;
	size_t length;
	int r;

	r = file_load(path, &text, &length, errors);
	if (r < 0)
		return r;
	return read_alone(path, text, length, ret_vips, ret_n, errors);
}
