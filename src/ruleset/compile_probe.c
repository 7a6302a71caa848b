/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks ask members by their VIPs, as clients do: by the member's MAC, from whichever host, be the
 * VIP its own or not. A probe is a socket with a mark and a priority, connected to the member's own
 * address. Its packets are routed to lo, where they get the member's MAC by the mark and the VIP by
 * the priority, and leave as packets of clients do: no chain on the way out of the interface is
 * needed, where all clients' packets would pay for it. Answers come from the VIP, which may be this
 * host's own: before anybody sees that, they get the member's address, by the port that the
 * probe was sent from, or the identifier of the echo request.
 */
#include "compiler.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

enum {
	/* All ports of two protocols: there is always room, or a probe would go another way … */
	ASKED_MAX = 2 * 65536,
	ASKED_ECHO_MAX = 65536,                         /* … and all identifiers. */
	ASKED_SECONDS = CONF_CHECK_INTERVAL_MAX / 1000, /* no probe lasts longer */
};

static const char *probe_origin(struct compiler *c, const struct plan_probe *probe)
{
	return build_origin(&c->build, "member", probe->member, &probe->location);
}

static const char origin[] = "checks";

static bool has_family(const struct plan *plan, int family)
{
	for (size_t i = 0; i < plan->n_probes; i++)
		if (plan->probes[i].address.family == family)
			return true;
	return false;
}

/* From marks to a chain for each member; the plan has them in the order of marks. */
static struct ruleset_set *probe_map(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, "probes", origin);

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

/* From priorities to a chain for each VIP. Members and VIPs are not multiplied by each other. */
static const char *vip_map(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, "probe-vips", origin);
	const char *name = set->name;

	set->key = KEY_PRIORITY;
	set->data = DATA_VERDICT;
	set->size = build_size(c->plan->n_probe_vips);
	for (size_t i = 0; i < c->plan->n_probe_vips; i++) {
		const struct plan_probe_vip *vip = &c->plan->probe_vips[i];
		struct ruleset_element *element = build_element(b, set, NULL);
		uint32_t number = (vip->priority - PLAN_PROBE_PRIORITY) / PLAN_PROBE_PRIORITY_STEP;
		struct ruleset_chain *chain = build_chain(b, build_text(b, "probe-vip/%u", number),
			build_origin(b, "VIP", "of checks", &vip->location));
		struct ruleset_rule *rule = build_rule(
			b, chain, NULL, build_origin(b, "VIP", "of checks", &vip->location));

		element->key = build_number(vip->priority);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, chain->name };
		write_address(rule, &vip->address, true);
		compile_to_interface(c, rule, STATEMENT_FORWARD);
	}
	return name;
}

static struct ruleset_source by_priority(void)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_META_PRIORITY },
		.n_fields = 1,
	};
}

static void compile_way_out(struct compiler *c, struct ruleset_set *map, const char *vips,
	const struct plan_probe *probe)
{
	struct ruleset_rule *rule = probe_rule(c, map, probe);
	uint8_t macs[12];

	memcpy(macs, probe->mac.bytes, 6);
	memcpy(macs + 6, c->plan->mac.bytes, 6);
	rule_write(rule, FIELD_ETHER_BOTH_RAW, build_value(macs, sizeof(macs)));
	rule_look_up(rule, STATEMENT_VMAP, by_priority(), vips);
}

void compile_probes_out(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *map;
	struct ruleset_chain *chain;
	const char *name, *vips;

	if (c->plan->n_probes == 0)
		return;
	vips = vip_map(c);
	map = probe_map(c);
	name = map->name;
	for (size_t i = 0; i < c->plan->n_probes; i++)
		compile_way_out(c, map, vips, &c->plan->probes[i]);
	chain = build_chain(b, "probe", origin);
	chain->hook = HOOK_INGRESS;
	chain->interface = "lo";
	rule_look_up(build_rule(b, chain, "checks: to a VIP, by the member's MAC", origin),
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

static struct ruleset_source echo_source(void)
{
	return (struct ruleset_source){
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_ICMP_ID_RAW },
		.n_fields = 1,
	};
}

/* ICMP has no ports; an echo has an identifier in their stead. */
static void match_echo(struct ruleset_rule *rule, int family, bool reply)
{
	const uint8_t type = family == AF_INET ? reply ? ICMP_ECHOREPLY : ICMP_ECHO
			     : reply           ? ICMP6_ECHO_REPLY
					       : ICMP6_ECHO_REQUEST;

	rule_match(rule, family == AF_INET ? FIELD_ICMP_TYPE : FIELD_ICMP6_TYPE,
		build_value(&type, sizeof(type)));
}

static struct ruleset_statement *match_probe(struct ruleset_rule *rule)
{
	struct ruleset_statement *match = &rule->statements[rule->n_statements];

	rule_match(rule, FIELD_META_MARK, build_number(PLAN_PROBE_MARK));
	match->mask = build_number((uint32_t)PLAN_PROBE_MASK);
	return match;
}

/* What has asked, by protocol and port, and by the identifiers of echo requests; and which VIPs. */
struct asked {
	const char *ports, *echoes;
	const char *vips, *vips6; /* NULL: nobody is asked by that family */
};

static const char *vip_set(struct compiler *c, int family)
{
	struct build *b = &c->build;
	struct ruleset_set *set;

	if (!has_family(c->plan, family))
		return NULL;
	set = build_set(b, family == AF_INET ? "probed" : "probed6", origin);
	set->key = family == AF_INET ? KEY_ADDRESS : KEY_ADDRESS6;
	for (size_t i = 0; i < c->plan->n_probe_vips; i++) {
		const struct address *vip = &c->plan->probe_vips[i].address;

		if (vip->family == family)
			build_element(b, set, NULL)->key = build_value(
				vip->bytes, address_size(family));
	}
	compile_finish_addresses(set);
	return set->name;
}

static struct asked make_asked(struct compiler *c)
{
	struct asked asked;
	struct ruleset_set *set = compile_memory(c, "asked", origin, ASKED_MAX, ASKED_SECONDS);

	set->key = KEY_PROTOCOL_PORT;
	asked.ports = set->name;
	set = compile_memory(c, "asked-icmp", origin, ASKED_ECHO_MAX, ASKED_SECONDS);
	set->key = KEY_ICMP_ID;
	asked.echoes = set->name;
	asked.vips = vip_set(c, AF_INET);
	asked.vips6 = vip_set(c, AF_INET6);
	return asked;
}

/* An update renews what is there, and keeps its mark: a port may have asked another before. */
static void note_and_send(
	struct ruleset_rule *rule, int family, struct ruleset_source source, const char *asked)
{
	static const struct address loopback = { AF_INET, { 127, 0, 0, 1 } };
	static const struct address loopback6 = { AF_INET6, { [15] = 1 } };

	rule_look_up(rule, STATEMENT_FORGET, source, asked);
	rule_look_up(rule, STATEMENT_REMEMBER, source, asked);
	write_address(rule, family == AF_INET ? &loopback : &loopback6, true);
	rule_verdict(rule, VERDICT_ACCEPT, NULL);
}

static void compile_to_lo(
	struct compiler *c, struct ruleset_chain *chain, int family, const struct asked *asked)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (!(family == AF_INET ? asked->vips : asked->vips6))
		return;
	rule = build_rule(b, chain, "an echo request: by way of lo", origin);
	match_echo(rule, family, false);
	note_and_send(rule, family, echo_source(), asked->echoes);
	rule = build_rule(b, chain, "a probe: by way of lo", origin);
	note_and_send(rule, family, port_source(FIELD_TH_SOURCE_PORT), asked->ports);
}

/*
 * This host may be a client of the VIP as well, or ask itself by it. A port that it does so from
 * may have belonged to a probe before; the answer is not the probe's.
 */
static void compile_forgetting(
	struct compiler *c, struct ruleset_chain *chain, int family, const struct asked *asked)
{
	enum ruleset_field destination = family == AF_INET ? FIELD_IP_DESTINATION
							   : FIELD_IP6_DESTINATION;
	const char *vips = family == AF_INET ? asked->vips : asked->vips6;
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (!vips)
		return;
	rule = build_rule(b, chain, "an echo reply will be its own", origin);
	match_echo(rule, family, false);
	rule_match_set(rule, destination, vips);
	rule_look_up(rule, STATEMENT_FORGET, echo_source(), asked->echoes);
	rule = build_rule(b, chain, "an answer will be its own", origin);
	rule_match_set(rule, destination, vips);
	rule_look_up(rule, STATEMENT_FORGET, port_source(FIELD_TH_SOURCE_PORT), asked->ports);
}

static void compile_from_vip(struct compiler *c, struct ruleset_chain *chain, int family,
	const struct asked *asked, const char *map)
{
	enum ruleset_field source = family == AF_INET ? FIELD_IP_SOURCE : FIELD_IP6_SOURCE;
	struct build *b = &c->build;
	struct ruleset_rule *rule;
	const char *vips = family == AF_INET ? asked->vips : asked->vips6;

	if (!vips)
		return;
	rule = build_rule(b, chain, "an echo reply: as from the member's own address", origin);
	match_echo(rule, family, true);
	rule_match_set(rule, source, vips);
	rule_look_up(rule, STATEMENT_MARK, echo_source(), asked->echoes);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), map);
	rule = build_rule(
		b, chain, "an answer to a probe: as from the member's own address", origin);
	rule_match_set(rule, source, vips);
	rule_look_up(rule, STATEMENT_MARK, port_source(FIELD_TH_DESTINATION_PORT), asked->ports);
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), map);
}

static void compile_back(struct compiler *c, const struct asked *asked, const char *map)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "probe-back", origin);
	struct ruleset_rule *rule;

	chain->hook = HOOK_INET_PREROUTING;
	rule = build_rule(b, chain, "a probe that lo has not sent out", origin);
	(void)match_probe(rule);
	rule_verdict(rule, VERDICT_DROP, NULL);
	compile_from_vip(c, chain, AF_INET, asked, map);
	compile_from_vip(c, chain, AF_INET6, asked, map);
}

static void compile_out(struct compiler *c, const struct asked *asked)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "no-probe", origin);
	const char *no_probe = chain->name;
	struct ruleset_rule *rule;

	compile_forgetting(c, chain, AF_INET, asked);
	compile_forgetting(c, chain, AF_INET6, asked);
	chain = build_chain(b, "probe-out", origin);
	chain->hook = HOOK_INET_REROUTE;
	rule = build_rule(b, chain, NULL, origin);
	match_probe(rule)->negate = true;
	rule_verdict(rule, VERDICT_GOTO, no_probe);
	compile_to_lo(c, chain, AF_INET, asked);
	compile_to_lo(c, chain, AF_INET6, asked);
}

void compile_probes_back(struct compiler *c)
{
	struct ruleset_set *map;
	struct ruleset_rule *rule;
	struct asked asked;
	const char *name;

	if (c->plan->n_probes == 0)
		return;
	map = probe_map(c);
	name = map->name;
	for (size_t i = 0; i < c->plan->n_probes; i++) {
		rule = probe_rule(c, map, &c->plan->probes[i]);
		write_address(rule, &c->plan->probes[i].address, false);
		rule_write(rule, FIELD_META_MARK, build_number(0));
	}
	asked = make_asked(c);
	compile_back(c, &asked, name);
	compile_out(c, &asked);
}
