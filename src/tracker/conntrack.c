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

/* Which attributes tell one end of one direction. */
struct side_attributes {
	enum nf_conntrack_attr ip, ip6, port;
};

static const struct side_attributes original_source = { ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC,
	ATTR_ORIG_PORT_SRC };
static const struct side_attributes original_destination = { ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST,
	ATTR_ORIG_PORT_DST };
static const struct side_attributes reply_source = { ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC,
	ATTR_REPL_PORT_SRC };
static const struct side_attributes reply_destination = { ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST,
	ATTR_REPL_PORT_DST };

struct side {
	struct address address;
	uint16_t port;
};

/*
 * libnetfilter_conntrack (1.0.9) reads the text in these two up to its first zero, wherever that
 * is. In both, attribute 1 is the text.
 */
static bool has_whole_texts(const struct nlmsghdr *message)
{
	const struct nlattr *attribute, *nested;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		uint16_t type = mnl_attr_get_type(attribute);

		if (type != CTA_HELP && type != CTA_SECCTX)
			continue;
		mnl_attr_for_each_nested(nested, attribute)
		{
			if (mnl_attr_get_type(nested) == 1 &&
				mnl_attr_validate(nested, MNL_TYPE_NUL_STRING) < 0)
				return false;
		}
	}
	return true;
}

static bool get_side(const struct nf_conntrack *ct, int family,
	const struct side_attributes *attributes, struct side *ret_side)
{
	const void *bytes = nfct_get_attr(ct, family == AF_INET ? attributes->ip : attributes->ip6);

	if (!bytes || nfct_attr_is_set(ct, attributes->port) <= 0)
		return false;
	*ret_side = (struct side){
		.address.family = family,
		.port = ntohs(nfct_get_attr_u16(ct, attributes->port)),
	};
	memcpy(ret_side->address.bytes, bytes, address_size(family));
	return true;
}

static bool side_equal(const struct side *a, const struct side *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

static enum entry_life tcp_life(const struct nf_conntrack *ct, bool answered)
{
	if (nfct_attr_is_set(ct, ATTR_TCP_STATE) <= 0)
		return answered ? ENTRY_UNTOLD : ENTRY_OPENING;
	switch (nfct_get_attr_u8(ct, ATTR_TCP_STATE)) {
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

static enum entry_life life_of(const struct nf_conntrack *ct, uint8_t protocol)
{
	bool answered = nfct_get_attr_u32(ct, ATTR_STATUS) & IPS_SEEN_REPLY;

	if (protocol == IPPROTO_TCP)
		return tcp_life(ct, answered);
	return answered ? ENTRY_LIVE : ENTRY_OPENING;
}

static int read_entry(const struct nf_conntrack *ct, int family, struct entry *entry)
{
	struct side client, vip, answerer, answered;

	entry->flow.protocol = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO);
	if (entry->flow.protocol != IPPROTO_TCP && entry->flow.protocol != IPPROTO_UDP)
		return -ENOMSG;
	if (!get_side(ct, family, &original_source, &client) ||
		!get_side(ct, family, &original_destination, &vip) ||
		!get_side(ct, family, &reply_source, &answerer) ||
		!get_side(ct, family, &reply_destination, &answered))
		return -EBADMSG;
	entry->flow.client = client.address;
	entry->flow.client_port = client.port;
	entry->flow.vip = vip.address;
	entry->flow.vip_port = vip.port;
	entry->answerer = answerer.address;
	entry->mirrored = side_equal(&answerer, &vip) && side_equal(&answered, &client);
	entry->life = entry->destroyed ? ENTRY_OVER : life_of(ct, entry->flow.protocol);
	return 0;
}

int entry_parse(const struct nlmsghdr *message, struct entry *ret_entry)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	_cleanup_(nfct_destroy_p) struct nf_conntrack *ct = NULL;
	struct entry entry = { .destroyed = false };
	int r;

	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_CTNETLINK)
		return -ENOMSG;
	if (NFNL_MSG_TYPE(message->nlmsg_type) == IPCTNL_MSG_CT_DELETE)
		entry.destroyed = true;
	else if (NFNL_MSG_TYPE(message->nlmsg_type) != IPCTNL_MSG_CT_NEW)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6)
		return -ENOMSG;
	if (!has_whole_texts(message))
		return -EBADMSG;
	ct = nfct_new();
	if (!ct)
		return -ENOMEM;
	if (nfct_nlmsg_parse(message, ct) < 0)
		return -EBADMSG;
	r = read_entry(ct, header->nfgen_family, &entry);
	if (r < 0)
		return r;
	*ret_entry = entry;
	return 0;
}

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

static void set_side(struct nf_conntrack *ct, const struct side_attributes *attributes,
	const struct address *address, uint16_t port)
{
	nfct_set_attr(
		ct, address->family == AF_INET ? attributes->ip : attributes->ip6, address->bytes);
	nfct_set_attr_u16(ct, attributes->port, htons(port));
}

struct nlmsghdr *conntrack_put_get(void *buffer, const struct flow *flow)
{
	_cleanup_(nfct_destroy_p) struct nf_conntrack *ct = nfct_new();
	struct nlmsghdr *message = put_get(buffer, flow->client.family);

	if (!ct)
		return NULL;
	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, (uint8_t)flow->client.family);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, flow->protocol);
	set_side(ct, &original_source, &flow->client, flow->client_port);
	set_side(ct, &original_destination, &flow->vip, flow->vip_port);
	return nfct_nlmsg_build(message, ct) < 0 ? NULL : message;
}
