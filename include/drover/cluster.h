/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Membership and its state at run time. Every source reports here: the
 * configuration, the interface, the neighbour table, the operator. The
 * cluster alone decides who takes part and with what weight. It does no I/O and
 * knows no clock.
 */

#include "drover/conf.h"

/* What a member is worth now. */
enum member_state {
	MEMBER_SERVING,     /* takes new flows */
	MEMBER_DRAINING,    /* weight 0: takes no new flows, is still forwarded to */
	MEMBER_DISABLED,    /* by the operator: nothing is sent to it */
	MEMBER_UNREACHABLE, /* no Ethernet address is known for it */
	MEMBER_DOWN,        /* checks have taken it out of all its services */
};

/* What an operator said at run time about a member, by name, in all its groups. */
struct cluster_override {
	char *member;
	bool disabled;
	bool draining;
	bool has_weight;
	unsigned int weight;
};

/* The interface as the kernel has it. */
struct cluster_link {
	bool present;
	bool running; /* administratively up and with carrier */
	unsigned int index;
	struct mac mac;
};

struct cluster;

/* Takes ownership of conf. Returns NULL without memory. */
struct cluster *cluster_new(struct conf *conf);
void cluster_free(struct cluster *cluster);
DEFINE_CLEANUP(struct cluster, cluster_free)

const struct conf *cluster_conf(const struct cluster *cluster);

/*
 * Replaces the configuration, taking ownership, and returns the old one, which
 * the caller owns. Overrides, MACs and roles of what still exists are kept.
 */
struct conf *cluster_replace_conf(struct cluster *cluster, struct conf *conf);

const struct cluster_link *cluster_link(const struct cluster *cluster);

/* Returns true if this is news. */
bool cluster_set_link(struct cluster *cluster, const struct cluster_link *link);

/*
 * Records what the neighbour table says of an address; mac NULL means that it
 * could not be resolved. Returns 1 if this changes a member, 0 if not (the
 * address belongs to none, or nothing is new), or -ENOMEM.
 */
int cluster_set_neighbour(
	struct cluster *cluster, const struct address *address, const struct mac *mac);

/* --- the operator ------------------------------------------------------- */

/* These return 0, -ENOENT if no group has a member of this name, or -ENOMEM. */
int cluster_drain(struct cluster *cluster, const char *member);
int cluster_disable(struct cluster *cluster, const char *member);
int cluster_enable(struct cluster *cluster, const char *member); /* undoes drain and disable */
int cluster_set_weight(struct cluster *cluster, const char *member, unsigned int weight);

/* Restores an override, e.g. from the state directory; same results. */
int cluster_set_override(struct cluster *cluster, const struct cluster_override *override);
void cluster_reset_overrides(struct cluster *cluster);

/* The i-th override, ordered by member name, or NULL behind the last. */
const struct cluster_override *cluster_override_at(const struct cluster *cluster, size_t i);
const struct cluster_override *cluster_find_override(
	const struct cluster *cluster, const char *member);

/* --- health ------------------------------------------------------------- */

/* What a check found about a member in one service. */
struct cluster_health {
	bool down;
	uint64_t since;       /* grows with time: of those that are down, who was first */
	unsigned int percent; /* of its weight, 1..100, while it starts slowly; when not down */
};

/*
 * Says how a member does in a service, by their names. Without a word a member does well. What
 * follows is decided for all together: by cluster_decide_health(), behind the last of several.
 * Returns 1 if it is news, 0 if not, or -ENOMEM.
 */
int cluster_set_health(struct cluster *cluster, const char *group, const char *service,
	const char *member, const struct cluster_health *health);

/* Returns true if there was news. */
bool cluster_decide_health(struct cluster *cluster);

/* What checks make of a member in a service. */
struct cluster_share {
	bool ejected; /* it takes no packets of the service, and those that it has are lost */
	unsigned int percent; /* of its weight otherwise */
};

/*
 * member is an index into the members of the group. As many members as the service's min_up stay
 * whatever checks find: the first to go down are the first to be taken out. Should all go, fail
 * says whether they do. A member that is out of all services with a check is so of those without,
 * too, unless these would then have nobody.
 */
struct cluster_share cluster_share(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_service *service, size_t member);

/* True if no service of the group has any other share of a member than all of it. */
bool cluster_is_well(const struct cluster *cluster, const struct conf_group *group);

/* True if all members of the service are down, so that it lives, or not, by its "fail". */
bool cluster_service_failed(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_service *service);

/* --- duty --------------------------------------------------------------- */

enum cluster_role {
	ROLE_STANDBY,
	/*
	 * The duty was given up, but neighbours still send here until they
	 * have heard of its new holder: packets are forwarded, ARP is silent.
	 */
	ROLE_LEAVING,
	ROLE_ACTIVE,
};

/*
 * Changes the role in a group. Returns 1 if that is a change, 0 if not, -ENOENT for an
 * unknown group, -EPERM if this node is no balancer of it, -EBUSY if the
 * configuration says election = "always", -ENOMEM.
 */
int cluster_set_role(struct cluster *cluster, const char *group, enum cluster_role role);

/*
 * Until the configuration is replaced, election = "always" is as "manual": the roles stay, and
 * can be changed. Without that election it does nothing. Returns 0 or -ENOMEM.
 */
int cluster_relieve(struct cluster *cluster);
enum cluster_role cluster_role(const struct cluster *cluster, const struct conf_group *group);

/*
 * The epoch of this node's duty in a group: of two balancers that are active at once, the one with
 * the lower epoch gives way. 0 while it is not active; on becoming so it is 1, until it is set.
 */
void cluster_set_epoch(struct cluster *cluster, const char *group, uint64_t epoch);
uint64_t cluster_epoch(const struct cluster *cluster, const struct conf_group *group);

/* True if this node is a balancer of the group (a member with balancer = true counts). */
bool cluster_is_balancer(const struct cluster *cluster, const struct conf_group *group);

/* --- what follows from all of this --------------------------------------- */

/* What the cluster decided about one member of a group. */
struct member_view {
	enum member_state state;
	unsigned int weight;         /* effective: 0 unless serving */
	unsigned int nominal_weight; /* that of the operator, else of the file */
	bool local;                  /* this very host */
	bool has_mac;
	struct mac mac;
	const struct cluster_override *override; /* NULL if none */
};

/* member must belong to cluster_conf(). */
struct member_view cluster_view(const struct cluster *cluster, const struct conf_member *member);

/*
 * True if this host must know the member's Ethernet address from the neighbour table: it
 * balances the group, or may have to.
 */
bool cluster_must_resolve(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_member *member);

/* True if all that it must know is known. */
bool cluster_is_resolved(const struct cluster *cluster);

const char *member_state_name(enum member_state state);
