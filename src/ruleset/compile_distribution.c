/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
	LEARNED_FLOWS_MAX = 262144,
	/* A TCP flow that is idle shows a keepalive after 2 hours (tcp_keepalive_time). */
	LEARNED_TIMEOUT_MS = 125 * 60 * 1000,
};

static const struct ruleset_source FLOW = {
	.kind = SOURCE_FIELDS,
	.fields = { FIELD_IP_SOURCE, FIELD_TH_SOURCE_PORT },
	.n_fields = 2,
};

/* What a scheduler draws a slot from. */
static struct ruleset_source slot_source(const struct plan *plan, enum conf_scheduler scheduler)
{
	struct ruleset_source source = FLOW;

	source.modulus = plan->n_buckets;
	source.seed = plan->seed;
	switch (scheduler) {
	case CONF_SCHEDULER_HASH:
		source.kind = SOURCE_JHASH;
		break;
	case CONF_SCHEDULER_SOURCE:
		source.kind = SOURCE_JHASH;
		source.n_fields = 1;
		break;
	case CONF_SCHEDULER_RR:
		source.kind = SOURCE_NUMGEN_INC;
		source.n_fields = 0;
		break;
	case CONF_SCHEDULER_RANDOM:
		source.kind = SOURCE_NUMGEN_RANDOM;
		source.n_fields = 0;
		break;
	}
	return source;
}

/* "tcp-rr" or, for every port that no service names, "tcp-rr-rest". */
static char *distribution_label(struct compiler *c, const struct plan_distribution *distribution)
{
	return build_text(&c->build, "%s-%s%s",
		distribution->protocol == IPPROTO_TCP ? "tcp" : "udp",
		conf_scheduler_name(distribution->scheduler),
		distribution->n_ports > 0 ? "" : "-rest");
}

static char *distribution_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution)
{
	_cleanup_(free_p) char *label = distribution_label(c, distribution);
	const char *subset = c->group->tables[distribution->table].subset;

	return build_text(&c->build, "%s/%s/%s%s%s", kind, c->group->name, label ? label : "",
		subset ? "/" : "", subset ? subset : "");
}

static char *distribution_origin(struct compiler *c, const struct plan_distribution *distribution)
{
	return build_origin(&c->build, "service", distribution->service, &distribution->location);
}

static void match_port_set(
	struct compiler *c, struct ruleset_rule *rule, const struct plan_distribution *distribution)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, distribution_name(c, "ports", distribution),
		distribution_origin(c, distribution));

	set->key = KEY_PORT;
	for (size_t i = 0; i < distribution->n_ports; i++)
		set->interval |= distribution->ports[i].range.first !=
				 distribution->ports[i].range.last;
	if (!set->interval)
		set->size = build_size(distribution->n_ports);
	for (size_t i = 0; i < distribution->n_ports; i++) {
		const struct plan_port *port = &distribution->ports[i];
		struct ruleset_element *element = build_element(
			b, set, build_text(b, "%s", port->service));

		element->key = build_port(port->range.first);
		element->last = build_port(port->range.last);
	}
	rule_match_set(rule, FIELD_TH_DESTINATION_PORT, set->name);
}

/* One port costs less as a comparison than as a look-up. */
static void match_ports(
	struct compiler *c, struct ruleset_rule *rule, const struct plan_distribution *distribution)
{
	const struct port_range *only = &distribution->ports[0].range;
	struct ruleset_statement *statement;

	if (distribution->n_ports > 1) {
		match_port_set(c, rule, distribution);
		return;
	}
	if (only->first == only->last) {
		rule_match(rule, FIELD_TH_DESTINATION_PORT, build_port(only->first));
		return;
	}
	statement = build_statement(rule, STATEMENT_MATCH_RANGE);
	statement->field = FIELD_TH_DESTINATION_PORT;
	statement->value = build_port(only->first);
	statement->last = build_port(only->last);
}

static const char *learned_map(struct compiler *c, const struct plan_distribution *distribution)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, distribution_name(c, "learned", distribution),
		distribution_origin(c, distribution));

	set->key = KEY_FLOW;
	set->data = DATA_MARK;
	set->dynamic = true;
	set->size = LEARNED_FLOWS_MAX;
	set->timeout_ms = LEARNED_TIMEOUT_MS;
	return set->name;
}

/*
 * The first packet of a flow draws a member and remembers it; the others find it.
 * When the map is full the second rule breaks before its verdict, and the
 * third balances the flow by hash, from its first packet on.
 */
const char *compile_learning(struct compiler *c, const struct plan_distribution *distribution)
{
	static const uint8_t fin_syn_rst_ack = 0x17, syn = 0x02;
	struct build *b = &c->build;
	const char *learned = learned_map(c, distribution);
	const char *marks = compile_table(c, distribution->table, DATA_MARK);
	const char *buckets = compile_table(c, distribution->fallback, DATA_VERDICT);
	struct ruleset_chain *chain = build_chain(b, distribution_name(c, "learn", distribution),
		distribution_origin(c, distribution));
	struct ruleset_rule *rule;

	rule = build_rule(b, chain, build_text(b, "a flow that has its member"),
		distribution_origin(c, distribution));
	rule_look_up(rule, STATEMENT_MARK, FLOW, learned);
	rule_look_up(rule, STATEMENT_REMEMBER, FLOW, learned);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);

	rule = build_rule(b, chain, build_text(b, "a new flow draws one and keeps it"),
		distribution_origin(c, distribution));
	rule_match(rule, FIELD_TCP_FLAGS, build_value(&syn, 1));
	rule->statements[0].mask = build_value(&fin_syn_rst_ack, 1);
	rule_look_up(rule, STATEMENT_MARK, slot_source(c->plan, distribution->scheduler), marks);
	rule_look_up(rule, STATEMENT_REMEMBER, FLOW, learned);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);

	rule = build_rule(b, chain, build_text(b, "not remembered: by hash"),
		distribution_origin(c, distribution));
	rule_look_up(rule, STATEMENT_VMAP, slot_source(c->plan, CONF_SCHEDULER_HASH), buckets);
	return chain->name;
}

static char *distribution_comment(struct compiler *c, const struct plan_distribution *distribution)
{
	const char *subset = c->group->tables[distribution->table].subset;

	return build_text(&c->build, "%s %s over %s%s",
		distribution->protocol == IPPROTO_TCP ? "TCP" : "UDP",
		conf_scheduler_name(distribution->scheduler),
		subset ? "the members of " : "all members", subset ? subset : "");
}

/*
 * The port is compared before the protocol, because it rules out more; both
 * share one rule with the hash, since each rule repeats nft's own test
 * that the packet is IPv4.
 */
void compile_distribution(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_distribution *distribution, const char *learning)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, chain, distribution_comment(c, distribution),
		distribution_origin(c, distribution));

	if (distribution->n_ports > 0)
		match_ports(c, rule, distribution);
	rule_match(rule, FIELD_IP_PROTOCOL, build_value(&distribution->protocol, 1));
	if (learning)
		rule_verdict(rule, VERDICT_GOTO, learning);
	else
		rule_look_up(rule, STATEMENT_VMAP, slot_source(c->plan, distribution->scheduler),
			compile_table(c, distribution->table, DATA_VERDICT));
}
