/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shield: while somebody else's flush has left no rules on the interface, what they would have
 * forwarded goes up this host's stack, and the kernel would reset it. It stands ahead of conntrack:
 * an entry of a flow that this host once had would else be refreshed, and look like one that it
 * has.
 */
#include "drover/compile.h"

#include "compiler.h"

#include <errno.h>

static const char origin[] = "the shield";

static const char *vip_set(struct compiler *c, int family)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, family == AF_INET ? "vips" : "vips6", origin);

	set->key = family == AF_INET ? KEY_ADDRESS : KEY_ADDRESS6;
	for (size_t i = 0; i < c->plan->n_groups; i++) {
		const struct plan_group *group = &c->plan->groups[i];

		for (size_t j = 0; group->forwards && j < group->n_vips; j++)
			if (group->vips[j].prefix.address.family == family)
				compile_add_addresses(c, set, &group->vips[j].prefix);
	}
	compile_finish_addresses(set);
	return set->name;
}

/* Not ICMP: nothing is reset by it, and what of it is for this host is accepted without a trace. */
static const char *protocol_set(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, "protocols", origin);

	set->key = KEY_PROTOCOL;
	set->size = build_size(N_PROTOCOLS);
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		build_element(b, set, NULL)->key = build_value(&compile_protocols[i].number, 1);
	return set->name;
}

static void compile_drop(
	struct compiler *c, struct ruleset_chain *chain, int family, const char *protocols)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (!compile_plan_has_family(c->plan, family))
		return;
	rule = build_rule(b, chain, "its client will send it again", origin);
	rule_match_set(rule, family == AF_INET ? FIELD_IP_DESTINATION : FIELD_IP6_DESTINATION,
		vip_set(c, family));
	rule_match_set(rule, FIELD_META_L4PROTO, protocols);
	build_statement(rule, STATEMENT_COUNTER);
	if (!b->failed)
		rule->counter.of = SHIELD_COUNTER;
	rule_verdict(rule, VERDICT_DROP, NULL);
}

/* The priority comes first: this host's own share of the VIPs' packets leaves by it. */
static void compile_prerouting(struct compiler *c, const char *shield)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "prerouting", origin);
	struct ruleset_rule *rule = build_rule(
		b, chain, "not seen by drover's rules there: somebody has flushed them", origin);

	chain->hook = HOOK_INET_PREROUTING;
	rule_match(rule, FIELD_META_PRIORITY, build_number(COMPILE_SEEN));
	rule->statements[0].negate = true;
	rule_match(rule, FIELD_META_IIFNAME, compile_interface_name(c));
	rule_verdict(rule, VERDICT_GOTO, shield);
}

int compile_shield(const struct plan *plan, struct ruleset *ruleset)
{
	struct compiler c = { .build.ruleset = ruleset, .plan = plan };
	struct build *b = &c.build;
	struct ruleset_chain *chain;
	const char *protocols, *name;

	if (!plan_first_forwarding(plan))
		return 0;
	build_table(b, RULESET_INET,
		build_text(b, "drover: drops what comes by %s while its rules are flushed",
			plan->interface));
	b->table->name = RULESET_SHIELD_NAME;
	b->table->owned = true;
	protocols = protocol_set(&c);
	chain = build_chain(b, "shield", origin);
	name = chain->name;
	compile_drop(&c, chain, AF_INET, protocols);
	compile_drop(&c, chain, AF_INET6, protocols);
	compile_prerouting(&c, name);
	return b->failed ? -ENOMEM : 0;
}
