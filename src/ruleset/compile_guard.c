/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A member's own table: its rules make conntrack see the flows that end here, and are the member
 * guard.
 */
#include "compiler.h"
#include "drover/guard.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

static const char origin[] = "the member guard";

/* The states that conntrack gives to what belongs to no flow that it knows. */
static void match_unknown(struct ruleset_rule *rule)
{
	static const uint32_t unknown = NF_CT_STATE_INVALID_BIT | NF_CT_STATE_BIT(IP_CT_NEW);

	compile_match_any_bit(rule, FIELD_CT_STATE, build_value(&unknown, sizeof(unknown)));
}

/*
 * Any expression of conntrack's registers its hooks in this network namespace, for both families,
 * be the rule reached or not (nf_ct_netns_get()).
 */
static void compile_tracking(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "tracking", origin);
	struct ruleset_rule *rule = build_rule(
		b, chain, "no packet comes here: it makes conntrack see the flows", origin);

	match_unknown(rule);
}

static const char *vip_set(struct compiler *c, int family)
{
	const struct plan_guard *guard = &c->plan->guard;
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, family == AF_INET ? "vips" : "vips6", origin);

	set->key = family == AF_INET ? KEY_ADDRESS : KEY_ADDRESS6;
	for (size_t i = 0; i < guard->n_vips; i++)
		if (guard->vips[i]->prefix.address.family == family)
			compile_add_addresses(c, set, &guard->vips[i]->prefix);
	compile_finish_addresses(set);
	return set->name;
}

static bool has_family(const struct plan_guard *guard, int family)
{
	for (size_t i = 0; i < guard->n_vips; i++)
		if (guard->vips[i]->prefix.address.family == family)
			return true;
	return false;
}

static void compile_drop(struct compiler *c, struct ruleset_chain *chain, int family)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (!has_family(&c->plan->guard, family))
		return;
	rule = build_rule(b, chain, "its client will send it again", origin);
	rule_match_set(rule, family == AF_INET ? FIELD_IP_DESTINATION : FIELD_IP6_DESTINATION,
		vip_set(c, family));
	build_statement(rule, STATEMENT_COUNTER);
	if (!b->failed)
		rule->counter.of = GUARD_COUNTER;
	rule_verdict(rule, VERDICT_DROP, NULL);
}

static const char *armed_set(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, GUARD_SET, origin);

	set->key = KEY_PROTOCOL;
	set->timed = true;
	return set->name;
}

/*
 * The state comes first: it tells nearly every packet from those that the guard is about, and takes
 * no look-up. A SYN begins a connection, and a RST that belongs to none is never answered.
 */
static void compile_input(struct compiler *c, const char *guard)
{
	static const uint8_t syn_rst = 0x06;
	struct build *b = &c->build;
	const char *armed = armed_set(c);
	struct ruleset_chain *chain = build_chain(b, "input", origin);
	struct ruleset_rule *rule = build_rule(
		b, chain, "armed: TCP in mid-stream of a flow that is not known here", origin);

	chain->hook = HOOK_INET_INPUT;
	match_unknown(rule);
	rule_match_set(rule, FIELD_META_L4PROTO, armed);
	compile_match_no_bit(rule, FIELD_TCP_FLAGS, build_value(&syn_rst, 1));
	rule_verdict(rule, VERDICT_GOTO, guard);
}

static void compile_members_own(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain;
	const char *name;

	if (!c->plan->guard.drops) {
		compile_tracking(c);
		return;
	}
	chain = build_chain(b, "guard", origin);
	name = chain->name;
	compile_drop(c, chain, AF_INET);
	compile_drop(c, chain, AF_INET6);
	compile_input(c, name);
}

int compile_inet(struct compiler *c)
{
	bool is_member = c->plan->guard.n_vips > 0;
	struct build *b = &c->build;

	if (!is_member && c->plan->n_probes == 0)
		return 0;
	build_table(b, RULESET_INET,
		is_member ? "drover: flows that end on this member" : "drover: checks of members");
	if (is_member)
		compile_members_own(c);
	compile_probes_back(c);
	return b->failed ? -ENOMEM : 0;
}
