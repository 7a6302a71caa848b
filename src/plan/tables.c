/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bucket tables: services over the same members with the same weights share one. */
#include "internal.h"

#include "drover/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_every_member(const struct conf_group *group, const struct conf_service *service)
{
	size_t n = 0;

	for (size_t i = 0; i < group->n_members; i++)
		n += conf_counts_as_member(&group->members[i]);
	return service->n_members == n;
}

/* Its members' weights, and who has been taken out of it. Who starts slowly has some weight. */
static int weigh(const struct builder *b, struct plan_table *table)
{
	const struct conf_service *service = table->service;

	table->weights = calloc(service->n_members + 1, sizeof(*table->weights));
	if (!table->weights)
		return -ENOMEM;
	for (size_t i = 0; i < service->n_members; i++) {
		size_t member = service->members[i];
		unsigned int weight = b->views[member].weight;
		struct cluster_share share = cluster_share(b->cluster, b->conf, service, member);

		if (weight == 0)
			continue;
		table->weights[i] = share.ejected ? 0 : (weight * share.percent + 99) / 100;
		table->apart |= table->weights[i] != weight;
		if (!share.ejected)
			continue;
		if (!table->ejected)
			table->ejected = calloc(b->group->n_members, sizeof(*table->ejected));
		if (!table->ejected)
			return -ENOMEM;
		table->ejected[b->places[member]] = true;
	}
	return 0;
}

static int fill_slots(const struct builder *b, struct plan_table *table)
{
	const struct conf_service *service = table->service;
	size_t n_members = service->n_members;
	_cleanup_(free_p) struct buckets_member *entries = calloc(n_members, sizeof(*entries));
	uint32_t n_slots = b->plan->n_buckets;
	int r;

	table->slots = calloc(n_slots, sizeof(*table->slots));
	if (!table->slots || !entries)
		return -ENOMEM;
	for (size_t i = 0; i < n_members; i++)
		entries[i] = (struct buckets_member){
			.name = b->conf->members[service->members[i]].name,
			.weight = table->weights[i],
		};
	r = table_cache_build(b->tables, entries, n_members, table->order, table->slots, n_slots);
	if (r < 0)
		return r;
	for (uint32_t slot = 0; slot < n_slots; slot++)
		if (table->slots[slot] != BUCKETS_NONE)
			table->slots[slot] =
				(uint16_t)b->places[service->members[table->slots[slot]]];
	return 0;
}

enum buckets_order table_order(const struct conf_kind *kind)
{
	return kind->services[0]->scheduler == CONF_SCHEDULER_RR ? BUCKETS_TURNS
								 : BUCKETS_RENDEZVOUS;
}

bool table_is_needed(const struct conf_kind *kind, enum buckets_order order)
{
	return table_order(kind) == order ||
	       (order == BUCKETS_RENDEZVOUS && ((kind->protocols & CONF_PROTOCOL_TCP) ||
						       kind->services[0]->persistence > 0));
}

/* Named after the first that would have the table if checks found all well. */
static const char *name_subset(
	const struct builder *b, const struct conf_service *service, enum buckets_order order)
{
	if (is_every_member(b->conf, service))
		return NULL;
	for (size_t i = 0; i < b->conf->n_kinds; i++) {
		const struct conf_kind *kind = &b->conf->kinds[i];
		const struct conf_service *first = kind->services[0];

		if (table_is_needed(kind, order) && conf_same_members(first, service))
			return first->name;
	}
	return service->name;
}

void table_done(struct plan_table *table)
{
	free(table->slots);
	free(table->pinned);
	free(table->ejected);
	free(table->weights);
}

static bool same_table(const struct plan_table *a, const struct plan_table *b)
{
	return a->order == b->order && a->apart == b->apart &&
	       conf_same_members(a->service, b->service) &&
	       memcmp(a->weights, b->weights, a->service->n_members * sizeof(*a->weights)) == 0;
}

/* Takes what the table owns. */
static int add_table(struct plan_group *group, struct plan_table *table)
{
	struct plan_table *grown = array_grow(group->tables, group->n_tables, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	group->tables = grown;
	grown[group->n_tables++] = *table;
	*table = (struct plan_table){ .slots = NULL };
	return 0;
}

static int make_table(struct builder *b, struct plan_table *table)
{
	int r = fill_slots(b, table);

	table->memory = name_subset(b, table->service, table->order);
	table->subset = table->apart ? table->service->name : table->memory;
	return r < 0 ? r : add_table(b->group, table);
}

int table_get(struct builder *b, const struct conf_service *service, enum buckets_order order,
	size_t *ret_index)
{
	const struct plan_group *group = b->group;
	_cleanup_(table_done) struct plan_table table = { .order = order, .service = service };
	int r = weigh(b, &table);
	size_t i = 0;

	while (r == 0 && i < group->n_tables && !same_table(&group->tables[i], &table))
		i++;
	if (r == 0 && i == group->n_tables)
		r = make_table(b, &table);
	if (r == 0)
		*ret_index = i;
	return r;
}
