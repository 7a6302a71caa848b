/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * ruleset -> libnftnl objects and netlink messages, and the signatures by which
 * objects are compared with what the kernel has.
 */

#include "drover/batch.h"
#include "drover/ruleset.h"

struct nftnl_chain;
struct nftnl_rule;
struct nftnl_set;

/* The kernel's number of a family (NFPROTO_NETDEV, …). */
uint16_t message_family(enum ruleset_family family);

/*
 * These append messages to the batch. Deleting a rule means all rules of its
 * chain. All return 0 or -ENOMEM.
 */
int message_add_table(struct batch *batch, const struct ruleset_table *table);
int message_delete_table(struct batch *batch, const struct ruleset_table *table);
int message_add_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain);
int message_delete_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain);
int message_add_rule(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_chain *chain, const struct ruleset_rule *rule);
int message_flush_chain(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_chain *chain);
int message_add_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set);
int message_delete_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set);

/* Elements of one set, split over as many messages as they need. */
int message_add_elements(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_set *set, const struct ruleset_element *const *elements, size_t n);
int message_delete_elements(struct batch *batch, const struct ruleset_table *table,
	const struct ruleset_set *set, const struct ruleset_element *const *elements, size_t n);

/* Removes whatever elements a set has in the kernel. */
int message_flush_set(
	struct batch *batch, const struct ruleset_table *table, const struct ruleset_set *set);

/* Fills in the signatures of a compiled ruleset. Returns 0 or -ENOMEM. */
int message_sign_ruleset(struct ruleset *ruleset);

/*
 * The signature of an object as libnftnl has it: of the arena's, or a literal; NULL without memory.
 * That of a rule is made with the rule's defaults stated.
 */
const char *message_sign_chain(const struct nftnl_chain *chain, struct arena *arena);
const char *message_sign_rule(struct nftnl_rule *rule, struct arena *arena);
const char *message_sign_set(const struct nftnl_set *set, struct arena *arena);
