/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files as text, and the names of those that were read. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* More than any cluster needs; an endless file (a device) ends here. */
#define FILE_SIZE_MAX ((size_t)16 << 20)

static int read_all(int fd, char **ret_text, size_t *ret_length)
{
	_cleanup_(free_p) char *text = NULL;
	size_t length = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (length + 1 >= size) {
			char *grown;

			size = size ? size * 2 : 4096;
			grown = realloc(text, size);
			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + length, size - length - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > FILE_SIZE_MAX)
			return -EFBIG;
	}
	text[length] = '\0';
	*ret_text = take_ptr(text);
	*ret_length = length;
	return 0;
}

/* Reads a file as text with a final NUL that length does not count. Returns 0 or -errno. */
int file_read(const char *path, char **ret_text, size_t *ret_length)
{
	_cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return read_all(fd, ret_text, ret_length);
}

/* The same for a file that is read alone: errors begin here, with the one that it cannot be read.
 */
int file_load(
	const char *path, char **ret_text, size_t *ret_length, struct conf_errors *reterr_errors)
{
	int r = file_read(path, ret_text, ret_length);

	*reterr_errors = (struct conf_errors){ 0 };
	if (r < 0)
		fault_add_open(path, -r, reterr_errors);
	return r;
}

/*
 * Returns a new string: the path, taken from the folder of the file that names
 * it, because a daemon's working directory is nobody's business; NULL without
 * memory.
 */
char *file_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	char *beside;

	if (path[0] == '/' || !slash)
		return strdup(path);
	if (asprintf(&beside, "%.*s/%s", (int)(slash - file), file, path) < 0)
		return NULL;
	return beside;
}

/* Returns the configuration's own copy of a file name, for locations; NULL without memory. */
const char *file_note(struct reader *reader, const char *path)
{
	struct conf *conf = reader->conf;
	char **file;

	for (size_t i = 0; i < conf->n_files; i++)
		if (strcmp(conf->files[i], path) == 0)
			return conf->files[i];
	file = array_append(conf->files, conf->n_files);
	if (!file)
		return NULL;
	*file = strdup(path);
	if (!*file)
		conf->n_files--;
	return *file;
}
