/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What another balancer has forwarded to us is ours to keep: two active
 * balancers may exist, and no packet may go round between them.
 */
static void compile_loop_guard(struct compiler *c, struct ruleset_chain *chain)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	struct ruleset_set *set;

	if (group->n_peers == 0)
		return;
	rule = build_rule(b, chain, NULL, compile_group_origin(c));
	if (group->n_peers == 1) {
		rule->comment = build_text(b, "loop guard: from balancer %s", group->peers[0].name);
		rule_match(rule, FIELD_ETHER_SOURCE_RAW, build_value(group->peers[0].mac.bytes, 6));
		rule_verdict(rule, VERDICT_ACCEPT, NULL);
		return;
	}
	rule->comment = build_text(b, "loop guard: from another balancer");
	set = build_set(b, compile_name(c, "peers", NULL), compile_group_origin(c));
	set->key = KEY_ETHER_SOURCE_RAW;
	set->size = build_size(group->n_peers);
	for (size_t i = 0; i < group->n_peers; i++)
		build_element(b, set, build_text(b, "%s", group->peers[i].name))->key = build_value(
			group->peers[i].mac.bytes, 6);
	rule_match_set(rule, FIELD_ETHER_SOURCE_RAW, set->name);
	rule_verdict(rule, VERDICT_ACCEPT, NULL);
}

static void compile_outgoing(struct compiler *c, struct ruleset_chain *chain)
{
	static const uint8_t ethertype_ip[] = { 0x08, 0x00 };
	static const struct ruleset_source port = {
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_TH_DESTINATION_PORT },
		.n_fields = 1,
	};
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	struct ruleset_set *set;

	if (group->n_outgoing == 0)
		return;
	set = build_set(b, compile_name(c, "outgoing", NULL), compile_group_origin(c));
	set->key = KEY_PORT;
	set->data = DATA_VERDICT;
	set->interval = true;
	for (size_t i = 0; i < group->n_outgoing; i++) {
		const struct plan_outgoing *outgoing = &group->outgoing[i];
		const char *name = group->members[outgoing->member].name;
		struct ruleset_element *element = build_element(b, set, build_text(b, "%s", name));

		element->key = build_port(outgoing->range.first);
		element->last = build_port(outgoing->range.last);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO,
			c->member_chains[outgoing->member] };
	}
	rule = build_rule(b, chain, build_text(b, "replies to connections that members opened"),
		compile_group_origin(c));
	rule_match(rule, FIELD_META_PROTOCOL, build_value(ethertype_ip, sizeof(ethertype_ip)));
	rule_look_up(rule, STATEMENT_VMAP, port, set->name);
}

static void compile_rules(struct compiler *c, struct ruleset_chain *chain, const char **learning,
	const char *fragment_chain)
{
	const struct plan_group *group = c->group;
	size_t i = 0;

	compile_loop_guard(c, chain);
	for (; i < group->n_distributions && group->distributions[i].n_ports > 0; i++)
		compile_distribution(c, chain, &group->distributions[i], learning[i]);
	compile_outgoing(c, chain);
	compile_later_fragments(c, chain, fragment_chain);
	for (; i < group->n_distributions; i++)
		compile_distribution(c, chain, &group->distributions[i], learning[i]);
}

int compile_group(struct compiler *c, const char **ret_chain)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	_cleanup_(free_p)
		const char **member_chains = calloc(group->n_members + 1, sizeof(*member_chains));
	_cleanup_(free_p)
		const char **learning = calloc(group->n_distributions + 1, sizeof(*learning));
	const char *fragment_chain;
	struct ruleset_chain *chain;

	if (!member_chains || !learning)
		return -ENOMEM;
	c->member_chains = member_chains;
	compile_fragment_map(c);
	compile_members(c);
	fragment_chain = compile_fragment_chain(c);
	for (size_t i = 0; i < group->n_distributions; i++)
		if (compile_is_learned(&group->distributions[i]))
			learning[i] = compile_learning(c, &group->distributions[i]);
	chain = build_chain(b, build_text(b, "vip/%s", group->name), compile_group_origin(c));
	compile_rules(c, chain, learning, fragment_chain);
	if (b->failed)
		return -ENOMEM;
	*ret_chain = chain->name;
	return 0;
}
