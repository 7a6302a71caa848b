/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks ask members by a VIP, as clients do: by the member's MAC, from whichever host, be the VIP
 * its own or not. A probe is a socket with a mark, connected to the member's own address. Its
 * packets are routed to lo, where they get VIP and MACs, and leave as packets of clients do: no
 * chain on the way out of the interface is needed, where all clients' packets would pay for it.
 * Answers come from the VIP, which may be this host's own: before anybody sees that, they
 * get the member's address, by the port that the probe was sent from.
 */
#include "compiler.h"

#include <netinet/in.h>
#include <string.h>

enum {
	/* All ports of two protocols: there is always room, or a probe would go another way. */
	ASKED_MAX = 2 * 65536,
	ASKED_SECONDS = CONF_CHECK_INTERVAL_MAX / 1000, /* no probe lasts longer */
};

static char *probe_origin(struct compiler *c, const struct plan_probe *probe)
{
	return build_origin(&c->build, "member", probe->member, &probe->location);
}

static char *origin(struct compiler *c)
{
	return build_text(&c->build, "checks");
}

static bool has_family(const struct plan *plan, int family)
{
	for (size_t i = 0; i < plan->n_probes; i++)
		if (plan->probes[i].vip.family == family)
			return true;
	return false;
}

/* From marks to a chain for each member; the plan has them in the order of marks. */
static struct ruleset_set *probe_map(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, build_text(b, "probes"), origin(c));

	set->key = KEY_MARK;
	set->data = DATA_VERDICT;
	set->size = build_size(c->plan->n_probes);
	return set;
}

static struct ruleset_rule *probe_rule(
	struct compiler *c, struct ruleset_set *map, const struct plan_probe *probe)
{
	struct build *b = &c->build;
	struct ruleset_element *element = build_element(b, map, NULL);
	struct ruleset_chain *chain = build_chain(b,
		build_text(b, "probe/%s/%s", probe->group, probe->member), probe_origin(c, probe));
	char mac[MAC_TEXT_MAX];

	element->key = build_number(probe->mark);
	element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, chain->name };
	return build_rule(b, chain,
		build_text(b, "%s %s", probe->member, mac_format(&probe->mac, mac)),
		probe_origin(c, probe));
}

static void write_address(
	struct ruleset_rule *rule, const struct address *address, bool is_destination)
{
	bool is_ipv6 = address->family == AF_INET6;
	enum ruleset_field destination = is_ipv6 ? FIELD_IP6_DESTINATION : FIELD_IP_DESTINATION;
	enum ruleset_field source = is_ipv6 ? FIELD_IP6_SOURCE : FIELD_IP_SOURCE;

	rule_write(rule, is_destination ? destination : source,
		build_value(address->bytes, address_size(address->family)));
}

/* --- out: on lo ------------------------------------------------------------------- */

static void compile_way_out(
	struct compiler *c, struct ruleset_set *map, const struct plan_probe *probe)
{
	struct ruleset_rule *rule = probe_rule(c, map, probe);
	uint8_t macs[12];

	memcpy(macs, probe->mac.bytes, 6);
	memcpy(macs + 6, c->plan->mac.bytes, 6);
	write_address(rule, &probe->vip, true);
	rule_write(rule, FIELD_ETHER_BOTH_RAW, build_value(macs, sizeof(macs)));
	compile_to_interface(c, rule, STATEMENT_FORWARD);
}

void compile_probes_out(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *map;
	struct ruleset_chain *chain;
	const char *name;

	if (c->plan->n_probes == 0)
		return;
	map = probe_map(c);
	name = map->name;
	for (size_t i = 0; i < c->plan->n_probes; i++)
		compile_way_out(c, map, &c->plan->probes[i]);
	chain = build_chain(b, build_text(b, "probe"), origin(c));
	chain->hook = HOOK_INGRESS;
	chain->interface = "lo";
	rule_look_up(build_rule(b, chain, build_text(b, "checks: to a VIP, by the member's MAC"),
			     origin(c)),
		STATEMENT_VMAP, compile_mark(), name);
}

/* --- output and prerouting ------------------------------------------------------------ */

static struct ruleset_source port_source(enum ruleset_field port)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_META_L4PROTO, port },
		.n_fields = 2,
	};
}

static void match_probe(struct ruleset_rule *rule)
{
	struct ruleset_statement *match = &rule->statements[rule->n_statements];

	rule_match(rule, FIELD_META_MARK, build_number(PLAN_PROBE_MARK));
	match->mask = build_number((uint32_t)PLAN_PROBE_MASK);
}

static const char *asked_map(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = compile_memory(
		c, build_text(b, "asked"), origin(c), ASKED_MAX, ASKED_SECONDS);

	set->key = KEY_PROTOCOL_PORT;
	return set->name;
}

static void compile_to_lo(
	struct compiler *c, struct ruleset_chain *chain, int family, const char *asked)
{
	static const struct address loopback = { AF_INET, { 127, 0, 0, 1 } };
	static const struct address loopback6 = { AF_INET6, { [15] = 1 } };
	struct ruleset_rule *rule;

	if (!has_family(c->plan, family))
		return;
	rule = build_rule(
		&c->build, chain, build_text(&c->build, "a probe: by way of lo"), origin(c));
	match_probe(rule);
	/* An update renews what is there, and keeps its mark: a port may have asked another before.
	 */
	rule_look_up(rule, STATEMENT_FORGET, port_source(FIELD_TH_SOURCE_PORT), asked);
	rule_look_up(rule, STATEMENT_REMEMBER, port_source(FIELD_TH_SOURCE_PORT), asked);
	write_address(rule, family == AF_INET ? &loopback : &loopback6, true);
}

static int compare_elements(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_ADDRESS, &x->key, &y->key);
}

/* Each VIP once, however many members have it. */
static const char *vip_set(struct compiler *c, int family)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(
		b, build_text(b, family == AF_INET ? "probed" : "probed6"), origin(c));
	const struct plan_probe *probes = c->plan->probes;

	set->key = family == AF_INET ? KEY_ADDRESS : KEY_ADDRESS6;
	for (size_t i = 0; i < c->plan->n_probes; i++) {
		bool is_known = false;

		for (size_t j = 0; !is_known && j < i; j++)
			is_known = address_equal(&probes[i].vip, &probes[j].vip);
		if (probes[i].vip.family == family && !is_known)
			build_element(b, set, NULL)->key = build_value(
				probes[i].vip.bytes, address_size(family));
	}
	set->size = build_size(set->n_elements);
	if (set->n_elements > 0)
		qsort(set->elements, set->n_elements, sizeof(*set->elements), compare_elements);
	return set->name;
}

static void compile_from_vip(struct compiler *c, struct ruleset_chain *chain, int family,
	const char *asked, const char *map)
{
	struct ruleset_rule *rule;

	if (!has_family(c->plan, family))
		return;
	rule = build_rule(&c->build, chain,
		build_text(&c->build, "an answer to a probe: as from the member's own address"),
		origin(c));
	rule_match_set(
		rule, family == AF_INET ? FIELD_IP_SOURCE : FIELD_IP6_SOURCE, vip_set(c, family));
	rule_look_up(rule, STATEMENT_MARK, port_source(FIELD_TH_DESTINATION_PORT), asked);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), map);
}

void compile_probes_back(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain;
	struct ruleset_set *map;
	struct ruleset_rule *rule;
	const char *asked, *name;

	if (c->plan->n_probes == 0)
		return;
	map = probe_map(c);
	name = map->name;
	for (size_t i = 0; i < c->plan->n_probes; i++) {
		rule = probe_rule(c, map, &c->plan->probes[i]);
		write_address(rule, &c->plan->probes[i].address, false);
		rule_write(rule, FIELD_META_MARK, build_number(0));
	}
	asked = asked_map(c);
	chain = build_chain(b, build_text(b, "probe-back"), origin(c));
	chain->hook = HOOK_INET_PREROUTING;
	rule = build_rule(b, chain, build_text(b, "a probe that lo has not sent out"), origin(c));
	match_probe(rule);
	rule_verdict(rule, VERDICT_DROP, NULL);
	compile_from_vip(c, chain, AF_INET, asked, name);
	compile_from_vip(c, chain, AF_INET6, asked, name);
	chain = build_chain(b, build_text(b, "probe-out"), origin(c));
	chain->hook = HOOK_INET_REROUTE;
	compile_to_lo(c, chain, AF_INET, asked);
	compile_to_lo(c, chain, AF_INET6, asked);
}
