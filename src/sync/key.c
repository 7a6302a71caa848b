/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file. */

#include "drover/sync_key.h"

#include "drover/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FILE_MAX = 16 * 1024,
	DIGITS = SYNC_KEY_SIZE * 2,
};

/* Reads a line, without its end: a key, a comment, or nothing. Returns 0 or -EINVAL. */
static int read_line(const char *line, size_t length, struct sync_keys *keys)
{
	const char *comment = memchr(line, '#', length);
	size_t size;

	if (comment)
		length = (size_t)(comment - line);
	while (length > 0 && strchr(" \t\r", line[length - 1]))
		length--;
	while (length > 0 && strchr(" \t", *line))
		line++, length--;
	if (length == 0)
		return 0;
	if (length != DIGITS || keys->n == SYNC_KEYS_MAX)
		return -EINVAL;
	if (sodium_hex2bin(keys->bytes[keys->n], SYNC_KEY_SIZE, line, length, NULL, &size, NULL) <
			0 ||
		size != SYNC_KEY_SIZE)
		return -EINVAL;
	keys->n++;
	return 0;
}

static int read_lines(const char *text, size_t size, struct sync_keys *keys, unsigned int *ret_line)
{
	const char *end = text + size;

	for (unsigned int number = 1; text < end; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);

		if (read_line(text, length, keys) < 0) {
			*ret_line = number;
			return -EINVAL;
		}
		text += length + 1;
	}
	*ret_line = 0;
	return keys->n ? 0 : -EINVAL;
}

/* Returns the number of bytes, -EPERM, -EINVAL for what is no such file, or -errno. */
static ssize_t read_file(const char *path, char text[static FILE_MAX])
{
	_cleanup_(close_p) int fd = -1;
	struct stat status;
	size_t size = 0;
	ssize_t n;

	/* A pipe at this path must not stop us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX)
		return -EINVAL;
	if (status.st_mode & (S_IROTH | S_IWOTH))
		return -EPERM;
	while ((n = read(fd, text + size, FILE_MAX - size)) > 0)
		size += (size_t)n;
	return n < 0 ? -errno : (ssize_t)size;
}

int sync_keys_load(const char *path, struct sync_keys *ret_keys, unsigned int *ret_line)
{
	struct sync_keys keys = {};
	char text[FILE_MAX] = "";
	ssize_t size = read_file(path, text);
	unsigned int line = 0;
	int r;

	r = size < 0 ? (int)size : read_lines(text, (size_t)size, &keys, &line);
	if (r == 0)
		*ret_keys = keys;
	else if (r == -EINVAL)
		*ret_line = line;
	sodium_memzero(text, sizeof(text));
	sync_keys_done(&keys);
	return r;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Without such a group, or without the right to give files away, it is for its owner alone. */
static void let_group_read(int fd, const char *name)
{
	const struct group *group = name ? getgrnam(name) : NULL;

	if (group && fchown(fd, (uid_t)-1, group->gr_gid) == 0)
		(void)fchmod(fd, 0640);
}

int sync_keys_create(const char *path, const char *group)
{
	_cleanup_(close_p) int fd = -1;
	uint8_t key[SYNC_KEY_SIZE];
	char text[DIGITS + 1];
	int r;

	if (sodium_init() < 0)
		return -ENOSYS;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	randombytes_buf(key, sizeof(key));
	sodium_bin2hex(text, sizeof(text), key, sizeof(key));
	text[DIGITS] = '\n';
	r = write_all(fd, text, sizeof(text));
	if (r == 0)
		let_group_read(fd, group);
	else
		(void)unlink(path);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(text, sizeof(text));
	return r;
}

void sync_keys_done(struct sync_keys *keys)
{
	sodium_memzero(keys, sizeof(*keys));
}
