/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only the first fragment of a packet has its ports, so only it finds its
 * member by them. The member's chain remembers which packet it was; the others are
 * sent after it.
 */
#include "compiler.h"

#include <netinet/in.h>

enum {
	FRAGMENTS_MAX = 65536,
	FRAGMENT_TIMEOUT = 30, /* seconds: as long as a receiver waits, ipfrag_time */
};

static struct ruleset_source packet_digest(struct compiler *c, enum view_kind kind)
{
	static const enum ruleset_field ip[] = { FIELD_IP_SOURCE, FIELD_IP_DESTINATION, FIELD_IP_ID,
		FIELD_IP_PROTOCOL };
	static const enum ruleset_field ip6[] = { FIELD_IP6_SOURCE, FIELD_IP6_DESTINATION,
		FIELD_FRAG_ID };

	return kind == VIEW_IP ? compile_digest(c, ip, ARRAY_SIZE(ip))
			       : compile_digest(c, ip6, ARRAY_SIZE(ip6));
}

/*
 * Every fragment but the last comes by here, so the note is written again by
 * those between, which lead to the same member.
 */
const char *compile_first_fragments(struct compiler *c)
{
	static const uint8_t more = 1;
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(
		b, compile_name(c, "first-fragment", NULL), compile_group_origin(c));
	struct ruleset_rule *rule;

	c->fragments = compile_memory(c, compile_name(c, "fragments", NULL),
		compile_group_origin(c), FRAGMENTS_MAX, FRAGMENT_TIMEOUT)
			       ->name;
	if (compile_has_family(c->group, AF_INET)) {
		rule = build_rule(b, chain, NULL, compile_group_origin(c));
		rule_look_up(rule, STATEMENT_REMEMBER, packet_digest(c, VIEW_IP), c->fragments);
	}
	if (compile_has_family(c->group, AF_INET6)) {
		rule = build_rule(b, chain, NULL, compile_group_origin(c));
		rule_match(rule, FIELD_FRAG_MORE, build_value(&more, 1));
		rule_look_up(rule, STATEMENT_REMEMBER, packet_digest(c, VIEW_IP6), c->fragments);
	}
	return chain->name;
}

/* A fragment that overtakes its first: whoever gets the first can put it together. */
void compile_fragment_chain(struct compiler *c, enum view_kind kind)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b,
		compile_name(c, kind == VIEW_IP ? "fragment" : "fragment6", NULL),
		compile_group_origin(c));
	struct ruleset_rule *rule = build_rule(
		b, chain, "a large ping: for this host", compile_group_origin(c));

	compile_match_icmp(rule, kind == VIEW_IP ? AF_INET : AF_INET6);
	rule_verdict(rule, VERDICT_ACCEPT, NULL);
	rule = build_rule(b, chain, "a later fragment follows the first", compile_group_origin(c));
	rule_look_up(rule, STATEMENT_MARK, packet_digest(c, kind), c->fragments);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
	rule = build_rule(
		b, chain, "the first has not come yet: to all members", compile_group_origin(c));
	build_statement(rule, STATEMENT_COUNTER);
	rule_verdict(rule, VERDICT_GOTO, c->everyone);
	c->fragment_chains[kind] = chain->name;
}

static struct ruleset_rule *later_fragments(
	struct compiler *c, struct ruleset_chain *chain, const char *comment)
{
	return build_rule(&c->build, chain, comment, compile_group_origin(c));
}

static void match_offset6(struct ruleset_rule *rule)
{
	static const uint8_t none[2];
	size_t at = rule->n_statements;

	rule_match(rule, FIELD_FRAG_OFFSET, build_value(none, sizeof(none)));
	rule->statements[at].negate = true;
}

/*
 * Ahead of the rules that read ports: to the kernel whatever is in the place of ports is one
 * (nft_payload_fast_eval()); of IPv6 that is the flow label. The first test of each
 * rule is what other packets pay.
 */
void compile_later_fragments(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	static const uint8_t offset[] = { 0x00, 0x00, 0x1f, 0xff }, fragment = IPPROTO_FRAGMENT;
	static const uint8_t ethertype_ip[] = { 0x08, 0x00 };
	struct ruleset_rule *rule = later_fragments(c, chain, "later fragments");

	if (kind == VIEW_IP) {
		compile_match_any_bit(
			rule, FIELD_FRAGMENT_RAW, build_value(offset, sizeof(offset)));
		/* Like that of VIPs, the raw test alone may take IPv6 for what it is not. */
		rule_match(rule, FIELD_META_PROTOCOL, build_value(ethertype_ip, 2));
	} else {
		rule_match(rule, FIELD_IP6_NEXT_HEADER, build_value(&fragment, 1));
		match_offset6(rule);
	}
	rule_verdict(rule, VERDICT_GOTO, c->fragment_chains[kind]);
}

/* Behind all rules, since this test is dear: fragments with other headers before that of theirs. */
void compile_odd_fragments(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	struct ruleset_rule *rule;

	if (kind == VIEW_IP)
		return;
	rule = later_fragments(c, chain, "later fragments behind other headers");
	match_offset6(rule);
	rule_verdict(rule, VERDICT_GOTO, c->fragment_chains[kind]);
}
