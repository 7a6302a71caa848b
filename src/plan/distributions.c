/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions: what services have in common shares its rules. */
#include "internal.h"

#include "drover/array.h"

#include <errno.h>

static int add_distribution(struct plan_group *group, const struct plan_distribution *distribution)
{
	struct plan_distribution *grown = array_grow(
		group->distributions, group->n_distributions, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	group->distributions = grown;
	grown[group->n_distributions++] = *distribution;
	return 0;
}

static enum conf_protocol protocols_of(
	const struct conf_kind *kind, const struct conf_service *const *services, size_t n_services)
{
	enum conf_protocol protocols = 0;

	for (size_t i = 0; i < n_services; i++)
		protocols |= services[i]->protocol & kind->protocols;
	return protocols;
}

/* Those of a kind that have one table: all, unless checks part them. */
static int add_part(struct builder *b, const struct conf_kind *kind,
	const struct conf_service *const *services, size_t n_services, size_t table)
{
	const struct conf_service *first = services[0];
	bool whole = n_services == kind->n_services;
	struct plan_distribution part = {
		.kind = kind,
		.protocols = whole ? kind->protocols : protocols_of(kind, services, n_services),
		.scheduler = first->scheduler,
		.persistence = first->persistence,
		.table = table,
		.fallback = table,
		.service = first->name,
		.location = first->location,
	};
	int r = 0;

	if (table_order(kind) != BUCKETS_RENDEZVOUS && table_is_needed(kind, BUCKETS_RENDEZVOUS))
		r = table_get(b, first, BUCKETS_RENDEZVOUS, &part.fallback);
	if (r < 0)
		return r;
	part.ports = whole ? conf_ports_ref(kind->ports)
			   : conf_ports_new(services, n_services, kind->protocols);
	r = part.ports ? add_distribution(b->group, &part) : -ENOMEM;
	if (r < 0)
		conf_ports_unref(part.ports);
	return r;
}

/* True if the table of one of the services before has been this one's, too. */
static bool is_known(const size_t *tables, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (tables[j] == tables[i])
			return true;
	return false;
}

static int plan_parts(struct builder *b, const struct conf_kind *kind)
{
	size_t n = kind->n_services;
	_cleanup_(free_p) size_t *tables = calloc(n, sizeof(*tables));
	_cleanup_(free_p) const struct conf_service **part = calloc(n, sizeof(*part));
	int r = tables && part ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = table_get(b, kind->services[i], table_order(kind), &tables[i]);
	for (size_t i = 0; r == 0 && i < n; i++) {
		size_t n_part = 0;

		if (is_known(tables, i))
			continue;
		for (size_t j = i; j < n; j++)
			if (tables[j] == tables[i])
				part[n_part++] = kind->services[j];
		r = add_part(b, kind, part, n_part, tables[i]);
	}
	return r;
}

/* Nobody asks each service how its members do if all do well: there may be a thousand. */
static int plan_whole(struct builder *b, const struct conf_kind *kind)
{
	size_t table;
	int r = table_get(b, kind->services[0], table_order(kind), &table);

	return r < 0 ? r : add_part(b, kind, kind->services, kind->n_services, table);
}

int distributions_add(struct builder *b)
{
	bool well = cluster_is_well(b->cluster, b->conf);
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->conf->n_kinds; i++) {
		const struct conf_kind *kind = &b->conf->kinds[i];

		r = well ? plan_whole(b, kind) : plan_parts(b, kind);
	}
	return r;
}
