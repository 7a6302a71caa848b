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

#include "drover/arena.h"
#include "drover/conf.h"

#include <stdint.h>

enum ruleset_family {
	RULESET_NETDEV,
	RULESET_ARP,
	RULESET_IP6,
	RULESET_INET, /* IPv4 and IPv6 */
};

/* A field of the packet, or of its metadata, that can be matched, hashed or looked up. */
enum ruleset_field {
	FIELD_IP_DESTINATION_RAW, /* @nh,128,32: IPv4 destination, without a protocol test */
	FIELD_ETHER_SOURCE_RAW,   /* @ll,48,48 */
	FIELD_ETHER_BOTH_RAW,     /* @ll,0,96: destination and source */
	/* @nh,32,32: IPv4 id, flags, fragment offset; IPv6 length, next header, hop limit */
	FIELD_FRAGMENT_RAW,
	FIELD_IP_ID,
	FIELD_IP_SOURCE,
	FIELD_IP_SOURCE_RAW, /* … without a protocol test */
	FIELD_IP_DESTINATION,
	FIELD_IP_PROTOCOL,
	FIELD_IP6_SOURCE,
	FIELD_IP6_DESTINATION,
	FIELD_IP6_NEXT_HEADER,
	FIELD_FRAG_OFFSET, /* of the IPv6 fragment header; no such header: no match */
	FIELD_FRAG_MORE,
	FIELD_FRAG_ID,
	FIELD_TH_SOURCE_PORT,
	FIELD_TH_DESTINATION_PORT,
	FIELD_TCP_FLAGS,
	FIELD_ICMP_TYPE,
	FIELD_ICMP6_TYPE,
	FIELD_ICMP_ID_RAW, /* @th,32,16: of echo requests and replies, of either family */
	/* Of the IPv4 packet that an ICMP error is about; that one has no options. */
	FIELD_ERROR_VERSION, /* version and header length */
	FIELD_ERROR_FRAGMENT,
	FIELD_ERROR_PROTOCOL,
	FIELD_ERROR_FLOW, /* source, destination, source port, destination port */
	FIELD_ERROR_DESTINATION,
	FIELD_ERROR_SOURCE_PORT,
	FIELD_ERROR_DESTINATION_PORT,
	/* Of the IPv6 packet that an ICMPv6 error is about; that one has no extensions. */
	FIELD_ERROR6_PROTOCOL,
	FIELD_ERROR6_FLOW,
	FIELD_ERROR6_DESTINATION,
	FIELD_ERROR6_SOURCE_PORT,
	FIELD_ERROR6_DESTINATION_PORT,
	FIELD_ND_TARGET, /* of a neighbour solicitation */
	FIELD_META_PROTOCOL,
	FIELD_META_L4PROTO,
	FIELD_META_MARK,
	FIELD_META_PRIORITY,
	FIELD_META_IIFNAME,
	FIELD_META_OIFNAME,
	FIELD_CT_STATE, /* what conntrack makes of the packet: NF_CT_STATE_* bits, host order */
	FIELD_ARP_OPERATION,
	FIELD_ARP_SOURCE,
	FIELD_ARP_DESTINATION,
};

/* What a set or map is keyed by. */
enum ruleset_key {
	KEY_IP_DESTINATION_RAW,
	KEY_ETHER_SOURCE_RAW,
	KEY_PROTOCOL,
	KEY_PORT,
	KEY_PROTOCOL_PORT,
	/* … of the packet that an ICMP error is about */
	KEY_ERROR_PROTOCOL,
	KEY_ERROR_PORT,
	KEY_ERROR_PROTOCOL_PORT,
	KEY_NUMBER, /* a number below the set's modulus, in host byte order */
	KEY_MARK,
	KEY_PRIORITY,
	KEY_ADDRESS,
	KEY_ADDRESS6,
	KEY_ICMP_TYPE,
	KEY_ICMP_ID,
	KEY_ND_TARGET,
	/* A flow: protocol, client, its port, VIP, its port. */
	KEY_FLOW,
	KEY_FLOW6,
	KEY_ERROR_FLOW,
	KEY_ERROR_FLOW6,
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
	VERDICT_JUMP,
};

struct ruleset_verdict {
	enum ruleset_verdict_kind kind;
	const char *chain; /* VERDICT_GOTO, VERDICT_JUMP */
};

enum { RULESET_VALUE_MAX = 44 }; /* KEY_FLOW6 */

/* Bytes as the packet has them (network order), or as a register has them. */
struct ruleset_value {
	uint8_t bytes[RULESET_VALUE_MAX];
	uint8_t length;
};

/*
 * What a rule or an element has counted, as last read from the kernel. One that is added to
 * the kernel begins there with this.
 */
struct ruleset_counter {
	const char *of; /* "member/A/fe5", "service/A/web"; NULL if read back, or of no interest */
	uint64_t packets;
	uint64_t bytes;
	bool known; /* counters_carry() has found it in the other ruleset */
};

/* What few elements have; those of bucket tables, which are the most, do without. */
struct ruleset_extra {
	struct ruleset_value last;      /* interval sets: the last key of the range, inclusive */
	uint64_t timeout_ms;            /* timed sets: how long it stays once it was added */
	const char *comment;            /* NULL if none */
	struct ruleset_counter counter; /* if the set counts */
};

struct ruleset_element {
	struct ruleset_value key;
	uint32_t mark;                  /* DATA_MARK, host order */
	struct ruleset_verdict verdict; /* DATA_VERDICT */
	struct ruleset_extra *extra;    /* NULL if none, which it never is in interval sets */
};

/*
 * Elements that several sets have, of one ruleset or of two in a row: they are made, and compared,
 * once. Nothing of them changes but their counters, which are the same ones for all.
 */
struct ruleset_shared {
	struct arena arena;         /* of their strings, and of what they have besides */
	struct conf_ports *made_of; /* owned, so that no other list gets its address; NULL: none */
	struct ruleset_element *elements;
	size_t n_elements;
	size_t n_owners;
};

struct ruleset_set {
	const char *name;
	enum ruleset_key key;
	enum ruleset_data data;
	uint32_t modulus; /* KEY_NUMBER */
	uint32_t size;    /* most elements; 0: no limit (interval sets) */
	bool interval;
	bool counter;        /* each element counts what it matches */
	bool dynamic;        /* filled by packets: elements are the kernel's own business */
	bool timed;          /* each element ends by itself: no more compared than dynamic ones */
	uint64_t timeout_ms; /* dynamic sets; 0: none */
	struct ruleset_element *elements;
	size_t n_elements;
	struct ruleset_shared *shared; /* whose the elements are; NULL: the set's own */
	bool ordered;                  /* known to be in the order of their keys */
	const char *signature;         /* see below; covers all but the elements */
	const char *origin; /* for messages: "service smtp (drover.conf:12)"; NULL if read back */
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
	enum ruleset_field fields[5];
	size_t n_fields;
	uint32_t modulus;
	uint32_t seed;
};

enum ruleset_statement_kind {
	STATEMENT_MATCH,       /* field (of it, the bits of mask) is value; with negate: is not */
	STATEMENT_MATCH_RANGE, /* field is within value..last */
	STATEMENT_MATCH_SET,   /* source is in set; with negate: is not */
	STATEMENT_VMAP,        /* source vmap @set */
	STATEMENT_MARK,        /* meta mark set source map @set */
	STATEMENT_REMEMBER, /* update @set { source : meta mark }; with value: { source : value } */
	STATEMENT_FORGET,   /* delete @set { source : meta mark } */
	STATEMENT_COUNTER,
	STATEMENT_LIMIT,     /* matches what comes above rate packets a second */
	STATEMENT_DUPLICATE, /* dup to interface */
	STATEMENT_WRITE,     /* field set value */
	STATEMENT_FORWARD,   /* fwd to interface */
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
	uint32_t rate;
	const char *interface; /* borrowed from the ruleset */
	unsigned int interface_index;
	struct ruleset_verdict verdict;
};

enum { RULESET_STATEMENTS_MAX = 8 };

struct ruleset_rule {
	/* Room for RULESET_STATEMENTS_MAX, in the arena; NULL if read back from the kernel. */
	struct ruleset_statement *statements;
	size_t n_statements;
	const char *comment;
	const char *signature;
	struct ruleset_counter counter; /* if it has one */
	const char *origin;
};

enum ruleset_hook {
	HOOK_NONE, /* a regular chain */
	HOOK_INGRESS,
	HOOK_ARP_INPUT,
	HOOK_ARP_OUTPUT,
	HOOK_IP6_INPUT,
	HOOK_INET_INPUT,      /* behind conntrack, ahead of ordinary filters */
	HOOK_INET_PREROUTING, /* ahead of conntrack */
	HOOK_INET_REROUTE,    /* output; what is changed is routed anew */
};

/* Of the hooks of inet; that of all others is 0. */
enum {
	HOOK_INET_PRIORITY = -10,
	HOOK_INET_PREROUTING_PRIORITY = -300, /* NF_IP_PRI_RAW */
	HOOK_INET_REROUTE_PRIORITY = -150,    /* NF_IP_PRI_MANGLE */
};

struct ruleset_chain {
	const char *name;
	enum ruleset_hook hook;
	const char *interface; /* HOOK_INGRESS: borrowed from the ruleset */
	struct ruleset_rule *rules;
	size_t n_rules;
	const char *signature; /* covers all but the rules */
	const char *origin;
};

struct ruleset_table {
	enum ruleset_family family;
	const char *name; /* one of those below */
	/*
	 * Belongs to the socket that has made it: nobody else can change it, a flush of the ruleset
	 * passes it by, and it ends with the socket (NFT_TABLE_F_OWNER, Linux 5.12).
	 */
	bool owned;
	const char *comment;
	struct ruleset_set *sets; /* in the order of the script */
	size_t n_sets;
	struct ruleset_chain *chains; /* callees before callers */
	size_t n_chains;
};

/* At most one table per family, all of them of this name; and one more, of family inet. */
#define RULESET_TABLE_NAME  "drover"
#define RULESET_SHIELD_NAME "drover-shield"

enum { RULESET_TABLES_MAX = 5 };

struct ruleset {
	struct arena arena;    /* of all strings, and of what its own elements have besides */
	const char *interface; /* that of the ingress hook; NULL if read back */
	struct ruleset_table tables[RULESET_TABLES_MAX];
	size_t n_tables;
};

/*
 * Order of two keys of the same set: numbers (KEY_NUMBER, KEY_MARK, KEY_PRIORITY) by value,
 * all others by their bytes.
 */
int ruleset_compare_keys(
	enum ruleset_key key, const struct ruleset_value *a, const struct ruleset_value *b);

/* NULL if it has none. */
const char *ruleset_element_comment(const struct ruleset_element *element);
struct ruleset_counter *ruleset_element_counter(const struct ruleset_element *element);

/* Room for n elements, all zero, that belongs to the caller. NULL without memory. */
struct ruleset_shared *ruleset_shared_new(size_t n);
/* Returns its argument, with one owner more. */
struct ruleset_shared *ruleset_shared_ref(struct ruleset_shared *shared);
/* NULL is no matter. */
void ruleset_shared_unref(struct ruleset_shared *shared);
DEFINE_CLEANUP(struct ruleset_shared, ruleset_shared_unref)
/* True if the elements of both are the same ones, counters and all. */
bool ruleset_sets_share(const struct ruleset_set *a, const struct ruleset_set *b);

void ruleset_free(struct ruleset *ruleset);
DEFINE_CLEANUP(struct ruleset, ruleset_free)

/* The table of the same family and name as another one; NULL if there is none. */
const struct ruleset_table *ruleset_find_table(
	const struct ruleset *ruleset, const struct ruleset_table *like);
const struct ruleset_set *ruleset_find_set(const struct ruleset_table *table, const char *name);
const struct ruleset_chain *ruleset_find_chain(const struct ruleset_table *table, const char *name);
