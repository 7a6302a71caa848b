/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include <errno.h>
#include <string.h>

int channel_open(struct channel *channel, int bus, unsigned int groups)
{
	int r = 0;

	channel->socket = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!channel->socket)
		return -errno;
	if (mnl_socket_bind(channel->socket, groups, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	if (r < 0)
		channel_close(channel);
	return r;
}

void channel_close(struct channel *channel)
{
	if (channel->socket)
		(void)mnl_socket_close(channel->socket);
	channel->socket = NULL;
}

int channel_fd(const struct channel *channel)
{
	return mnl_socket_get_fd(channel->socket);
}

int channel_send(struct channel *channel, struct nlmsghdr *request, uint16_t flags)
{
	request->nlmsg_flags |= NLM_F_REQUEST | flags;
	request->nlmsg_seq = ++channel->sequence;
	if (mnl_socket_sendto(channel->socket, request, request->nlmsg_len) < 0)
		return -errno;
	return 0;
}

ssize_t channel_receive(struct channel *channel, struct channel_buffer *buffer)
{
	struct sockaddr_nl sender = {};
	struct iovec vector = { .iov_base = buffer->bytes, .iov_len = sizeof(buffer->bytes) };
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	ssize_t n;

	do
		n = recvmsg(channel_fd(channel), &header, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (header.msg_flags & MSG_TRUNC)
		return -ENOBUFS;
	return sender.nl_pid == 0 ? n : 0;
}

int channel_ask(struct channel *channel, struct nlmsghdr *request, struct channel_buffer *buffer,
	const struct nlmsghdr **ret_answer)
{
	int r = channel_send(channel, request, 0);

	while (r == 0) {
		ssize_t n = channel_receive(channel, buffer);
		const struct nlmsghdr *message;

		if (n < 0)
			return (int)n;
		message = message_first(buffer->bytes, (size_t)n);
		/* An answer that came too late, to somebody who had given up. */
		if (!message || message->nlmsg_seq != channel->sequence)
			continue;
		if (message->nlmsg_type == NLMSG_ERROR) {
			r = message_verdict(message);
			return r < 0 ? r : -EBADMSG;
		}
		*ret_answer = message;
		return 0;
	}
	return r;
}

static const struct nlmsghdr *message_at(const char *at, size_t left)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)at;

	if (left < sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
		message->nlmsg_len > left || message->nlmsg_len % NLMSG_ALIGNTO != 0)
		return NULL;
	return message;
}

const struct nlmsghdr *message_first(const void *datagram, size_t size)
{
	return message_at(datagram, size);
}

const struct nlmsghdr *message_next(
	const struct nlmsghdr *message, const void *datagram, size_t size)
{
	const char *next = (const char *)message + message->nlmsg_len;

	return message_at(next, size - (size_t)(next - (const char *)datagram));
}

int message_verdict(const struct nlmsghdr *message)
{
	int error;

	/* Both begin with the error; a dump may end without. */
	if (mnl_nlmsg_get_payload_len(message) < sizeof(error))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error > 0 ? -EBADMSG : error;
}
