/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What sets are keyed by: how nft names the type, and what it tells the kernel of it. */

#include "field.h"

struct nftnl_set;

enum { KEY_PARTS_MAX = 5 };

/* One field of a key. */
struct key_part {
	enum field_format format;
	uint32_t type;     /* nft's own number of the data type, which the kernel just keeps */
	uint32_t length;   /* in bytes; in a key of several parts each takes whole words of 4 */
	uint32_t raw_base; /* "typeof @base,offset,length", in bits: NFT_PAYLOAD_* */
	uint32_t raw_offset;
};

struct key {
	const char
		*text; /* as in "typeof @nh,128,32" or "type mark"; KEY_NUMBER adds its modulus */
	bool is_typeof;
	bool host_order;
	bool no_order; /* nft states none for the type */
	size_t n_parts;
	struct key_part parts[KEY_PARTS_MAX];
};

const struct key *key_get(enum ruleset_key key);

/* Writes one key of a set, "tcp . 192.0.2.9 . 40000 . 192.0.2.100 . 80". */
void key_write_value(FILE *file, enum ruleset_key key, const struct ruleset_value *value);

/* Writes "typeof numgen inc mod 4096 : verdict" for a set. */
void key_write_type(FILE *file, const struct ruleset_set *set);

/*
 * Sets key, data type and lengths on a set, and the user data from which nft
 * lists it as it was written. Returns 0 or -ENOMEM.
 */
int key_apply(struct nftnl_set *nftnl_set, const struct ruleset_set *set);
