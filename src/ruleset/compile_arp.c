/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <errno.h>
#include <string.h>

static struct ruleset_value interface_name(const char *name)
{
	char padded[16] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	return build_value(padded, sizeof(padded));
}

/*
 * This host has the VIPs on lo but not the duty: it must not answer who asks for
 * them, nor use one as the sender of a question of its own.
 */
int compile_arp(struct compiler *c)
{
	static const uint8_t arp_request[] = { 0, 1 };
	const struct plan_suppress *suppress = &c->plan->suppress;
	struct build *b = &c->build;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;
	struct ruleset_set *set;
	const char *vips;

	build_table(b, RULESET_ARP,
		build_text(b, "drover: silence about VIPs that another host balances"));
	set = build_set(b, build_text(b, "vips"), build_text(b, "suppressed VIPs"));
	set->key = KEY_ADDRESS;
	for (size_t i = 0; i < suppress->n_vips; i++)
		compile_add_addresses(c, set, &suppress->vips[i]->prefix);
	compile_finish_addresses(set);
	vips = set->name;

	chain = build_chain(b, build_text(b, "input"), build_text(b, "ARP input"));
	chain->hook = HOOK_ARP_INPUT;
	rule = build_rule(b, chain, build_text(b, "only the active balancer answers"),
		build_text(b, "ARP input"));
	rule_match(rule, FIELD_META_IIFNAME, interface_name(c->plan->interface));
	rule_match(rule, FIELD_ARP_OPERATION, build_value(arp_request, sizeof(arp_request)));
	rule_match_set(rule, FIELD_ARP_DESTINATION, vips);
	rule_verdict(rule, VERDICT_DROP, NULL);

	chain = build_chain(b, build_text(b, "output"), build_text(b, "ARP output"));
	chain->hook = HOOK_ARP_OUTPUT;
	rule = build_rule(b, chain, build_text(b, "ask as oneself"), build_text(b, "ARP output"));
	rule_match(rule, FIELD_META_OIFNAME, interface_name(c->plan->interface));
	rule_match_set(rule, FIELD_ARP_SOURCE, vips);
	rule_write(rule, FIELD_ARP_SOURCE, build_value(suppress->source.bytes, 4));
	return b->failed ? -ENOMEM : 0;
}
