/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array of items that begin with their key. */

#include "net.h"

#include <string.h>

void *table_at(const struct table *table, size_t index)
{
	return table->items + index * table->item_size;
}

static int compare(const struct table_key *a, const struct table_key *b)
{
	int r = address_compare(&a->address, &b->address);

	if (r)
		return r;
	return a->length < b->length ? -1 : a->length > b->length;
}

size_t table_position(const struct table *table, const struct table_key *key)
{
	size_t low = 0, high = table->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(table_at(table, middle), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *table_find(const struct table *table, const struct table_key *key)
{
	size_t i = table_position(table, key);

	if (i == table->n_items || compare(table_at(table, i), key))
		return NULL;
	return table_at(table, i);
}

static bool grow(struct table *table)
{
	size_t n = table->n_allocated ? table->n_allocated * 2 : 16;
	char *items = reallocarray(table->items, n, table->item_size);

	if (!items)
		return false;
	table->items = items;
	table->n_allocated = n;
	return true;
}

void *table_add(struct table *table, const struct table_key *key)
{
	size_t i = table_position(table, key);
	char *item;

	if (i < table->n_items && !compare(table_at(table, i), key))
		return table_at(table, i);
	if (table->n_items == table->n_allocated && !grow(table))
		return NULL;
	item = table_at(table, i);
	memmove(item + table->item_size, item, (table->n_items - i) * table->item_size);
	table->n_items++;
	memset(item, 0, table->item_size);
	memcpy(item, key, sizeof(*key));
	return item;
}

void table_remove(struct table *table, const struct table_key *key)
{
	char *item = table_find(table, key);

	if (!item)
		return;
	table->n_items--;
	memmove(item, item + table->item_size,
		(size_t)(table->items + table->n_items * table->item_size - item));
}

void table_clear(struct table *table)
{
	free(table->items);
	table->items = NULL;
	table->n_items = table->n_allocated = 0;
}
