/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are read once, however often the configuration is made of them. */
#include "internal.h"

#include <errno.h>
#include <string.h>

struct text {
	char *path;
	char *text;
	size_t length;
};

struct conf_texts {
	struct text *texts;
	size_t n;
};

struct conf_texts *conf_texts_new(void)
{
	return calloc(1, sizeof(struct conf_texts));
}

void conf_texts_free(struct conf_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		free(texts->texts[i].path);
		free(texts->texts[i].text);
	}
	free(texts->texts);
	free(texts);
}

static int copy_text(const struct text *from, char **ret_text, size_t *ret_length)
{
	char *text = malloc(from->length + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, from->text, from->length + 1);
	*ret_text = text;
	*ret_length = from->length;
	return 0;
}

int texts_read(struct conf_texts *texts, const char *path, char **ret_text, size_t *ret_length)
{
	struct text fresh = { 0 }, *kept;
	int r;

	if (!texts)
		return file_read(path, ret_text, ret_length);
	for (size_t i = 0; i < texts->n; i++)
		if (strcmp(texts->texts[i].path, path) == 0)
			return copy_text(&texts->texts[i], ret_text, ret_length);
	r = file_read(path, &fresh.text, &fresh.length);
	if (r < 0)
		return r;
	fresh.path = strdup(path);
	kept = fresh.path ? array_append(texts->texts, texts->n) : NULL;
	if (!kept) {
		free(fresh.path);
		free(fresh.text);
		return -ENOMEM;
	}
	*kept = fresh;
	return copy_text(kept, ret_text, ret_length);
}
