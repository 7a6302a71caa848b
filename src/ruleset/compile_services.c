/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a port of the VIPs leads to: services that name it, then the replies to what members have
 * opened themselves, then services for every port.
 */
#include "compiler.h"

static const char *outgoing_map(struct compiler *c)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	const char *name = compile_name(c, c->view->outgoing, NULL);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, compile_group_origin(c));
	set->key = c->view->port_key;
	set->data = DATA_VERDICT;
	set->interval = true;
	for (size_t i = 0; i < group->n_outgoing; i++) {
		const struct plan_outgoing *outgoing = &group->outgoing[i];
		const char *member = group->members[outgoing->member].name;
		struct ruleset_element *element = build_element(b, set, build_copy(b, member));

		element->key = build_port(outgoing->range.first);
		build_extra(b, element)->last = build_port(outgoing->range.last);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO,
			c->member_chains[outgoing->member] };
	}
	return set->name;
}

static void compile_outgoing(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	const struct ruleset_source port = {
		.kind = SOURCE_FIELDS,
		.fields = { c->view->vip_port },
		.n_fields = 1,
	};
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (c->group->n_outgoing == 0)
		return;
	rule = build_rule(
		b, chain, "replies to connections that members opened", compile_group_origin(c));
	/* ICMP has no ports: its checksum is where theirs would be. */
	if (!c->view->is_error) {
		compile_match_icmp(rule, kind == VIEW_IP ? AF_INET : AF_INET6);
		rule->statements[0].negate = true;
	}
	rule_look_up(rule, STATEMENT_VMAP, port, outgoing_map(c));
}

void compile_services(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	const struct plan_group *group = c->group;
	size_t i = 0;

	c->view = view_get(kind);
	for (; i < group->n_distributions && group->distributions[i].ports->n > 0; i++)
		compile_distribution(c, chain, &group->distributions[i], c->learning[kind][i]);
	compile_outgoing(c, chain, kind);
	for (; i < group->n_distributions; i++)
		compile_distribution(c, chain, &group->distributions[i], c->learning[kind][i]);
}
