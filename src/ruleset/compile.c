/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/compile.h"

#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

static const struct conf_location NOWHERE;

/* Where packets to the VIPs of a group go, by family; NULL: it has none of that family. */
struct entry {
	const char *chains[N_VIEWS];
};

static const char *interface_origin(struct compiler *c)
{
	return build_origin(&c->build, "interface", c->plan->interface, &NOWHERE);
}

static bool is_of_family(const struct conf_vip *vip, enum view_kind kind)
{
	return vip->prefix.address.family == (kind == VIEW_IP ? AF_INET : AF_INET6);
}

/* The only VIP of the family, address or subnet; NULL if it has none or several. */
static const struct prefix *single_vip(const struct plan_group *group, enum view_kind kind)
{
	const struct prefix *only = NULL;

	for (size_t i = 0; i < group->n_vips; i++) {
		if (!is_of_family(&group->vips[i], kind))
			continue;
		if (only)
			return NULL;
		only = &group->vips[i].prefix;
	}
	return only;
}

/* The bits of an address that are the same in all of a prefix. */
static struct ruleset_value prefix_mask(const struct prefix *prefix)
{
	struct ruleset_value mask = { .length = (uint8_t)address_size(prefix->address.family) };

	for (unsigned int bit = 0; bit < prefix->length; bit++)
		mask.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return mask;
}

static const char *vip_set(struct compiler *c, enum view_kind kind)
{
	const struct plan_group *group = c->group;
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b,
		compile_name(c, kind == VIEW_IP ? "vips" : "vips6", NULL), compile_group_origin(c));

	set->key = kind == VIEW_IP ? KEY_IP_DESTINATION_RAW : KEY_ADDRESS6;
	for (size_t i = 0; i < group->n_vips; i++)
		if (is_of_family(&group->vips[i], kind))
			compile_add_addresses(c, set, &group->vips[i].prefix);
	compile_finish_addresses(set);
	return set->name;
}

/*
 * Adds a test for the VIPs of c->group, or for all that are none. In IPv4 it is
 * raw: nft's own test of the family would cost those that are not for us most.
 */
static void match_vips(
	struct compiler *c, struct ruleset_rule *rule, enum view_kind kind, bool none)
{
	enum ruleset_field field = kind == VIEW_IP ? FIELD_IP_DESTINATION_RAW
						   : FIELD_IP6_DESTINATION;
	const struct prefix *single = single_vip(c->group, kind);
	bool is_address = single && prefix_count(single) == 1;

	/* nft would read a masked IPv6 address as another kind of expression. */
	if (is_address || (single && kind == VIEW_IP))
		rule_match(rule, field,
			build_value(single->address.bytes, address_size(single->address.family)));
	else
		rule_match_set(rule, field, vip_set(c, kind));
	if (single && kind == VIEW_IP && !is_address)
		rule->statements[0].mask = prefix_mask(single);
	rule->statements[0].negate = none;
}

static const char *vip_comment(struct compiler *c, enum view_kind kind, const char *prefix)
{
	const struct prefix *single = single_vip(c->group, kind);
	char text[PREFIX_TEXT_MAX];

	if (kind == VIEW_IP && single)
		return build_text(&c->build, "%sgroup %s: %s", prefix, c->group->name,
			prefix_format(single, text));
	return build_text(&c->build, "%sgroup %s", prefix, c->group->name);
}

static void compile_dispatch(
	struct compiler *c, struct ruleset_chain *chain, enum view_kind kind, const char *to)
{
	struct ruleset_rule *rule = build_rule(
		&c->build, chain, vip_comment(c, kind, ""), compile_group_origin(c));

	match_vips(c, rule, kind, false);
	rule_verdict(rule, VERDICT_GOTO, to);
}

/*
 * For this host, but only as long as the maps ahead are there, too: a packet that is on its way
 * through these rules when somebody flushes them finds the rules, and all maps empty.
 */
static void compile_rest(struct compiler *c, struct ruleset_chain *chain)
{
	const struct ruleset_source protocol = {
		.kind = SOURCE_FIELDS,
		.fields = { FIELD_META_L4PROTO },
		.n_fields = 1,
	};
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, "no service: for this host", compile_group_origin(c));

	rule_look_up(rule, STATEMENT_VMAP, protocol, c->unserved);
}

static void compile_unserved(struct compiler *c)
{
	struct build *b = &c->build;
	struct ruleset_set *set = build_set(b, "unserved", interface_origin(c));
	struct ruleset_chain *chain = build_chain(b, "host", interface_origin(c));

	compile_accept(build_rule(b, chain, NULL, interface_origin(c)));
	set->key = KEY_PROTOCOL;
	set->data = DATA_VERDICT;
	set->size = build_size(N_PROTOCOLS);
	for (size_t i = 0; i < N_PROTOCOLS; i++) {
		struct ruleset_element *element = build_element(b, set, NULL);

		element->key = build_value(&compile_protocols[i].number, 1);
		element->verdict = (struct ruleset_verdict){ VERDICT_GOTO, chain->name };
	}
	c->unserved = set->name;
}

static void compile_entry(struct compiler *c, enum view_kind kind, struct entry *entry)
{
	struct ruleset_chain *chain = build_chain(
		&c->build, compile_name(c, view_get(kind)->chain, NULL), compile_group_origin(c));

	compile_vip_rules(c, chain, kind);
	compile_rest(c, chain);
	entry->chains[kind] = chain->name;
}

static void compile_entries(struct compiler *c, struct entry *entry)
{
	if (compile_has_family(c->group, AF_INET))
		compile_entry(c, VIEW_IP, entry);
	if (compile_has_family(c->group, AF_INET6))
		compile_entry(c, VIEW_IP6, entry);
}

/* The chain of all that is not for the IPv4 VIPs of the first group; NULL if that is nothing. */
static const char *compile_others(struct compiler *c, const struct entry *entries)
{
	static const enum view_kind kinds[] = { VIEW_IP, VIEW_IP6 };
	struct build *b = &c->build;
	struct ruleset_chain *chain = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < c->plan->n_groups; i++) {
			if (!entries[i].chains[kinds[k]])
				continue;
			if (!chain)
				chain = build_chain(b, "others", interface_origin(c));
			c->group = &c->plan->groups[i];
			compile_dispatch(c, chain, kinds[k], entries[i].chains[kinds[k]]);
		}
	return chain ? chain->name : NULL;
}

/*
 * The raw test for IPv4 VIPs lets pass what has such an address in the same place by chance: in
 * IPv6 it is the third quarter of the client's address.
 */
static void compile_lookalikes(struct compiler *c, struct ruleset_chain *chain, const char *others)
{
	static const uint8_t ethertype_ip6[] = { 0x86, 0xdd };
	struct build *b = &c->build;
	struct ruleset_rule *rule = build_rule(
		b, chain, "it is IPv6 after all", compile_group_origin(c));

	rule_match(rule, FIELD_META_PROTOCOL, build_value(ethertype_ip6, sizeof(ethertype_ip6)));
	rule_verdict(rule, VERDICT_GOTO, others);
}

/*
 * The IPv4 rules of the first group stand here and not in a chain of their own: that
 * saves its packets a tenth of their cost. One rule per group tells whose a packet is; a verdict
 * map from VIPs to chains would read as well, but the kernel validates every chain once per element
 * that leads to it, bucket maps included: with 256 VIPs each commit would take 256 times as long.
 */
static void compile_ingress(struct compiler *c, const char *others)
{
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(b, "ingress", interface_origin(c));
	bool has_first = compile_has_family(c->group, AF_INET);
	struct ruleset_rule *rule;

	chain->hook = HOOK_INGRESS;
	chain->interface = b->ruleset->interface;
	rule = build_rule(b, chain, has_first ? vip_comment(c, VIEW_IP, "not for ") : NULL,
		compile_group_origin(c));
	if (has_first)
		match_vips(c, rule, VIEW_IP, true);
	rule_verdict(rule, others ? VERDICT_GOTO : VERDICT_ACCEPT, others);
	if (!has_first)
		return;
	compile_vip_rules(c, chain, VIEW_IP);
	if (compile_plan_has_family(c->plan, AF_INET6))
		compile_lookalikes(c, chain, others);
	compile_rest(c, chain);
}

/* The first group comes last, so that what it needs in "ingress" is at hand then. */
static int compile_groups(struct compiler *c, const struct plan_group *first, struct entry *entries)
{
	const struct plan *plan = c->plan;
	int r = 0;

	for (size_t i = plan->n_groups; r == 0 && i-- > 0;) {
		if (&plan->groups[i] == first)
			continue;
		c->group = &plan->groups[i];
		r = c->group->forwards ? compile_group(c) : compile_group_at_hand(c);
		if (r == 0 && c->group->forwards)
			compile_entries(c, &entries[i]);
		compile_group_done(c);
	}
	if (r < 0 || !first)
		return r;
	c->group = first;
	r = compile_group(c);
	if (r == 0 && compile_has_family(first, AF_INET6))
		compile_entry(c, VIEW_IP6, &entries[first - plan->groups]);
	return r;
}

static int compile_netdev(struct compiler *c)
{
	const struct plan *plan = c->plan;
	struct build *b = &c->build;
	_cleanup_(free_p) struct entry *entries = calloc(plan->n_groups, sizeof(*entries));
	const struct plan_group *first = plan_first_forwarding(plan);
	const char *others;
	int r;

	if (!entries)
		return -ENOMEM;
	build_table(
		b, RULESET_NETDEV, build_text(b, "drover on %s: see drover(7)", plan->interface));
	if (first)
		compile_unserved(c);
	r = compile_groups(c, first, entries);
	if (r == 0 && first) {
		others = compile_others(c, entries);
		c->group = first;
		compile_ingress(c, others);
	}
	compile_group_done(c);
	if (r == 0)
		compile_probes_out(c);
	return r < 0 ? r : b->failed ? -ENOMEM : 0;
}

int compile_plan(const struct plan *plan, const struct ruleset *last, struct ruleset **ret_ruleset)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
	struct compiler compiler = { .build.ruleset = ruleset, .plan = plan, .last = last };
	int r = 0;

	if (!ruleset)
		return -ENOMEM;
	ruleset->interface = arena_copy(&ruleset->arena, plan->interface);
	if (!ruleset->interface)
		return -ENOMEM;
	if (plan->n_groups > 0)
		r = compile_netdev(&compiler);
	if (r == 0)
		r = compile_arp(&compiler);
	if (r == 0)
		r = compile_nd(&compiler);
	if (r == 0)
		r = compile_inet(&compiler);
	if (r < 0)
		return r;
	*ret_ruleset = take_ptr(ruleset);
	return 0;
}
