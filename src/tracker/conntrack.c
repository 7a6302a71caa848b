/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an entry's message tells (found on 6.18): the state of TCP is in it when it has changed, so
 * a handshake ends with ESTABLISHED. A connection that is picked up in its midst
 * (nf_conntrack_tcp_loose) begins as ESTABLISHED, before anybody has answered; the message of the
 * answer does not repeat the state. UDP is answered when the status says so.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <string.h>

DEFINE_CLEANUP(struct nf_conntrack, nfct_destroy)

/* --- reading: by libmnl, since libnetfilter_conntrack (1.0.9) exits where a length is wrong --- */

/* The attributes of a message or a nest, by type. */
struct attributes {
	const struct nlattr *at[CTA_MAX + 1];
};

struct side {
	struct address address;
	uint16_t port;
};

struct tuple {
	uint8_t protocol;
	struct side source, destination;
};

static int note_attribute(const struct nlattr *attribute, void *user_data)
{
	struct attributes *attributes = user_data;

	if (mnl_attr_get_type(attribute) < ARRAY_SIZE(attributes->at))
		attributes->at[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

/* Of an absent nest, nothing is there. */
static struct attributes read_nest(const struct nlattr *nest)
{
	struct attributes attributes = { .at = { NULL } };

	if (nest)
		(void)mnl_attr_parse_nested(nest, note_attribute, &attributes);
	return attributes;
}

/* Returns false if the attribute is absent, or of another size. */
static bool read_bytes(const struct nlattr *attribute, void *ret_bytes, size_t size)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) != size)
		return false;
	memcpy(ret_bytes, mnl_attr_get_payload(attribute), size);
	return true;
}

static bool read_side(
	const struct nlattr *address, const struct nlattr *port, int family, struct side *ret_side)
{
	uint16_t wire;

	*ret_side = (struct side){ .address.family = family };
	if (!read_bytes(address, ret_side->address.bytes, address_size(family)) ||
		!read_bytes(port, &wire, sizeof(wire)))
		return false;
	ret_side->port = ntohs(wire);
	return true;
}

static int read_tuple(const struct nlattr *nest, int family, struct tuple *ret_tuple)
{
	const struct attributes tuple = read_nest(nest);
	const struct attributes ip = read_nest(tuple.at[CTA_TUPLE_IP]);
	const struct attributes proto = read_nest(tuple.at[CTA_TUPLE_PROTO]);
	bool is_ip = family == AF_INET;

	if (!read_bytes(proto.at[CTA_PROTO_NUM], &ret_tuple->protocol, 1))
		return -EBADMSG;
	if (ret_tuple->protocol != IPPROTO_TCP && ret_tuple->protocol != IPPROTO_UDP)
		return -ENOMSG;
	if (!read_side(ip.at[is_ip ? CTA_IP_V4_SRC : CTA_IP_V6_SRC], proto.at[CTA_PROTO_SRC_PORT],
		    family, &ret_tuple->source) ||
		!read_side(ip.at[is_ip ? CTA_IP_V4_DST : CTA_IP_V6_DST],
			proto.at[CTA_PROTO_DST_PORT], family, &ret_tuple->destination))
		return -EBADMSG;
	return 0;
}

static bool side_equal(const struct side *a, const struct side *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

static enum entry_life tcp_life(const struct attributes *message, bool answered)
{
	const struct attributes info = read_nest(message->at[CTA_PROTOINFO]);
	const struct attributes tcp = read_nest(info.at[CTA_PROTOINFO_TCP]);
	uint8_t state;

	if (!read_bytes(tcp.at[CTA_PROTOINFO_TCP_STATE], &state, sizeof(state)))
		return answered ? ENTRY_UNTOLD : ENTRY_OPENING;
	switch (state) {
	case TCP_CONNTRACK_SYN_RECV:
		return answered ? ENTRY_HALF_OPEN : ENTRY_OPENING;
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
		return answered ? ENTRY_LIVE : ENTRY_OPENING;
	case TCP_CONNTRACK_TIME_WAIT:
	case TCP_CONNTRACK_CLOSE:
		return ENTRY_OVER;
	default:
		return ENTRY_OPENING;
	}
}

static enum entry_life life_of(const struct attributes *message, uint8_t protocol)
{
	uint32_t status = 0;
	bool answered;

	(void)read_bytes(message->at[CTA_STATUS], &status, sizeof(status));
	answered = ntohl(status) & IPS_SEEN_REPLY;
	if (protocol == IPPROTO_TCP)
		return tcp_life(message, answered);
	return answered ? ENTRY_LIVE : ENTRY_OPENING;
}

static bool is_assured(const struct attributes *message)
{
	uint32_t status = 0;

	(void)read_bytes(message->at[CTA_STATUS], &status, sizeof(status));
	return ntohl(status) & IPS_ASSURED;
}

static int read_entry(
	const struct attributes *message, int family, bool destroyed, struct entry *ret_entry)
{
	struct tuple original, reply;
	uint32_t left = 0;
	int r;

	r = read_tuple(message->at[CTA_TUPLE_ORIG], family, &original);
	if (r < 0)
		return r;
	r = read_tuple(message->at[CTA_TUPLE_REPLY], family, &reply);
	if (r < 0)
		return r;
	if (reply.protocol != original.protocol)
		return -EBADMSG;
	(void)read_bytes(message->at[CTA_TIMEOUT], &left, sizeof(left));
	*ret_entry = (struct entry){
		.flow = {
			.protocol = original.protocol,
			.client = original.source.address,
			.client_port = original.source.port,
			.vip = original.destination.address,
			.vip_port = original.destination.port,
		},
		.life = destroyed ? ENTRY_OVER : life_of(message, original.protocol),
		.destroyed = destroyed,
		.mirrored = side_equal(&reply.source, &original.destination) &&
			    side_equal(&reply.destination, &original.source),
		.assured = is_assured(message),
		.answerer = reply.source.address,
		.left = ntohl(left),
	};
	return 0;
}

int entry_parse(const struct nlmsghdr *message, struct entry *ret_entry)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct attributes attributes = { .at = { NULL } };
	uint8_t type = NFNL_MSG_TYPE(message->nlmsg_type);

	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_CTNETLINK ||
		(type != IPCTNL_MSG_CT_NEW && type != IPCTNL_MSG_CT_DELETE))
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6)
		return -ENOMSG;
	(void)mnl_attr_parse(message, sizeof(*header), note_attribute, &attributes);
	return read_entry(
		&attributes, header->nfgen_family, type == IPCTNL_MSG_CT_DELETE, ret_entry);
}

/* --- asking ------------------------------------------------------------------------------ */

static struct nlmsghdr *put_get(void *buffer, int family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = (uint8_t)family;
	header->version = NFNETLINK_V0;
	return message;
}

struct nlmsghdr *conntrack_put_dump(void *buffer)
{
	return put_get(buffer, AF_UNSPEC);
}

struct nlmsghdr *conntrack_put_get(void *buffer, const struct flow *flow)
{
	_cleanup_(nfct_destroy_p) struct nf_conntrack *ct = nfct_new();
	struct nlmsghdr *message = put_get(buffer, flow->client.family);
	bool is_ip = flow->client.family == AF_INET;

	if (!ct)
		return NULL;
	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, (uint8_t)flow->client.family);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, flow->protocol);
	nfct_set_attr(ct, is_ip ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, flow->client.bytes);
	nfct_set_attr(ct, is_ip ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, flow->vip.bytes);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(flow->client_port));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(flow->vip_port));
	return nfct_nlmsg_build(message, ct) < 0 ? NULL : message;
}
