/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#define FIELDS(...)                                                                                \
	{                                                                                          \
		.kind = SOURCE_FIELDS, .fields = { __VA_ARGS__ },                                  \
		.n_fields = sizeof((enum ruleset_field[]){ __VA_ARGS__ }) /                        \
			    sizeof(enum ruleset_field),                                            \
	}

static const struct view views[N_VIEWS] = {
	[VIEW_IP] = {
		.chain = "vip",
		.learn = "learn",
		.recall = "client",
		.protocols = "protocols",
		.ports = "ports",
		.outgoing = "outgoing",
		.pins = "pins",
		.protocol_key = KEY_PROTOCOL,
		.port_key = KEY_PORT,
		.protocol_port_key = KEY_PROTOCOL_PORT,
		.flow_key = KEY_FLOW,
		.flow = FIELDS(FIELD_IP_PROTOCOL, FIELD_IP_SOURCE, FIELD_TH_SOURCE_PORT,
			FIELD_IP_DESTINATION, FIELD_TH_DESTINATION_PORT),
		/*
		 * Not "ip protocol" and "ip saddr": with these nft tests again that the packet is
		 * IPv4, which costs more than either. What has a port and, where IPv4 has its
		 * destination, the bytes of a VIP, is IPv4 but for one packet of IPv6 in 2^32.
		 */
		.protocol = FIELD_META_L4PROTO,
		.client = FIELD_IP_SOURCE_RAW,
		.client_port = FIELD_TH_SOURCE_PORT,
		.vip_port = FIELD_TH_DESTINATION_PORT,
	},
	[VIEW_IP6] = {
		.chain = "vip6",
		.learn = "learn6",
		.recall = "client6",
		.protocols = "protocols",
		.ports = "ports",
		.outgoing = "outgoing",
		.pins = "pins6",
		.protocol_key = KEY_PROTOCOL,
		.port_key = KEY_PORT,
		.protocol_port_key = KEY_PROTOCOL_PORT,
		.flow_key = KEY_FLOW6,
		.flow = FIELDS(FIELD_META_L4PROTO, FIELD_IP6_SOURCE, FIELD_TH_SOURCE_PORT,
			FIELD_IP6_DESTINATION, FIELD_TH_DESTINATION_PORT),
		.protocol = FIELD_META_L4PROTO,
		.client = FIELD_IP6_SOURCE,
		.client_port = FIELD_TH_SOURCE_PORT,
		.vip_port = FIELD_TH_DESTINATION_PORT,
	},
	/* What the error is about came from the VIP: source and destination are turned round. */
	[VIEW_ERROR] = {
		.is_error = true,
		.chain = "icmp",
		.learn = "learn-icmp",
		.recall = "client-icmp",
		.protocols = "protocols-icmp",
		.ports = "ports-icmp",
		.outgoing = "outgoing-icmp",
		.pins = "pins-icmp",
		.protocol_key = KEY_ERROR_PROTOCOL,
		.port_key = KEY_ERROR_PORT,
		.protocol_port_key = KEY_ERROR_PROTOCOL_PORT,
		.flow_key = KEY_ERROR_FLOW,
		.flow = FIELDS(FIELD_ERROR_PROTOCOL, FIELD_ERROR_FLOW),
		.protocol = FIELD_ERROR_PROTOCOL,
		.client = FIELD_ERROR_DESTINATION,
		.client_port = FIELD_ERROR_DESTINATION_PORT,
		.vip_port = FIELD_ERROR_SOURCE_PORT,
	},
	[VIEW_ERROR6] = {
		.is_error = true,
		.chain = "icmp6",
		.learn = "learn-icmp6",
		.recall = "client-icmp6",
		.protocols = "protocols-icmp",
		.ports = "ports-icmp",
		.outgoing = "outgoing-icmp",
		.pins = "pins-icmp6",
		.protocol_key = KEY_ERROR_PROTOCOL,
		.port_key = KEY_ERROR_PORT,
		.protocol_port_key = KEY_ERROR_PROTOCOL_PORT,
		.flow_key = KEY_ERROR_FLOW6,
		.flow = FIELDS(FIELD_ERROR6_PROTOCOL, FIELD_ERROR6_FLOW),
		.protocol = FIELD_ERROR6_PROTOCOL,
		.client = FIELD_ERROR6_DESTINATION,
		.client_port = FIELD_ERROR6_DESTINATION_PORT,
		.vip_port = FIELD_ERROR6_SOURCE_PORT,
	},
};

const struct view *view_get(enum view_kind kind)
{
	return &views[kind];
}
