/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/table_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* All that a table follows from. */
struct recipe {
	enum buckets_order order;
	const struct buckets_member *members;
	size_t n_members;
	size_t n_slots;
};

struct cached_table {
	struct cached_table *next;
	struct recipe recipe;
	struct buckets_member *members; /* the recipe's, with their names behind the last one */
	uint16_t *slots;
	bool used; /* since the last sweep */
};

struct table_cache {
	struct cached_table *first;
};

struct table_cache *table_cache_new(void)
{
	return calloc(1, sizeof(struct table_cache));
}

static void cached_table_free(struct cached_table *table)
{
	free(table->members);
	free(table->slots);
	free(table);
}

static void remove_tables(struct table_cache *cache, bool used_too)
{
	struct cached_table **link = &cache->first;

	while (*link) {
		struct cached_table *table = *link;

		if (table->used && !used_too) {
			table->used = false;
			link = &table->next;
			continue;
		}
		*link = table->next;
		cached_table_free(table);
	}
}

void table_cache_free(struct table_cache *cache)
{
	if (!cache)
		return;
	remove_tables(cache, true);
	free(cache);
}

void table_cache_sweep(struct table_cache *cache)
{
	remove_tables(cache, false);
}

static bool same_member(const struct buckets_member *a, const struct buckets_member *b)
{
	return a->weight == b->weight && strcmp(a->name, b->name) == 0;
}

/* How many members are not the same, from the beginning on and then from the end on. */
static size_t count_different(const struct recipe *a, const struct recipe *b)
{
	size_t least = a->n_members < b->n_members ? a->n_members : b->n_members;
	size_t most = a->n_members + b->n_members - least, first = 0, last = 0;

	while (first < least && same_member(&a->members[first], &b->members[first]))
		first++;
	while (first + last < least && same_member(&a->members[a->n_members - 1 - last],
					       &b->members[b->n_members - 1 - last]))
		last++;
	return most - first - last;
}

/*
 * The table itself, or else the one that differs least. Slots are indices into the list of members,
 * so its order and those without weight count.
 */
static struct cached_table *find(
	const struct table_cache *cache, const struct recipe *recipe, bool *ret_same)
{
	struct cached_table *nearest = NULL;
	size_t least = SIZE_MAX;

	for (struct cached_table *table = cache->first; table; table = table->next) {
		size_t n_different;

		if (table->recipe.order != recipe->order ||
			table->recipe.n_slots != recipe->n_slots)
			continue;
		n_different = count_different(&table->recipe, recipe);
		if (n_different < least) {
			nearest = table;
			least = n_different;
		}
	}
	*ret_same = least == 0;
	return nearest;
}

static struct buckets_member *copy_members(const struct buckets_member *members, size_t n)
{
	size_t size = n * sizeof(*members) + 1;
	struct buckets_member *copy;
	char *name;

	for (size_t i = 0; i < n; i++)
		size += strlen(members[i].name) + 1;
	copy = malloc(size);
	if (!copy)
		return NULL;
	name = (char *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = (struct buckets_member){ .name = name, .weight = members[i].weight };
		name = stpcpy(name, members[i].name) + 1;
	}
	return copy;
}

static int add(struct table_cache *cache, const struct recipe *recipe, const uint16_t *slots)
{
	size_t size = recipe->n_slots * sizeof(*slots);
	struct cached_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	*table = (struct cached_table){
		.next = cache->first,
		.recipe = *recipe,
		.members = copy_members(recipe->members, recipe->n_members),
		.slots = malloc(size),
		.used = true,
	};
	if (!table->members || !table->slots) {
		cached_table_free(table);
		return -ENOMEM;
	}
	table->recipe.members = table->members;
	memcpy(table->slots, slots, size);
	cache->first = table;
	return 0;
}

static int make(const struct cached_table *nearest, const struct recipe *recipe, uint16_t *slots)
{
	struct buckets_table known;

	if (!nearest || recipe->order != BUCKETS_RENDEZVOUS)
		return buckets_build(
			recipe->members, recipe->n_members, recipe->order, slots, recipe->n_slots);
	known = (struct buckets_table){
		.members = nearest->members,
		.n_members = nearest->recipe.n_members,
		.slots = nearest->slots,
	};
	return buckets_rebuild(&known, recipe->members, recipe->n_members, slots, recipe->n_slots);
}

int table_cache_build(struct table_cache *cache, const struct buckets_member *members,
	size_t n_members, enum buckets_order order, uint16_t *slots, size_t n_slots)
{
	const struct recipe recipe = { order, members, n_members, n_slots };
	struct cached_table *nearest;
	bool same;
	int r;

	if (!cache)
		return make(NULL, &recipe, slots);
	nearest = find(cache, &recipe, &same);
	if (same) {
		nearest->used = true;
		memcpy(slots, nearest->slots, n_slots * sizeof(*slots));
		return 0;
	}
	r = make(nearest, &recipe, slots);
	return r < 0 ? r : add(cache, &recipe, slots);
}

size_t table_cache_count(const struct table_cache *cache)
{
	size_t n = 0;

	for (const struct cached_table *table = cache->first; table; table = table->next)
		n++;
	return n;
}
