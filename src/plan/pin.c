/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/array.h"
#include "drover/flow_hash.h"
#include "drover/plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static int mark_slot(const struct plan *plan, struct plan_table *table, uint32_t slot)
{
	if (!table->pinned)
		table->pinned = calloc(plan->n_buckets, sizeof(*table->pinned));
	if (!table->pinned)
		return -ENOMEM;
	table->pinned[slot] = true;
	return 0;
}

/* The slot that a flow falls into where nothing is remembered of it. */
static uint32_t slot_of(const struct plan *plan, const struct plan_distribution *distribution,
	const struct flow *flow)
{
	bool by_port = distribution->scheduler == CONF_SCHEDULER_HASH && !distribution->persistence;

	return flow_hash_bucket(
		&flow->client, by_port, flow->client_port, plan->seed, plan->n_buckets);
}

uint16_t plan_slot_member(const struct plan *plan, const struct plan_group *group,
	const struct plan_distribution *distribution, const struct flow *flow)
{
	return group->tables[distribution->table].slots[slot_of(plan, distribution, flow)];
}

bool plan_needs_pin(const struct plan *plan, const struct plan_group *group,
	const struct plan_distribution *distribution, const struct plan_pin *pin)
{
	if (plan_is_ejected(group, distribution, pin->member))
		return false;
	if (plan_is_drawn(distribution))
		return pin->flow.protocol == IPPROTO_TCP || distribution->persistence > 0;
	return plan_slot_member(plan, group, distribution, &pin->flow) != pin->member;
}

int plan_add_pin(const struct plan *plan, struct plan_group *group, const struct plan_pin *pin)
{
	const char *service;
	const struct plan_distribution *distribution = plan_find_distribution(
		group, pin->flow.protocol, pin->flow.vip_port, &service);
	struct plan_pin *pins;
	int r;

	if (!distribution)
		return -ENOENT;
	if (!plan_needs_pin(plan, group, distribution, pin))
		return 0;
	/* Where flows or clients are remembered every packet looks for pins, whatever its slot. */
	if (!plan_remembers(distribution)) {
		r = mark_slot(plan, &group->tables[distribution->table],
			slot_of(plan, distribution, &pin->flow));
		if (r < 0)
			return r;
	}
	pins = array_grow(group->pins, group->n_pins, sizeof(*pins));
	if (!pins)
		return -ENOMEM;
	group->pins = pins;
	pins[group->n_pins++] = *pin;
	return 1;
}
