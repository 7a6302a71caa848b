/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers.h"

#include <errno.h>
#include <string.h>

static const struct syntax {
	const char *name;
	void (*parse)(struct site *site, char *text);
} syntaxes[] = {
	{ "serveriron", parse_serveriron },
	{ "alteon", parse_alteon },
	{ "bigip", parse_bigip },
	{ "ipvsadm", parse_ipvsadm },
	{ "keepalived", parse_keepalived },
};

static const struct syntax *find_syntax(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(syntaxes); i++)
		if (strcmp(syntaxes[i].name, name) == 0)
			return &syntaxes[i];
	return NULL;
}

bool import_knows(const char *syntax)
{
	return find_syntax(syntax) != NULL;
}

const char *import_syntaxes(void)
{
	return "serveriron alteon bigip ipvsadm keepalived";
}

/* What the file's own rules allow, drover's may not: the result is read as the daemon would. */
static int check_result(struct site *site, const char *text)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	int r = conf_parse("result", text, &conf, &errors);

	for (size_t i = 0; i < errors.n_messages; i++)
		site_note(site, 0, "drover cannot have it so: %s", errors.messages[i]);
	conf_errors_done(&errors);
	conf_free(conf);
	return site->error ? site->error : r;
}

/* Text that ends where it should: a NUL would hide all that comes behind it. */
static char *copy_text(const char *text, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < size; i++)
		copy[i] = text[i] ? text[i] : '?';
	copy[size] = '\0';
	return copy;
}

/* The line of a message "path:line: …", whose path has this length; 0 if it has none. */
static unsigned long line_of(const char *message, size_t path_length)
{
	return strtoul(message + path_length + 1, NULL, 10);
}

struct key {
	unsigned long line;
	size_t order; /* of finding */
	char *message;
};

static int compare_keys(const void *left, const void *right)
{
	const struct key *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* By line, in the order of finding within a line; what concerns none comes first. */
static int sort_notes(struct import_notes *notes, size_t path_length)
{
	_cleanup_(free_p) struct key *keys = calloc(notes->n_messages + 1, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < notes->n_messages; i++)
		keys[i] = (struct key){ line_of(notes->messages[i], path_length), i,
			notes->messages[i] };
	qsort(keys, notes->n_messages, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < notes->n_messages; i++)
		notes->messages[i] = keys[i].message;
	return 0;
}

int import_convert(const char *syntax, const char *path, const char *text, size_t size,
	const struct import_options *options, char **ret_conf, struct import_notes *notes)
{
	const struct syntax *found = find_syntax(syntax);
	_cleanup_(free_p) char *copy = NULL, *result = NULL;
	struct site site = { .path = path, .notes = notes };
	int r = 0;

	*notes = (struct import_notes){ 0 };
	if (!found)
		return -ENOENT;
	if (size > IMPORT_TEXT_MAX)
		return -E2BIG;
	copy = copy_text(text, size);
	if (!copy)
		return -ENOMEM;
	found->parse(&site, copy);
	site_settle(&site);
	if (site.error == 0 && site.n_services > 0)
		result = site_write(&site, options);
	if (site.error || (site.n_services > 0 && !result))
		r = -ENOMEM;
	else if (site.n_services == 0)
		r = -EINVAL;
	else
		r = check_result(&site, result);
	if (sort_notes(notes, strlen(path)) < 0)
		r = -ENOMEM;
	if (r == -EINVAL)
		site_note(&site, 0, "no service is left that drover could balance");
	site_done(&site);
	if (r < 0)
		return r;
	*ret_conf = take_ptr(result);
	return 0;
}

void import_notes_done(struct import_notes *notes)
{
	for (size_t i = 0; i < notes->n_messages; i++)
		free(notes->messages[i]);
	free(notes->messages);
	*notes = (struct import_notes){ 0 };
}
