/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/state.h"

#include "drover/cleanup.h"
#include "drover/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DIRECTORY "/var/lib/drover"

char *state_path(const char *file, const char *suffix)
{
	const char *directory = getenv("STATE_DIRECTORY");
	char *path = NULL;

	if (!directory || !*directory)
		directory = DEFAULT_DIRECTORY;
	if (asprintf(&path, "%.*s/%s%s", (int)strcspn(directory, ":"), directory, file, suffix) < 0)
		return NULL;
	return path;
}

int state_read(const char *file, json_t **ret_root)
{
	_cleanup_(free_p) char *path = state_path(file, "");
	json_error_t error;
	json_t *root;

	if (!path)
		return -ENOMEM;
	if (access(path, F_OK) < 0) {
		if (errno != ENOENT)
			return -errno;
		*ret_root = NULL;
		return 0;
	}
	root = json_load_file(path, 0, &error);
	if (!root) {
		log_error("%s: not understood: %s", path, error.text);
		return -EBADMSG;
	}
	*ret_root = root;
	return 0;
}

static int write_file(const json_t *root, const char *path, const char *temporary)
{
	_cleanup_(close_p) int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	if (json_dumpfd(root, fd, JSON_INDENT(2)) < 0)
		return -EIO;
	if (fsync(fd) < 0 || rename(temporary, path) < 0)
		return -errno;
	return 0;
}

int state_write(const char *file, const json_t *root)
{
	_cleanup_(free_p) char *path = state_path(file, "");
	_cleanup_(free_p) char *temporary = state_path(file, ".new");

	return path && temporary ? write_file(root, path, temporary) : -ENOMEM;
}

int state_remove(const char *file)
{
	_cleanup_(free_p) char *path = state_path(file, "");

	if (!path)
		return -ENOMEM;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}
