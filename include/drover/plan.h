/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The plan: everything the kernel should hold now, in the words of the
 * cluster, not yet in those of nftables. It is computed from the cluster
 * and from nothing else: no I/O, no clock, no kernel.
 *
 * Services of one kind (conf_kind) are dealt out in the same way, so they become one
 * "distribution" with the union of their ports, or several while checks find their members to do
 * differently. The cost of a packet and of a change then depends on the number of
 * distributions, not on the number of services.
 *
 * A plan borrows names and locations from the configuration that the cluster
 * holds; it must not outlive it.
 */

#include "drover/buckets.h"
#include "drover/cluster.h"
#include "drover/flow.h"
#include "drover/ledger.h"
#include "drover/table_cache.h"

struct plan_member {
	const char *name;
	struct address address;
	struct mac mac;
	bool local;    /* deliver to this host instead of forwarding */
	bool draining; /* has no slot; is still forwarded to */
	uint32_t mark; /* stable, non-zero identity: remembered flows carry it */
	struct conf_location location;
};

/* A bucket table; shared by all distributions over the same members in the same order. */
struct plan_table {
	const char *subset; /* NULL for all members, else the first service with this subset */
	/*
	 * Checks give its service other weights than the members' own: the table of this service
	 * (subset), and of those with the same ones, stands apart from that of memory.
	 */
	bool apart;
	const char *memory; /* the subset as if it did not: so that memories are one and last */
	enum buckets_order order;
	uint16_t *slots; /* plan.n_buckets entries: indices into group.members, or BUCKETS_NONE */
	bool *pinned;    /* of as many: which slots have pins; NULL if none has */
	bool *ejected;   /* of group.members: whose flows of the service are lost; NULL: nobody's */
	const struct conf_service *service; /* the first one of this table (borrowed) */
	unsigned int *weights;              /* of the service's members */
};

/* A live flow that packets have been remembered by: the kernel's memory begins with it. */
struct plan_memory {
	struct address client;
	uint16_t client_port; /* host order */
	size_t member;        /* index into group.members */
};

struct plan_distribution {
	const struct conf_kind *kind; /* that its services are of; it has them all, or a part */
	enum conf_protocol protocols; /* all that its ports have; both only if not drawn */
	enum conf_scheduler scheduler;
	unsigned int persistence; /* seconds that a client is remembered; 0: it is not */
	size_t table;             /* index into group.tables: the one the scheduler walks */
	size_t fallback;          /* a BUCKETS_RENDEZVOUS table, for flows that learning lost */
	struct conf_ports *ports; /* it is one of the list's owners */
	const char *service;      /* of the first service */
	struct plan_memory *memories;
	size_t n_memories;
	struct conf_location location;
};

struct plan_outgoing {
	struct port_range range;
	size_t member; /* index into group.members */
	struct conf_location location;
};

/* A flow that stays with its member, whatever its slot or its memory says. */
struct plan_pin {
	struct flow flow;
	size_t member;  /* index into group.members */
	uint32_t since; /* when the member got it, as flow_set_since() has it */
};

struct plan_peer {
	const char *name;
	struct mac mac;
	struct conf_location location;
};

/*
 * A group that this host is a balancer of. Also without the duty it keeps at hand what takes the
 * kernel long to load, so that taking the duty is a matter of a few rules.
 */
struct plan_group {
	const char *name;
	bool forwards; /* packets come to its rules: it has the duty, or leaves it just now */
	const struct conf_vip *vips; /* borrowed */
	size_t n_vips;
	struct plan_member *members; /* those that packets may be sent to, ordered by name */
	size_t n_members;
	struct plan_table *tables;
	size_t n_tables;
	struct plan_distribution *distributions; /* those with ports before those without */
	size_t n_distributions;
	struct plan_outgoing *outgoing; /* sorted by port */
	size_t n_outgoing;
	struct plan_pin *pins;
	size_t n_pins;
	struct plan_peer *peers; /* the other balancers, ordered by name */
	size_t n_peers;
	struct conf_location location;
};

/*
 * VIPs for which this host must not answer ARP or neighbour discovery: it is not their
 * active balancer.
 */
struct plan_suppress {
	const struct conf_vip **vips;
	size_t n_vips;
	/* This host's own IPv4 address, for ARP of its own; AF_UNSPEC: none. */
	struct address source;
};

/* Flows to the VIPs of all groups that this host is a member of may end here. */
struct plan_guard {
	const struct conf_vip **vips; /* none: there is nothing to watch */
	size_t n_vips;
	bool drops; /* the member guard can be armed; else conntrack just sees the flows */
};

/*
 * A member that checks ask by VIPs: what this host sends with the mark to the member's own address
 * goes to a VIP instead, by the member's MAC, as the packets of clients do.
 */
struct plan_probe {
	const char *group, *member;
	struct address address;
	struct mac mac;
	uint32_t mark;
	struct conf_location location;
};

/* The marks of probes have this in their upper half, and the member in the lower. */
enum { PLAN_PROBE_MARK = 0x64730000, PLAN_PROBE_MASK = (int)0xffff0000 };

/* To which VIP: that of the packet's priority (skb->priority). */
struct plan_probe_vip {
	struct address address;
	uint32_t priority;
	struct conf_location location;
};

/*
 * Priorities of probes begin here, 16 for each VIP: the low bits, by which a queue on the interface
 * may tell the urgent from the rest, are those of best effort.
 */
enum { PLAN_PROBE_PRIORITY = 0x64730000, PLAN_PROBE_PRIORITY_STEP = 16 };

struct plan {
	const char *interface;
	unsigned int interface_index; /* 0 if the interface is absent */
	struct mac mac;               /* this host's own */
	uint32_t n_buckets;
	uint32_t seed;
	bool counters;
	struct plan_group *groups;
	size_t n_groups;
	struct plan_suppress suppress;
	struct plan_guard guard;
	struct plan_probe *probes;
	size_t n_probes;
	struct plan_probe_vip *probe_vips; /* in the order of priorities */
	size_t n_probe_vips;
};

/* Circumstances other than those that are. */
struct plan_what_if {
	const char *without; /* a member's name that is treated as disabled, or NULL */
	bool assume_active;  /* as if this host had the duty of every group that it belongs to */
};

/*
 * Computes the plan. what_if may be NULL. So may tables, which afterwards has this plan's bucket
 * tables and no others: it makes the next plan cheaper, not different. Returns 0 and the caller
 * owns *ret_plan, -ENOMEM, or -E2BIG (more members than buckets, which a checked
 * configuration rules out).
 */
int plan_build(const struct cluster *cluster, const struct plan_what_if *what_if,
	struct table_cache *tables, struct plan **ret_plan);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan, plan_free)

/* The first group that forwards; NULL if none does. */
const struct plan_group *plan_first_forwarding(const struct plan *plan);

/*
 * Pins a flow to a member of the group, given by pin->member. Returns 1 if it was
 * needed, 0 if it was not: the flow goes to this member anyway, or by datagrams to everyone.
 * -ENOENT: it belongs to no service; or -ENOMEM. Of several pins of one flow the
 * latest counts, or that of the lowest mark.
 */
int plan_add_pin(const struct plan *plan, struct plan_group *group, const struct plan_pin *pin);

/*
 * True if the flow would not be found at this member without a pin: its slot is another's, or it
 * was drawn and so is no function of its slot. False if the member is out of the service: the
 * flow is dead.
 */
bool plan_needs_pin(const struct plan *plan, const struct plan_group *group,
	const struct plan_distribution *distribution, const struct plan_pin *pin);

/* True if checks have taken the member (index into group.members) out of this alone. */
bool plan_is_ejected(const struct plan_group *group, const struct plan_distribution *distribution,
	size_t member);

/* The member that has the slot of a flow that is not drawn, or BUCKETS_NONE. */
uint16_t plan_slot_member(const struct plan *plan, const struct plan_group *group,
	const struct plan_distribution *distribution, const struct flow *flow);

struct plan_keep {
	size_t max_pins; /* of all groups together */
	/*
	 * Also fill in what memories are to begin with where they are made: the host takes the
	 * duty, or somebody has flushed them. The kernel keeps up memories that are there.
	 */
	bool remember;
};

struct plan_kept {
	size_t n_pins;
	size_t n_left_out; /* flows that would need a pin, beyond the most that are allowed */
	size_t n_remembered;
};

/*
 * Sees to it that all flows of the ledger stay with their owners, as far as these are members of
 * a group that the plan has: pins those whose slot is another member's, and has memories begin
 * with those that were drawn. Of several owners of one flow the one that got it last is meant.
 * Returns 0, or -ENOMEM.
 */
int plan_keep_flows(struct plan *plan, const struct ledger *ledger, const struct plan_keep *keep,
	struct plan_kept *ret_kept);

/* True if a flow of this owner is pinned under the plan, or would have to be. */
bool plan_flow_needs_pin(const struct plan *plan, const char *owner, const struct flow *flow);

/* True if the kernel has to remember the flow, or its client: it was drawn, or persists. */
bool plan_flow_is_remembered(const struct plan *plan, const struct flow *flow);

/* True if some flow that is a function of its client goes to another member than before. */
bool plan_moves_flows(const struct plan *before, const struct plan *now);

/* As conf_scheduler_draws(). */
bool plan_is_drawn(const struct plan_distribution *distribution);

/* True if the kernel has to remember the member of each flow; of flows or of clients. */
bool plan_remembers_flows(const struct plan_distribution *distribution);
bool plan_remembers(const struct plan_distribution *distribution);

/* The group that has the VIP, NULL if none has. */
const struct plan_group *plan_find_group_of(const struct plan *plan, const struct address *vip);

/* The outgoing range that has a port of the VIPs, NULL if none has. */
const struct plan_outgoing *plan_find_outgoing(const struct plan_group *group, uint16_t port);

/*
 * The distribution that a flow to a port of the VIPs belongs to, and its service. As in the rules,
 * those with ports come first and those without last; NULL if none has the port, or if
 * an outgoing range has it before the last ones.
 */
const struct plan_distribution *plan_find_distribution(
	const struct plan_group *group, uint8_t protocol, uint16_t port, const char **ret_service);

const struct plan_group *plan_find_group(const struct plan *plan, const char *name);

/* Number of slots that a member (index into group.members) has in a table. */
size_t plan_table_count(const struct plan *plan, const struct plan_table *table, size_t member);

/*
 * By which VIPs of a group checks ask members that have an address of the family: by all of that
 * family, each address of a subnet for itself, in the file's order. Returns how many these are. 0:
 * there is none, and the members' own addresses are asked. ret_vips: NULL, or room for so many.
 */
size_t plan_list_probe_vips(const struct conf *conf, const struct conf_group *group, int family,
	struct plan_probe_vip *ret_vips);

/* The mark of probes of a member, which belongs to the configuration. */
uint32_t plan_probe_mark(const struct conf *conf, const struct conf_member *member);

/* Fills in the probes of all groups that this host is a balancer of. Returns 0 or -ENOMEM. */
int plan_add_probes(struct plan *plan, const struct cluster *cluster);
