/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/memories.h"

#include <stdlib.h>
#include <string.h>

/* Calls func for each memory; their elements own nothing. */
static void for_each(struct ruleset *ruleset,
	void (*func)(struct ruleset_set *set, void *user_data), void *user_data)
{
	for (size_t i = 0; i < ruleset->n_tables; i++)
		for (size_t j = 0; j < ruleset->tables[i].n_sets; j++)
			if (ruleset->tables[i].sets[j].dynamic)
				func(&ruleset->tables[i].sets[j], user_data);
}

bool memories_exist(const struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->n_tables; i++)
		for (size_t j = 0; j < ruleset->tables[i].n_sets; j++)
			if (ruleset->tables[i].sets[j].dynamic &&
				ruleset->tables[i].sets[j].n_elements > 0)
				return true;
	return false;
}

static int compare_elements(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_NUMBER, &x->key, &y->key);
}

static struct ruleset_set *find_memory(struct ruleset *ruleset, const char *name)
{
	for (size_t i = 0; i < ruleset->n_tables; i++)
		for (size_t j = 0; j < ruleset->tables[i].n_sets; j++)
			if (ruleset->tables[i].sets[j].dynamic &&
				strcmp(ruleset->tables[i].sets[j].name, name) == 0)
				return &ruleset->tables[i].sets[j];
	return NULL;
}

static void subtract(struct ruleset_set *want, void *user_data)
{
	struct ruleset_set *have = find_memory(user_data, want->name);
	size_t n = 0, room;

	if (!have || have->n_elements == 0)
		return;
	qsort(have->elements, have->n_elements, sizeof(*have->elements), compare_elements);
	room = want->size / 4 * 3;
	room = room > have->n_elements ? room - have->n_elements : 0;
	for (size_t i = 0; i < want->n_elements && n < room; i++)
		if (!bsearch(&want->elements[i], have->elements, have->n_elements,
			    sizeof(*have->elements), compare_elements))
			want->elements[n++] = want->elements[i];
	want->n_elements = n;
}

void memories_subtract(struct ruleset *want, struct ruleset *have)
{
	for_each(want, subtract, have);
}

static void clear(struct ruleset_set *set, void *user_data)
{
	(void)user_data;
	free(set->elements);
	set->elements = NULL;
	set->n_elements = 0;
}

void memories_clear(struct ruleset *ruleset)
{
	for_each(ruleset, clear, NULL);
}
