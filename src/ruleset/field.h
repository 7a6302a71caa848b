/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The fields that statements name: their nft text and where the kernel finds them. */

#include "drover/ruleset.h"

/* What nft tests for before it reads a field; once in each rule. */
enum field_dependency {
	DEPENDS_ON_NOTHING,
	DEPENDS_ON_IP, /* meta protocol ip */
	DEPENDS_ON_IP6,
	DEPENDS_ON_TCP,  /* meta l4proto tcp */
	DEPENDS_ON_ICMP, /* both of IPv4 and of ICMP */
	DEPENDS_ON_ICMP6,
};

/* How a value of the field is written. */
enum field_format {
	FORMAT_HEX,           /* 0x0a090064 */
	FORMAT_DECIMAL,       /* 25 */
	FORMAT_ADDRESS,       /* 10.9.0.100 */
	FORMAT_ADDRESS6,      /* 2001:db8::100 */
	FORMAT_STRING,        /* "eth0" */
	FORMAT_PROTOCOL,      /* tcp */
	FORMAT_ETHERTYPE,     /* ip */
	FORMAT_ARP_OPERATION, /* request */
	FORMAT_TCP_FLAGS,     /* fin,syn */
	FORMAT_CT_STATE,      /* invalid,new */
	FORMAT_ICMP_TYPE,     /* time-exceeded */
	FORMAT_MARK,          /* a number in host order, as hexadecimal */
	FORMAT_PRIORITY,      /* the same as tc writes it: 6472:0 */
	FORMAT_NUMBER,        /* a number in host order, as decimal */
};

enum field_place {
	PLACE_PAYLOAD,
	PLACE_META,
	PLACE_CONNTRACK,
	PLACE_FRAGMENT_HEADER, /* of IPv6 */
};

struct field {
	const char *text;
	enum field_place place;
	uint32_t base;   /* PLACE_PAYLOAD: NFT_PAYLOAD_* */
	uint32_t offset; /* bytes */
	uint32_t length;
	uint32_t key;    /* PLACE_META: NFT_META_*, PLACE_CONNTRACK: NFT_CT_* */
	uint8_t mask[2]; /* the field's own bits, where it is not all of its bytes; nft knows it */
	enum field_dependency dependency;
	enum field_format format;
};

const struct field *field_get(enum ruleset_field field);

/* Writes a value as nft would read it. */
void field_write_value(FILE *file, enum field_format format, const struct ruleset_value *value);
