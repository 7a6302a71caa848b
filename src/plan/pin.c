/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/array.h"
#include "drover/flow_hash.h"
#include "drover/plan.h"
#include "drover/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static bool has_port(const struct plan_distribution *distribution, uint16_t port)
{
	for (size_t i = 0; i < distribution->n_ports; i++)
		if (port_range_contains(&distribution->ports[i].range, port))
			return true;
	return distribution->n_ports == 0;
}

static bool is_outgoing(const struct plan_group *group, uint16_t port)
{
	for (size_t i = 0; i < group->n_outgoing; i++)
		if (port_range_contains(&group->outgoing[i].range, port))
			return true;
	return false;
}

/* As in the rules: distributions without ports come last, and outgoing ranges before them. */
static const struct plan_distribution *find_distribution(
	const struct plan_group *group, const struct plan_pin *pin)
{
	for (size_t i = 0; i < group->n_distributions; i++) {
		const struct plan_distribution *distribution = &group->distributions[i];

		if (distribution->n_ports == 0 && is_outgoing(group, pin->vip_port))
			return NULL;
		if (distribution->protocol == pin->protocol &&
			has_port(distribution, pin->vip_port))
			return distribution;
	}
	return NULL;
}

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
	const struct plan_distribution *distribution = find_distribution(group, pin);
	struct plan_table *table;
	struct plan_pin *pins;
	bool drawn, by_port;
	uint32_t slot;
	int r;

	if (!distribution)
		return -ENOENT;
	drawn = distribution->scheduler == CONF_SCHEDULER_RR ||
		distribution->scheduler == CONF_SCHEDULER_RANDOM;
	if (drawn && pin->protocol == IPPROTO_UDP && distribution->persistence == 0)
		return 0;
	if (!drawn && distribution->persistence == 0) {
		table = &group->tables[distribution->table];
		by_port = distribution->scheduler == CONF_SCHEDULER_HASH;
		slot = flow_hash_bucket(
			&pin->client, by_port, pin->client_port, plan->seed, plan->n_buckets);
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
