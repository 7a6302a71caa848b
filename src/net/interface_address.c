/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTM_NEWADDR and RTM_DELADDR. */

#include "net.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

static bool is_link_local(const struct address *address)
{
	return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

int interface_address_parse(
	const struct nlmsghdr *message, struct interface_address_message *ret_address)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct interface_address_message address = {};
	struct address local = {};
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return -ENOMSG;
	if (header->ifa_prefixlen > prefix_full_length(header->ifa_family))
		return -EBADMSG;
	address.deleted = message->nlmsg_type == RTM_DELADDR;
	address.index = header->ifa_index;
	address.length = header->ifa_prefixlen;
	for (attribute = mnl_nlmsg_get_payload_offset(message, sizeof(*header));
		mnl_attr_ok(attribute, rtnl_bytes_left(message, attribute));
		attribute = mnl_attr_next(attribute)) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type != IFA_LOCAL && type != IFA_ADDRESS)
			continue;
		if (!rtnl_get_address(attribute, header->ifa_family,
			    type == IFA_LOCAL ? &local : &address.address))
			return -EBADMSG;
	}
	/* With a peer, IFA_ADDRESS is the other end's; without, IPv6 gives no IFA_LOCAL. */
	if (local.family != AF_UNSPEC)
		address.address = local;
	if (address.address.family == AF_UNSPEC)
		return -EBADMSG;
	if (is_link_local(&address.address))
		return -ENOMSG;
	*ret_address = address;
	return 0;
}

static struct nlmsghdr *put_header(void *buffer, uint16_t type, unsigned int index)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *header;

	message->nlmsg_type = type;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifa_index = index;
	return message;
}

struct nlmsghdr *interface_address_put_dump(void *buffer, unsigned int index)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETADDR, index);

	message->nlmsg_flags = NLM_F_DUMP;
	return message;
}

static struct nlmsghdr *put_address(
	void *buffer, uint16_t type, unsigned int index, const struct address *address)
{
	struct nlmsghdr *message = put_header(buffer, type, index);
	struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	size_t size = address_size(address->family);

	header->ifa_family = (uint8_t)address->family;
	header->ifa_prefixlen = (uint8_t)prefix_full_length(address->family);
	mnl_attr_put(message, IFA_LOCAL, size, address->bytes);
	/* Without IFA_ADDRESS inet_rtm_deladdr() takes an entry of any prefix length. */
	mnl_attr_put(message, IFA_ADDRESS, size, address->bytes);
	return message;
}

/*
 * Duplicate address detection would meet another balancer that still has the VIP, and the address
 * would be tentative, not usable, for the time that it takes. A preferred lifetime of 0
 * makes it a "deprecated" one: it does all that others do, but RFC 6724 (rule 3) does not choose
 * it as the source of what this host sends by itself. IPv4 chooses the first of a
 * subnet, which is the host's own.
 */
static void put_ipv6_settings(struct nlmsghdr *message)
{
	const struct ifa_cacheinfo lifetimes = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };

	mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NOPREFIXROUTE | IFA_F_NODAD);
	mnl_attr_put(message, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
}

int interface_address_add(struct rtnl *rtnl, unsigned int index, const struct address *address)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	struct nlmsghdr *message = put_address(buffer, RTM_NEWADDR, index, address);
	int r;

	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	if (address->family == AF_INET6)
		put_ipv6_settings(message);
	else
		mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
	r = rtnl_talk(rtnl, message, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

int interface_address_remove(struct rtnl *rtnl, unsigned int index, const struct address *address)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	int r;

	r = rtnl_talk(rtnl, put_address(buffer, RTM_DELADDR, index, address), NULL, NULL);
	return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}
