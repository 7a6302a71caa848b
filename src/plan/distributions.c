/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions: what services have in common shares its rules. */
#include "internal.h"

#include "drover/array.h"
#include "drover/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct plan_distribution *find_distribution(struct plan_group *group,
	const struct conf_service *service, enum conf_protocol protocols, size_t table)
{
	for (size_t i = 0; i < group->n_distributions; i++) {
		struct plan_distribution *known = &group->distributions[i];

		if (known->scheduler == service->scheduler &&
			known->persistence == service->persistence && known->table == table &&
			(known->n_ports > 0) == (service->n_ports > 0) &&
			(known->protocols == protocols || !plan_is_drawn(known)))
			return known;
	}
	return NULL;
}

/* Returns the group's copy, NULL without memory. The others may move. */
static struct plan_distribution *add_distribution(
	struct plan_group *group, const struct plan_distribution *distribution)
{
	struct plan_distribution *grown = array_grow(
		group->distributions, group->n_distributions, sizeof(*grown));

	if (!grown)
		return NULL;
	group->distributions = grown;
	grown[group->n_distributions] = *distribution;
	return &grown[group->n_distributions++];
}

static int add_ports(struct plan_distribution *distribution, const struct conf_service *service,
	enum conf_protocol protocols)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		struct plan_port *ports = array_grow(
			distribution->ports, distribution->n_ports, sizeof(*ports));

		if (!ports)
			return -ENOMEM;
		distribution->ports = ports;
		ports[distribution->n_ports++] = (struct plan_port){
			.range = service->ports[i],
			.protocols = protocols,
			.service = service,
		};
	}
	return 0;
}

static int plan_distribution(
	struct builder *b, const struct conf_service *service, enum conf_protocol protocols)
{
	struct plan_group *group = b->group;
	enum buckets_order order = service->scheduler == CONF_SCHEDULER_RR ? BUCKETS_TURNS
									   : BUCKETS_RENDEZVOUS;
	struct plan_distribution *distribution;
	size_t table, fallback;
	int r;

	r = table_get(b, service, order, &table);
	if (r < 0)
		return r;
	fallback = table;
	if (order != BUCKETS_RENDEZVOUS &&
		((protocols & CONF_PROTOCOL_TCP) || service->persistence > 0)) {
		r = table_get(b, service, BUCKETS_RENDEZVOUS, &fallback);
		if (r < 0)
			return r;
	}
	distribution = find_distribution(group, service, protocols, table);
	if (!distribution)
		distribution = add_distribution(group, &(struct plan_distribution){
							       .scheduler = service->scheduler,
							       .persistence = service->persistence,
							       .table = table,
							       .fallback = fallback,
							       .service = service->name,
							       .location = service->location,
						       });
	if (!distribution)
		return -ENOMEM;
	distribution->protocols |= protocols;
	return add_ports(distribution, service, protocols);
}

/* What is drawn for TCP is remembered, for UDP it is not. */
static int plan_service(struct builder *b, const struct conf_service *service)
{
	static const enum conf_protocol each[] = { CONF_PROTOCOL_TCP, CONF_PROTOCOL_UDP };

	if (service->scheduler == CONF_SCHEDULER_HASH ||
		service->scheduler == CONF_SCHEDULER_SOURCE)
		return plan_distribution(b, service, service->protocol);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		if (service->protocol & each[i]) {
			int r = plan_distribution(b, service, each[i]);

			if (r < 0)
				return r;
		}
	return 0;
}

/*
 * A rule for both protocols looks up protocol and port together. Ranges of such pairs would cost
 * more than the rest of the packet's way (nft_set_pipapo), and two rules with one port each are
 * cheaper than any look-up.
 */
static bool is_one_rule(const struct plan_distribution *distribution)
{
	const struct plan_port *ports = distribution->ports;

	if (distribution->protocols != CONF_PROTOCOL_ANY || distribution->n_ports <= 1)
		return true;
	if (plan_has_ranges(distribution))
		return false;
	return distribution->n_ports > 2 || (ports[0].protocols & ports[1].protocols);
}

static void keep_protocol(struct plan_distribution *distribution, enum conf_protocol protocol)
{
	size_t n = 0;

	for (size_t i = 0; i < distribution->n_ports; i++)
		if (distribution->ports[i].protocols & protocol) {
			distribution->ports[n] = distribution->ports[i];
			distribution->ports[n++].protocols = protocol;
		}
	distribution->n_ports = n;
	distribution->protocols = protocol;
	distribution->service = distribution->ports[0].service->name;
	distribution->location = distribution->ports[0].service->location;
}

/* Ports are still in the order of the file, and so are the two that this makes of one. */
static int split_protocols(struct plan_group *group, size_t index)
{
	struct plan_distribution copy = group->distributions[index], *second;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it has two ports or more. */
	bool udp_first = copy.ports[0].protocols == CONF_PROTOCOL_UDP;
	size_t size = copy.n_ports * sizeof(*copy.ports);
	struct plan_port *ports = malloc(size);

	if (!ports)
		return -ENOMEM;
	memcpy(ports, copy.ports, size);
	copy.ports = ports;
	second = add_distribution(group, &copy);
	if (!second) {
		free(ports);
		return -ENOMEM;
	}
	keep_protocol(
		&group->distributions[index], udp_first ? CONF_PROTOCOL_UDP : CONF_PROTOCOL_TCP);
	keep_protocol(second, udp_first ? CONF_PROTOCOL_TCP : CONF_PROTOCOL_UDP);
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	const struct plan_port *x = a, *y = b;

	if (x->range.first != y->range.first)
		return x->range.first < y->range.first ? -1 : 1;
	return (int)x->protocols - (int)y->protocols;
}

/* Files mostly have them in order, and this is done for every change. */
static void sort_ports(struct plan_distribution *distribution)
{
	struct plan_port *ports = distribution->ports;

	for (size_t i = 1; i < distribution->n_ports; i++)
		if (compare_ports(&ports[i - 1], &ports[i]) > 0) {
			qsort(ports, distribution->n_ports, sizeof(*ports), compare_ports);
			return;
		}
}

static int finish_ports(struct plan_group *group)
{
	size_t n = group->n_distributions;

	for (size_t i = 0; i < n; i++)
		if (!is_one_rule(&group->distributions[i])) {
			int r = split_protocols(group, i);

			if (r < 0)
				return r;
		}
	for (size_t i = 0; i < group->n_distributions; i++)
		sort_ports(&group->distributions[i]);
	return 0;
}

static int plan_services_of_kind(struct builder *b, bool with_ports)
{
	for (size_t i = 0; i < b->conf->n_services; i++) {
		const struct conf_service *service = &b->conf->services[i];
		int r = 0;

		if ((service->n_ports > 0) == with_ports)
			r = plan_service(b, service);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A service with ports is more specific than one without, wherever the file has it. */
int distributions_add(struct builder *b)
{
	int r = plan_services_of_kind(b, true);

	if (r == 0)
		r = finish_ports(b->group);
	if (r == 0)
		r = plan_services_of_kind(b, false);
	return r;
}
