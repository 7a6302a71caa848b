/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RTM_NEWNEIGH, RTM_DELNEIGH, and how the kernel is asked to keep a neighbour resolved.
 *
 * An entry with NTF_EXT_MANAGED (kernel 5.16, commit 7482e3841d52) is probed again by
 * neigh_managed_work() every interval_probe_time_ms (5 s unless set), in
 * whatever state it is: a failed one is resolved again without anybody's help.
 */

#include "net.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* The states in which the kernel itself would send to the address (NUD_VALID). */
#define STATES_RESOLVED                                                                            \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static int take_attribute(struct neighbour_message *neighbour, const struct nlattr *attribute,
	int family, unsigned int state)
{
	switch (mnl_attr_get_type(attribute)) {
	case NDA_DST:
		if (!rtnl_get_address(attribute, family, &neighbour->address))
			return -EBADMSG;
		break;
	case NDA_LLADDR:
		if (mnl_attr_get_payload_len(attribute) != sizeof(neighbour->mac.bytes))
			break;
		memcpy(neighbour->mac.bytes, mnl_attr_get_payload(attribute),
			sizeof(neighbour->mac.bytes));
		/* Broadcast and multicast entries are "resolved" too, but are nobody. */
		neighbour->resolved = (state & STATES_RESOLVED) && mac_is_usable(&neighbour->mac);
		break;
	case NDA_FLAGS_EXT:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
			return -EBADMSG;
		neighbour->managed = mnl_attr_get_u32(attribute) & NTF_EXT_MANAGED;
		break;
	default:
		break;
	}
	return 0;
}

int neighbour_parse(const struct nlmsghdr *message, struct neighbour_message *ret_neighbour)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct neighbour_message neighbour = {};
	const struct nlattr *attribute;
	int r;

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	/* Forwarding tables of bridges speak here as well, and proxy entries are no neighbours. */
	if (header->ndm_family != AF_INET && header->ndm_family != AF_INET6)
		return -ENOMSG;
	if (header->ndm_flags & NTF_PROXY)
		return -ENOMSG;
	if (header->ndm_ifindex <= 0)
		return -EBADMSG;
	neighbour.index = (unsigned int)header->ndm_ifindex;
	neighbour.deleted = message->nlmsg_type == RTM_DELNEIGH;
	/* Set by an administrator or by a routing daemon (EVPN), who will keep it true. */
	neighbour.foreign = (header->ndm_state & (NUD_PERMANENT | NUD_NOARP)) ||
			    (header->ndm_flags & NTF_EXT_LEARNED);
	for (attribute = mnl_nlmsg_get_payload_offset(message, sizeof(*header));
		mnl_attr_ok(attribute, rtnl_bytes_left(message, attribute));
		attribute = mnl_attr_next(attribute)) {
		r = take_attribute(&neighbour, attribute, header->ndm_family, header->ndm_state);
		if (r < 0)
			return r;
	}
	if (neighbour.address.family == AF_UNSPEC)
		return -EBADMSG;
	if (neighbour.deleted)
		neighbour.resolved = false;
	*ret_neighbour = neighbour;
	return 0;
}

static struct nlmsghdr *put_header(
	void *buffer, uint16_t type, unsigned int index, const struct address *address)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ndmsg *header;

	message->nlmsg_type = type;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	if (address) {
		header->ndm_family = (uint8_t)address->family;
		header->ndm_ifindex = (int)index;
		mnl_attr_put(message, NDA_DST, address_size(address->family), address->bytes);
	}
	return message;
}

struct nlmsghdr *neighbour_put_dump(void *buffer, unsigned int index)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETNEIGH, 0, NULL);

	message->nlmsg_flags = NLM_F_DUMP;
	mnl_attr_put_u32(message, NDA_IFINDEX, index);
	return message;
}

struct nlmsghdr *neighbour_put_get(void *buffer, unsigned int index, const struct address *address)
{
	return put_header(buffer, RTM_GETNEIGH, index, address);
}

static void take_neighbour(const struct nlmsghdr *message, void *user_data)
{
	(void)neighbour_parse(message, user_data);
}

/* Returns 0 or -errno, -ENOENT if the kernel has no entry. */
static int get(struct rtnl *rtnl, unsigned int index, const struct address *address,
	struct neighbour_message *ret_neighbour)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];

	return rtnl_talk(
		rtnl, neighbour_put_get(buffer, index, address), take_neighbour, ret_neighbour);
}

/*
 * NTF_USE makes the kernel probe at once, and change no state: an Ethernet address that it
 * has is kept. Kernels before 5.16 do not know NDA_FLAGS_EXT and ignore it; what
 * remains there is that one probe. An update without the managed flag
 * takes it away (neigh_update_flags()).
 */
static int use(struct rtnl *rtnl, unsigned int index, const struct address *address, bool managed,
	uint16_t flags)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	struct nlmsghdr *message = put_header(buffer, RTM_NEWNEIGH, index, address);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);

	message->nlmsg_flags = flags;
	header->ndm_flags = NTF_USE;
	if (managed)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return rtnl_talk(rtnl, message, NULL, NULL);
}

int neighbour_manage(struct rtnl *rtnl, unsigned int index, const struct address *address)
{
	struct neighbour_message neighbour = {};
	int r;

	/*
	 * NTF_USE and NTF_EXT_MANAGED silently turn a permanent entry into an ordinary one
	 * (__neigh_update(): new = old & ~NUD_PERMANENT), so look before. NLM_F_EXCL
	 * closes the gap for an entry that is made meanwhile.
	 */
	r = get(rtnl, index, address, &neighbour);
	if (r == -ENOENT) {
		r = use(rtnl, index, address, true, NLM_F_CREATE | NLM_F_EXCL);
		if (r != -EEXIST)
			return r;
		r = get(rtnl, index, address, &neighbour);
	}
	if (r < 0)
		return r;
	if (neighbour.foreign)
		return 0;
	return use(rtnl, index, address, true, NLM_F_CREATE);
}

int neighbour_release(struct rtnl *rtnl, unsigned int index, const struct address *address)
{
	struct neighbour_message neighbour = {};
	int r;

	r = get(rtnl, index, address, &neighbour);
	if (r >= 0 && neighbour.managed && !neighbour.foreign)
		r = use(rtnl, index, address, false, 0);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}
