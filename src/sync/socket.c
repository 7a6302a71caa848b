/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UDP socket of sync. */

#include "drover/sync_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

/* A second of the fastest snapshots of several nodes: a commit may keep the daemon so long. */
enum { RECEIVE_BUFFER_SIZE = 8 * 1024 * 1024 };

struct sync_socket {
	int fd;
	char interface[IF_NAMESIZE];
	struct address own, multicast;
	struct address *peers;
	size_t n_peers;
	uint16_t port;
};

union socket_address {
	struct sockaddr base;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static bool is_link_local(const struct address *address)
{
	return address->family == AF_INET6 &&
	       ((address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80) ||
		       (address->bytes[0] == 0xff && (address->bytes[1] & 0x0f) == 2));
}

/* Returns the size of what it fills in. */
static socklen_t to_socket_address(const struct sync_socket *socket, const struct address *address,
	uint16_t port, union socket_address *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (address->family == AF_INET) {
		ret_address->ipv4.sin_family = AF_INET;
		ret_address->ipv4.sin_port = htons(port);
		memcpy(&ret_address->ipv4.sin_addr, address->bytes, 4);
		return sizeof(ret_address->ipv4);
	}
	ret_address->ipv6.sin6_family = AF_INET6;
	ret_address->ipv6.sin6_port = htons(port);
	memcpy(&ret_address->ipv6.sin6_addr, address->bytes, 16);
	if (is_link_local(address))
		ret_address->ipv6.sin6_scope_id = if_nametoindex(socket->interface);
	return sizeof(ret_address->ipv6);
}

static struct endpoint from_socket_address(const union socket_address *address)
{
	struct endpoint endpoint = { .address.family = address->base.sa_family };

	if (address->base.sa_family == AF_INET) {
		memcpy(endpoint.address.bytes, &address->ipv4.sin_addr, 4);
		endpoint.port = ntohs(address->ipv4.sin_port);
	} else {
		memcpy(endpoint.address.bytes, &address->ipv6.sin6_addr, 16);
		endpoint.port = ntohs(address->ipv6.sin6_port);
	}
	return endpoint;
}

/* --- opening ---------------------------------------------------------------- */

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_multicast_options(int fd, int family)
{
	int r;

	/* The kernel's default of 1 hop is said again: it is part of the protocol. */
	if (family == AF_INET) {
		r = set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
		return r < 0 ? r : set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	}
	r = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
	if (r >= 0)
		r = set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
	return r < 0 ? r : set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

/*
 * Bound to all addresses, since one that is bound to its own does not hear the group; the
 * interface keeps out what comes another way.
 */
static int bind_port(const struct sync_socket *socket)
{
	const struct address any = { .family = socket->own.family };
	union socket_address address;
	socklen_t size = to_socket_address(socket, &any, socket->port, &address);

	return bind(socket->fd, &address.base, size) < 0 ? -errno : 0;
}

static int join_ipv4(const struct sync_socket *socket, unsigned int index)
{
	struct ip_mreqn request = { .imr_ifindex = (int)index };

	memcpy(&request.imr_multiaddr, socket->multicast.bytes, 4);
	if (setsockopt(socket->fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) < 0)
		return -errno;
	if (setsockopt(socket->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
		return -errno;
	return 0;
}

static int join_ipv6(const struct sync_socket *socket, unsigned int index)
{
	struct ipv6_mreq request = { .ipv6mr_interface = index };
	int r = set_option(socket->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index);

	if (r < 0)
		return r;
	memcpy(&request.ipv6mr_multiaddr, socket->multicast.bytes, 16);
	if (setsockopt(socket->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)) < 0)
		return -errno;
	return 0;
}

int sync_socket_join(struct sync_socket *socket)
{
	unsigned int index = if_nametoindex(socket->interface);
	int r;

	if (index == 0)
		return -errno;
	/* It is bound to the index, which another interface of this name does not have. */
	if (setsockopt(socket->fd, SOL_SOCKET, SO_BINDTODEVICE, socket->interface,
		    (socklen_t)strlen(socket->interface)) < 0)
		return -errno;
	if (socket->multicast.family == AF_UNSPEC)
		return 0;
	r = socket->multicast.family == AF_INET ? join_ipv4(socket, index)
						: join_ipv6(socket, index);
	return r == -EADDRINUSE ? 0 : r;
}

static int configure(struct sync_socket *sync_socket)
{
	int size = RECEIVE_BUFFER_SIZE, r;

	sync_socket->fd = socket(
		sync_socket->own.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sync_socket->fd < 0)
		return -errno;
	/* Past rmem_max needs CAP_NET_ADMIN; a smaller buffer means more packets asked again. */
	if (set_option(sync_socket->fd, SOL_SOCKET, SO_RCVBUFFORCE, size) < 0)
		(void)set_option(sync_socket->fd, SOL_SOCKET, SO_RCVBUF, size);
	r = set_multicast_options(sync_socket->fd, sync_socket->own.family);
	if (r < 0)
		return r;
	r = sync_socket_join(sync_socket);
	if (r < 0 && r != -ENODEV && r != -ENXIO)
		return r;
	return bind_port(sync_socket);
}

static bool is_usable(const struct sync_socket_setup *setup)
{
	int family = setup->own.family;

	if ((family != AF_INET && family != AF_INET6) || !*setup->interface ||
		strlen(setup->interface) >= IF_NAMESIZE)
		return false;
	if (setup->multicast.family != AF_UNSPEC && setup->multicast.family != family)
		return false;
	for (size_t i = 0; i < setup->n_peers; i++)
		if (setup->peers[i].family != family)
			return false;
	return true;
}

int sync_socket_open(const struct sync_socket_setup *setup, struct sync_socket **ret_socket)
{
	_cleanup_(sync_socket_close_p) struct sync_socket *socket = NULL;
	int r;

	if (!is_usable(setup))
		return -EINVAL;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket->fd = -1;
	strcpy(socket->interface, setup->interface);
	socket->own = setup->own;
	socket->multicast = setup->multicast;
	socket->port = setup->port;
	socket->peers = calloc(setup->n_peers + 1, sizeof(*socket->peers));
	if (!socket->peers)
		return -ENOMEM;
	for (size_t i = 0; i < setup->n_peers; i++)
		if (!address_equal(&setup->peers[i], &setup->own))
			socket->peers[socket->n_peers++] = setup->peers[i];
	r = configure(socket);
	if (r < 0)
		return r;
	*ret_socket = take_ptr(socket);
	return 0;
}

void sync_socket_close(struct sync_socket *socket)
{
	if (!socket)
		return;
	if (socket->fd >= 0)
		close(socket->fd);
	free(socket->peers);
	free(socket);
}

int sync_socket_fd(const struct sync_socket *socket)
{
	return socket->fd;
}

/* --- packets ---------------------------------------------------------------- */

/*
 * The packet's source is said with it: the kernel might choose a VIP, which is no address by which
 * others know this node.
 */
static void put_source(const struct sync_socket *socket, struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	if (socket->own.family == AF_INET) {
		struct in_pktinfo info = {};

		memcpy(&info.ipi_spec_dst, socket->own.bytes, 4);
		control->cmsg_level = IPPROTO_IP;
		control->cmsg_type = IP_PKTINFO;
		control->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(control), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {};

		memcpy(&info.ipi6_addr, socket->own.bytes, 16);
		control->cmsg_level = IPPROTO_IPV6;
		control->cmsg_type = IPV6_PKTINFO;
		control->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(control), &info, sizeof(info));
	}
	message->msg_controllen = CMSG_SPACE(control->cmsg_len - CMSG_LEN(0));
}

static int send_to(const struct sync_socket *socket, const struct address *to, uint16_t port,
	const void *packet, size_t size)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {};
	union socket_address address;
	socklen_t address_length = to_socket_address(socket, to, port, &address);
	struct iovec vector = { .iov_base = (void *)(uintptr_t)packet, .iov_len = size };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = address_length,
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	put_source(socket, &message);
	do
		n = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int sync_socket_send(
	struct sync_socket *socket, const struct endpoint *to, const void *packet, size_t size)
{
	int result = 0, r;

	if (to)
		return to->address.family == socket->own.family
			       ? send_to(socket, &to->address, to->port, packet, size)
			       : -EAFNOSUPPORT;
	if (socket->multicast.family != AF_UNSPEC)
		result = send_to(socket, &socket->multicast, socket->port, packet, size);
	for (size_t i = 0; i < socket->n_peers; i++) {
		r = send_to(socket, &socket->peers[i], socket->port, packet, size);
		if (r < 0)
			result = r;
	}
	return result;
}

ssize_t sync_socket_receive(
	struct sync_socket *socket, struct endpoint *ret_from, void *packet, size_t size)
{
	union socket_address address = {};
	socklen_t length = sizeof(address);
	ssize_t n;

	do
		n = recvfrom(socket->fd, packet, size, MSG_DONTWAIT, &address.base, &length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_from = from_socket_address(&address);
	return n;
}
