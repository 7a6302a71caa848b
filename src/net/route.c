/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTM_GETROUTE: one question, one route. */

#include "drover/route.h"

#include "net.h"

#include <errno.h>
#include <linux/rtnetlink.h>

DEFINE_CLEANUP(struct rtnl, rtnl_close)

struct route_answer {
	bool found;
	uint32_t interface_index;
};

static void take_route(const struct nlmsghdr *message, void *user_data)
{
	struct route_answer *answer = user_data;
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
		return;
	for (attribute = mnl_nlmsg_get_payload_offset(message, sizeof(struct rtmsg));
		mnl_attr_ok(attribute, rtnl_bytes_left(message, attribute));
		attribute = mnl_attr_next(attribute)) {
		if (mnl_attr_get_type(attribute) != RTA_OIF ||
			mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
			continue;
		answer->interface_index = mnl_attr_get_u32(attribute);
		answer->found = true;
	}
}

static struct nlmsghdr *put_question(
	void *buffer, const struct address *to, const struct address *from)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	uint8_t length = (uint8_t)prefix_full_length(to->family);
	struct rtmsg *header;

	message->nlmsg_type = RTM_GETROUTE;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->rtm_family = (uint8_t)to->family;
	header->rtm_dst_len = length;
	mnl_attr_put(message, RTA_DST, address_size(to->family), to->bytes);
	if (from) {
		header->rtm_src_len = length;
		mnl_attr_put(message, RTA_SRC, address_size(from->family), from->bytes);
	}
	return message;
}

int route_find(
	const struct address *to, const struct address *from, unsigned int *ret_interface_index)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	struct rtnl rtnl = {};
	_cleanup_(rtnl_close_p) struct rtnl *owned = &rtnl;
	struct route_answer answer = {};
	int r;

	r = rtnl_open(&rtnl, 0);
	if (r < 0)
		return r;
	r = rtnl_talk(owned, put_question(buffer, to, from), take_route, &answer);
	if (r < 0)
		return r;
	if (!answer.found)
		return -EBADMSG;
	*ret_interface_index = answer.interface_index;
	return 0;
}
