/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/table_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct cached_table {
	struct cached_table *next;
	char *key; /* all that the table follows from */
	size_t key_size;
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
	free(table->key);
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

/*
 * Slots are indices into the list of members, so its order and those without weight are part
 * of the key. A name ends with its NUL: no two lists have the same key.
 */
static char *make_key(const struct buckets_member *members, size_t n_members,
	enum buckets_order order, size_t n_slots, size_t *ret_size)
{
	char *key = NULL;
	FILE *file = open_memstream(&key, ret_size);

	if (!file)
		return NULL;
	fprintf(file, "%d %zu ", (int)order, n_slots);
	for (size_t i = 0; i < n_members; i++)
		fprintf(file, "%u %s%c", members[i].weight, members[i].name, '\0');
	if (fclose(file) == 0)
		return key;
	free(key);
	return NULL;
}

static struct cached_table *find(const struct table_cache *cache, const char *key, size_t size)
{
	for (struct cached_table *table = cache->first; table; table = table->next)
		if (table->key_size == size && memcmp(table->key, key, size) == 0)
			return table;
	return NULL;
}

static int add(struct table_cache *cache, char *key, size_t key_size, const uint16_t *slots,
	size_t n_slots)
{
	struct cached_table *table = calloc(1, sizeof(*table));
	uint16_t *copy = calloc(n_slots, sizeof(*copy));

	if (!table || !copy) {
		free(table);
		free(copy);
		free(key);
		return -ENOMEM;
	}
	memcpy(copy, slots, n_slots * sizeof(*copy));
	*table = (struct cached_table){
		.next = cache->first,
		.key = key,
		.key_size = key_size,
		.slots = copy,
		.used = true,
	};
	cache->first = table;
	return 0;
}

int table_cache_build(struct table_cache *cache, const struct buckets_member *members,
	size_t n_members, enum buckets_order order, uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) char *key = NULL;
	struct cached_table *known;
	size_t size;
	int r;

	if (!cache)
		return buckets_build(members, n_members, order, slots, n_slots);
	key = make_key(members, n_members, order, n_slots, &size);
	if (!key)
		return -ENOMEM;
	known = find(cache, key, size);
	if (known) {
		known->used = true;
		memcpy(slots, known->slots, n_slots * sizeof(*slots));
		return 0;
	}
	r = buckets_build(members, n_members, order, slots, n_slots);
	return r < 0 ? r : add(cache, take_ptr(key), size, slots, n_slots);
}

size_t table_cache_count(const struct table_cache *cache)
{
	size_t n = 0;

	for (const struct cached_table *table = cache->first; table; table = table->next)
		n++;
	return n;
}
