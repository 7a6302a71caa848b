/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be computed must be remembered: which member a TCP connection was drawn for
 * (schedulers rr and random), and where a client was last (persistence).
 */
#include "compiler.h"
#include "drover/flow_hash.h"

#include <stdlib.h>

enum {
	REMEMBERED_MAX = 262144,
	/* A TCP flow that is idle shows a keepalive after 2 hours (tcp_keepalive_time). */
	FLOW_TIMEOUT = 125 * 60, /* seconds */
};

/* A map that packets fill, and what of a packet it is keyed by. */
struct memory {
	const char *map; /* NULL: this is not remembered */
	struct ruleset_source digest;
};

/*
 * A distribution that remembers, and what it does in one view. What is drawn for a TCP connection
 * holds for its whole life, and so for longer than its client is remembered.
 */
struct learning {
	const struct plan_distribution *distribution;
	struct memory flows;
	struct memory clients;
	enum conf_scheduler draw;     /* of a new flow or client */
	enum conf_scheduler fallback; /* when nothing is remembered, nor can be */
};

static int compare_memories(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;
	int order = ruleset_compare_keys(KEY_NUMBER, &x->key, &y->key);

	return order ? order : x->mark < y->mark ? -1 : x->mark > y->mark;
}

/* Of several that share a digest one stays, and room is left for what packets will add. */
static void finish_memories(struct ruleset_set *set)
{
	size_t n = 0;

	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_memories);
	for (size_t i = 0; i < set->n_elements && n < REMEMBERED_MAX / 4 * 3; i++)
		if (n == 0 || ruleset_compare_keys(KEY_NUMBER, &set->elements[n - 1].key,
				      &set->elements[i].key) != 0)
			set->elements[n++] = set->elements[i];
	set->n_elements = n;
}

/* The digests that the rules will make of packets: see compile_digest(). */
static void add_memories(struct compiler *c, struct ruleset_set *set,
	const struct plan_distribution *distribution, bool by_port)
{
	for (size_t i = 0; i < distribution->n_memories; i++) {
		const struct plan_memory *memory = &distribution->memories[i];
		struct ruleset_element *element = build_element(&c->build, set, NULL);

		element->key = build_number(flow_hash_bucket(&memory->client, by_port,
			memory->client_port, c->plan->seed, set->modulus));
		element->mark = c->group->members[memory->member].mark;
	}
}

/* Services that checks have parted from their kind keep its memory. */
static void fill_memory(struct compiler *c, struct ruleset_set *set,
	const struct plan_distribution *distribution, bool by_port)
{
	for (size_t i = 0; i < c->group->n_distributions; i++)
		if (c->group->distributions[i].kind == distribution->kind)
			add_memories(c, set, &c->group->distributions[i], by_port);
	finish_memories(set);
}

static const char *memory_map(struct compiler *c, const struct plan_distribution *distribution,
	const char *kind, unsigned int seconds, bool by_port)
{
	const char *name = compile_memory_name(c, kind, distribution);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = compile_memory(
		c, name, compile_distribution_origin(c, distribution), REMEMBERED_MAX, seconds);
	fill_memory(c, set, distribution, by_port);
	return set->name;
}

/* All services of a client lead to one member if its address alone is what counts. */
static struct learning learning_init(
	struct compiler *c, const struct plan_distribution *distribution)
{
	const enum ruleset_field flow[] = { c->view->client, c->view->client_port };
	bool of_clients = distribution->persistence > 0;
	enum conf_scheduler stateless = of_clients ? CONF_SCHEDULER_SOURCE : CONF_SCHEDULER_HASH;
	struct learning learning = {
		.distribution = distribution,
		.flows.digest = compile_digest(c, flow, 2),
		.clients.digest = compile_digest(c, flow, 1),
		.draw = plan_is_drawn(distribution) ? distribution->scheduler : stateless,
		.fallback = stateless,
	};

	if (plan_remembers_flows(distribution))
		learning.flows.map = memory_map(c, distribution, "learned", FLOW_TIMEOUT, true);
	if (of_clients)
		learning.clients.map = memory_map(
			c, distribution, "clients", distribution->persistence, false);
	return learning;
}

/* What is there already is only renewed, not changed. */
static void remember(struct ruleset_rule *rule, const struct memory *memory)
{
	if (memory->map)
		rule_look_up(rule, STATEMENT_REMEMBER, memory->digest, memory->map);
}

/* To remember another member than one that has gone, that has to be forgotten first. */
static void remember_anew(struct ruleset_rule *rule, const struct memory *memory)
{
	if (memory->map)
		rule_look_up(rule, STATEMENT_FORGET, memory->digest, memory->map);
	remember(rule, memory);
}

static void match_begin_of_connection(struct ruleset_rule *rule, bool is_begin)
{
	static const uint8_t fin_syn_rst_ack = 0x17, syn = 0x02;
	struct ruleset_statement *match = &rule->statements[rule->n_statements];

	rule_match(rule, FIELD_TCP_FLAGS, build_value(&syn, 1));
	match->mask = build_value(&fin_syn_rst_ack, 1);
	match->negate = !is_begin;
}

static struct ruleset_rule *learning_rule(struct compiler *c, struct ruleset_chain *chain,
	const struct learning *learning, const char *comment)
{
	return build_rule(
		&c->build, chain, comment, compile_distribution_origin(c, learning->distribution));
}

/* A connection that begins goes to where its client is by now, whoever had the port before. */
static void compile_known_flow(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	struct ruleset_rule *rule = learning_rule(c, chain, learning, "a flow that has its member");

	if (learning->clients.map && !c->view->is_error)
		match_begin_of_connection(rule, false);
	rule_look_up(rule, STATEMENT_MARK, learning->flows.digest, learning->flows.map);
	if (!c->view->is_error) {
		remember(rule, &learning->flows);
		remember(rule, &learning->clients);
	}
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
}

/*
 * A client that uses a port again begins another connection: it must not come to a member that is
 * being drained, or the last one there might never end. The rule has no verdict, the next ones
 * have.
 */
static void compile_leave(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	for (size_t i = 0; i < c->group->n_members; i++) {
		const struct plan_member *member = &c->group->members[i];
		struct ruleset_rule *rule;

		if (!member->draining)
			continue;
		rule = build_rule(&c->build, chain,
			build_text(&c->build, "no new connection for %s", member->name),
			compile_distribution_origin(c, learning->distribution));
		match_begin_of_connection(rule, true);
		rule_look_up(rule, STATEMENT_MARK, learning->flows.digest, learning->flows.map);
		rule_match(rule, FIELD_META_MARK, build_number(member->mark));
		rule_look_up(rule, STATEMENT_FORGET, learning->flows.digest, learning->flows.map);
	}
}

static void compile_known_client(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	struct ruleset_rule *rule = learning_rule(
		c, chain, learning, "a client that has its member");

	rule_look_up(rule, STATEMENT_MARK, learning->clients.digest, learning->clients.map);
	if (!c->view->is_error) {
		remember(rule, &learning->clients);
		remember_anew(rule, &learning->flows);
	}
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
}

static void forget(struct compiler *c, struct ruleset_chain *chain, const struct learning *learning,
	const struct memory *memory, const struct plan_member *member)
{
	struct ruleset_rule *rule;

	if (!memory->map)
		return;
	rule = build_rule(&c->build, chain, build_text(&c->build, "%s is down", member->name),
		compile_distribution_origin(c, learning->distribution));
	rule_look_up(rule, STATEMENT_MARK, memory->digest, memory->map);
	rule_match(rule, FIELD_META_MARK, build_number(member->mark));
	rule_look_up(rule, STATEMENT_FORGET, memory->digest, memory->map);
}

/* Who is out of this service serves another: its mark still leads to it. */
static void compile_ejected(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	for (size_t i = 0; i < c->group->n_members; i++) {
		if (!plan_is_ejected(c->group, learning->distribution, i))
			continue;
		forget(c, chain, learning, &learning->flows, &c->group->members[i]);
		forget(c, chain, learning, &learning->clients, &c->group->members[i]);
	}
}

static const char *marks_table(struct compiler *c, const struct plan_distribution *distribution)
{
	size_t table = plan_is_drawn(distribution) ? distribution->table : distribution->fallback;

	return compile_table(c, table, DATA_MARK);
}

void compile_learning_tables(struct compiler *c, const struct plan_distribution *distribution)
{
	(void)compile_table(c, distribution->fallback, DATA_VERDICT);
	(void)marks_table(c, distribution);
}

/* When a memory is full the rule breaks before its verdict. */
static void compile_new(
	struct compiler *c, struct ruleset_chain *chain, const struct learning *learning)
{
	const char *marks = marks_table(c, learning->distribution);
	struct ruleset_rule *rule = learning_rule(
		c, chain, learning, "a new one draws a member and keeps it");

	/* In the midst of a connection a draw would be wrong; a hash may be right. */
	if (learning->flows.map)
		match_begin_of_connection(rule, true);
	rule_look_up(rule, STATEMENT_MARK, compile_slot_source(c, learning->draw), marks);
	remember_anew(rule, &learning->clients);
	remember_anew(rule, &learning->flows);
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

	if (!plan_remembers(distribution))
		return NULL;
	learning = learning_init(c, distribution);
	buckets = compile_table(c, distribution->fallback, DATA_VERDICT);
	chain = build_chain(b,
		compile_distribution_name(c,
			distribution->persistence > 0 ? view->recall : view->learn, distribution),
		compile_distribution_origin(c, distribution));
	compile_pin_rule(c, chain);
	if (!view->is_error)
		compile_ejected(c, chain, &learning);
	if (learning.flows.map && !learning.clients.map && !view->is_error)
		compile_leave(c, chain, &learning);
	if (learning.flows.map)
		compile_known_flow(c, chain, &learning);
	if (learning.clients.map)
		compile_known_client(c, chain, &learning);
	if (!view->is_error)
		compile_new(c, chain, &learning);
	rule = learning_rule(c, chain, &learning,
		learning.clients.map ? "not remembered: by the client's address"
				     : "not remembered: by hash");
	rule_look_up(rule, STATEMENT_VMAP, compile_slot_source(c, learning.fallback), buckets);
	return chain->name;
}
