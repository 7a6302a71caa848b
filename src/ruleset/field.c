/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "field.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static const struct field fields[] = {
	[FIELD_IP_DESTINATION_RAW] = { "@nh,128,32", .base = NFT_PAYLOAD_NETWORK_HEADER,
		.offset = 16, .length = 4, .format = FORMAT_HEX },
	[FIELD_ETHER_SOURCE_RAW] = { "@ll,48,48", .base = NFT_PAYLOAD_LL_HEADER, .offset = 6,
		.length = 6, .format = FORMAT_HEX },
	[FIELD_ETHER_BOTH_RAW] = { "@ll,0,96", .base = NFT_PAYLOAD_LL_HEADER, .offset = 0,
		.length = 12, .format = FORMAT_HEX },
	[FIELD_IP_FRAGMENT_RAW] = { "@nh,32,32", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 4,
		.length = 4, .format = FORMAT_HEX },
	[FIELD_IP_FRAGMENT] = { "ip frag-off", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 6,
		.length = 2, .dependency = DEPENDS_ON_IP, .format = FORMAT_HEX },
	[FIELD_IP_ID] = { "ip id", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 4, .length = 2,
		.dependency = DEPENDS_ON_IP, .format = FORMAT_HEX },
	[FIELD_IP_DESTINATION] = { "ip daddr", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 16,
		.length = 4, .dependency = DEPENDS_ON_IP, .format = FORMAT_ADDRESS },
	[FIELD_IP_SOURCE] = { "ip saddr", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 12,
		.length = 4, .dependency = DEPENDS_ON_IP, .format = FORMAT_ADDRESS },
	[FIELD_IP_PROTOCOL] = { "ip protocol", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 9,
		.length = 1, .dependency = DEPENDS_ON_IP, .format = FORMAT_PROTOCOL },
	[FIELD_TH_SOURCE_PORT] = { "th sport", .base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = 0,
		.length = 2, .format = FORMAT_DECIMAL },
	[FIELD_TH_DESTINATION_PORT] = { "th dport", .base = NFT_PAYLOAD_TRANSPORT_HEADER,
		.offset = 2, .length = 2, .format = FORMAT_DECIMAL },
	[FIELD_TCP_FLAGS] = { "tcp flags", .base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = 13,
		.length = 1, .dependency = DEPENDS_ON_TCP, .format = FORMAT_TCP_FLAGS },
	[FIELD_META_PROTOCOL] = { "meta protocol", .is_meta = true, .meta_key = NFT_META_PROTOCOL,
		.length = 2, .format = FORMAT_ETHERTYPE },
	[FIELD_META_MARK] = { "meta mark", .is_meta = true, .meta_key = NFT_META_MARK, .length = 4,
		.format = FORMAT_MARK },
	[FIELD_META_IIFNAME] = { "iifname", .is_meta = true, .meta_key = NFT_META_IIFNAME,
		.length = IFNAMSIZ, .format = FORMAT_STRING },
	[FIELD_META_OIFNAME] = { "oifname", .is_meta = true, .meta_key = NFT_META_OIFNAME,
		.length = IFNAMSIZ, .format = FORMAT_STRING },
	[FIELD_ARP_OPERATION] = { "arp operation", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 6,
		.length = 2, .format = FORMAT_ARP_OPERATION },
	[FIELD_ARP_SOURCE] = { "arp saddr ip", .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 14,
		.length = 4, .format = FORMAT_ADDRESS },
	[FIELD_ARP_DESTINATION] = { "arp daddr ip", .base = NFT_PAYLOAD_NETWORK_HEADER,
		.offset = 24, .length = 4, .format = FORMAT_ADDRESS },
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

void field_write_value(FILE *file, enum field_format format, const struct ruleset_value *value)
{
	char text[INET_ADDRSTRLEN];
	uint32_t mark;

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
	case FORMAT_STRING:
		fprintf(file, "\"%.*s\"", (int)value->length, (const char *)value->bytes);
		break;
	case FORMAT_PROTOCOL:
		fprintf(file, "%s", value->bytes[0] == IPPROTO_TCP ? "tcp" : "udp");
		break;
	case FORMAT_ETHERTYPE:
		fprintf(file, "ip");
		break;
	case FORMAT_ARP_OPERATION:
		fprintf(file, "request");
		break;
	case FORMAT_TCP_FLAGS:
		write_flags(file, value->bytes[0]);
		break;
	case FORMAT_MARK:
		memcpy(&mark, value->bytes, sizeof(mark));
		fprintf(file, "0x%08x", mark);
		break;
	case FORMAT_NUMBER:
		memcpy(&mark, value->bytes, sizeof(mark));
		fprintf(file, "%u", mark);
		break;
	}
}
