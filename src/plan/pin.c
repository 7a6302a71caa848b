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

int plan_add_pin(const struct plan *plan, struct plan_group *group, const struct plan_pin *pin)
{
	const char *service;
	const struct plan_distribution *distribution = plan_find_distribution(
		group, pin->flow.protocol, pin->flow.vip_port, &service);
	struct plan_table *table;
	struct plan_pin *pins;
	bool drawn, by_port;
	uint32_t slot;
	int r;

	if (!distribution)
		return -ENOENT;
	drawn = plan_is_drawn(distribution);
	if (drawn && pin->flow.protocol == IPPROTO_UDP && distribution->persistence == 0)
		return 0;
	if (!drawn && distribution->persistence == 0) {
		table = &group->tables[distribution->table];
		by_port = distribution->scheduler == CONF_SCHEDULER_HASH;
		slot = flow_hash_bucket(&pin->flow.client, by_port, pin->flow.client_port,
			plan->seed, plan->n_buckets);
		if (table->slots[slot] == pin->member)
			return 0;
		r = mark_slot(plan, table, slot);
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
