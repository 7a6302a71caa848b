/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <stdlib.h>

/* Packets a second that may go to everyone: many enough for what is rare, too few for an attack. */
enum { EVERYONE_RATE = 256 };

static const char *member_origin(struct compiler *c, const struct plan_member *member)
{
	return build_origin(&c->build, "member", member->name, &member->location);
}

static const char *member_comment(struct compiler *c, const struct plan_member *member)
{
	char mac[MAC_TEXT_MAX];

	if (member->local)
		return build_text(&c->build, "%s is this host", member->name);
	return build_text(&c->build, "%s %s", member->name, mac_format(&member->mac, mac));
}

/*
 * One aligned load of 4 bytes, which is what nft does fast, and no test of the family: all
 * that other packets pay. In IPv4 the bit is "more fragments", in IPv6 it is set in the number of
 * the fragment header (44), but not in those of TCP and UDP.
 */
static void compile_fragment_test(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_member *member, const char *first_fragments)
{
	static const uint8_t more_fragments[] = { 0x00, 0x00, 0x20, 0x00 };
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, "a first fragment: the others follow it", member_origin(c, member));

	compile_match_any_bit(
		rule, FIELD_FRAGMENT_RAW, build_value(more_fragments, sizeof(more_fragments)));
	rule_write(rule, FIELD_META_MARK, build_number(member->mark));
	rule_verdict(rule, VERDICT_JUMP, first_fragments);
}

/*
 * One place per member for its counter and its address: a member whose MAC
 * changes costs one rule.
 */
static void compile_member(struct compiler *c, size_t index, const char *first_fragments)
{
	const struct plan_member *member = &c->group->members[index];
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b,
		build_text(b, "member/%s/%s", c->group->name, member->name),
		member_origin(c, member));
	struct ruleset_rule *rule;

	c->member_chains[index] = chain->name;
	compile_fragment_test(c, chain, member, first_fragments);
	rule = build_rule(b, chain, member_comment(c, member), member_origin(c, member));
	compile_count(c, rule, "member", member->name);
	if (member->local) {
		/* A mark is our way to remember; local routing must not see it. */
		rule_write(rule, FIELD_META_MARK, build_number(0));
		compile_accept(rule);
		return;
	}
	compile_turn(c, rule, member);
	compile_to_interface(c, rule, STATEMENT_FORWARD);
}

static int compare_marks(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_MARK, &x->key, &y->key);
}

/* Mark of what was remembered -> its member. */
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
			b, set, build_copy(b, member->name));

		element->key = build_number(member->mark);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, c->member_chains[i] };
	}
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_marks);
	c->members_by_mark = set->name;
}

/*
 * For the few packets that are for one member but do not tell for which: a copy for each. Who
 * is not concerned ignores it. This host has one in any case: what is no member's may be its own.
 */
static void compile_everyone(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(
		b, compile_name(c, "everyone", NULL), compile_group_origin(c));
	struct ruleset_rule *rule = build_rule(
		b, chain, "not as an amplifier", compile_group_origin(c));

	build_statement(rule, STATEMENT_LIMIT)->rate = EVERYONE_RATE;
	build_statement(rule, STATEMENT_COUNTER);
	rule_verdict(rule, VERDICT_DROP, NULL);
	for (size_t i = 0; i < c->group->n_members; i++) {
		const struct plan_member *member = &c->group->members[i];

		if (member->local)
			continue;
		rule = build_rule(b, chain, member_comment(c, member), member_origin(c, member));
		compile_turn(c, rule, member);
		compile_to_interface(c, rule, STATEMENT_DUPLICATE);
	}
	rule = build_rule(b, chain, "and this host", compile_group_origin(c));
	build_statement(rule, STATEMENT_COUNTER);
	rule_write(rule, FIELD_META_MARK, build_number(0));
	compile_accept(rule);
	c->everyone = chain->name;
}

void compile_members(struct compiler *c)
{
	const char *first_fragments = compile_first_fragments(c);

	for (size_t i = 0; i < c->group->n_members; i++)
		compile_member(c, i, first_fragments);
	compile_marks(c);
	compile_everyone(c);
}
