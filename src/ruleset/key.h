/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What sets are keyed by: how nft names the type, and what it tells the kernel of it. */

#include "field.h"

struct nftnl_set;

struct key {
	/* As in "typeof @nh,128,32" or "type mark"; KEY_SLOT adds its modulus. */
	const char *text;
	enum field_format format; /* of an element's key */
	uint32_t type;   /* nft's own number of the data type, which the kernel just keeps */
	uint32_t length; /* in bytes */
	bool host_order;
	bool is_typeof;
	uint32_t raw_base; /* "typeof @base,offset,length", in bits: NFT_PAYLOAD_* */
	uint32_t raw_offset;
};

const struct key *key_get(enum ruleset_key key);

/* Writes "typeof numgen inc mod 4096 : verdict" for a set. */
void key_write_type(FILE *file, const struct ruleset_set *set);

/*
 * Sets key, data type and lengths on a set, and the user data from which nft
 * lists it as it was written. Returns 0 or -ENOMEM.
 */
int key_apply(struct nftnl_set *nftnl_set, const struct ruleset_set *set);
