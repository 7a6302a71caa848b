/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings below /proc/sys/net. */

#include "drover/sysctl.h"

#include "drover/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Reads a setting's text without its newline. Returns 0 or -errno. */
static int read_text(int fd, char *buffer, size_t size)
{
	ssize_t n = pread(fd, buffer, size - 1, 0);

	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	buffer[strcspn(buffer, "\n")] = '\0';
	return 0;
}

/* True if the text is one part of a path and leads nowhere else. */
static bool is_path_part(const char *text)
{
	return *text && !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static int read_integer(int fd, int *ret_value)
{
	char text[32], *end;
	long value;
	int r;

	r = read_text(fd, text, sizeof(text));
	if (r < 0)
		return r;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < INT_MIN || value > INT_MAX)
		return -EBADMSG;
	*ret_value = (int)value;
	return 0;
}

static const char *family_name(int family)
{
	return family == AF_INET6 ? "ipv6" : "ipv4";
}

/* Returns a descriptor or -errno. */
static int open_setting(int family, const char *interface, const char *setting, int flags)
{
	_cleanup_(free_p) char *path = NULL;
	int fd;

	if (!is_path_part(interface) || !is_path_part(setting))
		return -EINVAL;
	if (asprintf(&path, "/proc/sys/net/%s/conf/%s/%s", family_name(family), interface,
		    setting) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_get(int family, const char *interface, const char *setting, int *ret_value)
{
	_cleanup_(close_p) int fd = open_setting(family, interface, setting, O_RDONLY);

	return fd < 0 ? fd : read_integer(fd, ret_value);
}

int sysctl_set(int family, const char *interface, const char *setting, int value)
{
	_cleanup_(close_p) int fd = open_setting(family, interface, setting, O_WRONLY);
	char text[16];
	int n;

	if (fd < 0)
		return fd;
	n = snprintf(text, sizeof(text), "%d\n", value);
	/* The kernel takes the whole value in one write, or none of it. */
	return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

char *sysctl_key(int family, const char *interface, const char *setting)
{
	_cleanup_(free_p) char *name = strdup(interface);
	char *key;

	if (!name)
		return NULL;
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '/';
	if (asprintf(&key, "net.%s.conf.%s.%s", family_name(family), name, setting) < 0)
		return NULL;
	return key;
}

int sysctl_raise(const char *interface, const char *setting, int wanted)
{
	int r, value;

	r = sysctl_get(AF_INET, interface, setting, &value);
	if (r < 0)
		return r;
	if (value >= wanted)
		return 0;
	r = sysctl_set(AF_INET, interface, setting, wanted);
	return r < 0 ? r : 1;
}

int sysctl_local_port_range(unsigned int *ret_first, unsigned int *ret_last)
{
	_cleanup_(close_p) int fd = -1;
	unsigned int first, last;
	char text[64], rest;
	int r;

	fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_text(fd, text, sizeof(text));
	if (r < 0)
		return r;
	if (sscanf(text, "%u %u%c", &first, &last, &rest) != 2 || first > last || last > 65535)
		return -EBADMSG;
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int sysctl_conntrack(const char *name, int *ret_value)
{
	_cleanup_(close_p) int fd = -1;
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/netfilter/nf_conntrack_%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read_integer(fd, ret_value);
}
