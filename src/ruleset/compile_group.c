/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

static const char *peer_set(struct compiler *c)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	const char *name = compile_name(c, "peers", NULL);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, compile_group_origin(c));
	set->key = KEY_ETHER_SOURCE_RAW;
	set->size = build_size(group->n_peers);
	for (size_t i = 0; i < group->n_peers; i++)
		build_element(b, set, build_copy(b, group->peers[i].name))->key = build_value(
			group->peers[i].mac.bytes, 6);
	return set->name;
}

/*
 * What another balancer has forwarded to us is ours to keep: two active
 * balancers may exist, and no packet may go round between them.
 */
static void compile_loop_guard(struct compiler *c, struct ruleset_chain *chain)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (group->n_peers == 0)
		return;
	rule = build_rule(b, chain, NULL, compile_group_origin(c));
	if (group->n_peers == 1) {
		rule->comment = build_text(b, "loop guard: from balancer %s", group->peers[0].name);
		rule_match(rule, FIELD_ETHER_SOURCE_RAW, build_value(group->peers[0].mac.bytes, 6));
	} else {
		rule->comment = "loop guard: from another balancer";
		rule_match_set(rule, FIELD_ETHER_SOURCE_RAW, peer_set(c));
	}
	compile_accept(rule);
}

void compile_vip_rules(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	compile_loop_guard(c, chain);
	compile_later_fragments(c, chain, kind);
	compile_services(c, chain, kind);
	compile_errors(c, chain, kind);
	compile_odd_fragments(c, chain, kind);
}

static void compile_learning_chains(struct compiler *c, enum view_kind kind)
{
	c->view = view_get(kind);
	for (size_t i = 0; i < c->group->n_distributions; i++)
		c->learning[kind][i] = compile_learning(c, &c->group->distributions[i]);
}

static void compile_family(struct compiler *c, enum view_kind kind, enum view_kind error)
{
	compile_fragment_chain(c, kind);
	compile_learning_chains(c, kind);
	compile_learning_chains(c, error);
	compile_error_chain(c, kind);
}

static int compile_group_begin(struct compiler *c)
{
	const struct plan_group *group = c->group;

	c->member_chains = calloc(group->n_members + 1, sizeof(*c->member_chains));
	c->pin_chains = calloc(group->n_members + 1, sizeof(*c->pin_chains));
	c->ports = calloc(group->n_distributions + 1, sizeof(struct ruleset_shared *));
	if (!c->member_chains || !c->pin_chains || !c->ports)
		return -ENOMEM;
	for (size_t i = 0; i < N_VIEWS; i++) {
		c->learning[i] = calloc(group->n_distributions + 1, sizeof(**c->learning));
		if (!c->learning[i])
			return -ENOMEM;
	}
	compile_members(c);
	compile_pins(c);
	return c->build.failed ? -ENOMEM : 0;
}

int compile_group(struct compiler *c)
{
	int r = compile_group_begin(c);

	if (r < 0)
		return r;
	if (compile_has_family(c->group, AF_INET))
		compile_family(c, VIEW_IP, VIEW_ERROR);
	if (compile_has_family(c->group, AF_INET6))
		compile_family(c, VIEW_IP6, VIEW_ERROR6);
	return c->build.failed ? -ENOMEM : 0;
}

int compile_group_at_hand(struct compiler *c)
{
	int r = compile_group_begin(c);

	for (size_t i = 0; r == 0 && i < c->group->n_distributions; i++) {
		const struct plan_distribution *distribution = &c->group->distributions[i];

		if (plan_remembers(distribution))
			compile_learning_tables(c, distribution);
		else
			(void)compile_table(c, distribution->table, DATA_VERDICT);
	}
	return r < 0 ? r : c->build.failed ? -ENOMEM : 0;
}

void compile_group_done(struct compiler *c)
{
	for (size_t i = 0; i < N_VIEWS; i++) {
		free(c->learning[i]);
		c->learning[i] = NULL;
	}
	for (size_t i = 0; c->ports && i < c->group->n_distributions; i++)
		ruleset_shared_unref(c->ports[i]);
	free(c->ports);
	free(c->member_chains);
	free(c->pin_chains);
	c->ports = NULL;
	c->member_chains = NULL;
	c->pin_chains = NULL;
}
