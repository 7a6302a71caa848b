/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bucket tables: services over the same members with the same weights share one. */
#include "internal.h"

#include "drover/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_subset(const struct plan_table *table, const struct conf_service *service)
{
	size_t size = service->n_members * sizeof(*service->members);

	/* Both are over every member, as most are. */
	if (service->all_members && !table->memory)
		return true;
	/* Of a group that has no members, as drover-helper may be told, there is no array either.
	 */
	return table->n_members == service->n_members &&
	       (size == 0 || memcmp(table->members, service->members, size) == 0);
}

static bool is_every_member(const struct conf_group *group, const struct conf_service *service)
{
	size_t n = 0;

	for (size_t i = 0; i < group->n_members; i++)
		n += !group->members[i].balancer_only;
	return service->n_members == n;
}

/* Its members' weights, and who has been taken out of it. Who starts slowly has some weight. */
static int weigh(struct builder *b, const struct conf_service *service, struct plan_table *table)
{
	table->weights = calloc(table->n_members + 1, sizeof(*table->weights));
	if (!table->weights)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_members; i++) {
		size_t member = table->members[i];
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

static int fill_table(const struct builder *b, struct plan_table *table)
{
	_cleanup_(free_p) struct buckets_member *entries = calloc(
		table->n_members, sizeof(*entries));
	uint32_t n_slots = b->plan->n_buckets;
	int r;

	table->slots = calloc(n_slots, sizeof(*table->slots));
	if (!table->slots || !entries)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_members; i++)
		entries[i] = (struct buckets_member){
			.name = b->conf->members[table->members[i]].name,
			.weight = table->weights[i],
		};
	r = table_cache_build(
		b->tables, entries, table->n_members, table->order, table->slots, n_slots);
	if (r < 0)
		return r;
	for (uint32_t slot = 0; slot < n_slots; slot++)
		if (table->slots[slot] != BUCKETS_NONE)
			table->slots[slot] =
				(uint16_t)b->places[table->members[table->slots[slot]]];
	return 0;
}

static bool same_members(const struct conf_service *a, const struct conf_service *b)
{
	return a->n_members == b->n_members &&
	       memcmp(a->members, b->members, a->n_members * sizeof(*a->members)) == 0;
}

static bool has_order(const struct conf_service *service, enum buckets_order order)
{
	bool in_turn = service->scheduler == CONF_SCHEDULER_RR;

	if (order == BUCKETS_TURNS)
		return in_turn;
	return !in_turn || (service->protocol & CONF_PROTOCOL_TCP) || service->persistence > 0;
}

/* Named after the first that would have the table if checks found all well. */
static const char *name_subset(
	const struct builder *b, const struct conf_service *service, enum buckets_order order)
{
	if (is_every_member(b->conf, service))
		return NULL;
	for (int without_ports = 0; without_ports < 2; without_ports++)
		for (size_t i = 0; i < b->conf->n_services; i++) {
			const struct conf_service *first = &b->conf->services[i];

			if ((first->n_ports == 0) == without_ports && has_order(first, order) &&
				same_members(first, service))
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
	       memcmp(a->weights, b->weights, a->n_members * sizeof(*a->weights)) == 0;
}

/* Of many services most have the same members, and nobody asks how these do. */
static bool find_unchecked_table(const struct plan_group *group, const struct conf_service *service,
	enum buckets_order order, size_t *ret_index)
{
	for (size_t i = 0; !service->check && i < group->n_tables; i++) {
		const struct plan_table *table = &group->tables[i];

		if (!table->apart && table->order == order && same_subset(table, service)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static int add_table(struct plan_group *group, const struct plan_table *table)
{
	struct plan_table *grown = array_grow(group->tables, group->n_tables, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	group->tables = grown;
	grown[group->n_tables++] = *table;
	return 0;
}

/* Finds the table for a service's members in this order, or makes it. */
int table_get(struct builder *b, const struct conf_service *service, enum buckets_order order,
	size_t *ret_index)
{
	struct plan_group *group = b->group;
	struct plan_table table;
	int r;

	if (find_unchecked_table(group, service, order, ret_index))
		return 0;
	table = (struct plan_table){
		.memory = name_subset(b, service, order),
		.order = order,
		.members = service->members,
		.n_members = service->n_members,
		.location = service->location,
	};
	r = weigh(b, service, &table);
	table.subset = table.apart ? service->name : table.memory;
	for (size_t i = 0; r == 0 && i < group->n_tables; i++)
		if (same_subset(&group->tables[i], service) &&
			same_table(&group->tables[i], &table)) {
			table_done(&table);
			*ret_index = i;
			return 0;
		}
	if (r == 0)
		r = fill_table(b, &table);
	if (r == 0)
		r = add_table(group, &table);
	if (r < 0) {
		table_done(&table);
		return r;
	}
	*ret_index = group->n_tables - 1;
	return 0;
}
