/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

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

/*
 * A slot without a member drops: the client tries again, and by then there may
 * be one. Falling through would hand its packets to some other service's members.
 */
static void fill_slots(struct compiler *c, struct ruleset_set *set, const struct plan_table *table)
{
	struct ruleset_element *elements = build_elements(&c->build, set, c->plan->n_buckets);

	for (uint32_t slot = 0; elements && slot < c->plan->n_buckets; slot++) {
		uint16_t member = table->slots[slot];
		struct ruleset_element *element;

		if (member == BUCKETS_NONE && set->data == DATA_MARK)
			continue;
		element = &elements[set->n_elements++];
		element->key = build_number(slot);
		if (set->data == DATA_MARK)
			element->mark = c->group->members[member].mark;
		else
			element->verdict = compile_slot_verdict(c, table, slot);
	}
}

/* Returns the name of the map for a table, which is made at its first use. */
const char *compile_table(struct compiler *c, size_t index, enum ruleset_data data)
{
	const struct plan_table *table = &c->group->tables[index];
	struct build *b = &c->build;
	const char *name = compile_subset_name(
		c, table_kind(table, data), table->subset, table->apart);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(b, name,
		table->subset ? build_origin(b, "service", table->subset, &table->service->location)
			      : compile_group_origin(c));
	set->key = KEY_NUMBER;
	set->data = data;
	set->modulus = c->plan->n_buckets;
	set->size = c->plan->n_buckets;
	fill_slots(c, set, table);
	return set->name;
}
