/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be computed must be remembered: which member a TCP connection was drawn for
 * (schedulers rr and random), and where a client was last (persistence).
 */
#include "compiler.h"

#include <netinet/in.h>

enum {
	REMEMBERED_MAX = 262144,
	/* A TCP flow that is idle shows a keepalive after 2 hours (tcp_keepalive_time). */
	FLOW_TIMEOUT = 125 * 60, /* seconds */
};

/* A distribution that remembers, and what it does in one view. */
struct learning {
	const struct plan_distribution *distribution;
	struct ruleset_source digest;
	const char *memory;
	enum conf_scheduler draw;     /* of a new flow or client */
	enum conf_scheduler fallback; /* when nothing is remembered, nor can be */
};

static bool is_drawn(const struct plan_distribution *distribution)
{
	return distribution->scheduler == CONF_SCHEDULER_RR ||
	       distribution->scheduler == CONF_SCHEDULER_RANDOM;
}

static const char *memory(struct compiler *c, const struct plan_distribution *distribution)
{
	bool of_clients = distribution->persistence > 0;
	char *name = compile_distribution_name(c, of_clients ? "clients" : "learned", distribution);
	const struct ruleset_set *known = compile_find_set(c, name);

	if (known)
		return known->name;
	return compile_memory(c, name, compile_distribution_origin(c, distribution), REMEMBERED_MAX,
		of_clients ? distribution->persistence : FLOW_TIMEOUT);
}

/* All services of a client lead to one member if its address alone is what counts. */
static struct learning learning_init(
	struct compiler *c, const struct plan_distribution *distribution)
{
	const enum ruleset_field flow[] = { c->view->client, c->view->client_port };
	bool of_clients = distribution->persistence > 0;
	enum conf_scheduler stateless = of_clients ? CONF_SCHEDULER_SOURCE : CONF_SCHEDULER_HASH;

	return (struct learning){
		.distribution = distribution,
		.digest = compile_digest(c, flow, of_clients ? 1 : 2),
		.memory = memory(c, distribution),
		.draw = is_drawn(distribution) ? distribution->scheduler : stateless,
		.fallback = stateless,
	};
}

static void compile_known(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, chain,
		build_text(b, "%s that has its member",
			learning->distribution->persistence > 0 ? "a client" : "a flow"),
		compile_distribution_origin(c, learning->distribution));

	rule_look_up(rule, STATEMENT_MARK, learning->digest, learning->memory);
	if (!c->view->is_error)
		rule_look_up(rule, STATEMENT_REMEMBER, learning->digest, learning->memory);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
}

/*
 * An update only renews what is there: to remember another member than one that has
 * gone, that has to be forgotten first. When the memory is full the rule breaks before its verdict.
 */
static void compile_new(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	static const uint8_t fin_syn_rst_ack = 0x17, syn = 0x02;
	const struct plan_distribution *distribution = learning->distribution;
	struct build *b = &c->build;
	size_t table = is_drawn(distribution) ? distribution->table : distribution->fallback;
	const char *marks = compile_table(c, table, DATA_MARK);
	struct ruleset_rule *rule = build_rule(b, chain,
		build_text(b, "a new one draws a member and keeps it"),
		compile_distribution_origin(c, distribution));

	/* In the midst of a connection a draw would be wrong; a hash may be right. */
	if (distribution->protocol == IPPROTO_TCP && is_drawn(distribution)) {
		rule_match(rule, FIELD_TCP_FLAGS, build_value(&syn, 1));
		rule->statements[0].mask = build_value(&fin_syn_rst_ack, 1);
	}
	rule_look_up(rule, STATEMENT_MARK, compile_slot_source(c, learning->draw), marks);
	rule_look_up(rule, STATEMENT_FORGET, learning->digest, learning->memory);
	rule_look_up(rule, STATEMENT_REMEMBER, learning->digest, learning->memory);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
}

const char *compile_learning(struct compiler *c, const struct plan_distribution *distribution)
{
	const struct view *view = c->view;
	struct build *b = &c->build;
	struct learning learning;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;
	const char *buckets;

	if (distribution->persistence == 0 &&
		(distribution->protocol != IPPROTO_TCP || !is_drawn(distribution)))
		return NULL;
	learning = learning_init(c, distribution);
	buckets = compile_table(c, distribution->fallback, DATA_VERDICT);
	chain = build_chain(b,
		compile_distribution_name(c,
			distribution->persistence > 0 ? view->recall : view->learn, distribution),
		compile_distribution_origin(c, distribution));
	compile_pin_rule(c, chain);
	compile_known(c, chain, &learning);
	if (!view->is_error)
		compile_new(c, chain, &learning);
	rule = build_rule(b, chain,
		build_text(b, "not remembered: by %s",
			distribution->persistence > 0 ? "the client's address" : "hash"),
		compile_distribution_origin(c, distribution));
	rule_look_up(rule, STATEMENT_VMAP, compile_slot_source(c, learning.fallback), buckets);
	return chain->name;
}
