/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket to the kernel's routing subsystem. */

#include "net.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/time.h>

enum {
	EVENT_BUFFER_SIZE = 8 * 1024 * 1024,
	ANSWER_TIMEOUT_SECONDS = 5,
};

static int configure(struct rtnl *rtnl, unsigned int groups)
{
	const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_SECONDS };
	int fd = mnl_socket_get_fd(rtnl->socket), size = EVENT_BUFFER_SIZE, on = 1;

	if (groups) {
		/* Past rmem_max needs CAP_NET_ADMIN; a smaller buffer means more dumps, no more. */
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		return 0;
	}
	/* Only so does the kernel look at the filters in dump requests (since 4.20). */
	if (mnl_socket_setsockopt(rtnl->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return 0;
}

int rtnl_open(struct rtnl *rtnl, unsigned int groups)
{
	int r;

	rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl->socket)
		return -errno;
	r = configure(rtnl, groups);
	if (r >= 0 && mnl_socket_bind(rtnl->socket, groups, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	if (r < 0)
		rtnl_close(rtnl);
	return r;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->socket)
		(void)mnl_socket_close(rtnl->socket);
	rtnl->socket = NULL;
}

ssize_t rtnl_receive(struct rtnl *rtnl, int flags)
{
	struct sockaddr_nl sender = {};
	struct iovec vector = { .iov_base = rtnl->buffer, .iov_len = sizeof(rtnl->buffer) };
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	ssize_t n;

	do
		n = recvmsg(mnl_socket_get_fd(rtnl->socket), &header, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (header.msg_flags & MSG_TRUNC)
		return -ENOBUFS;
	return sender.nl_pid == 0 ? n : 0;
}

int rtnl_send(struct rtnl *rtnl, struct nlmsghdr *request)
{
	request->nlmsg_flags |= NLM_F_REQUEST;
	request->nlmsg_seq = ++rtnl->sequence;
	if (mnl_socket_sendto(rtnl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	return 0;
}

/* Returns the verdict (0 or -errno) that an NLMSG_ERROR or NLMSG_DONE carries. */
static int verdict(const struct nlmsghdr *message)
{
	int error;

	/* Both begin with the error; old kernels end dumps without. */
	if (mnl_nlmsg_get_payload_len(message) < sizeof(error))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error > 0 ? -EBADMSG : error;
}

/* Returns false when the last answer was among the messages; then *verdict_out is set. */
static bool take_answers(struct rtnl *rtnl, size_t size, rtnl_handler_t handle, void *user_data,
	bool *interrupted, int *verdict_out)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)rtnl->buffer;
	int left = (int)size;

	for (; rtnl_message_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		/* What belongs to an earlier request that timed out. */
		if (message->nlmsg_seq != rtnl->sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*interrupted = true;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			*verdict_out = verdict(message);
			return false;
		}
		if (handle && message->nlmsg_type >= NLMSG_MIN_TYPE)
			handle(message, user_data);
	}
	return true;
}

int rtnl_talk(struct rtnl *rtnl, struct nlmsghdr *request, rtnl_handler_t handle, void *user_data)
{
	bool interrupted = false;
	int r;

	request->nlmsg_flags |= NLM_F_ACK;
	r = rtnl_send(rtnl, request);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = rtnl_receive(rtnl, 0);

		if (n == -EAGAIN)
			return -ETIMEDOUT;
		if (n < 0)
			return (int)n;
		if (!take_answers(rtnl, (size_t)n, handle, user_data, &interrupted, &r))
			return r < 0 ? r : interrupted;
	}
}

bool rtnl_message_ok(const struct nlmsghdr *message, int left)
{
	return left >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= (unsigned int)left;
}

int rtnl_bytes_left(const struct nlmsghdr *message, const struct nlattr *attribute)
{
	const char *end = (const char *)message + message->nlmsg_len;

	return (int)(end - (const char *)attribute);
}

bool rtnl_get_address(const struct nlattr *attribute, int family, struct address *ret_address)
{
	struct address address = { .family = family };

	if (mnl_attr_get_payload_len(attribute) != address_size(family))
		return false;
	memcpy(address.bytes, mnl_attr_get_payload(attribute), address_size(family));
	*ret_address = address;
	return true;
}
