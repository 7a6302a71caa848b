/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

struct ruleset_source compile_slot_source(struct compiler *c, enum conf_scheduler scheduler)
{
	struct ruleset_source source = {
		.kind = SOURCE_JHASH,
		.fields = { c->view->client, c->view->client_port },
		.n_fields = 2,
		.modulus = c->plan->n_buckets,
		.seed = c->plan->seed,
	};

	switch (scheduler) {
	case CONF_SCHEDULER_HASH:
		break;
	case CONF_SCHEDULER_SOURCE:
		source.n_fields = 1;
		break;
	case CONF_SCHEDULER_RR:
		source.kind = SOURCE_NUMGEN_INC;
		break;
	case CONF_SCHEDULER_RANDOM:
		source.kind = SOURCE_NUMGEN_RANDOM;
		break;
	}
	return source;
}

/* The set of the protocols that have ports. */
static const char *protocol_set(struct compiler *c)
{
	struct build *b = &c->build;
	const char *name = c->view->protocols;
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, "TCP and UDP");
	set->key = c->view->protocol_key;
	set->size = build_size(N_PROTOCOLS);
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		build_element(b, set, NULL)->key = build_value(&compile_protocols[i].number, 1);
	return set->name;
}

static void match_protocols(
	struct compiler *c, struct ruleset_rule *rule, enum conf_protocol wanted)
{
	if (wanted == CONF_PROTOCOL_ANY)
		rule_match_set(rule, c->view->protocol, protocol_set(c));
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		if (wanted == compile_protocols[i].flag)
			rule_match(rule, c->view->protocol,
				build_value(&compile_protocols[i].number, 1));
}

static void match_range(
	struct compiler *c, struct ruleset_rule *rule, const struct port_range *range)
{
	struct ruleset_statement *statement;

	if (range->first == range->last) {
		rule_match(rule, c->view->vip_port, build_port(range->first));
		return;
	}
	statement = build_statement(rule, STATEMENT_MATCH_RANGE);
	statement->field = c->view->vip_port;
	statement->value = build_port(range->first);
	statement->last = build_port(range->last);
}

static void match_port_set(
	struct compiler *c, struct ruleset_rule *rule, const struct plan_distribution *distribution)
{
	const struct ruleset_source protocol_and_port = {
		.kind = SOURCE_FIELDS,
		.fields = { c->view->protocol, c->view->vip_port },
		.n_fields = 2,
	};

	if (distribution->protocols == CONF_PROTOCOL_ANY) {
		rule_look_up(rule, STATEMENT_MATCH_SET, protocol_and_port,
			compile_ports(c, distribution));
		return;
	}
	match_protocols(c, rule, distribution->protocols);
	rule_match_set(rule, c->view->vip_port, compile_ports(c, distribution));
}

/*
 * A single port or range is compared before the protocol, because it rules out more. A set is
 * looked up after it, because it counts what it finds.
 */
static void match_service(
	struct compiler *c, struct ruleset_rule *rule, const struct plan_distribution *distribution)
{
	if (distribution->ports->n > 1) {
		match_port_set(c, rule, distribution);
		return;
	}
	if (distribution->ports->n == 1)
		match_range(c, rule, &distribution->ports->list[0].range);
	match_protocols(c, rule, distribution->protocols);
	if (!c->view->is_error)
		compile_count(c, rule, "service", distribution->service);
}

static const char *distribution_comment(
	struct compiler *c, const struct plan_distribution *distribution)
{
	static const char *const names[] = {
		[CONF_PROTOCOL_TCP] = "TCP",
		[CONF_PROTOCOL_UDP] = "UDP",
		[CONF_PROTOCOL_ANY] = "TCP and UDP",
	};
	const struct plan_table *table = &c->group->tables[distribution->table];
	const char *subset = table->memory;
	const char *protocol = names[distribution->protocols];
	const char *scheduler = conf_scheduler_name(distribution->scheduler);

	if (distribution->ports->n <= 1)
		return build_text(
			&c->build, "%s: %s %s", distribution->service, protocol, scheduler);
	return build_text(&c->build, "%s %s over %s%s%s", protocol, scheduler,
		subset ? "the members of " : "all members", subset ? subset : "",
		table->apart ? " that are up" : "");
}

/*
 * Ports, protocol and hash share one rule, since each rule repeats nft's own test of the family.
 */
void compile_distribution(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_distribution *distribution, const char *learning)
{
	struct ruleset_rule *rule = build_rule(&c->build, chain,
		distribution_comment(c, distribution),
		compile_distribution_origin(c, distribution));

	match_service(c, rule, distribution);
	if (learning)
		rule_verdict(rule, VERDICT_GOTO, learning);
	/* Any member may have sent what an error about a drawn datagram is about. */
	else if (c->view->is_error && plan_is_drawn(distribution))
		rule_verdict(rule, VERDICT_GOTO, c->everyone);
	else
		rule_look_up(rule, STATEMENT_VMAP, compile_slot_source(c, distribution->scheduler),
			compile_table(c, distribution->table, DATA_VERDICT));
}
