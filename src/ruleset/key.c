/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "key.h"

#include "drover/cleanup.h"

#include <errno.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

/*
 * nft's data type numbers (enum datatypes in its include/datatype.h); a concatenation has
 * 6 bits for each part.
 */
enum {
	TYPE_INTEGER = 4,
	TYPE_IPADDR = 7,
	TYPE_INET_SERVICE = 13,
	TYPE_MARK = 19,
	TYPE_IPADDR_INET_SERVICE = TYPE_IPADDR << 6 | TYPE_INET_SERVICE,
	TYPE_IPADDR_IPADDR_INTEGER = TYPE_IPADDR << 12 | TYPE_IPADDR << 6 | TYPE_INTEGER,
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
	UDATA_PAYLOAD_DESC = 0,
	UDATA_PAYLOAD_TYPE = 1,
	UDATA_PAYLOAD_LENGTH = 4,
	PROTOCOL_IP = 12, /* enum proto_desc_id */
	IP_ID = 6,        /* enum ip_hdr_fields */
	IP_SOURCE = 11,
	IP_DESTINATION = 12,
};

static const struct key keys[] = {
	[KEY_IP_DESTINATION_RAW] = { "@nh,128,32", FORMAT_HEX, TYPE_INTEGER, 4, .is_typeof = true,
		.raw_base = PAYLOAD_BASE_NETWORK, .raw_offset = 128 },
	[KEY_ETHER_SOURCE_RAW] = { "@ll,48,48", FORMAT_HEX, TYPE_INTEGER, 6, .is_typeof = true,
		.raw_base = PAYLOAD_BASE_LL, .raw_offset = 48 },
	[KEY_PORT] = { "inet_service", FORMAT_DECIMAL, TYPE_INET_SERVICE, 2 },
	[KEY_SLOT] = { "numgen inc mod", FORMAT_NUMBER, TYPE_INTEGER, 4, .host_order = true,
		.is_typeof = true },
	[KEY_MARK] = { "mark", FORMAT_MARK, TYPE_MARK, 4, .host_order = true },
	[KEY_FLOW] = { "ipv4_addr . inet_service", FORMAT_HEX, TYPE_IPADDR_INET_SERVICE, 8 },
	[KEY_FRAGMENT] = { "ip saddr . ip daddr . ip id", FORMAT_HEX, TYPE_IPADDR_IPADDR_INTEGER,
		12, .is_typeof = true },
	[KEY_ADDRESS] = { "ipv4_addr", FORMAT_ADDRESS, TYPE_IPADDR, 4 },
};

const struct key *key_get(enum ruleset_key key)
{
	return &keys[key];
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
	if (set->key == KEY_SLOT)
		fprintf(file, " %u", set->modulus);
	fputs(data_text(set), file);
}

/* One field of the IPv4 header, as the index-th part of a concatenation. */
static void put_ip_field(
	struct nftnl_udata_buf *buffer, uint8_t index, uint32_t field, uint32_t length)
{
	struct nftnl_udata *outer = nftnl_udata_nest_start(buffer, index), *inner;

	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_PAYLOAD);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	nftnl_udata_put_u32(buffer, UDATA_PAYLOAD_DESC, PROTOCOL_IP);
	nftnl_udata_put_u32(buffer, UDATA_PAYLOAD_TYPE, field);
	if (length > 0)
		nftnl_udata_put_u32(buffer, UDATA_PAYLOAD_LENGTH, length);
	nftnl_udata_nest_end(buffer, inner);
	nftnl_udata_nest_end(buffer, outer);
}

/* nft marks a concatenation even where its parts are named by type, and then names none. */
static void put_concatenation(struct nftnl_udata_buf *buffer, enum ruleset_key key)
{
	struct nftnl_udata *outer, *inner;

	outer = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_KEY_TYPEOF);
	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_CONCAT);
	inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
	if (key == KEY_FRAGMENT) {
		put_ip_field(buffer, 0, IP_SOURCE, 0);
		put_ip_field(buffer, 1, IP_DESTINATION, 0);
		put_ip_field(buffer, 2, IP_ID, 16);
	}
	nftnl_udata_nest_end(buffer, inner);
	nftnl_udata_nest_end(buffer, outer);
}

static void put_typeof_key(struct nftnl_udata_buf *buffer, const struct ruleset_set *set)
{
	const struct key *key = key_get(set->key);
	struct nftnl_udata *outer, *inner;

	outer = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_KEY_TYPEOF);
	if (set->key == KEY_SLOT) {
		nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_NUMGEN);
		inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
		nftnl_udata_put_u32(buffer, UDATA_NUMGEN_TYPE, NFT_NG_INCREMENTAL);
		nftnl_udata_put_u32(buffer, UDATA_NUMGEN_MODULUS, set->modulus);
		nftnl_udata_put_u32(buffer, UDATA_NUMGEN_OFFSET, 0);
	} else {
		nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_PAYLOAD);
		inner = nftnl_udata_nest_start(buffer, NFTNL_UDATA_SET_TYPEOF_DATA);
		nftnl_udata_put_u32(buffer, UDATA_RAW_DESC, 0);
		nftnl_udata_put_u32(buffer, UDATA_RAW_TYPE, 0);
		nftnl_udata_put_u32(buffer, UDATA_RAW_BASE, key->raw_base);
		nftnl_udata_put_u32(buffer, UDATA_RAW_OFFSET, key->raw_offset);
		nftnl_udata_put_u32(buffer, UDATA_RAW_LENGTH, key->length * 8);
	}
	nftnl_udata_nest_end(buffer, inner);
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
	if (set->key == KEY_FLOW || set->key == KEY_FRAGMENT)
		key_order = BYTEORDER_INVALID;
	nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_KEYBYTEORDER, key_order);
	if (set->data != DATA_NONE)
		nftnl_udata_put_u32(buffer, NFTNL_UDATA_SET_DATABYTEORDER,
			set->data == DATA_MARK ? BYTEORDER_HOST_ENDIAN : BYTEORDER_INVALID);
	if (set->key == KEY_FLOW || set->key == KEY_FRAGMENT)
		put_concatenation(buffer, set->key);
	else if (key->is_typeof)
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

	nftnl_set_set_u32(nftnl_set, NFTNL_SET_KEY_TYPE, key->type);
	nftnl_set_set_u32(nftnl_set, NFTNL_SET_KEY_LEN, key->length);
	if (set->data == DATA_VERDICT) {
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_LEN, 0);
	} else if (set->data == DATA_MARK) {
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_TYPE, TYPE_MARK);
		nftnl_set_set_u32(nftnl_set, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	}
	return apply_user_data(nftnl_set, set);
}
