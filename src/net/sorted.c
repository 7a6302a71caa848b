/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array of items that begin with their key. */

#include "net.h"

#include <string.h>

void *sorted_at(const struct sorted *sorted, size_t index)
{
	return sorted->items + index * sorted->item_size;
}

static int compare(const struct sorted_key *a, const struct sorted_key *b)
{
	int r = address_compare(&a->address, &b->address);

	if (r)
		return r;
	return a->length < b->length ? -1 : a->length > b->length;
}

size_t sorted_position(const struct sorted *sorted, const struct sorted_key *key)
{
	size_t low = 0, high = sorted->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(sorted_at(sorted, middle), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *sorted_find(const struct sorted *sorted, const struct sorted_key *key)
{
	size_t i = sorted_position(sorted, key);

	if (i == sorted->n_items || compare(sorted_at(sorted, i), key))
		return NULL;
	return sorted_at(sorted, i);
}

static bool grow(struct sorted *sorted)
{
	size_t n = sorted->n_allocated ? sorted->n_allocated * 2 : 16;
	char *items = reallocarray(sorted->items, n, sorted->item_size);

	if (!items)
		return false;
	sorted->items = items;
	sorted->n_allocated = n;
	return true;
}

void *sorted_add(struct sorted *sorted, const struct sorted_key *key)
{
	size_t i = sorted_position(sorted, key);
	char *item;

	if (i < sorted->n_items && !compare(sorted_at(sorted, i), key))
		return sorted_at(sorted, i);
	if (sorted->n_items == sorted->n_allocated && !grow(sorted))
		return NULL;
	item = sorted_at(sorted, i);
	memmove(item + sorted->item_size, item, (sorted->n_items - i) * sorted->item_size);
	sorted->n_items++;
	memset(item, 0, sorted->item_size);
	memcpy(item, key, sizeof(*key));
	return item;
}

void sorted_remove(struct sorted *sorted, const struct sorted_key *key)
{
	char *item = sorted_find(sorted, key);

	if (!item)
		return;
	sorted->n_items--;
	memmove(item, item + sorted->item_size,
		(size_t)(sorted->items + sorted->n_items * sorted->item_size - item));
}

void sorted_clear(struct sorted *sorted)
{
	free(sorted->items);
	sorted->items = NULL;
	sorted->n_items = sorted->n_allocated = 0;
}
