/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that says who it is, for thousands of flows: each line of a TCP connection, and each
 * datagram, is answered with this host's name and the line. IPv4 and IPv6.
 *
 *     echo NAME tcp=PORT... udp=PORT...
 *
 * Prints "ready" when it listens on all ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 256,
	LINE_MAX_BYTES = 512,
	BACKLOG = 4096,
};

/* What epoll points to. */
struct end {
	int fd;
	enum { LISTENER, CONNECTION, DATAGRAMS } kind;
	size_t length; /* of the line that has begun to come */
	char line[LINE_MAX_BYTES];
};

static const char *my_name;

static void die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static struct end *add_end(int epoll, int fd, int kind)
{
	struct end *end = calloc(1, sizeof(*end));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = end };

	if (!end || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("a new connection");
	end->fd = fd;
	end->kind = kind;
	return end;
}

static void close_end(struct end *end)
{
	close(end->fd);
	free(end);
}

/* Both families on one socket; a datagram tells which of this host's addresses it was sent to. */
static int open_port(int type, const char *text)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)strtoul(text, NULL, 10)),
	};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, size = 1 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die(text);
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		die(text);
	if (type == SOCK_DGRAM &&
		(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0))
		die(text);
	return fd;
}

static void accept_all(int epoll, const struct end *listener)
{
	int on = 1;

	for (;;) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		add_end(epoll, fd, CONNECTION);
	}
}

/* An answer is short, and its client waits for it: it always fits into the socket's buffer. */
static bool answer_line(struct end *end, const char *line, size_t length)
{
	char answer[LINE_MAX_BYTES + 64];
	int size = snprintf(answer, sizeof(answer), "%s %.*s\n", my_name, (int)length, line);

	return send(end->fd, answer, (size_t)size, MSG_NOSIGNAL) == size;
}

/* Returns false if the connection is over. */
static bool answer_lines(struct end *end)
{
	ssize_t n = recv(end->fd, end->line + end->length, sizeof(end->line) - end->length, 0);
	char *begin = end->line, *newline;

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	end->length += (size_t)n;
	while ((newline = memchr(begin, '\n', end->length))) {
		if (!answer_line(end, begin, (size_t)(newline - begin)))
			return false;
		end->length -= (size_t)(newline + 1 - begin);
		begin = newline + 1;
	}
	memmove(end->line, begin, end->length);
	return end->length < sizeof(end->line);
}

/* From the address that the datagram was sent to: the VIP, not the host's own. */
static void answer_datagram(
	const struct end *end, struct msghdr *message, const char *data, size_t length)
{
	char answer[LINE_MAX_BYTES + 64];
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct iovec part = { .iov_base = answer };

	if (!control || control->cmsg_type != IPV6_PKTINFO)
		return;
	((struct in6_pktinfo *)CMSG_DATA(control))->ipi6_ifindex = 0;
	part.iov_len = (size_t)snprintf(
		answer, sizeof(answer), "%s %.*s", my_name, (int)length, data);
	message->msg_iov = &part;
	message->msg_flags = 0;
	(void)sendmsg(end->fd, message, MSG_NOSIGNAL);
}

static void answer_datagrams(const struct end *end)
{
	for (;;) {
		char data[LINE_MAX_BYTES];
		union {
			struct cmsghdr header; /* for its alignment */
			char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		} control;
		struct sockaddr_in6 client;
		struct iovec part = { .iov_base = data, .iov_len = sizeof(data) };
		struct msghdr message = {
			.msg_name = &client,
			.msg_namelen = sizeof(client),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t length = recvmsg(end->fd, &message, 0);

		if (length < 0 && errno == EAGAIN)
			return;
		if (length >= 0)
			answer_datagram(end, &message, data, (size_t)length);
	}
}

static void serve(int epoll)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct end *end = events[i].data.ptr;

			if (end->kind == LISTENER)
				accept_all(epoll, end);
			else if (end->kind == DATAGRAMS)
				answer_datagrams(end);
			else if (!answer_lines(end))
				close_end(end);
		}
	}
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc < 3) {
		fprintf(stderr, "usage: echo NAME tcp=PORT... udp=PORT...\n");
		return 2;
	}
	if (epoll < 0)
		die("epoll");
	allow_files();
	my_name = argv[1];
	for (int i = 2; i < argc; i++) {
		if (strncmp(argv[i], "tcp=", 4) == 0)
			add_end(epoll, open_port(SOCK_STREAM, argv[i] + 4), LISTENER);
		else if (strncmp(argv[i], "udp=", 4) == 0)
			add_end(epoll, open_port(SOCK_DGRAM, argv[i] + 4), DATAGRAMS);
	}
	puts("ready");
	fflush(stdout);
	serve(epoll);
}
