/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/ruleset.h"

#include <stdlib.h>
#include <string.h>

struct ruleset_shared *ruleset_shared_new(size_t n)
{
	struct ruleset_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return NULL;
	shared->elements = calloc(n, sizeof(*shared->elements));
	if (!shared->elements) {
		free(shared);
		return NULL;
	}
	shared->n_owners = 1;
	return shared;
}

struct ruleset_shared *ruleset_shared_ref(struct ruleset_shared *shared)
{
	shared->n_owners++;
	return shared;
}

void ruleset_shared_unref(struct ruleset_shared *shared)
{
	if (!shared || --shared->n_owners > 0)
		return;
	arena_done(&shared->arena);
	conf_ports_unref(shared->made_of);
	free(shared->elements);
	free(shared);
}

bool ruleset_sets_share(const struct ruleset_set *a, const struct ruleset_set *b)
{
	return a->shared && a->shared == b->shared;
}

static void set_done(struct ruleset_set *set)
{
	if (set->shared)
		ruleset_shared_unref(set->shared);
	else
		free(set->elements);
}

static void table_done(struct ruleset_table *table)
{
	for (size_t i = 0; i < table->n_sets; i++)
		set_done(&table->sets[i]);
	for (size_t i = 0; i < table->n_chains; i++)
		free(table->chains[i].rules);
	free(table->sets);
	free(table->chains);
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	for (size_t i = 0; i < ruleset->n_tables; i++)
		table_done(&ruleset->tables[i]);
	arena_done(&ruleset->arena);
	free(ruleset);
}

const struct ruleset_table *ruleset_find_table(
	const struct ruleset *ruleset, const struct ruleset_table *like)
{
	for (size_t i = 0; i < ruleset->n_tables; i++)
		if (ruleset->tables[i].family == like->family &&
			strcmp(ruleset->tables[i].name, like->name) == 0)
			return &ruleset->tables[i];
	return NULL;
}

const struct ruleset_set *ruleset_find_set(const struct ruleset_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_sets; i++)
		if (strcmp(table->sets[i].name, name) == 0)
			return &table->sets[i];
	return NULL;
}

const struct ruleset_chain *ruleset_find_chain(const struct ruleset_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_chains; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return NULL;
}

const char *ruleset_element_comment(const struct ruleset_element *element)
{
	return element->extra ? element->extra->comment : NULL;
}

struct ruleset_counter *ruleset_element_counter(const struct ruleset_element *element)
{
	return element->extra ? &element->extra->counter : NULL;
}

int ruleset_compare_keys(
	enum ruleset_key key, const struct ruleset_value *a, const struct ruleset_value *b)
{
	uint32_t x, y;

	if (key != KEY_NUMBER && key != KEY_MARK && key != KEY_PRIORITY)
		return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
	memcpy(&x, a->bytes, sizeof(x));
	memcpy(&y, b->bytes, sizeof(y));
	return x < y ? -1 : x > y;
}
