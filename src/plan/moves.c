/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether flows have another way in one plan than in another. */
#include "drover/plan.h"

#include <string.h>

static const struct plan_table *find_table(
	const struct plan_group *group, const struct plan_table *like)
{
	for (size_t i = 0; i < group->n_tables; i++) {
		const struct plan_table *table = &group->tables[i];
		bool same_subset = table->subset && like->subset
					   ? strcmp(table->subset, like->subset) == 0
					   : table->subset == like->subset;

		if (same_subset && table->apart == like->apart && table->order == like->order)
			return table;
	}
	return NULL;
}

/* Slots count by name: members that come or go renumber the others. */
static bool same_slots(const struct plan *plan, const struct plan_group *before,
	const struct plan_table *old, const struct plan_group *now, const struct plan_table *new)
{
	for (uint32_t slot = 0; slot < plan->n_buckets; slot++) {
		uint16_t a = old->slots[slot], b = new->slots[slot];

		if ((a == BUCKETS_NONE) != (b == BUCKETS_NONE))
			return false;
		if (a != BUCKETS_NONE && strcmp(before->members[a].name, now->members[b].name) != 0)
			return false;
	}
	return true;
}

static bool group_moves_flows(
	const struct plan *plan, const struct plan_group *before, const struct plan_group *now)
{
	for (size_t i = 0; i < now->n_tables; i++) {
		const struct plan_table *table = &now->tables[i];
		const struct plan_table *old = find_table(before, table);

		if (table->order == BUCKETS_RENDEZVOUS &&
			(!old || !same_slots(plan, before, old, now, table)))
			return true;
	}
	return false;
}

bool plan_moves_flows(const struct plan *before, const struct plan *now)
{
	if (before->n_buckets != now->n_buckets || before->seed != now->seed)
		return true;
	for (size_t i = 0; i < now->n_groups; i++) {
		const struct plan_group *group = plan_find_group(before, now->groups[i].name);

		if (!now->groups[i].forwards)
			continue;
		if (!group || !group->forwards || group_moves_flows(now, group, &now->groups[i]))
			return true;
	}
	return false;
}
