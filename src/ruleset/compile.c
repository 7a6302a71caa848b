/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/compile.h"

#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_location NOWHERE;

/*
 * One rule per group. A verdict map from VIPs to chains would read as well, but
 * the kernel validates every chain once per element that leads to it, bucket maps
 * included: with 256 VIPs each commit would take 256 times as long.
 */
static void compile_dispatch(struct compiler *c, struct ruleset_chain *ingress, const char *chain)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, ingress, NULL, compile_group_origin(c));
	struct ruleset_set *set;
	char text[ADDRESS_TEXT_MAX];

	if (group->n_vips == 1 && prefix_count(&group->vips[0].prefix) == 1) {
		const struct address *vip = &group->vips[0].prefix.address;

		rule->comment = build_text(
			b, "group %s: %s", group->name, address_format(vip, text));
		rule_match(rule, FIELD_IP_DESTINATION_RAW, build_value(vip->bytes, 4));
	} else {
		rule->comment = build_text(b, "group %s", group->name);
		set = build_set(b, compile_name(c, "vips", NULL), compile_group_origin(c));
		set->key = KEY_IP_DESTINATION_RAW;
		for (size_t i = 0; i < group->n_vips; i++)
			compile_add_addresses(c, set, &group->vips[i].prefix);
		compile_finish_addresses(set);
		rule_match_set(rule, FIELD_IP_DESTINATION_RAW, set->name);
	}
	rule_verdict(rule, VERDICT_GOTO, chain);
}

static int compile_netdev(struct compiler *c)
{
	const struct plan *plan = c->plan;
	struct build *b = &c->build;
	_cleanup_(free_p) const char **chains = calloc(plan->n_groups, sizeof(*chains));
	struct ruleset_chain *ingress;

	if (!chains)
		return -ENOMEM;
	build_table(
		b, RULESET_NETDEV, build_text(b, "drover on %s: see drover(7)", plan->interface));
	for (size_t i = 0; i < plan->n_groups; i++) {
		int r;

		c->group = &plan->groups[i];
		r = compile_group(c, &chains[i]);
		if (r < 0)
			return r;
	}
	ingress = build_chain(b, build_text(b, "ingress"),
		build_origin(b, "interface", plan->interface, &NOWHERE));
	ingress->hook = HOOK_INGRESS;
	ingress->interface = b->ruleset->interface;
	for (size_t i = 0; i < plan->n_groups; i++) {
		c->group = &plan->groups[i];
		compile_dispatch(c, ingress, chains[i]);
	}
	return b->failed ? -ENOMEM : 0;
}

int compile_plan(const struct plan *plan, struct ruleset **ret_ruleset)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
	struct compiler compiler = { .build.ruleset = ruleset, .plan = plan };
	int r = 0;

	if (!ruleset)
		return -ENOMEM;
	ruleset->interface = strdup(plan->interface);
	if (!ruleset->interface)
		return -ENOMEM;
	if (plan->n_groups > 0)
		r = compile_netdev(&compiler);
	if (r == 0 && plan->suppress.n_vips > 0)
		r = compile_arp(&compiler);
	if (r < 0)
		return r;
	*ret_ruleset = take_ptr(ruleset);
	return 0;
}
