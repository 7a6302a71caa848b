/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP sockets by sock_diag: sock_diag(7). */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/*
 * A socket that its process has closed lives on in FIN_WAIT and LAST_ACK, for its peer to get the
 * rest; nobody waits for anything in TIME_WAIT.
 */
static const uint32_t STATES_ALIVE = 1U << TCP_ESTABLISHED | 1U << TCP_FIN_WAIT1 |
				     1U << TCP_FIN_WAIT2 | 1U << TCP_CLOSE_WAIT |
				     1U << TCP_LAST_ACK | 1U << TCP_CLOSING;

/* An address of a socket: one of IPv6 that has accepted a client of IPv4 has mapped ones. */
static struct address read_address(int family, const uint32_t bytes[static 4])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address address = { .family = family };

	memcpy(address.bytes, bytes, address_size(family));
	if (family == AF_INET6 && memcmp(address.bytes, mapped, sizeof(mapped)) == 0) {
		address = (struct address){ .family = AF_INET };
		memcpy(address.bytes, (const char *)bytes + sizeof(mapped), 4);
	}
	return address;
}

int tcp_socket_parse(const struct nlmsghdr *message, struct tcp_socket *ret_socket)
{
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(message);
	struct tcp_socket socket = { .listens = false };
	uint32_t state;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*diag))
		return -EBADMSG;
	if (diag->idiag_family != AF_INET && diag->idiag_family != AF_INET6)
		return -ENOMSG;
	state = diag->idiag_state < 32 ? 1U << diag->idiag_state : 0;
	socket.listens = state == 1U << TCP_LISTEN;
	/* The kernel's own TCP_NEW_SYN_RECV is told as this one (inet_req_diag_fill()). */
	socket.half_open = state == 1U << TCP_SYN_RECV;
	socket.lives = state & STATES_ALIVE;
	socket.port = ntohs(diag->id.idiag_sport);
	socket.flow = (struct flow){
		.protocol = IPPROTO_TCP,
		.client = read_address(diag->idiag_family, diag->id.idiag_dst),
		.client_port = ntohs(diag->id.idiag_dport),
		.vip = read_address(diag->idiag_family, diag->id.idiag_src),
		.vip_port = ntohs(diag->id.idiag_sport),
	};
	if ((socket.lives || socket.half_open) &&
		socket.flow.client.family != socket.flow.vip.family)
		return -EBADMSG;
	*ret_socket = socket;
	return 0;
}

static struct nlmsghdr *put_request(void *buffer, int family, struct inet_diag_req_v2 **ret_request)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = (uint8_t)family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->id.idiag_cookie[0] = request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	*ret_request = request;
	return message;
}

/* inet_diag_dump_icsk() walks through those that listen first. */
struct nlmsghdr *sockets_put_dump(void *buffer, int family)
{
	struct inet_diag_req_v2 *request;
	struct nlmsghdr *message = put_request(buffer, family, &request);

	request->idiag_states = STATES_ALIVE | 1U << TCP_LISTEN;
	return message;
}

struct nlmsghdr *sockets_put_get(void *buffer, const struct flow *flow)
{
	struct inet_diag_req_v2 *request;
	struct nlmsghdr *message = put_request(buffer, flow->client.family, &request);

	request->id.idiag_sport = htons(flow->vip_port);
	request->id.idiag_dport = htons(flow->client_port);
	memcpy(request->id.idiag_src, flow->vip.bytes, sizeof(flow->vip.bytes));
	memcpy(request->id.idiag_dst, flow->client.bytes, sizeof(flow->client.bytes));
	return message;
}
