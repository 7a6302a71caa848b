/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/counters.h"

#include "drover/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A list of counters, those of a ruleset. */
struct list {
	struct ruleset_counter **counters;
	size_t n;
	bool failed;
};

static void list_done(struct list *list)
{
	free(list->counters);
}

static void list_add(struct ruleset_counter *counter, void *user_data)
{
	struct list *list = user_data;
	struct ruleset_counter **counters = array_grow(
		list->counters, list->n, sizeof(*list->counters));

	if (!counters) {
		list->failed = true;
		return;
	}
	list->counters = counters;
	counters[list->n++] = counter;
}

static void foreach_element(struct ruleset_set *set,
	void (*func)(struct ruleset_counter *counter, void *user_data), void *user_data)
{
	for (size_t i = 0; i < set->n_elements; i++) {
		struct ruleset_counter *counter = ruleset_element_counter(&set->elements[i]);

		if (counter && counter->of)
			func(counter, user_data);
	}
}

void counters_foreach(struct ruleset *ruleset,
	void (*func)(struct ruleset_counter *counter, void *user_data), void *user_data)
{
	for (size_t t = 0; t < ruleset->n_tables; t++) {
		const struct ruleset_table *table = &ruleset->tables[t];

		for (size_t i = 0; i < table->n_chains; i++)
			for (size_t j = 0; j < table->chains[i].n_rules; j++)
				if (table->chains[i].rules[j].counter.of)
					func(&table->chains[i].rules[j].counter, user_data);
		for (size_t i = 0; i < table->n_sets; i++)
			if (table->sets[i].counter)
				foreach_element(&table->sets[i], func, user_data);
	}
}

/* --- the same place ------------------------------------------------------------- */

static void reset(struct ruleset_counter *counter, bool known)
{
	counter->known = known;
	if (!known)
		counter->packets = counter->bytes = 0;
}

/* Have may lack the table. */
static void begin_table(const struct ruleset_table *have, const struct ruleset_table *want)
{
	for (size_t i = 0; i < want->n_chains; i++)
		for (size_t j = 0; j < want->chains[i].n_rules; j++)
			reset(&want->chains[i].rules[j].counter, false);
	for (size_t i = 0; i < want->n_sets; i++) {
		const struct ruleset_set *set = &want->sets[i], *same = NULL;

		if (!set->counter)
			continue;
		if (have)
			same = ruleset_find_set(have, set->name);
		for (size_t j = 0; j < set->n_elements; j++)
			if (set->elements[j].extra)
				reset(&set->elements[j].extra->counter,
					same && ruleset_sets_share(same, set));
	}
}

static struct ruleset_counter *same_rule(
	const struct ruleset_chain *want, const struct ruleset_rule *have)
{
	for (size_t i = 0; want && i < want->n_rules; i++)
		if (want->rules[i].counter.of &&
			strcmp(want->rules[i].signature, have->signature) == 0)
			return &want->rules[i].counter;
	return NULL;
}

static int compare_elements(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return ruleset_compare_keys(KEY_PORT, &x->key, &y->key);
}

static struct ruleset_counter *same_element(
	const struct ruleset_set *want, const struct ruleset_element *have)
{
	struct ruleset_element *found = NULL;

	if (want && want->counter && want->n_elements > 0)
		found = bsearch(have, want->elements, want->n_elements, sizeof(*want->elements),
			compare_elements);
	if (!found || !ruleset_element_comment(found) || !ruleset_element_comment(have) ||
		strcmp(ruleset_element_comment(found), ruleset_element_comment(have)) != 0)
		return NULL;
	return ruleset_element_counter(found);
}

static void add(struct ruleset_counter *to, const struct ruleset_counter *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
}

/* Notes on "left" what has no place in want. */
static void carry_one(struct ruleset_counter *have, struct ruleset_counter *want, struct list *left)
{
	if (want) {
		add(want, have);
		want->known = true;
	} else if (have->of && have->packets > 0) {
		list_add(have, left);
	}
}

static void carry_elements(
	const struct ruleset_set *have, const struct ruleset_set *want, struct list *left)
{
	/* Shared ones are the same on both sides. */
	if (!have->counter || (want && ruleset_sets_share(have, want)))
		return;
	for (size_t i = 0; i < have->n_elements; i++)
		if (have->elements[i].extra)
			carry_one(&have->elements[i].extra->counter,
				same_element(want, &have->elements[i]), left);
}

static void carry_table(
	const struct ruleset_table *have, const struct ruleset_table *want, struct list *left)
{
	for (size_t i = 0; i < have->n_chains; i++) {
		const struct ruleset_chain *chain = &have->chains[i];
		const struct ruleset_chain *same = ruleset_find_chain(want, chain->name);

		for (size_t j = 0; j < chain->n_rules; j++)
			carry_one(
				&chain->rules[j].counter, same_rule(same, &chain->rules[j]), left);
	}
	for (size_t i = 0; i < have->n_sets; i++)
		carry_elements(&have->sets[i], ruleset_find_set(want, have->sets[i].name), left);
}

/* --- another place ---------------------------------------------------------------- */

static int compare_counters(const void *a, const void *b)
{
	const struct ruleset_counter *const *x = a, *const *y = b;

	return strcmp((*x)->of, (*y)->of);
}

static void list_add_new(struct ruleset_counter *counter, void *user_data)
{
	if (!counter->known)
		list_add(counter, user_data);
}

/* A counter that stays in the kernel takes nothing in, so only new ones are given anything. */
static int carry_left(const struct list *left, struct ruleset *want)
{
	_cleanup_(list_done) struct list fresh = { .n = 0 };

	counters_foreach(want, list_add_new, &fresh);
	if (fresh.failed)
		return -ENOMEM;
	if (fresh.n == 0)
		return 0;
	qsort(fresh.counters, fresh.n, sizeof(*fresh.counters), compare_counters);
	for (size_t i = 0; i < left->n; i++) {
		struct ruleset_counter **found = bsearch(&left->counters[i], fresh.counters,
			fresh.n, sizeof(*fresh.counters), compare_counters);

		if (found)
			add(*found, left->counters[i]);
	}
	return 0;
}

int counters_carry(const struct ruleset *have, struct ruleset *want)
{
	_cleanup_(list_done) struct list left = { .n = 0 };

	for (size_t i = 0; i < want->n_tables; i++) {
		const struct ruleset_table *to = &want->tables[i];
		const struct ruleset_table *from = ruleset_find_table(have, to);

		begin_table(from, to);
		if (from)
			carry_table(from, to, &left);
	}
	if (left.failed)
		return -ENOMEM;
	return carry_left(&left, want);
}
