/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

enum {
	FRAGMENTS_MAX = 65536,
	FRAGMENT_TIMEOUT_MS = 30 * 1000, /* as long as a receiver waits: ipfrag_time */
};

/*
 * Only the first fragment of a packet has its ports, so only it finds its
 * member by them. The member's chain remembers which packet it was; the others are
 * sent after it.
 */
void compile_fragment_map(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(
		b, compile_name(c, "fragments", NULL), compile_group_origin(c));

	set->key = KEY_FRAGMENT;
	set->data = DATA_MARK;
	set->dynamic = true;
	set->size = FRAGMENTS_MAX;
	set->timeout_ms = FRAGMENT_TIMEOUT_MS;
	c->fragments = set->name;
}

static struct ruleset_source packet_id(void)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_IP_SOURCE, FIELD_IP_DESTINATION, FIELD_IP_ID },
		.n_fields = 3,
	};
}

/* Adds a match of the bits of mask, which is as long as the field, being not all zero. */
static void match_any_bit(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value mask)
{
	struct ruleset_statement *match = build_statement(rule, STATEMENT_MATCH);

	match->field = field;
	match->value = (struct ruleset_value){ .length = mask.length };
	match->mask = mask;
	match->negate = true;
}

/*
 * One aligned load of 4 bytes, which is what nft does fast, and no test for IPv4:
 * all that other packets pay. "More fragments" tells every fragment but the last, so the
 * note is written again by those between, which lead to the same member.
 */
void compile_first_fragment(
	struct compiler *c, struct ruleset_chain *chain, const struct plan_member *member)
{
	static const uint8_t more_fragments[] = { 0x00, 0x00, 0x20, 0x00 };
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, chain,
		build_text(b, "a first fragment: the others follow it"),
		build_origin(b, "member", member->name, &member->location));

	match_any_bit(
		rule, FIELD_IP_FRAGMENT_RAW, build_value(more_fragments, sizeof(more_fragments)));
	rule_look_up(rule, STATEMENT_REMEMBER, packet_id(), c->fragments);
	rule->statements[rule->n_statements - 1].value = build_number(member->mark);
}

const char *compile_fragment_chain(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(
		b, compile_name(c, "fragment", NULL), compile_group_origin(c));
	struct ruleset_rule *rule = build_rule(b, chain,
		build_text(b, "a later fragment follows the first"), compile_group_origin(c));

	rule_look_up(rule, STATEMENT_MARK, packet_id(), c->fragments);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
	rule = build_rule(b, chain, build_text(b, "the first stayed here, or has not come yet"),
		compile_group_origin(c));
	build_statement(rule, STATEMENT_COUNTER);
	/* Its member may have gone since: then it bears a mark that is for nobody else. */
	rule_write(rule, FIELD_META_MARK, build_number(0));
	rule_verdict(rule, VERDICT_ACCEPT, NULL);
	return chain->name;
}

/*
 * Behind the rules that compare ports, since these do not match later fragments;
 * before those that do not, since these might.
 */
void compile_later_fragments(
	struct compiler *c, struct ruleset_chain *chain, const char *fragment_chain)
{
	static const uint8_t offset[] = { 0x1f, 0xff };
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, build_text(b, "later fragments"), compile_group_origin(c));

	match_any_bit(rule, FIELD_IP_FRAGMENT, build_value(offset, sizeof(offset)));
	rule_verdict(rule, VERDICT_GOTO, fragment_chain);
}
