/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTM_NEWLINK and RTM_DELLINK. */

#include "net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static void take_mac(struct interface_message *interface, const struct nlattr *attribute)
{
	/* An interface that is no Ethernet has another length, or none. */
	if (mnl_attr_get_payload_len(attribute) != sizeof(interface->mac.bytes))
		return;
	memcpy(interface->mac.bytes, mnl_attr_get_payload(attribute), sizeof(interface->mac.bytes));
	interface->has_mac = true;
}

int interface_parse(const struct nlmsghdr *message, struct interface_message *ret_interface)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct interface_message interface = {};
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	/*
	 * A bridge sends RTM_DELLINK with AF_BRIDGE for a port that leaves it
	 * (br_ifinfo_notify()): the interface itself lives on.
	 */
	if (header->ifi_family != AF_UNSPEC)
		return -ENOMSG;
	if (header->ifi_index <= 0)
		return -EBADMSG;
	interface.deleted = message->nlmsg_type == RTM_DELLINK;
	interface.index = (unsigned int)header->ifi_index;
	/* dev_get_flags() gives IFF_RUNNING when the operational state is up or unknown. */
	interface.running = (header->ifi_flags & IFF_UP) && (header->ifi_flags & IFF_RUNNING);
	for (attribute = mnl_nlmsg_get_payload_offset(message, sizeof(*header));
		mnl_attr_ok(attribute, rtnl_bytes_left(message, attribute));
		attribute = mnl_attr_next(attribute)) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ||
				mnl_attr_get_payload_len(attribute) > sizeof(interface.name))
				return -EBADMSG;
			strcpy(interface.name, mnl_attr_get_str(attribute));
			break;
		case IFLA_ADDRESS:
			take_mac(&interface, attribute);
			break;
		default:
			break;
		}
	}
	*ret_interface = interface;
	return 0;
}

struct nlmsghdr *interface_put_get(void *buffer, const char *name)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header;

	message->nlmsg_type = RTM_GETLINK;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return message;
}

struct nlmsghdr *interface_put_up(void *buffer, unsigned int index)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header;

	message->nlmsg_type = RTM_NEWLINK;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifi_family = AF_UNSPEC;
	header->ifi_index = (int)index;
	header->ifi_flags = IFF_UP;
	header->ifi_change = IFF_UP;
	return message;
}
