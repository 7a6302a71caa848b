/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors carry the header of what they are about: a packet that a member has sent from a
 * VIP. Only that member can heed them, above all "too big, fragmentation needed".
 */
#include "compiler.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>

static const char *icmp_errors(struct compiler *c)
{
	static const uint8_t types[] = { ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED,
		ICMP_PARAMETERPROB };
	struct build *b = &c->build;
	const char *name = "icmp-errors";
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, "ICMP errors");
	set->key = KEY_ICMP_TYPE;
	set->size = build_size(sizeof(types));
	for (size_t i = 0; i < sizeof(types); i++)
		build_element(b, set, NULL)->key = build_value(&types[i], 1);
	return set->name;
}

static void compile_ip_error_tests(struct compiler *c, struct ruleset_chain *chain)
{
	static const uint8_t plain_header = 0x45, offset[] = { 0x1f, 0xff };
	struct build *b = &c->build;
	const char *errors = icmp_errors(c);
	struct ruleset_rule *rule;

	rule = build_rule(
		b, chain, "not about another packet: for this host", compile_group_origin(c));
	rule_match_set(rule, FIELD_ICMP_TYPE, errors);
	rule->statements[0].negate = true;
	rule_verdict(rule, VERDICT_ACCEPT, NULL);

	rule = build_rule(b, chain, "about a packet with options", compile_group_origin(c));
	rule_match(rule, FIELD_ERROR_VERSION, build_value(&plain_header, 1));
	rule->statements[0].negate = true;
	rule_verdict(rule, VERDICT_GOTO, c->everyone);

	rule = build_rule(b, chain, "about a later fragment", compile_group_origin(c));
	compile_match_any_bit(rule, FIELD_ERROR_FRAGMENT, build_value(offset, sizeof(offset)));
	rule_verdict(rule, VERDICT_GOTO, c->everyone);
}

static void compile_ip6_error_tests(struct compiler *c, struct ruleset_chain *chain)
{
	/* RFC 4443: errors are 1 to 127, of which 1 to 4 are in use. */
	static const uint8_t first_other = 5, last = 255, fragment = IPPROTO_FRAGMENT;
	struct build *b = &c->build;
	struct ruleset_statement *range;
	struct ruleset_rule *rule;

	rule = build_rule(
		b, chain, "not about another packet: for this host", compile_group_origin(c));
	range = build_statement(rule, STATEMENT_MATCH_RANGE);
	range->field = FIELD_ICMP6_TYPE;
	range->value = build_value(&first_other, 1);
	range->last = build_value(&last, 1);
	rule_verdict(rule, VERDICT_ACCEPT, NULL);

	rule = build_rule(b, chain, "about a fragment", compile_group_origin(c));
	rule_match(rule, FIELD_ERROR6_PROTOCOL, build_value(&fragment, 1));
	rule_verdict(rule, VERDICT_GOTO, c->everyone);
}

/* kind is that of the error's own family: VIEW_IP or VIEW_IP6. */
void compile_error_chain(struct compiler *c, enum view_kind kind)
{
	enum view_kind error = kind == VIEW_IP ? VIEW_ERROR : VIEW_ERROR6;
	struct ruleset_chain *chain = build_chain(
		&c->build, compile_name(c, view_get(error)->chain, NULL), compile_group_origin(c));

	if (kind == VIEW_IP)
		compile_ip_error_tests(c, chain);
	else
		compile_ip6_error_tests(c, chain);
	compile_services(c, chain, error);
	c->error_chains[kind] = chain->name;
}

void compile_errors(struct compiler *c, struct ruleset_chain *chain, enum view_kind kind)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, "errors about flows", compile_group_origin(c));

	compile_match_icmp(rule, kind == VIEW_IP ? AF_INET : AF_INET6);
	rule_verdict(rule, VERDICT_GOTO, c->error_chains[kind]);
}
