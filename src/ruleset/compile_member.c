/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

/*
 * One place per member for its counter and its address: a member whose MAC
 * changes costs one rule. Source and destination MAC are one write, since a
 * write costs the same whatever its length. The source must be our own, or the
 * switch would learn the client's MAC on our port.
 */
static void compile_member(struct compiler *c, size_t index)
{
	const struct plan_member *member = &c->group->members[index];
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b,
		build_text(b, "member/%s/%s", c->group->name, member->name),
		build_origin(b, "member", member->name, &member->location));
	struct ruleset_statement *forward;
	struct ruleset_rule *rule;
	char mac[MAC_TEXT_MAX];
	uint8_t both[12];

	c->member_chains[index] = chain->name;
	if (!member->local)
		compile_first_fragment(c, chain, member);
	rule = build_rule(
		b, chain, NULL, build_origin(b, "member", member->name, &member->location));
	build_statement(rule, STATEMENT_COUNTER);
	if (member->local) {
		rule->comment = build_text(b, "%s is this host", member->name);
		/* A mark is our way to remember; local routing must not see it. */
		if (compile_group_learns(c->group))
			rule_write(rule, FIELD_META_MARK, build_number(0));
		rule_verdict(rule, VERDICT_ACCEPT, NULL);
		return;
	}
	rule->comment = build_text(b, "%s %s", member->name, mac_format(&member->mac, mac));
	memcpy(both, member->mac.bytes, 6);
	memcpy(both + 6, c->plan->mac.bytes, 6);
	rule_write(rule, FIELD_ETHER_BOTH_RAW, build_value(both, sizeof(both)));
	forward = build_statement(rule, STATEMENT_FORWARD);
	forward->interface = b->ruleset->interface;
	forward->interface_index = c->plan->interface_index;
}

static int compare_marks(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_MARK, &x->key, &y->key);
}

/* Mark of a remembered flow -> its member. */
static void compile_marks(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(
		b, build_text(b, "members/%s", c->group->name), compile_group_origin(c));

	set->key = KEY_MARK;
	set->data = DATA_VERDICT;
	set->size = build_size(c->group->n_members);
	for (size_t i = 0; i < c->group->n_members; i++) {
		const struct plan_member *member = &c->group->members[i];
		struct ruleset_element *element = build_element(
			b, set, build_text(b, "%s", member->name));

		element->key = build_number(member->mark);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, c->member_chains[i] };
	}
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_marks);
	c->members_by_mark = set->name;
}

void compile_members(struct compiler *c)
{
	for (size_t i = 0; i < c->group->n_members; i++)
		compile_member(c, i);
	compile_marks(c);
}
