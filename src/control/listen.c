/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening socket and its place in the file system. */

#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { SOCKET_MODE = 0660 };

int control_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	*ret_address = address;
	return 0;
}

/* Returns 0 if the path is free now, -EADDRINUSE, -EEXIST, or -errno. */
static int remove_stale(const struct sockaddr_un *address)
{
	_cleanup_(close_p) int fd = -1;
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* connect() refuses any other file with ECONNREFUSED as well. */
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN is a full backlog: somebody listens, if slowly. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* Returns the locked directory: of two daemons that start at once, one must see the other. */
static int lock_directory(const char *path)
{
	_cleanup_(free_p) char *copy = strdup(path);
	_cleanup_(close_p) int fd = -1;
	int r;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	r = fd;
	fd = -1;
	return r;
}

int control_listen(const char *path)
{
	_cleanup_(close_p) int fd = -1, lock = -1;
	struct sockaddr_un address;
	int r;

	r = control_address(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	lock = lock_directory(path);
	if (lock < 0)
		return lock;
	r = remove_stale(&address);
	if (r < 0)
		return r;
	/* bind() takes the mode from the socket, less the umask: never is it wider than this. */
	if (fchmod(fd, SOCKET_MODE) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(path, SOCKET_MODE) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	r = fd;
	fd = -1;
	return r;
}
