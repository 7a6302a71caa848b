/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A ruleset: nftables tables, sets, chains and rules as data.
 *
 * It is the one description that everything else reads: script.h writes it as
 * an nft script, message.h as netlink messages, diff.h compares two of them,
 * and nft.h reads one back from the kernel. compile.h makes it from a plan.
 *
 * The vocabulary is exactly what drover needs; a new kind of statement is one more
 * row in statement.c (its text and its kernel expressions side by side).
 *
 * A signature is the canonical text of an object in the kernel's terms, the
 * same whether it was compiled here or read back. Objects are compared by it, so
 * what was read back needs no other field.
 */

#include "drover/conf.h"

#include <stdint.h>

enum ruleset_family {
	RULESET_NETDEV,
	RULESET_ARP,
};

/* A field of the packet, or of its metadata, that can be matched, hashed or looked up. */
enum ruleset_field {
	FIELD_IP_DESTINATION_RAW, /* @nh,128,32: IPv4 destination, without a protocol test */
	FIELD_ETHER_SOURCE_RAW,   /* @ll,48,48 */
	FIELD_ETHER_BOTH_RAW,     /* @ll,0,96: destination and source */
	FIELD_IP_FRAGMENT_RAW, /* @nh,32,32: IPv4 id, flags and fragment offset, no protocol test */
	FIELD_IP_FRAGMENT,     /* flags and fragment offset behind one */
	FIELD_IP_ID,
	FIELD_IP_SOURCE,
	FIELD_IP_DESTINATION,
	FIELD_IP_PROTOCOL,
	FIELD_TH_SOURCE_PORT,
	FIELD_TH_DESTINATION_PORT,
	FIELD_TCP_FLAGS,
	FIELD_META_PROTOCOL,
	FIELD_META_MARK,
	FIELD_META_IIFNAME,
	FIELD_META_OIFNAME,
	FIELD_ARP_OPERATION,
	FIELD_ARP_SOURCE,
	FIELD_ARP_DESTINATION,
};

/* What a set or map is keyed by. */
enum ruleset_key {
	KEY_IP_DESTINATION_RAW,
	KEY_ETHER_SOURCE_RAW,
	KEY_PORT,
	KEY_SLOT, /* a number below the set's modulus, in host byte order */
	KEY_MARK,
	KEY_FLOW,     /* client address and port */
	KEY_FRAGMENT, /* source, destination and id of an IPv4 packet */
	KEY_ADDRESS,
};

enum ruleset_data {
	DATA_NONE,    /* a set */
	DATA_VERDICT, /* a verdict map */
	DATA_MARK,    /* a map to packet marks */
};

enum ruleset_verdict_kind {
	VERDICT_ACCEPT,
	VERDICT_DROP,
	VERDICT_GOTO,
};

struct ruleset_verdict {
	enum ruleset_verdict_kind kind;
	const char *chain; /* VERDICT_GOTO: owned by whoever owns the verdict's container */
};

enum { RULESET_VALUE_MAX = 16 };

/* Bytes as the packet has them (network order), or as a register has them. */
struct ruleset_value {
	uint8_t bytes[RULESET_VALUE_MAX];
	uint8_t length;
};

struct ruleset_element {
	struct ruleset_value key;
	struct ruleset_value last;      /* interval sets: the last key of the range, inclusive */
	struct ruleset_verdict verdict; /* DATA_VERDICT; chain is owned by the set's table */
	uint32_t mark;                  /* DATA_MARK, host order */
	char *comment;                  /* NULL if none */
};

struct ruleset_set {
	char *name;
	enum ruleset_key key;
	enum ruleset_data data;
	uint32_t modulus; /* KEY_SLOT */
	uint32_t size;    /* most elements; 0: no limit (interval sets) */
	bool interval;
	bool dynamic;        /* filled by packets: elements are the kernel's own business */
	uint64_t timeout_ms; /* dynamic sets; 0: none */
	struct ruleset_element *elements; /* in the order of their keys, except when read back */
	size_t n_elements;
	char *signature; /* see below; covers all but the elements */
	char *origin;    /* for messages: "service smtp (drover.conf:12)"; NULL if read back */
};

enum ruleset_source_kind {
	SOURCE_FIELDS,        /* the fields themselves, concatenated */
	SOURCE_JHASH,         /* jhash of the fields, below the modulus */
	SOURCE_NUMGEN_INC,    /* a counter below the modulus */
	SOURCE_NUMGEN_RANDOM, /* a random number below the modulus */
};

/* What is looked up in a map. */
struct ruleset_source {
	enum ruleset_source_kind kind;
	enum ruleset_field fields[3];
	size_t n_fields;
	uint32_t modulus;
	uint32_t seed;
};

enum ruleset_statement_kind {
	STATEMENT_MATCH,       /* field (of it, the bits of mask) is value; with negate: is not */
	STATEMENT_MATCH_RANGE, /* field is within value..last */
	STATEMENT_MATCH_SET,   /* field is in set */
	STATEMENT_VMAP,        /* source vmap @set */
	STATEMENT_MARK,        /* meta mark set source map @set */
	STATEMENT_REMEMBER, /* update @set { source : meta mark }; with value: { source : value } */
	STATEMENT_COUNTER,
	STATEMENT_WRITE,   /* field set value */
	STATEMENT_FORWARD, /* fwd to interface */
	STATEMENT_VERDICT,
};

struct ruleset_statement {
	enum ruleset_statement_kind kind;
	enum ruleset_field field;
	struct ruleset_value value;
	struct ruleset_value last;
	struct ruleset_value mask; /* length 0: none */
	bool negate;
	const char *set; /* borrowed from the table's set */
	struct ruleset_source source;
	const char *interface; /* borrowed from the ruleset */
	unsigned int interface_index;
	struct ruleset_verdict verdict;
};

enum { RULESET_STATEMENTS_MAX = 8 };

struct ruleset_rule {
	/* Empty in a ruleset that was read back from the kernel. */
	struct ruleset_statement statements[RULESET_STATEMENTS_MAX];
	size_t n_statements;
	char *comment;
	char *signature;
	/* As last read from the kernel, of the rule's counter if it has one. */
	uint64_t packets;
	uint64_t bytes;
	char *origin;
};

enum ruleset_hook {
	HOOK_NONE, /* a regular chain */
	HOOK_INGRESS,
	HOOK_ARP_INPUT,
	HOOK_ARP_OUTPUT,
};

struct ruleset_chain {
	char *name;
	enum ruleset_hook hook;
	const char *interface; /* HOOK_INGRESS: borrowed from the ruleset */
	struct ruleset_rule *rules;
	size_t n_rules;
	char *signature; /* covers all but the rules */
	char *origin;
};

struct ruleset_table {
	enum ruleset_family family;
	char *comment;
	struct ruleset_set *sets; /* in the order of the script */
	size_t n_sets;
	struct ruleset_chain *chains; /* callees before callers */
	size_t n_chains;
};

/* At most one table per family, all of them of this name. */
#define RULESET_TABLE_NAME "drover"

enum { RULESET_TABLES_MAX = 2 };

struct ruleset {
	char *interface; /* that of the ingress hook; NULL if read back */
	struct ruleset_table tables[RULESET_TABLES_MAX];
	size_t n_tables;
};

/*
 * Order of two keys of the same set: numbers (KEY_SLOT, KEY_MARK) by value,
 * all others by their bytes.
 */
int ruleset_compare_keys(
	enum ruleset_key key, const struct ruleset_value *a, const struct ruleset_value *b);

void ruleset_free(struct ruleset *ruleset);
DEFINE_CLEANUP(struct ruleset, ruleset_free)

const struct ruleset_table *ruleset_find_table(
	const struct ruleset *ruleset, enum ruleset_family family);
const struct ruleset_set *ruleset_find_set(const struct ruleset_table *table, const char *name);
const struct ruleset_chain *ruleset_find_chain(const struct ruleset_table *table, const char *name);
