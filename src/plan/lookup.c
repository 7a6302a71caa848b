/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/plan.h"
#include "drover/ports.h"

#include <netinet/in.h>

bool plan_is_drawn(const struct plan_distribution *distribution)
{
	return conf_scheduler_draws(distribution->scheduler);
}

bool plan_remembers_flows(const struct plan_distribution *distribution)
{
	return distribution->protocols == CONF_PROTOCOL_TCP && plan_is_drawn(distribution);
}

bool plan_remembers(const struct plan_distribution *distribution)
{
	return distribution->persistence > 0 || plan_remembers_flows(distribution);
}

bool plan_is_ejected(
	const struct plan_group *group, const struct plan_distribution *distribution, size_t member)
{
	const struct plan_table *table = &group->tables[distribution->table];

	return table->ejected && table->ejected[member];
}

const struct plan_group *plan_first_forwarding(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		if (plan->groups[i].forwards)
			return &plan->groups[i];
	return NULL;
}

const struct plan_group *plan_find_group_of(const struct plan *plan, const struct address *vip)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		for (size_t j = 0; j < plan->groups[i].n_vips; j++)
			if (prefix_contains(&plan->groups[i].vips[j].prefix, vip))
				return &plan->groups[i];
	return NULL;
}

const struct plan_outgoing *plan_find_outgoing(const struct plan_group *group, uint16_t port)
{
	for (size_t i = 0; i < group->n_outgoing; i++)
		if (port_range_contains(&group->outgoing[i].range, port))
			return &group->outgoing[i];
	return NULL;
}

/* The service of a port, NULL if the distribution does not have it. */
static const char *find_service(
	const struct plan_distribution *distribution, enum conf_protocol protocol, uint16_t port)
{
	const struct conf_ports *ports = distribution->ports;

	if (!(distribution->protocols & protocol))
		return NULL;
	for (size_t i = 0; i < ports->n; i++)
		if ((ports->list[i].protocols & protocol) &&
			port_range_contains(&ports->list[i].range, port))
			return ports->list[i].service->name;
	return ports->n == 0 ? distribution->service : NULL;
}

const struct plan_distribution *plan_find_distribution(
	const struct plan_group *group, uint8_t protocol, uint16_t port, const char **ret_service)
{
	enum conf_protocol flag = protocol == IPPROTO_TCP ? CONF_PROTOCOL_TCP : CONF_PROTOCOL_UDP;

	for (size_t i = 0; i < group->n_distributions; i++) {
		const struct plan_distribution *distribution = &group->distributions[i];
		const char *service;

		if (distribution->ports->n == 0 && plan_find_outgoing(group, port))
			return NULL;
		service = find_service(distribution, flag, port);
		if (service) {
			*ret_service = service;
			return distribution;
		}
	}
	return NULL;
}
