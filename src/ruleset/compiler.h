/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The compiler's own rooms: members, bucket tables, distributions, groups, ARP. Each adds its
 * sets, chains and rules to the table that is being built.
 */

#include "build.h"
#include "drover/plan.h"

struct compiler {
	struct build build;
	const struct plan *plan;
	const struct plan_group *group;
	const char **member_chains;  /* of group->members */
	const char *members_by_mark; /* the map of remembered flows and packets */
	const char *fragments;       /* the map of remembered packets */
};

/* "kind/group" or, with a subset, "kind/group/subset". */
char *compile_name(struct compiler *c, const char *kind, const char *subset);

/* The origin of what belongs to the group as a whole. */
char *compile_group_origin(struct compiler *c);

/* What c->members_by_mark is looked up by. */
struct ruleset_source compile_mark(void);

/* Makes the chain of each member, and the map from marks to them. */
void compile_members(struct compiler *c);

/* Returns the name of the map for a table of the group, which is made at its first use. */
const char *compile_table(struct compiler *c, size_t index, enum ruleset_data data);

/* Makes the map of packets whose first fragment has been seen. */
void compile_fragment_map(struct compiler *c);

/* Adds the rule of a member's chain that remembers a first fragment. */
void compile_first_fragment(
	struct compiler *c, struct ruleset_chain *chain, const struct plan_member *member);

/* Makes the chain that later fragments go to; returns its name. Adds the rule that leads there. */
const char *compile_fragment_chain(struct compiler *c);
void compile_later_fragments(
	struct compiler *c, struct ruleset_chain *chain, const char *fragment_chain);

/* True if flows of the distribution must be remembered. */
bool compile_is_learned(const struct plan_distribution *distribution);
bool compile_group_learns(const struct plan_group *group);

/* Makes the chain of a learned distribution; returns its name. */
const char *compile_learning(struct compiler *c, const struct plan_distribution *distribution);

/* Adds the rule of a distribution; learning is its chain if it is learned, else NULL. */
void compile_distribution(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_distribution *distribution, const char *learning);

/*
 * Makes everything of c->group up to the chain that its packets enter, whose name
 * *ret_chain becomes. Returns 0 or -ENOMEM.
 */
int compile_group(struct compiler *c, const char **ret_chain);

/* Adds all addresses of a prefix to a set keyed by address, and sorts them at the end. */
void compile_add_addresses(
	struct compiler *c, struct ruleset_set *set, const struct prefix *prefix);
void compile_finish_addresses(struct ruleset_set *set);

/* Makes the arp table. Returns 0 or -ENOMEM. */
int compile_arp(struct compiler *c);
