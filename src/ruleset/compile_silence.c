/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host has the VIPs on lo but not the duty: it must not answer who asks for
 * them, nor use one as the sender of a question of its own.
 */
#include "compiler.h"

#include <errno.h>
#include <netinet/icmp6.h>

static bool is_silent(const struct plan_suppress *suppress, int family)
{
	for (size_t i = 0; i < suppress->n_vips; i++)
		if (suppress->vips[i]->prefix.address.family == family)
			return true;
	return false;
}

static const char *vip_set(struct compiler *c, enum ruleset_key key, int family)
{
	const struct plan_suppress *suppress = &c->plan->suppress;
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, "vips", "suppressed VIPs");

	set->key = key;
	for (size_t i = 0; i < suppress->n_vips; i++)
		if (suppress->vips[i]->prefix.address.family == family)
			compile_add_addresses(c, set, &suppress->vips[i]->prefix);
	compile_finish_addresses(set);
	return set->name;
}

static struct ruleset_chain *input_chain(
	struct compiler *c, enum ruleset_hook hook, const char *origin)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "input", origin);

	chain->hook = hook;
	return chain;
}

static struct ruleset_rule *silent_rule(
	struct compiler *c, struct ruleset_chain *chain, const char *origin)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, "only the active balancer answers", origin);

	rule_match(rule, FIELD_META_IIFNAME, compile_interface_name(c));
	return rule;
}

static void compile_arp_output(struct compiler *c, const char *vips)
{
	const struct plan_suppress *suppress = &c->plan->suppress;
	struct build *b = &c->build;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;

	if (suppress->source.family != AF_INET)
		return;
	chain = build_chain(b, "output", "ARP output");
	chain->hook = HOOK_ARP_OUTPUT;
	rule = build_rule(b, chain, "ask as oneself", "ARP output");
	rule_match(rule, FIELD_META_OIFNAME, compile_interface_name(c));
	rule_match_set(rule, FIELD_ARP_SOURCE, vips);
	rule_write(rule, FIELD_ARP_SOURCE, build_value(suppress->source.bytes, 4));
}

int compile_arp(struct compiler *c)
{
	static const uint8_t arp_request[] = { 0, 1 };
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	const char *vips;

	if (!is_silent(&c->plan->suppress, AF_INET))
		return 0;
	build_table(b, RULESET_ARP, "drover: silence about VIPs that another host balances");
	vips = vip_set(c, KEY_ADDRESS, AF_INET);
	rule = silent_rule(c, input_chain(c, HOOK_ARP_INPUT, "ARP input"), "ARP input");
	rule_match(rule, FIELD_ARP_OPERATION, build_value(arp_request, sizeof(arp_request)));
	rule_match_set(rule, FIELD_ARP_DESTINATION, vips);
	rule_verdict(rule, VERDICT_DROP, NULL);
	compile_arp_output(c, vips);
	return b->failed ? -ENOMEM : 0;
}

/*
 * The kernel does not answer for addresses of another interface, such as lo, nor ask in their
 * name (ndisc_recv_ns(), ndisc_send_ns()). This is for VIPs that somebody has put elsewhere.
 */
int compile_nd(struct compiler *c)
{
	static const uint8_t solicitation = ND_NEIGHBOR_SOLICIT;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	const char *vips;

	if (!is_silent(&c->plan->suppress, AF_INET6))
		return 0;
	build_table(b, RULESET_IP6, "drover: silence about VIPs that another host balances");
	vips = vip_set(c, KEY_ND_TARGET, AF_INET6);
	rule = silent_rule(c, input_chain(c, HOOK_IP6_INPUT, "ND input"), "ND input");
	rule_match(rule, FIELD_ICMP6_TYPE, build_value(&solicitation, 1));
	rule_match_set(rule, FIELD_ND_TARGET, vips);
	rule_verdict(rule, VERDICT_DROP, NULL);
	return b->failed ? -ENOMEM : 0;
}
