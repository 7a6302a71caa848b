/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The compiler's own rooms: views, members, bucket tables, distributions, fragments, ICMP
 * errors, groups, ARP and neighbour discovery, the member guard, the shield. Each adds its sets,
 * chains and rules to the table that is being built.
 */

#include "build.h"
#include "drover/plan.h"

/*
 * A flow is met in four kinds of packet: its own ones, of IPv4 or IPv6, and ICMP errors about
 * what a member has sent on it. The rules are the same for all; a view says where in such
 * a packet they find the fields.
 */
enum view_kind {
	VIEW_IP,
	VIEW_IP6,
	VIEW_ERROR,
	VIEW_ERROR6,
	N_VIEWS,
};

struct view {
	bool is_error;
	const char *chain;     /* kind of the chain that a packet enters: "vip", "icmp6" */
	const char *learn;     /* … of those that remember flows */
	const char *recall;    /* … and those that remember clients */
	const char *protocols; /* name of the set of those that have ports */
	const char *ports;     /* kind of the port sets */
	const char *outgoing;
	const char *pins;
	enum ruleset_key protocol_key;
	enum ruleset_key port_key;
	enum ruleset_key protocol_port_key;
	enum ruleset_key flow_key;
	struct ruleset_source flow; /* the whole flow, as pins are keyed */
	enum ruleset_field protocol;
	enum ruleset_field client;
	enum ruleset_field client_port;
	enum ruleset_field vip_port;
};

struct compiler {
	struct build build;
	const struct plan *plan;
	const struct ruleset *last; /* what was compiled before; NULL if nothing */
	const struct plan_group *group;
	const char *origin;                 /* see compile_group_origin() … */
	const struct plan_group *origin_of; /* … and the group that it is of */
	const struct view *view;
	const char *unserved; /* the map by which this host keeps what no service has taken */

	/* Of the group: */
	const char **member_chains; /* of group->members */
	const char **pin_chains; /* of group->members, and of nobody; NULL where there are none */
	const char *members_by_mark; /* the map of what remembered flows and packets name */
	const char *fragments;       /* the map of remembered packets */
	const char *everyone;        /* the chain that leads to all members */
	const char *fragment_chains[N_VIEWS]; /* of VIEW_IP and VIEW_IP6 */
	const char *error_chains[N_VIEWS];    /* for those, of VIEW_ERROR and VIEW_ERROR6 */
	const char **learning[N_VIEWS]; /* chains of group->distributions; NULL if stateless */
	struct ruleset_shared **ports;  /* of their port sets; NULL as long as there are none */
};

const struct view *view_get(enum view_kind kind);

/* The protocols that have ports, in the order of their numbers. */
struct protocol {
	enum conf_protocol flag;
	uint8_t number;
};

enum { N_PROTOCOLS = 2 };

extern const struct protocol compile_protocols[N_PROTOCOLS];

/* --- names, sources, small rules ---------------------------------------------- */

/* "kind/group" or, with a subset, "kind/group/subset". */
const char *compile_name(struct compiler *c, const char *kind, const char *subset);

/* The same, and "kind/group/subset/up" if it stands apart because of checks. */
const char *compile_subset_name(
	struct compiler *c, const char *kind, const char *subset, bool apart);

/* "tcp-rr", "udp-hash-300s"; for every port that no service names, "tcp-rr-rest". */
const char *compile_distribution_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution);
const char *compile_distribution_origin(
	struct compiler *c, const struct plan_distribution *distribution);

/* That of the memory of its kind, which goes on while checks part the kind. */
const char *compile_memory_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution);

/* NULL if there is no set of this name yet. */
const struct ruleset_set *compile_find_set(struct compiler *c, const char *name);

/* The origin of what belongs to the group as a whole. */
const char *compile_group_origin(struct compiler *c);

/* What c->members_by_mark is looked up by. */
struct ruleset_source compile_mark(void);

/*
 * The fields' digest, by which packets, flows and clients are remembered: one map serves
 * both families and ICMP errors. That two flows in 2^32 share a digest does no harm,
 * they share a member then.
 */
struct ruleset_source compile_digest(
	struct compiler *c, const enum ruleset_field *fields, size_t n_fields);

/* Makes a map from digests to marks that packets fill. */
struct ruleset_set *compile_memory(struct compiler *c, const char *name, const char *origin,
	uint32_t size, unsigned int seconds);

/* Add a match of the bits of mask, which is as long as the field: not all zero, or all zero. */
void compile_match_any_bit(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value mask);
void compile_match_no_bit(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value mask);

/* Adds a test for ICMP of a family. */
void compile_match_icmp(struct ruleset_rule *rule, int family);

/* The interface of the plan, as FIELD_META_IIFNAME and FIELD_META_OIFNAME have it. */
struct ruleset_value compile_interface_name(struct compiler *c);

/*
 * The priority (skb->priority) of what the rules have accepted for this host, by which the shield
 * knows that they were there. Unlike a mark it is nothing to local routing, and local delivery has
 * no use for it; its low bits are those of best effort, should it be routed elsewhere after all.
 */
enum { COMPILE_SEEN = 0x64720000 };

/* Ends a rule for what is this host's own. */
void compile_accept(struct ruleset_rule *rule);

/* Adds the write of both MACs that turns a packet to a member. */
void compile_turn(struct compiler *c, struct ruleset_rule *rule, const struct plan_member *member);

/* Adds a statement that names the interface of the plan: to forward or to duplicate. */
void compile_to_interface(
	struct compiler *c, struct ruleset_rule *rule, enum ruleset_statement_kind kind);

/* What of the group a counter counts, a "member" or a "service". NULL without memory. */
const char *compile_counted(
	const struct compiler *c, struct arena *arena, const char *kind, const char *name);

/* Adds a counter of that to a rule, unless the configuration wants none. */
void compile_count(
	struct compiler *c, struct ruleset_rule *rule, const char *kind, const char *name);

bool compile_has_family(const struct plan_group *group, int family);
/* True if a group that forwards has VIPs of the family. */
bool compile_plan_has_family(const struct plan *plan, int family);

/* Adds all addresses of a prefix to a set keyed by address, and sorts them at the end. */
void compile_add_addresses(
	struct compiler *c, struct ruleset_set *set, const struct prefix *prefix);
void compile_finish_addresses(struct ruleset_set *set);

/* --- rooms ------------------------------------------------------------------------ */

/* Makes the chain of each member, the map from marks to them, and the chain to all of them. */
void compile_members(struct compiler *c);

/* Returns the name of the map for a table of the group, which is made at its first use. */
const char *compile_table(struct compiler *c, size_t index, enum ruleset_data data);

/* Returns the name of the port set of a distribution of the group, in the view, made likewise. */
const char *compile_ports(struct compiler *c, const struct plan_distribution *distribution);

/* Makes the map of packets whose first fragment was seen, and the chain that fills it. */
const char *compile_first_fragments(struct compiler *c);

/* Makes the chain that later fragments go to. Add the rules that lead there. */
void compile_fragment_chain(struct compiler *c, enum view_kind kind);
void compile_later_fragments(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind);
void compile_odd_fragments(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind);

/* True if the group has pins of a family. */
bool compile_has_pins(const struct plan_group *group, int family);

/* Makes the chains through which the pinned slots of a table lead, ahead of their members. */
void compile_pins(struct compiler *c);

/* Where a slot leads: through the pins if it has any, to its member, or nowhere. */
struct ruleset_verdict compile_slot_verdict(
	struct compiler *c, const struct plan_table *table, uint32_t slot);

/* Adds the rule that looks a flow up among the pins, if the group has any for the view. */
void compile_pin_rule(struct compiler *c, struct ruleset_chain *chain);

/* Makes the chain of a distribution that remembers flows or clients; NULL for any other. */
const char *compile_learning(struct compiler *c, const struct plan_distribution *distribution);

/* Makes the bucket maps that such a chain uses. */
void compile_learning_tables(struct compiler *c, const struct plan_distribution *distribution);

/* What a slot is drawn from, in the view. */
struct ruleset_source compile_slot_source(struct compiler *c, enum conf_scheduler scheduler);

/* Adds the rule of a distribution; learning is its chain if it has one. */
void compile_distribution(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_distribution *distribution, const char *learning);

/* Adds the rules by which distributions and outgoing ranges are found, in the view. */
void compile_services(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind);

/* Makes the chain of ICMP errors. Adds the rule that leads there. */
void compile_error_chain(struct compiler *c, enum view_kind kind);
void compile_errors(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind);

/* Makes all chains of c->group but those that its packets enter. Returns 0 or -ENOMEM. */
int compile_group(struct compiler *c);

/*
 * For a standby: makes what of c->group takes the kernel long to load, all but the memories, which
 * must begin with what the active balancer knows at that time. Returns 0 or -ENOMEM.
 */
int compile_group_at_hand(struct compiler *c);
void compile_group_done(struct compiler *c);

/* Adds all rules for the packets to the group's VIPs of a family. */
void compile_vip_rules(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind);

/* Make the tables of a host that holds VIPs without the duty. Return 0 or -ENOMEM. */
int compile_arp(struct compiler *c);
int compile_nd(struct compiler *c);

/* Adds what takes the probes of checks to VIPs, and back: to the tables netdev and inet. */
void compile_probes_out(struct compiler *c);
void compile_probes_back(struct compiler *c);

/* Makes the table of a host that is a member (see guard.h). Returns 0 or -ENOMEM. */
int compile_inet(struct compiler *c);
