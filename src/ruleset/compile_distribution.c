/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <netinet/in.h>

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

static char *distribution_label(struct compiler *c, const struct plan_distribution *distribution)
{
	struct build *b = &c->build;
	const char *protocol = distribution->protocol == IPPROTO_TCP ? "tcp" : "udp";
	const char *scheduler = conf_scheduler_name(distribution->scheduler);
	const char *rest = distribution->n_ports > 0 ? "" : "-rest";

	if (distribution->persistence > 0)
		return build_text(
			b, "%s-%s-%us%s", protocol, scheduler, distribution->persistence, rest);
	return build_text(b, "%s-%s%s", protocol, scheduler, rest);
}

char *compile_distribution_name(
	struct compiler *c, const char *kind, const struct plan_distribution *distribution)
{
	_cleanup_(free_p) char *label = distribution_label(c, distribution);
	const char *subset = c->group->tables[distribution->table].subset;

	return build_text(&c->build, "%s/%s/%s%s%s", kind, c->group->name, label ? label : "",
		subset ? "/" : "", subset ? subset : "");
}

char *compile_distribution_origin(struct compiler *c, const struct plan_distribution *distribution)
{
	return build_origin(&c->build, "service", distribution->service, &distribution->location);
}

/* Each element counts what goes to its service. */
static const char *port_set(struct compiler *c, const struct plan_distribution *distribution)
{
	struct build *b = &c->build;
	char *name = compile_distribution_name(c, c->view->ports, distribution);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, compile_distribution_origin(c, distribution));
	set->key = c->view->port_key;
	set->counter = c->plan->counters && !c->view->is_error;
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
		if (set->counter)
			compile_counter(c, &element->counter, "service", port->service);
	}
	return set->name;
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

/*
 * A single port or range is compared before the protocol, because it rules out more. A set is
 * looked up after it, because it counts what it finds.
 */
static void match_service(
	struct compiler *c, struct ruleset_rule *rule, const struct plan_distribution *distribution)
{
	const struct ruleset_value protocol = build_value(&distribution->protocol, 1);

	if (distribution->n_ports > 1) {
		rule_match(rule, c->view->protocol, protocol);
		rule_match_set(rule, c->view->vip_port, port_set(c, distribution));
		return;
	}
	if (distribution->n_ports == 1)
		match_range(c, rule, &distribution->ports[0].range);
	rule_match(rule, c->view->protocol, protocol);
	if (!c->view->is_error)
		compile_count(c, rule, "service", distribution->service);
}

static char *distribution_comment(struct compiler *c, const struct plan_distribution *distribution)
{
	const char *subset = c->group->tables[distribution->table].subset;
	const char *protocol = distribution->protocol == IPPROTO_TCP ? "TCP" : "UDP";
	const char *scheduler = conf_scheduler_name(distribution->scheduler);

	if (distribution->n_ports <= 1)
		return build_text(
			&c->build, "%s: %s %s", distribution->service, protocol, scheduler);
	return build_text(&c->build, "%s %s over %s%s", protocol, scheduler,
		subset ? "the members of " : "all members", subset ? subset : "");
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
