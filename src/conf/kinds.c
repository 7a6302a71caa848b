/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services that are dealt out alike. */
#include "internal.h"

#include <errno.h>
#include <string.h>

static bool is_of_kind(const struct conf_kind *kind, const struct conf_service *service,
	enum conf_protocol protocols)
{
	const struct conf_service *first = kind->services[0];

	return first->scheduler == service->scheduler &&
	       first->persistence == service->persistence &&
	       (first->n_ports > 0) == (service->n_ports > 0) &&
	       (kind->protocols == protocols || !conf_scheduler_draws(service->scheduler)) &&
	       conf_same_members(first, service);
}

static int add_service(
	struct conf_kind *kind, const struct conf_service *service, enum conf_protocol protocols)
{
	const struct conf_service **added = array_append(kind->services, kind->n_services);

	if (!added)
		return -ENOMEM;
	*added = service;
	kind->protocols |= protocols;
	return 0;
}

static int sort_protocols(
	struct conf_group *group, const struct conf_service *service, enum conf_protocol protocols)
{
	struct conf_kind *kind;
	size_t i = 0;

	while (i < group->n_kinds && !is_of_kind(&group->kinds[i], service, protocols))
		i++;
	kind = i < group->n_kinds ? &group->kinds[i] : array_append(group->kinds, group->n_kinds);
	return kind ? add_service(kind, service, protocols) : -ENOMEM;
}

/* What is drawn for TCP is remembered, for UDP it is not. */
static int sort_service(struct conf_group *group, const struct conf_service *service)
{
	static const enum conf_protocol each[] = { CONF_PROTOCOL_TCP, CONF_PROTOCOL_UDP };
	int r = 0;

	if (!conf_scheduler_draws(service->scheduler))
		return sort_protocols(group, service, service->protocol);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(each); i++)
		if (service->protocol & each[i])
			r = sort_protocols(group, service, each[i]);
	return r;
}

/* --- ports ---------------------------------------------------------------------- */

static int list_ports(struct conf_kind *kind)
{
	struct conf_ports *ports = conf_ports_new(
		kind->services, kind->n_services, kind->protocols);

	if (!ports)
		return -ENOMEM;
	conf_ports_unref(kind->ports);
	kind->ports = ports;
	return 0;
}

/*
 * A rule for both protocols looks up protocol and port together. Ranges of such pairs would cost
 * more than the rest of the packet's way (nft_set_pipapo), and two rules with one port each are
 * cheaper than any look-up.
 */
static bool is_one_rule(const struct conf_kind *kind)
{
	const struct conf_ports *ports = kind->ports;

	if (kind->protocols != CONF_PROTOCOL_ANY || ports->n <= 1)
		return true;
	if (ports->has_ranges)
		return false;
	return ports->n > 2 || (ports->list[0].protocols & ports->list[1].protocols);
}

static int keep_protocol(struct conf_kind *kind, enum conf_protocol protocol)
{
	size_t n = 0;

	for (size_t i = 0; i < kind->n_services; i++)
		if (kind->services[i]->protocol & protocol)
			kind->services[n++] = kind->services[i];
	kind->n_services = n;
	kind->protocols = protocol;
	return list_ports(kind);
}

/* The protocol of the first service stays where the kind is. */
static int split_protocols(struct conf_group *group, size_t index)
{
	struct conf_kind *half = array_append(group->kinds, group->n_kinds);
	struct conf_kind *kind = &group->kinds[index];
	bool udp_first = kind->services[0]->protocol == CONF_PROTOCOL_UDP;
	size_t size = kind->n_services * sizeof(*kind->services);
	int r;

	if (half)
		half->services = malloc(size);
	if (!half || !half->services)
		return -ENOMEM;
	memcpy(half->services, kind->services, size);
	half->n_services = kind->n_services;
	r = keep_protocol(half, udp_first ? CONF_PROTOCOL_TCP : CONF_PROTOCOL_UDP);
	return r < 0 ? r : keep_protocol(kind, udp_first ? CONF_PROTOCOL_UDP : CONF_PROTOCOL_TCP);
}

/* --- all of a group ---------------------------------------------------------------- */

static int sort_all(struct conf_group *group, bool with_ports)
{
	size_t first = group->n_kinds, end;
	int r = 0;

	for (size_t i = 0; r == 0 && i < group->n_services; i++)
		if ((group->services[i].n_ports > 0) == with_ports)
			r = sort_service(group, &group->services[i]);
	end = group->n_kinds;
	for (size_t i = first; r == 0 && i < end; i++) {
		r = list_ports(&group->kinds[i]);
		if (r == 0 && !is_one_rule(&group->kinds[i]))
			r = split_protocols(group, i);
	}
	return r;
}

void kinds_find(struct reader *reader)
{
	struct conf *conf = reader->conf;

	for (size_t i = 0; i < conf->n_groups; i++) {
		struct conf_group *group = &conf->groups[i];
		int r = sort_all(group, true);

		/* A service with ports is the more specific one, wherever the file has it. */
		if (r == 0)
			r = sort_all(group, false);
		if (r < 0)
			return fault_no_memory(reader);
	}
}
