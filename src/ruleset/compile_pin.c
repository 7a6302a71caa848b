/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pins: flows that stay with their member although their slot is another's by now. Only slots
 * that have any lead through here, and what is remembered comes second to them; every other
 * packet pays nothing.
 */
#include "compiler.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_family(const struct plan_pin *pin, int family)
{
	return pin->flow.vip.family == family;
}

bool compile_has_pins(const struct plan_group *group, int family)
{
	for (size_t i = 0; i < group->n_pins; i++)
		if (is_of_family(&group->pins[i], family))
			return true;
	return false;
}

static int family_of(const struct view *view)
{
	return view->flow_key == KEY_FLOW || view->flow_key == KEY_ERROR_FLOW ? AF_INET : AF_INET6;
}

/* The parts of a key begin at words of 4 bytes. */
static void append(struct ruleset_value *key, const void *bytes, size_t length)
{
	memcpy(key->bytes + key->length, bytes, length);
	key->length = (uint8_t)(key->length + (length + 3) / 4 * 4);
}

static struct ruleset_value flow_key(const struct plan_pin *pin, bool is_error)
{
	const struct ruleset_value client_port = build_port(pin->flow.client_port);
	const struct ruleset_value vip_port = build_port(pin->flow.vip_port);
	size_t size = address_size(pin->flow.vip.family);
	struct ruleset_value key = { .length = 0 };

	append(&key, &pin->flow.protocol, 1);
	if (is_error) {
		append(&key, pin->flow.vip.bytes, size);
		append(&key, pin->flow.client.bytes, size);
		memcpy(key.bytes + key.length, vip_port.bytes, 2);
		memcpy(key.bytes + key.length + 2, client_port.bytes, 2);
		key.length += 4;
		return key;
	}
	append(&key, pin->flow.client.bytes, size);
	append(&key, client_port.bytes, 2);
	append(&key, pin->flow.vip.bytes, size);
	append(&key, vip_port.bytes, 2);
	return key;
}

/* What becomes an element of the map, if it is the latest of its key. */
struct candidate {
	struct ruleset_value key;
	uint32_t since;
	uint32_t mark;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = ruleset_compare_keys(KEY_FLOW, &x->key, &y->key);

	if (order)
		return order;
	if (x->since != y->since)
		return x->since > y->since ? -1 : 1;
	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

/* Of several claims to a flow one stays: a map has one place for it. */
static void fill_pins(struct compiler *c, struct ruleset_set *set)
{
	const struct plan_group *group = c->group;
	_cleanup_(free_p) struct candidate *candidates = calloc(group->n_pins, sizeof(*candidates));
	size_t n = 0;

	if (!candidates) {
		c->build.failed = true;
		return;
	}
	for (size_t i = 0; i < group->n_pins; i++) {
		const struct plan_pin *pin = &group->pins[i];

		if (is_of_family(pin, family_of(c->view)))
			candidates[n++] = (struct candidate){
				.key = flow_key(pin, c->view->is_error),
				.since = pin->since,
				.mark = group->members[pin->member].mark,
			};
	}
	qsort(candidates, n, sizeof(*candidates), compare_candidates);
	for (size_t i = 0; i < n; i++) {
		struct ruleset_element *element;

		if (i > 0 && ruleset_compare_keys(
				     set->key, &candidates[i - 1].key, &candidates[i].key) == 0)
			continue;
		element = build_element(&c->build, set, NULL);
		element->key = candidates[i].key;
		element->mark = candidates[i].mark;
	}
	set->size = build_size(set->n_elements);
}

/*
 * To marks, not to verdicts: before each commit the kernel follows every verdict that a packet may
 * meet, all pins from each pinned slot, and with thousands of both that takes minutes.
 */
static const char *pin_map(struct compiler *c)
{
	struct build *b = &c->build;
	const char *name = compile_name(c, c->view->pins, NULL);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name, compile_group_origin(c));
	set->key = c->view->flow_key;
	set->data = DATA_MARK;
	fill_pins(c, set);
	return set->name;
}

void compile_pin_rule(struct compiler *c, struct ruleset_chain *chain)
{
	struct build *b = &c->build;
	struct ruleset_rule *rule;

	if (!compile_has_pins(c->group, family_of(c->view)))
		return;
	rule = build_rule(b, chain,
		c->view->is_error ? "errors about pinned flows" : "pinned flows",
		compile_group_origin(c));
	if (c->view->is_error)
		compile_match_icmp(rule, family_of(c->view));
	rule_look_up(rule, STATEMENT_MARK, c->view->flow, pin_map(c));
	rule_look_up(rule, STATEMENT_VMAP, compile_mark(), c->members_by_mark);
}

static bool has_pinned_slot(
	const struct plan *plan, const struct plan_group *group, uint16_t member)
{
	for (size_t i = 0; i < group->n_tables; i++) {
		const struct plan_table *table = &group->tables[i];

		for (uint32_t slot = 0; table->pinned && slot < plan->n_buckets; slot++)
			if (table->pinned[slot] && table->slots[slot] == member)
				return true;
	}
	return false;
}

/* member: BUCKETS_NONE for slots that are nobody's. */
static const char *pin_chain(struct compiler *c, uint16_t member)
{
	static const enum view_kind kinds[] = { VIEW_IP, VIEW_IP6, VIEW_ERROR, VIEW_ERROR6 };
	const char *name = member == BUCKETS_NONE ? NULL : c->group->members[member].name;
	struct build *b = &c->build;
	struct ruleset_chain *chain = build_chain(
		b, compile_name(c, "pin", name), compile_group_origin(c));
	struct ruleset_rule *rule;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		c->view = view_get(kinds[i]);
		compile_pin_rule(c, chain);
	}
	rule = build_rule(b, chain, NULL, compile_group_origin(c));
	if (name)
		rule_verdict(rule, VERDICT_GOTO, c->member_chains[member]);
	else
		rule_verdict(rule, VERDICT_DROP, NULL);
	return chain->name;
}

void compile_pins(struct compiler *c)
{
	const struct plan_group *group = c->group;

	if (group->n_pins == 0)
		return;
	for (size_t i = 0; i < group->n_members; i++)
		if (has_pinned_slot(c->plan, group, (uint16_t)i))
			c->pin_chains[i] = pin_chain(c, (uint16_t)i);
	if (has_pinned_slot(c->plan, group, BUCKETS_NONE))
		c->pin_chains[group->n_members] = pin_chain(c, BUCKETS_NONE);
}

struct ruleset_verdict compile_slot_verdict(
	struct compiler *c, const struct plan_table *table, uint32_t slot)
{
	uint16_t member = table->slots[slot];
	bool pinned = table->pinned && table->pinned[slot];
	struct ruleset_verdict verdict = { .kind = VERDICT_GOTO };

	if (pinned)
		verdict.chain =
			c->pin_chains[member == BUCKETS_NONE ? c->group->n_members : member];
	else if (member != BUCKETS_NONE)
		verdict.chain = c->member_chains[member];
	else
		verdict.kind = VERDICT_DROP;
	return verdict;
}
