/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "field.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define NETWORK(offset_, length_)                                                                  \
	.base = NFT_PAYLOAD_NETWORK_HEADER, .offset = (offset_), .length = (length_)
#define TRANSPORT(offset_, length_)                                                                \
	.base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = (offset_), .length = (length_)
#define LINK(offset_, length_)                                                                     \
	.base = NFT_PAYLOAD_LL_HEADER, .offset = (offset_), .length = (length_)
#define FRAGMENT_HEADER(offset_, length_)                                                          \
	.place = PLACE_FRAGMENT_HEADER, .dependency = DEPENDS_ON_IP6, .offset = (offset_),         \
	.length = (length_)

/* What an ICMP error is about begins 8 bytes behind its own header, with an IP header. */
static const struct field fields[] = {
	[FIELD_IP_DESTINATION_RAW] = { "@nh,128,32", NETWORK(16, 4), .format = FORMAT_HEX },
	[FIELD_ETHER_SOURCE_RAW] = { "@ll,48,48", LINK(6, 6), .format = FORMAT_HEX },
	[FIELD_ETHER_BOTH_RAW] = { "@ll,0,96", LINK(0, 12), .format = FORMAT_HEX },
	[FIELD_FRAGMENT_RAW] = { "@nh,32,32", NETWORK(4, 4), .format = FORMAT_HEX },
	[FIELD_IP_ID] = { "ip id", NETWORK(4, 2), .dependency = DEPENDS_ON_IP,
		.format = FORMAT_HEX },
	[FIELD_IP_SOURCE] = { "ip saddr", NETWORK(12, 4), .dependency = DEPENDS_ON_IP,
		.format = FORMAT_ADDRESS },
	[FIELD_IP_SOURCE_RAW] = { "@nh,96,32", NETWORK(12, 4), .format = FORMAT_HEX },
	[FIELD_IP_DESTINATION] = { "ip daddr", NETWORK(16, 4), .dependency = DEPENDS_ON_IP,
		.format = FORMAT_ADDRESS },
	[FIELD_IP_PROTOCOL] = { "ip protocol", NETWORK(9, 1), .dependency = DEPENDS_ON_IP,
		.format = FORMAT_PROTOCOL },
	[FIELD_IP6_SOURCE] = { "ip6 saddr", NETWORK(8, 16), .dependency = DEPENDS_ON_IP6,
		.format = FORMAT_ADDRESS6 },
	[FIELD_IP6_DESTINATION] = { "ip6 daddr", NETWORK(24, 16), .dependency = DEPENDS_ON_IP6,
		.format = FORMAT_ADDRESS6 },
	[FIELD_IP6_NEXT_HEADER] = { "ip6 nexthdr", NETWORK(6, 1), .dependency = DEPENDS_ON_IP6,
		.format = FORMAT_DECIMAL },
	[FIELD_FRAG_OFFSET] = { "frag frag-off", FRAGMENT_HEADER(2, 2), .format = FORMAT_DECIMAL,
		.mask = { 0xff, 0xf8 } },
	[FIELD_FRAG_MORE] = { "frag more-fragments", FRAGMENT_HEADER(3, 1),
		.format = FORMAT_DECIMAL, .mask = { 0x01 } },
	[FIELD_FRAG_ID] = { "frag id", FRAGMENT_HEADER(4, 4), .format = FORMAT_DECIMAL },
	[FIELD_TH_SOURCE_PORT] = { "th sport", TRANSPORT(0, 2), .format = FORMAT_DECIMAL },
	[FIELD_TH_DESTINATION_PORT] = { "th dport", TRANSPORT(2, 2), .format = FORMAT_DECIMAL },
	[FIELD_TCP_FLAGS] = { "tcp flags", TRANSPORT(13, 1), .dependency = DEPENDS_ON_TCP,
		.format = FORMAT_TCP_FLAGS },
	[FIELD_ICMP_TYPE] = { "icmp type", TRANSPORT(0, 1), .dependency = DEPENDS_ON_ICMP,
		.format = FORMAT_ICMP_TYPE },
	[FIELD_ICMP6_TYPE] = { "icmpv6 type", TRANSPORT(0, 1), .dependency = DEPENDS_ON_ICMP6,
		.format = FORMAT_DECIMAL },
	[FIELD_ICMP_ID_RAW] = { "@th,32,16", TRANSPORT(4, 2), .format = FORMAT_HEX },
	[FIELD_ERROR_VERSION] = { "@th,64,8", TRANSPORT(8, 1), .format = FORMAT_HEX },
	[FIELD_ERROR_FRAGMENT] = { "@th,112,16", TRANSPORT(14, 2), .format = FORMAT_HEX },
	[FIELD_ERROR_PROTOCOL] = { "@th,136,8", TRANSPORT(17, 1), .format = FORMAT_HEX },
	[FIELD_ERROR_FLOW] = { "@th,160,96", TRANSPORT(20, 12), .format = FORMAT_HEX },
	[FIELD_ERROR_DESTINATION] = { "@th,192,32", TRANSPORT(24, 4), .format = FORMAT_HEX },
	[FIELD_ERROR_SOURCE_PORT] = { "@th,224,16", TRANSPORT(28, 2), .format = FORMAT_HEX },
	[FIELD_ERROR_DESTINATION_PORT] = { "@th,240,16", TRANSPORT(30, 2), .format = FORMAT_HEX },
	[FIELD_ERROR6_PROTOCOL] = { "@th,112,8", TRANSPORT(14, 1), .format = FORMAT_HEX },
	[FIELD_ERROR6_FLOW] = { "@th,128,288", TRANSPORT(16, 36), .format = FORMAT_HEX },
	[FIELD_ERROR6_DESTINATION] = { "@th,256,128", TRANSPORT(32, 16), .format = FORMAT_HEX },
	[FIELD_ERROR6_SOURCE_PORT] = { "@th,384,16", TRANSPORT(48, 2), .format = FORMAT_HEX },
	[FIELD_ERROR6_DESTINATION_PORT] = { "@th,400,16", TRANSPORT(50, 2), .format = FORMAT_HEX },
	[FIELD_ND_TARGET] = { "@th,64,128", TRANSPORT(8, 16), .format = FORMAT_HEX },
	[FIELD_META_L4PROTO] = { "meta l4proto", .place = PLACE_META, .key = NFT_META_L4PROTO,
		.length = 1, .format = FORMAT_PROTOCOL },
	[FIELD_META_PROTOCOL] = { "meta protocol", .place = PLACE_META, .key = NFT_META_PROTOCOL,
		.length = 2, .format = FORMAT_ETHERTYPE },
	[FIELD_META_MARK] = { "meta mark", .place = PLACE_META, .key = NFT_META_MARK, .length = 4,
		.format = FORMAT_MARK },
	[FIELD_META_PRIORITY] = { "meta priority", .place = PLACE_META, .key = NFT_META_PRIORITY,
		.length = 4, .format = FORMAT_PRIORITY },
	[FIELD_META_IIFNAME] = { "iifname", .place = PLACE_META, .key = NFT_META_IIFNAME,
		.length = IFNAMSIZ, .format = FORMAT_STRING },
	[FIELD_META_OIFNAME] = { "oifname", .place = PLACE_META, .key = NFT_META_OIFNAME,
		.length = IFNAMSIZ, .format = FORMAT_STRING },
	[FIELD_CT_STATE] = { "ct state", .place = PLACE_CONNTRACK, .key = NFT_CT_STATE, .length = 4,
		.format = FORMAT_CT_STATE },
	[FIELD_ARP_OPERATION] = { "arp operation", NETWORK(6, 2), .format = FORMAT_ARP_OPERATION },
	[FIELD_ARP_SOURCE] = { "arp saddr ip", NETWORK(14, 4), .format = FORMAT_ADDRESS },
	[FIELD_ARP_DESTINATION] = { "arp daddr ip", NETWORK(24, 4), .format = FORMAT_ADDRESS },
};

const struct field *field_get(enum ruleset_field field)
{
	return &fields[field];
}

static uint32_t as_number(const struct ruleset_value *value)
{
	uint32_t number = 0;

	for (size_t i = 0; i < value->length; i++)
		number = number << 8 | value->bytes[i];
	return number;
}

static void write_flags(FILE *file, uint8_t flags)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg" };
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & (1 << i)) {
			fprintf(file, "%s%s", separator, names[i]);
			separator = ",";
		}
}

static void write_states(FILE *file, const struct ruleset_value *value)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} states[] = {
		{ NF_CT_STATE_INVALID_BIT, "invalid" },
		{ NF_CT_STATE_BIT(IP_CT_NEW), "new" },
	};
	const char *separator = "";
	uint32_t bits;

	memcpy(&bits, value->bytes, sizeof(bits));
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (bits & states[i].bit) {
			fprintf(file, "%s%s", separator, states[i].name);
			separator = ",";
		}
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6"; /* as nft knows it without a file of protocols */
	default:
		return NULL;
	}
}

static const char *icmp_type_name(uint8_t type)
{
	switch (type) {
	case ICMP_ECHOREPLY:
		return "echo-reply";
	case ICMP_ECHO:
		return "echo-request";
	case ICMP_DEST_UNREACH:
		return "destination-unreachable";
	case ICMP_TIME_EXCEEDED:
		return "time-exceeded";
	case ICMP_PARAMETERPROB:
		return "parameter-problem";
	default:
		return NULL;
	}
}

void field_write_value(FILE *file, enum field_format format, const struct ruleset_value *value)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t number;

	switch (format) {
	case FORMAT_HEX:
		fprintf(file, "0x");
		for (size_t i = 0; i < value->length; i++)
			fprintf(file, "%02x", value->bytes[i]);
		break;
	case FORMAT_DECIMAL:
		fprintf(file, "%u", as_number(value));
		break;
	case FORMAT_ADDRESS:
		fprintf(file, "%s", inet_ntop(AF_INET, value->bytes, text, sizeof(text)));
		break;
	case FORMAT_ADDRESS6:
		fputs(inet_ntop(AF_INET6, value->bytes, text, sizeof(text)), file);
		break;
	case FORMAT_STRING:
		fprintf(file, "\"%.*s\"", (int)value->length, (const char *)value->bytes);
		break;
	case FORMAT_PROTOCOL:
		fputs(protocol_name(value->bytes[0]), file);
		break;
	case FORMAT_ETHERTYPE:
		fputs(value->bytes[0] == 0x86 ? "ip6" : "ip", file);
		break;
	case FORMAT_ARP_OPERATION:
		fprintf(file, "request");
		break;
	case FORMAT_TCP_FLAGS:
		write_flags(file, value->bytes[0]);
		break;
	case FORMAT_CT_STATE:
		write_states(file, value);
		break;
	case FORMAT_ICMP_TYPE:
		fputs(icmp_type_name(value->bytes[0]), file);
		break;
	case FORMAT_MARK:
		memcpy(&number, value->bytes, sizeof(number));
		fprintf(file, "0x%08x", number);
		break;
	case FORMAT_PRIORITY:
		memcpy(&number, value->bytes, sizeof(number));
		fprintf(file, "%x:%x", number >> 16, number & 0xffff);
		break;
	case FORMAT_NUMBER:
		memcpy(&number, value->bytes, sizeof(number));
		fprintf(file, "%u", number);
		break;
	}
}
