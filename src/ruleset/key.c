/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "key.h"

#include "drover/cleanup.h"

#include <errno.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/*
 * nft's data type numbers (enum datatypes in its include/datatype.h); a concatenation has
 * 6 bits for each part.
 */
enum {
	TYPE_INTEGER = 4,
	TYPE_IPADDR = 7,
	TYPE_IP6ADDR = 8,
	TYPE_INET_PROTOCOL = 12,
	TYPE_INET_SERVICE = 13,
	TYPE_ICMP_TYPE = 14,
	TYPE_MARK = 19,
	TYPE_CLASSID = 23,
	TYPE_BITS = 6,
};

/* nft's expression numbers (enum expr_types in its include/expression.h). */
enum {
	EXPR_VERDICT = 1,
	EXPR_PAYLOAD = 7,
	EXPR_META = 9,
	EXPR_CONCAT = 13,
	EXPR_NUMGEN = 23,
};

/* nft's byte orders (enum byteorder in its include/datatype.h). */
enum {
	BYTEORDER_INVALID,
	BYTEORDER_HOST_ENDIAN,
	BYTEORDER_BIG_ENDIAN,
};

/*
 * What nft writes into the user data of "typeof" expressions (payload.c, numgen.c
 * and meta.c of nft, which do not export these numbers).
 */
enum {
	UDATA_RAW_DESC = 0,
	UDATA_RAW_TYPE = 1,
	UDATA_RAW_BASE = 2,
	UDATA_RAW_OFFSET = 3,
	UDATA_RAW_LENGTH = 4,
	UDATA_NUMGEN_TYPE = 0,
	UDATA_NUMGEN_MODULUS = 1,
	UDATA_NUMGEN_OFFSET = 2,
	PAYLOAD_BASE_LL = 1,
	PAYLOAD_BASE_NETWORK = 2,
	PAYLOAD_BASE_TRANSPORT = 3,
};

#define RAW(base, offset, bits)                                                                    \
	{                                                                                          \
		FORMAT_HEX, TYPE_INTEGER, (bits) / 8, PAYLOAD_BASE_##base, offset                  \
	}
#define PROTOCOL                                                                                   \
	{                                                                                          \
		FORMAT_PROTOCOL, TYPE_INET_PROTOCOL, 1                                             \
	}
#define ADDRESS                                                                                    \
	{                                                                                          \
		FORMAT_ADDRESS, TYPE_IPADDR, 4                                                     \
	}
#define ADDRESS6                                                                                   \
	{                                                                                          \
		FORMAT_ADDRESS6, TYPE_IP6ADDR, 16                                                  \
	}
#define PORT                                                                                       \
	{                                                                                          \
		FORMAT_DECIMAL, TYPE_INET_SERVICE, 2                                               \
	}

static const struct key keys[] = {
	[KEY_IP_DESTINATION_RAW] = { "@nh,128,32", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(NETWORK, 128, 32) } },
	[KEY_ETHER_SOURCE_RAW] = { "@ll,48,48", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(LL, 48, 48) } },
	[KEY_PROTOCOL] = { "inet_proto", .no_order = true, .n_parts = 1, .parts = { PROTOCOL } },
	[KEY_PORT] = { "inet_service", .n_parts = 1, .parts = { PORT } },
	[KEY_PROTOCOL_PORT] = { "inet_proto . inet_service", .n_parts = 2,
		.parts = { PROTOCOL, PORT } },
	[KEY_ERROR_PROTOCOL] = { "@th,136,8", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(TRANSPORT, 136, 8) } },
	[KEY_ERROR_PORT] = { "@th,224,16", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(TRANSPORT, 224, 16) } },
	[KEY_ERROR_PROTOCOL_PORT] = { "@th,136,8 . @th,224,16", .is_typeof = true, .n_parts = 2,
		.parts = { RAW(TRANSPORT, 136, 8), RAW(TRANSPORT, 224, 16) } },
	[KEY_NUMBER] = { "numgen inc mod", .is_typeof = true, .host_order = true, .n_parts = 1,
		.parts = { { FORMAT_NUMBER, TYPE_INTEGER, 4 } } },
	[KEY_MARK] = { "mark", .host_order = true, .n_parts = 1,
		.parts = { { FORMAT_MARK, TYPE_MARK, 4 } } },
	[KEY_PRIORITY] = { "classid", .host_order = true, .n_parts = 1,
		.parts = { { FORMAT_PRIORITY, TYPE_CLASSID, 4 } } },
	[KEY_ADDRESS] = { "ipv4_addr", .n_parts = 1, .parts = { ADDRESS } },
	[KEY_ADDRESS6] = { "ipv6_addr", .n_parts = 1, .parts = { ADDRESS6 } },
	[KEY_ICMP_TYPE] = { "icmp_type", .n_parts = 1,
		.parts = { { FORMAT_ICMP_TYPE, TYPE_ICMP_TYPE, 1 } } },
	[KEY_ICMP_ID] = { "@th,32,16", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(TRANSPORT, 32, 16) } },
	[KEY_ND_TARGET] = { "@th,64,128", .is_typeof = true, .n_parts = 1,
		.parts = { RAW(TRANSPORT, 64, 128) } },
	[KEY_FLOW] = { "inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service",
		.n_parts = 5, .parts = { PROTOCOL, ADDRESS, PORT, ADDRESS, PORT } },
	[KEY_FLOW6] = { "inet_proto . ipv6_addr . inet_service . ipv6_addr . inet_service",
		.n_parts = 5, .parts = { PROTOCOL, ADDRESS6, PORT, ADDRESS6, PORT } },
	/* Addresses and ports at one stroke: nft cannot list a key of five raw parts. */
	[KEY_ERROR_FLOW] = { "@th,136,8 . @th,160,96", .is_typeof = true, .n_parts = 2,
		.parts = { RAW(TRANSPORT, 136, 8), RAW(TRANSPORT, 160, 96) } },
	[KEY_ERROR_FLOW6] = { "@th,112,8 . @th,128,288", .is_typeof = true, .n_parts = 2,
		.parts = { RAW(TRANSPORT, 112, 8), RAW(TRANSPORT, 128, 288) } },
};

const struct key *key_get(enum ruleset_key key)
{
	return &keys[key];
}

static uint32_t padded(uint32_t length)
{
	return (length + 3) / 4 * 4;
}

static uint32_t key_length(const struct key *key)
{
	uint32_t length = 0;

	if (key->n_parts == 1)
		return key->parts[0].length;
	for (size_t i = 0; i < key->n_parts; i++)
		length += padded(key->parts[i].length);
	return length;
}

static uint32_t key_type(const struct key *key)
{
	uint32_t type = 0;

	for (size_t i = 0; i < key->n_parts; i++)
		type = type << TYPE_BITS | key->parts[i].type;
	return type;
}

void key_write_value(FILE *file, enum ruleset_key kind, const struct ruleset_value *value)
{
	const struct key *key = key_get(kind);
	size_t offset = 0;

	for (size_t i = 0; i < key->n_parts; i++) {
		const struct key_part *part = &key->parts[i];
		struct ruleset_value field = { .length = (uint8_t)part->length };

		memcpy(field.bytes, value->bytes + offset, part->length);
		if (i > 0)
			fputs(" . ", file);
		field_write_value(file, part->format, &field);
		offset += padded(part->length);
	}
}

/* A map is "typeof" in both its key and its data, or in neither. */
static const char *data_text(const struct ruleset_set *set)
{
	switch (set->data) {
	case DATA_NONE:
		return "";
	case DATA_VERDICT:
		return " : verdict";
	case DATA_MARK:
		return key_get(set->key)->is_typeof ? " : meta mark" : " : mark";
	}
	return NULL;
}

void key_write_type(FILE *file, const struct ruleset_set *set)
{
	const struct key *key = key_get(set->key);

	fprintf(file, "%s %s", key->is_typeof ? "typeof" : "type", key->text);
	if (set->key == KEY_NUMBER)
		fprintf(file, " %u", set->modulus);
	fputs(data_text(set), file);
}

static void put_raw(struct nftnl_udata_buf *buffer, const struct key_part *part)
{
	struct nftnl_udata *inner;

	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_PAYLOAD);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	nftnl_udata_put_u32(buffer, UDATA_RAW_DESC, 0);
	nftnl_udata_put_u32(buffer, UDATA_RAW_TYPE, 0);
	nftnl_udata_put_u32(buffer, UDATA_RAW_BASE, part->raw_base);
	nftnl_udata_put_u32(buffer, UDATA_RAW_OFFSET, part->raw_offset);
	nftnl_udata_put_u32(buffer, UDATA_RAW_LENGTH, part->length * 8);
	nftnl_udata_nest_end(buffer, inner);
}

/* nft marks a concatenation even where its parts are named by type, and then names none. */
static void put_concatenation(struct nftnl_udata_buf *buffer, const struct key *key)
{
	struct nftnl_udata *inner;

	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_CONCAT);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	for (size_t i = 0; key->is_typeof && i < key->n_parts; i++) {
		struct nftnl_udata *part = nftnl_udata_nest_start(buffer, (uint8_t)i);

		put_raw(buffer, &key->parts[i]);
		nftnl_udata_nest_end(buffer, part);
	}
	nftnl_udata_nest_end(buffer, inner);
}

static void put_number(struct nftnl_udata_buf *buffer, uint32_t modulus)
{
	struct nftnl_udata *inner;

	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_NUMGEN);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	nftnl_udata_put_u32(buffer, UDATA_NUMGEN_TYPE, NFT_NG_INCREMENTAL);
	nftnl_udata_put_u32(buffer, UDATA_NUMGEN_MODULUS, modulus);
	nftnl_udata_put_u32(buffer, UDATA_NUMGEN_OFFSET, 0);
	nftnl_udata_nest_end(buffer, inner);
}

static void put_typeof_key(struct nftnl_udata_buf *buffer, const struct ruleset_set *set)
{
	const struct key *key = key_get(set->key);
	struct nftnl_udata *outer = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_KEY_TYPEOF);

	if (key->n_parts > 1)
		put_concatenation(buffer, key);
	else if (set->key == KEY_NUMBER)
		put_number(buffer, set->modulus);
	else
		put_raw(buffer, &key->parts[0]);
	nftnl_udata_nest_end(buffer, outer);
}

/* nft lists a map as "typeof" only if its data have one as well, be it a verdict's empty one. */
static void put_typeof_data(struct nftnl_udata_buf *buffer, enum ruleset_data data)
{
	struct nftnl_udata *outer, *inner;

	outer = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_DATA_TYPEOF);
	nftnl_udata_put_u32(
		buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, data == DATA_MARK ? EXPR_META : EXPR_VERDICT);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	if (data == DATA_MARK)
		nftnl_udata_put_u32(buffer, 0, NFT_META_MARK);
	nftnl_udata_nest_end(buffer, inner);
	nftnl_udata_nest_end(buffer, outer);
}

/* In the order in which nft writes it, so that a re-loaded listing gives the same bytes. */
static int apply_user_data(struct nftnl_set *nftnl_set, const struct ruleset_set *set)
{
	const struct key *key = key_get(set->key);
	struct nftnl_udata_buf *buffer = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	uint32_t key_order = key->host_order ? BYTEORDER_HOST_ENDIAN : BYTEORDER_BIG_ENDIAN;
	int r;

	if (!buffer)
		return -ENOMEM;
	if (key->no_order || key->n_parts > 1)
		key_order = BYTEORDER_INVALID;
	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_KEYBYTEORDER, key_order);
	if (set->data != DATA_NONE)
		nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_DATABYTEORDER,
			set->data == DATA_MARK ? BYTEORDER_HOST_ENDIAN : BYTEORDER_INVALID);
	if (key->is_typeof || key->n_parts > 1)
		put_typeof_key(buffer, set);
	if (key->is_typeof && set->data != DATA_NONE)
		put_typeof_data(buffer, set->data);
	if (set->data != DATA_NONE)
		nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_DATA_INTERVAL, 0);
	r = nftnl_set_set_data(nftnl_set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(buffer),
		nftnl_udata_buf_len(buffer));
	nftnl_udata_buf_free(buffer);
	return r < 0 ? -ENOMEM : 0;
}

int key_apply(struct nftnl_set *nftnl_set, const struct ruleset_set *set)
{
	const struct key *key = key_get(set->key);

	nftnl_set_set_u32(nftnl_set, NFTNL_SET_KEY_TYPE, key_type(key));
	nftnl_set_set_u32(nftnl_set, NFTNL_SET_KEY_LEN, key_length(key));
	if (set->data == DATA_VERDICT) {
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_LEN, 0);
	} else if (set->data == DATA_MARK) {
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_TYPE, TYPE_MARK);
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	}
	return apply_user_data(nftnl_set, set);
}
