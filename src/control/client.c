/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The asking side. */

#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns 0 when the descriptor is ready, -ETIMEDOUT, or -errno. */
static int wait_until(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - now_ms();
		int n = poll(&poll_fd, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int connect_to(const char *path, int timeout_ms)
{
	/* A connect() to a full backlog cannot be polled for, but heeds SO_SNDTIMEO; 0 is for ever.
	 */
	const struct timeval timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000 + 1,
	};
	_cleanup_(close_p) int fd = -1;
	struct sockaddr_un address;
	int r;

	r = control_address(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	r = fd;
	fd = -1;
	return r;
}

static int send_line(int fd, const char *line, size_t size, int64_t deadline)
{
	size_t sent = 0;

	while (sent < size) {
		ssize_t n = send(fd, line + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_until(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns the number of bytes up to the newline, or -errno. */
static ssize_t receive_line(int fd, int64_t deadline, char **ret_line)
{
	_cleanup_(free_p) char *line = NULL;
	size_t size = 0, allocated = 0;

	for (;;) {
		char *newline;
		ssize_t n;
		int r;

		if (size == allocated) {
			char *larger;

			if (size > CONTROL_REPLY_MAX)
				return -EBADMSG;
			allocated = allocated ? allocated * 2 : 4096;
			larger = realloc(line, allocated);
			if (!larger)
				return -ENOMEM;
			line = larger;
		}
		r = wait_until(fd, POLLIN, deadline);
		if (r < 0)
			return r;
		n = recv(fd, line + size, allocated - size, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return size ? -EBADMSG : -ECONNRESET;
		newline = memchr(line + size, '\n', (size_t)n);
		size += (size_t)n;
		if (newline) {
			*ret_line = line;
			n = newline - line;
			line = NULL;
			return n;
		}
	}
}

/* Returns the line to send: the request, with this process's namespace if it names none. */
static int make_line(json_t *request, char **ret_line, size_t *ret_size)
{
	_cleanup_(json_decref_p) json_t *complete = json_copy(request);

	if (!complete)
		return -ENOMEM;
	if (!json_object_get(complete, "netns")) {
		_cleanup_(free_p) char *netns = control_netns();

		if (!netns)
			return -errno;
		if (json_object_set_new(complete, "netns", json_string(netns)) < 0)
			return -EINVAL;
	}
	return control_encode(complete, ret_line, ret_size);
}

int control_ask(const char *socket_path, json_t *request, int timeout_ms, json_t **ret_reply)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	_cleanup_(free_p) char *line = NULL, *answer = NULL;
	int64_t deadline = now_ms() + timeout_ms;
	_cleanup_(close_p) int fd = -1;
	ssize_t n;
	size_t size = 0;
	int r;

	r = make_line(request, &line, &size);
	if (r < 0)
		return r;
	fd = connect_to(socket_path, timeout_ms);
	if (fd < 0)
		return fd;
	r = send_line(fd, line, size, deadline);
	/* A daemon that refused and closed may have said why. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return r;
	n = receive_line(fd, deadline, &answer);
	if (n < 0)
		return (int)n;
	reply = json_loadb(answer, (size_t)n, 0, NULL);
	if (!json_is_boolean(json_object_get(reply, "ok")))
		return -EBADMSG;
	*ret_reply = take_ptr(reply);
	return 0;
}
