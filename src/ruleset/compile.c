/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/compile.h"

#include "build.h"
#include "drover/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEARNED_FLOWS_MAX = 262144,
	/* A TCP flow that is idle shows a keepalive after 2 hours (tcp_keepalive_time). */
	LEARNED_TIMEOUT_MS = 125 * 60 * 1000,
	SET_SIZE_MIN = 64,
};

static const struct conf_location NOWHERE;

struct compiler {
	struct build build;
	const struct plan *plan;
	const struct plan_group *group;
	const char **member_chains; /* of group->members */
};

/* A set's size cannot be changed, so it leaves room: a power of two. */
static uint32_t size_for(size_t n)
{
	uint32_t size = SET_SIZE_MIN;

	while (size < n)
		size *= 2;
	return size;
}

/* --- statements ------------------------------------------------------------- */

static void match(struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value)
{
	struct ruleset_statement *statement = build_statement(rule, STATEMENT_MATCH);

	statement->field = field;
	statement->value = value;
}

static void match_set(struct ruleset_rule *rule, enum ruleset_field field, const char *set)
{
	struct ruleset_statement *statement = build_statement(rule, STATEMENT_MATCH_SET);

	statement->field = field;
	statement->set = set;
}

static void verdict(struct ruleset_rule *rule, enum ruleset_verdict_kind kind, const char *chain)
{
	build_statement(rule, STATEMENT_VERDICT)->verdict = (struct ruleset_verdict){ .kind = kind,
		.chain = chain };
}

static void write_field(
	struct ruleset_rule *rule, enum ruleset_field field, struct ruleset_value value)
{
	struct ruleset_statement *statement = build_statement(rule, STATEMENT_WRITE);

	statement->field = field;
	statement->value = value;
}

/* Looks a source up in a map: STATEMENT_VMAP, STATEMENT_MARK or STATEMENT_REMEMBER. */
static void look_up(struct ruleset_rule *rule, enum ruleset_statement_kind kind,
	struct ruleset_source source, const char *set)
{
	struct ruleset_statement *statement = build_statement(rule, kind);

	statement->source = source;
	statement->set = set;
}

static const struct ruleset_source MARK = {
	.kind = SOURCE_FIELDS,
	.fields = { FIELD_META_MARK },
	.n_fields = 1,
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

/* --- members ---------------------------------------------------------------- */

/* rr and random choose anew for each packet; the choice for a TCP flow must be remembered. */
static bool is_learned(const struct plan_distribution *distribution)
{
	return distribution->protocol == IPPROTO_TCP &&
	       (distribution->scheduler == CONF_SCHEDULER_RR ||
		       distribution->scheduler == CONF_SCHEDULER_RANDOM);
}

static bool group_learns(const struct plan_group *group)
{
	for (size_t i = 0; i < group->n_distributions; i++)
		if (is_learned(&group->distributions[i]))
			return true;
	return false;
}

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
	rule = build_rule(
		b, chain, NULL, build_origin(b, "member", member->name, &member->location));
	build_statement(rule, STATEMENT_COUNTER);
	if (member->local) {
		rule->comment = build_text(b, "%s is this host", member->name);
		/* A mark was our way to remember; local routing must not see it. */
		if (group_learns(c->group))
			write_field(rule, FIELD_META_MARK, build_number(0));
		verdict(rule, VERDICT_ACCEPT, NULL);
		return;
	}
	rule->comment = build_text(b, "%s %s", member->name, mac_format(&member->mac, mac));
	memcpy(both, member->mac.bytes, 6);
	memcpy(both + 6, c->plan->mac.bytes, 6);
	write_field(rule, FIELD_ETHER_BOTH_RAW, build_value(both, sizeof(both)));
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
static const char *compile_marks(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, build_text(b, "members/%s", c->group->name),
		build_origin(b, "group", c->group->name, &c->group->location));

	set->key = KEY_MARK;
	set->data = DATA_VERDICT;
	set->size = size_for(c->group->n_members);
	for (size_t i = 0; i < c->group->n_members; i++) {
		const struct plan_member *member = &c->group->members[i];
		struct ruleset_element *element = build_element(
			b, set, build_text(b, "%s", member->name));

		element->key = build_number(member->mark);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, c->member_chains[i] };
	}
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_marks);
	return set->name;
}

/* --- bucket tables ------------------------------------------------------------ */

static const char *table_kind(const struct plan_table *table, enum ruleset_data data)
{
	switch (table->order) {
	case BUCKETS_RENDEZVOUS:
		return data == DATA_MARK ? "bucket-marks" : "buckets";
	case BUCKETS_TURNS:
		return data == DATA_MARK ? "turn-marks" : "turns";
	}
	return NULL;
}

/* "kind/group" or "kind/group/subset". */
static char *table_name(struct compiler *c, const char *kind, const char *subset)
{
	return build_text(&c->build, "%s/%s%s%s", kind, c->group->name, subset ? "/" : "",
		subset ? subset : "");
}

/*
 * A slot without a member drops: the client tries again, and by then there may
 * be one. Falling through would hand its packets to some other service's members.
 */
static void fill_slots(struct compiler *c, struct ruleset_set *set, const struct plan_table *table)
{
	for (uint32_t slot = 0; slot < c->plan->n_buckets; slot++) {
		uint16_t member = table->slots[slot];
		struct ruleset_element *element;

		if (member == BUCKETS_NONE && set->data == DATA_MARK)
			continue;
		element = build_element(&c->build, set, NULL);
		element->key = build_number(slot);
		if (member == BUCKETS_NONE)
			element->verdict.kind = VERDICT_DROP;
		else if (set->data == DATA_MARK)
			element->mark = c->group->members[member].mark;
		else
			element->verdict = (struct ruleset_verdict){ VERDICT_GOTO,
				c->member_chains[member] };
	}
}

/* Returns the name of the map for a table, which is made at its first use. */
static const char *compile_slots(struct compiler *c, size_t index, enum ruleset_data data)
{
	const struct plan_table *table = &c->group->tables[index];
	struct build *b = &c->build;
	char *name = table_name(c, table_kind(table, data), table->subset);
	const struct ruleset_set *known = name ? ruleset_find_set(b->table, name) : NULL;
	struct ruleset_set *set;

	if (known) {
		free(name);
		return known->name;
	}
	set = build_set(b, name,
		table->subset ? build_origin(b, "service", table->subset, &table->location)
			      : build_origin(b, "group", c->group->name, &c->group->location));
	set->key = KEY_SLOT;
	set->data = data;
	set->modulus = c->plan->n_buckets;
	set->size = c->plan->n_buckets;
	fill_slots(c, set, table);
	return set->name;
}

/* --- distributions -------------------------------------------------------------- */

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
		set->size = size_for(distribution->n_ports);
	for (size_t i = 0; i < distribution->n_ports; i++) {
		const struct plan_port *port = &distribution->ports[i];
		struct ruleset_element *element = build_element(
			b, set, build_text(b, "%s", port->service));

		element->key = build_port(port->range.first);
		element->last = build_port(port->range.last);
	}
	match_set(rule, FIELD_TH_DESTINATION_PORT, set->name);
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
		match(rule, FIELD_TH_DESTINATION_PORT, build_port(only->first));
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
static const char *compile_learning(
	struct compiler *c, const struct plan_distribution *distribution)
{
	static const uint8_t fin_syn_rst_ack = 0x17, syn = 0x02;
	struct build *b = &c->build;
	const char *learned = learned_map(c, distribution);
	const char *marks = compile_slots(c, distribution->table, DATA_MARK);
	const char *buckets = compile_slots(c, distribution->fallback, DATA_VERDICT);
	char *members = build_text(b, "members/%s", c->group->name);
	const struct ruleset_set *known = members ? ruleset_find_set(b->table, members) : NULL;
	const char *by_mark = known ? known->name : NULL;
	struct ruleset_chain *chain = build_chain(b, distribution_name(c, "learn", distribution),
		distribution_origin(c, distribution));
	struct ruleset_rule *rule;

	free(members);
	rule = build_rule(b, chain, build_text(b, "a flow that has its member"),
		distribution_origin(c, distribution));
	look_up(rule, STATEMENT_MARK, FLOW, learned);
	look_up(rule, STATEMENT_REMEMBER, FLOW, learned);
	look_up(rule, STATEMENT_VMAP, MARK, by_mark);

	rule = build_rule(b, chain, build_text(b, "a new flow draws one and keeps it"),
		distribution_origin(c, distribution));
	match(rule, FIELD_TCP_FLAGS, build_value(&syn, 1));
	rule->statements[0].mask = build_value(&fin_syn_rst_ack, 1);
	look_up(rule, STATEMENT_MARK, slot_source(c->plan, distribution->scheduler), marks);
	look_up(rule, STATEMENT_REMEMBER, FLOW, learned);
	look_up(rule, STATEMENT_VMAP, MARK, by_mark);

	rule = build_rule(b, chain, build_text(b, "not remembered: by hash"),
		distribution_origin(c, distribution));
	look_up(rule, STATEMENT_VMAP, slot_source(c->plan, CONF_SCHEDULER_HASH), buckets);
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
static void compile_distribution(struct compiler *c, struct ruleset_chain *chain,
	const struct plan_distribution *distribution, const char *learning)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, chain, distribution_comment(c, distribution),
		distribution_origin(c, distribution));

	if (distribution->n_ports > 0)
		match_ports(c, rule, distribution);
	match(rule, FIELD_IP_PROTOCOL, build_value(&distribution->protocol, 1));
	if (learning)
		verdict(rule, VERDICT_GOTO, learning);
	else
		look_up(rule, STATEMENT_VMAP, slot_source(c->plan, distribution->scheduler),
			compile_slots(c, distribution->table, DATA_VERDICT));
}

/* --- groups ----------------------------------------------------------------------- */

/*
 * What another balancer has forwarded to us is ours to keep: two active
 * balancers may exist, and no packet may go round between them.
 */
static void compile_loop_guard(struct compiler *c, struct ruleset_chain *chain)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	struct ruleset_set *set;

	if (group->n_peers == 0)
		return;
	rule = build_rule(b, chain, NULL, build_origin(b, "group", group->name, &group->location));
	if (group->n_peers == 1) {
		rule->comment = build_text(b, "loop guard: from balancer %s", group->peers[0].name);
		match(rule, FIELD_ETHER_SOURCE_RAW, build_value(group->peers[0].mac.bytes, 6));
		verdict(rule, VERDICT_ACCEPT, NULL);
		return;
	}
	rule->comment = build_text(b, "loop guard: from another balancer");
	set = build_set(b, table_name(c, "peers", NULL),
		build_origin(b, "group", group->name, &group->location));
	set->key = KEY_ETHER_SOURCE_RAW;
	set->size = size_for(group->n_peers);
	for (size_t i = 0; i < group->n_peers; i++)
		build_element(b, set, build_text(b, "%s", group->peers[i].name))->key = build_value(
			group->peers[i].mac.bytes, 6);
	match_set(rule, FIELD_ETHER_SOURCE_RAW, set->name);
	verdict(rule, VERDICT_ACCEPT, NULL);
}

static void compile_outgoing(struct compiler *c, struct ruleset_chain *chain)
{
	static const uint8_t ethertype_ip[] = { 0x08, 0x00 };
	static const struct ruleset_source port = {
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_TH_DESTINATION_PORT },
		.n_fields = 1,
	};
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	struct ruleset_set *set;

	if (group->n_outgoing == 0)
		return;
	set = build_set(b, table_name(c, "outgoing", NULL),
		build_origin(b, "group", group->name, &group->location));
	set->key = KEY_PORT;
	set->data = DATA_VERDICT;
	set->interval = true;
	for (size_t i = 0; i < group->n_outgoing; i++) {
		const struct plan_outgoing *outgoing = &group->outgoing[i];
		const char *name = group->members[outgoing->member].name;
		struct ruleset_element *element = build_element(b, set, build_text(b, "%s", name));

		element->key = build_port(outgoing->range.first);
		element->last = build_port(outgoing->range.last);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO,
			c->member_chains[outgoing->member] };
	}
	rule = build_rule(b, chain, build_text(b, "replies to connections that members opened"),
		build_origin(b, "group", group->name, &group->location));
	match(rule, FIELD_META_PROTOCOL, build_value(ethertype_ip, sizeof(ethertype_ip)));
	look_up(rule, STATEMENT_VMAP, port, set->name);
}

static void compile_rules(struct compiler *c, struct ruleset_chain *chain, const char **learning)
{
	const struct plan_group *group = c->group;
	size_t i = 0;

	compile_loop_guard(c, chain);
	for (; i < group->n_distributions && group->distributions[i].n_ports > 0; i++)
		compile_distribution(c, chain, &group->distributions[i], learning[i]);
	compile_outgoing(c, chain);
	for (; i < group->n_distributions; i++)
		compile_distribution(c, chain, &group->distributions[i], learning[i]);
}

static int compile_group(struct compiler *c)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	_cleanup_(free_p)
		const char **member_chains = calloc(group->n_members + 1, sizeof(*member_chains));
	_cleanup_(free_p)
		const char **learning = calloc(group->n_distributions + 1, sizeof(*learning));
	struct ruleset_chain *chain;

	if (!member_chains || !learning)
		return -ENOMEM;
	c->member_chains = member_chains;
	for (size_t i = 0; i < group->n_members; i++)
		compile_member(c, i);
	if (group_learns(group))
		compile_marks(c);
	for (size_t i = 0; i < group->n_distributions; i++)
		if (is_learned(&group->distributions[i]))
			learning[i] = compile_learning(c, &group->distributions[i]);
	chain = build_chain(b, build_text(b, "vip/%s", group->name),
		build_origin(b, "group", group->name, &group->location));
	compile_rules(c, chain, learning);
	return b->failed ? -ENOMEM : 0;
}

/* --- dispatch ------------------------------------------------------------------------ */

static int compare_elements(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_ADDRESS, &x->key, &y->key);
}

/* Adds every address of the VIPs to a set, each with its dotted form as comment. */
static void add_addresses(struct build *b, struct ruleset_set *set, const struct prefix *prefix)
{
	for (size_t i = 0; i < prefix_count(prefix); i++) {
		struct address address = prefix_address_at(prefix, i);
		char text[ADDRESS_TEXT_MAX];
		struct ruleset_element *element;

		element = build_element(b, set,
			set->key == KEY_ADDRESS
				? NULL
				: build_text(b, "%s", address_format(&address, text)));
		element->key = build_value(address.bytes, 4);
	}
}

static void finish_addresses(struct ruleset_set *set)
{
	set->size = size_for(set->n_elements);
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_elements);
}

/*
 * One rule per group. A verdict map from VIPs to chains would read as well, but
 * the kernel validates every chain once per element that leads to it, bucket maps
 * included: with 256 VIPs each commit would take 256 times as long.
 */
static void compile_dispatch(
	struct compiler *c, struct ruleset_chain *ingress, const struct plan_group *group)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(b, ingress, build_text(b, "group %s", group->name),
		build_origin(b, "group", group->name, &group->location));
	char *target = build_text(b, "vip/%s", group->name);
	const struct ruleset_chain *chain = target ? ruleset_find_chain(b->table, target) : NULL;
	struct ruleset_set *set;
	char text[ADDRESS_TEXT_MAX];

	free(target);
	if (group->n_vips == 1 && prefix_count(&group->vips[0].prefix) == 1) {
		const struct address *vip = &group->vips[0].prefix.address;

		free(rule->comment);
		rule->comment = build_text(
			b, "group %s: %s", group->name, address_format(vip, text));
		match(rule, FIELD_IP_DESTINATION_RAW, build_value(vip->bytes, 4));
	} else {
		set = build_set(b, build_text(b, "vips/%s", group->name),
			build_origin(b, "group", group->name, &group->location));
		set->key = KEY_IP_DESTINATION_RAW;
		for (size_t i = 0; i < group->n_vips; i++)
			add_addresses(b, set, &group->vips[i].prefix);
		finish_addresses(set);
		match_set(rule, FIELD_IP_DESTINATION_RAW, set->name);
	}
	verdict(rule, VERDICT_GOTO, chain ? chain->name : NULL);
}

static int compile_netdev(struct compiler *c)
{
	const struct plan *plan = c->plan;
	struct build *b = &c->build;
	struct ruleset_chain *ingress;

	build_table(
		b, RULESET_NETDEV, build_text(b, "drover on %s: see drover(7)", plan->interface));
	for (size_t i = 0; i < plan->n_groups; i++) {
		int r;

		c->group = &plan->groups[i];
		r = compile_group(c);
		if (r < 0)
			return r;
	}
	ingress = build_chain(b, build_text(b, "ingress"),
		build_origin(b, "interface", plan->interface, &NOWHERE));
	ingress->hook = HOOK_INGRESS;
	ingress->interface = b->ruleset->interface;
	for (size_t i = 0; i < plan->n_groups; i++)
		compile_dispatch(c, ingress, &plan->groups[i]);
	return b->failed ? -ENOMEM : 0;
}

/* --- ARP ------------------------------------------------------------------------------ */

static struct ruleset_value interface_name(const char *name)
{
	char padded[16] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	return build_value(padded, sizeof(padded));
}

/*
 * This host has the VIPs on lo but not the duty: it must not answer who asks for
 * them, nor use one as the sender of a question of its own.
 */
static int compile_arp(struct compiler *c)
{
	static const uint8_t arp_request[] = { 0, 1 };
	const struct plan_suppress *suppress = &c->plan->suppress;
	struct build *b = &c->build;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;
	struct ruleset_set *set;
	const char *vips;

	build_table(b, RULESET_ARP,
		build_text(b, "drover: silence about VIPs that another host balances"));
	set = build_set(b, build_text(b, "vips"), build_text(b, "suppressed VIPs"));
	set->key = KEY_ADDRESS;
	for (size_t i = 0; i < suppress->n_vips; i++)
		add_addresses(b, set, &suppress->vips[i]->prefix);
	finish_addresses(set);
	vips = set->name;

	chain = build_chain(b, build_text(b, "input"), build_text(b, "ARP input"));
	chain->hook = HOOK_ARP_INPUT;
	rule = build_rule(b, chain, build_text(b, "only the active balancer answers"),
		build_text(b, "ARP input"));
	match(rule, FIELD_META_IIFNAME, interface_name(c->plan->interface));
	match(rule, FIELD_ARP_OPERATION, build_value(arp_request, sizeof(arp_request)));
	match_set(rule, FIELD_ARP_DESTINATION, vips);
	verdict(rule, VERDICT_DROP, NULL);

	chain = build_chain(b, build_text(b, "output"), build_text(b, "ARP output"));
	chain->hook = HOOK_ARP_OUTPUT;
	rule = build_rule(b, chain, build_text(b, "ask as oneself"), build_text(b, "ARP output"));
	match(rule, FIELD_META_OIFNAME, interface_name(c->plan->interface));
	match_set(rule, FIELD_ARP_SOURCE, vips);
	write_field(rule, FIELD_ARP_SOURCE, build_value(suppress->source.bytes, 4));
	return b->failed ? -ENOMEM : 0;
}

int compile_plan(const struct plan *plan, struct ruleset **ret_ruleset)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
	struct compiler compiler = { .build.ruleset = ruleset, .plan = plan };
	int r = 0;

	if (!ruleset)
		return -ENOMEM;
	ruleset->interface = strdup(plan->interface);
	if (!ruleset->interface)
		return -ENOMEM;
	if (plan->n_groups > 0)
		r = compile_netdev(&compiler);
	if (r == 0 && plan->suppress.n_vips > 0)
		r = compile_arp(&compiler);
	if (r < 0)
		return r;
	*ret_ruleset = take_ptr(ruleset);
	return 0;
}
