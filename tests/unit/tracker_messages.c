/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker_messages.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>

static void put_address(struct nlmsghdr *message, uint16_t type, const char *text)
{
	struct address address;

	if (address_parse(text, &address) < 0)
		abort();
	mnl_attr_put(message, type, address_size(address.family), address.bytes);
}

static void put_tuple(struct nlmsghdr *message, uint16_t type, const struct entry_message *entry,
	const char *from, const char *to, uint16_t from_port, uint16_t to_port)
{
	bool is_ip = entry->family == AF_INET;
	struct nlattr *tuple = mnl_attr_nest_start(message, type), *nest;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	put_address(message, is_ip ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, from);
	put_address(message, is_ip ? CTA_IP_V4_DST : CTA_IP_V6_DST, to);
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, entry->protocol);
	mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(from_port));
	mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(to_port));
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
}

struct nlmsghdr *put_entry(void *buffer, const struct entry_message *entry)
{
	bool is_ip = entry->family == AF_INET;
	const char *client = entry->client ? entry->client : is_ip ? "192.0.2.2" : "2001:db8::2";
	const char *vip = is_ip ? "192.0.2.100" : "2001:db8::100";
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct nlattr *info, *tcp;

	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 |
			      (entry->destroyed ? IPCTNL_MSG_CT_DELETE : IPCTNL_MSG_CT_NEW);
	header->nfgen_family = (uint8_t)entry->family;
	put_tuple(message, CTA_TUPLE_ORIG, entry, client, vip, entry->client_port, 80);
	put_tuple(message, CTA_TUPLE_REPLY, entry, entry->answerer ? entry->answerer : vip, client,
		80, entry->client_port);
	mnl_attr_put_u32(message, CTA_STATUS,
		htonl(IPS_CONFIRMED | (entry->answered ? IPS_SEEN_REPLY : 0) |
			(entry->assured ? IPS_ASSURED : 0)));
	if (entry->left > 0)
		mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(entry->left));
	if (entry->protocol == IPPROTO_TCP && entry->tcp_state >= 0) {
		info = mnl_attr_nest_start(message, CTA_PROTOINFO);
		tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, (uint8_t)entry->tcp_state);
		mnl_attr_nest_end(message, tcp);
		mnl_attr_nest_end(message, info);
	}
	return message;
}

struct nlmsghdr *put_socket(void *buffer, const struct socket_message *socket)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_msg *diag = mnl_nlmsg_put_extra_header(message, sizeof(*diag));

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	diag->idiag_family = (uint8_t)socket->family;
	diag->idiag_state = socket->state;
	diag->id.idiag_sport = htons(socket->own_port);
	diag->id.idiag_dport = htons(socket->peer_port);
	if (inet_pton(socket->family, socket->own, diag->id.idiag_src) != 1 ||
		inet_pton(socket->family, socket->peer, diag->id.idiag_dst) != 1)
		abort();
	return message;
}
