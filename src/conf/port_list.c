/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of the ports of several services. */
#include "drover/conf.h"

static size_t count_ports(
	const struct conf_service *const *services, size_t n_services, enum conf_protocol protocols)
{
	size_t n = 0;

	for (size_t i = 0; i < n_services; i++)
		if (services[i]->protocol & protocols)
			n += services[i]->n_ports;
	return n;
}

static void add_ports(
	struct conf_ports *ports, const struct conf_service *service, enum conf_protocol protocols)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		const struct port_range *range = &service->ports[i];

		ports->has_ranges |= range->first != range->last;
		ports->list[ports->n++] = (struct conf_port){
			.range = *range,
			.protocols = protocols,
			.service = service,
		};
	}
}

static int compare_ports(const void *a, const void *b)
{
	const struct conf_port *x = a, *y = b;

	if (x->range.first != y->range.first)
		return x->range.first < y->range.first ? -1 : 1;
	return (int)x->protocols - (int)y->protocols;
}

struct conf_ports *conf_ports_new(
	const struct conf_service *const *services, size_t n_services, enum conf_protocol protocols)
{
	size_t n = count_ports(services, n_services, protocols);
	struct conf_ports *ports = calloc(1, sizeof(*ports) + n * sizeof(*ports->list));

	if (!ports)
		return NULL;
	ports->n_owners = 1;
	for (size_t i = 0; i < n_services; i++)
		if (services[i]->protocol & protocols)
			add_ports(ports, services[i], services[i]->protocol & protocols);
	qsort(ports->list, ports->n, sizeof(*ports->list), compare_ports);
	return ports;
}

struct conf_ports *conf_ports_ref(struct conf_ports *ports)
{
	ports->n_owners++;
	return ports;
}

void conf_ports_unref(struct conf_ports *ports)
{
	if (ports && --ports->n_owners == 0)
		free(ports);
}
