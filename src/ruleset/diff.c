/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/diff.h"

#include "drover/array.h"
#include "drover/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Some elements of a set. */
struct list {
	const struct ruleset_element **elements;
	size_t n;
};

/*
 * One table on its way from "have" to "want". The batch tears down before it
 * builds up (rules, elements, sets, chains; then chains, sets, elements, rules), so
 * that nothing is removed while something still refers to it; the kernel
 * makes it visible to packets all at once.
 */
struct transition {
	struct batch *batch;
	const struct ruleset_table *have;
	const struct ruleset_table *want;
	struct list *fresh; /* of want->sets that stay: the elements to be added */
};

/* --- what differs ----------------------------------------------------------- */

/* Callers ask for the same set or chain many times over; names of both sides are few. */
static const struct ruleset_set *same_set(
	const struct ruleset_table *other, const struct ruleset_set *set)
{
	const struct ruleset_set *found = ruleset_find_set(other, set->name);

	return found && strcmp(found->signature, set->signature) == 0 ? found : NULL;
}

static const struct ruleset_chain *same_chain(
	const struct ruleset_table *other, const struct ruleset_chain *chain)
{
	const struct ruleset_chain *found = ruleset_find_chain(other, chain->name);

	return found && strcmp(found->signature, chain->signature) == 0 ? found : NULL;
}

/* A rule refers to its sets by name: one whose set is replaced must be replaced too. */
static bool rule_uses_new_set(const struct transition *t, const struct ruleset_rule *rule)
{
	for (size_t i = 0; i < rule->n_statements; i++) {
		const char *name = rule->statements[i].set;
		const struct ruleset_set *set = name ? ruleset_find_set(t->want, name) : NULL;

		if (set && !same_set(t->have, set))
			return true;
	}
	return false;
}

static bool same_rules(const struct transition *t, const struct ruleset_chain *have,
	const struct ruleset_chain *want)
{
	if (have->n_rules != want->n_rules)
		return false;
	for (size_t i = 0; i < want->n_rules; i++) {
		const struct ruleset_rule *rule = &want->rules[i];

		if (strcmp(have->rules[i].signature, rule->signature) != 0)
			return false;
		if (rule_uses_new_set(t, rule))
			return false;
	}
	return true;
}

/* True if the chain stays as it is, rules and all. */
static bool chain_stays(const struct transition *t, const struct ruleset_chain *have,
	const struct ruleset_chain *want)
{
	return have && want && strcmp(have->signature, want->signature) == 0 &&
	       same_rules(t, have, want);
}

/* --- elements ----------------------------------------------------------------- */

/* A set's elements in the order of their keys. */
struct view {
	const struct ruleset_set *set;
	const struct ruleset_element **order; /* NULL: as the set has them */
};

static void view_done(struct view *view)
{
	free(view->order);
}

/* NULL behind the last one. */
static const struct ruleset_element *view_at(const struct view *view, size_t i)
{
	if (i >= view->set->n_elements)
		return NULL;
	return view->order ? view->order[i] : &view->set->elements[i];
}

static int compare_numbers(const void *a, const void *b)
{
	const struct ruleset_element *const *x = a, *const *y = b;

	return ruleset_compare_keys(KEY_NUMBER, &(*x)->key, &(*y)->key);
}

static int compare_bytes(const void *a, const void *b)
{
	const struct ruleset_element *const *x = a, *const *y = b;

	return ruleset_compare_keys(KEY_PORT, &(*x)->key, &(*y)->key);
}

static bool is_ordered(const struct ruleset_set *set, enum ruleset_key key)
{
	for (size_t i = 1; !set->ordered && i < set->n_elements; i++)
		if (ruleset_compare_keys(key, &set->elements[i - 1].key, &set->elements[i].key) > 0)
			return false;
	return true;
}

/* The key's kind is not known of what was read back. */
static int view_init(struct view *view, const struct ruleset_set *set, enum ruleset_key key)
{
	*view = (struct view){ .set = set };
	if (is_ordered(set, key))
		return 0;
	view->order = calloc(set->n_elements, sizeof(*view->order));
	if (!view->order)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_elements; i++)
		view->order[i] = &set->elements[i];
	qsort(view->order, set->n_elements, sizeof(*view->order),
		key == KEY_NUMBER || key == KEY_MARK || key == KEY_PRIORITY ? compare_numbers
									    : compare_bytes);
	return 0;
}

static int list_add(struct list *list, const struct ruleset_element *element)
{
	const struct ruleset_element **grown = array_grow(list->elements, list->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->elements = grown;
	grown[list->n++] = element;
	return 0;
}

static int list_add_all(struct list *list, const struct ruleset_set *set)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_elements; i++)
		r = list_add(list, &set->elements[i]);
	return r;
}

static void list_done(struct list *list)
{
	free(list->elements);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_element(const struct ruleset_set *set, const struct ruleset_element *a,
	const struct ruleset_element *b)
{
	if (set->interval && memcmp(a->extra->last.bytes, b->extra->last.bytes,
				     sizeof(a->extra->last.bytes)) != 0)
		return false;
	if (set->data == DATA_MARK && a->mark != b->mark)
		return false;
	if (set->data == DATA_VERDICT && (a->verdict.kind != b->verdict.kind ||
						 !same_text(a->verdict.chain, b->verdict.chain)))
		return false;
	return same_text(ruleset_element_comment(a), ruleset_element_comment(b));
}

/* Sorts out what is to be deleted and what added. The lists are the caller's, also on failure. */
static int split_elements(const struct ruleset_set *have, const struct ruleset_set *want,
	struct list *gone, struct list *fresh)
{
	_cleanup_(view_done) struct view old = { NULL, NULL }, new = { NULL, NULL };
	size_t h = 0, w = 0;
	int r;

	if (ruleset_sets_share(have, want))
		return 0;
	r = view_init(&old, have, want->key);

	if (r == 0)
		r = view_init(&new, want, want->key);
	while (r == 0) {
		const struct ruleset_element *a = view_at(&old, h), *b = view_at(&new, w);
		int order;

		if (!a && !b)
			break;
		order = !a ? 1 : !b ? -1 : ruleset_compare_keys(want->key, &a->key, &b->key);
		if (order == 0 && same_element(want, a, b)) {
			h++;
			w++;
			continue;
		}
		if (order <= 0) {
			r = list_add(gone, a);
			h++;
		}
		if (r == 0 && order >= 0) {
			r = list_add(fresh, b);
			w++;
		}
	}
	return r;
}

/* Deletes what is not wanted any more, and notes what is to be added later. */
static int change_elements(
	const struct transition *t, const struct ruleset_set *have, const struct ruleset_set *want)
{
	struct list *fresh = &t->fresh[want - t->want->sets];
	_cleanup_(list_done) struct list gone = { NULL, 0 };
	int r;

	/* What packets have put there is newer; what the plan has besides is what it lacks. */
	if (want->dynamic)
		return list_add_all(fresh, want);
	if (want->timed)
		return 0;
	r = split_elements(have, want, &gone, fresh);
	if (r < 0)
		return r;
	return message_delete_elements(t->batch, t->want, want, gone.elements, gone.n);
}

static int add_all_elements(const struct transition *t, const struct ruleset_set *set)
{
	_cleanup_(list_done) struct list all = { NULL, 0 };
	int r = list_add_all(&all, set);

	return r < 0 ? r : message_add_elements(t->batch, t->want, set, all.elements, all.n);
}

/* --- tear down ------------------------------------------------------------------ */

static int remove_rules(const struct transition *t)
{
	for (size_t i = 0; i < t->have->n_chains; i++) {
		const struct ruleset_chain *have = &t->have->chains[i];
		const struct ruleset_chain *want = ruleset_find_chain(t->want, have->name);
		int r;

		if (have->n_rules == 0 || chain_stays(t, have, want))
			continue;
		r = message_flush_chain(t->batch, t->have, have);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_sets(const struct transition *t)
{
	for (size_t i = 0; i < t->have->n_sets; i++) {
		const struct ruleset_set *have = &t->have->sets[i];
		const struct ruleset_set *want = ruleset_find_set(t->want, have->name);
		int r;

		if (want && same_set(t->have, want))
			r = change_elements(t, have, want);
		else
			r = message_delete_set(t->batch, t->have, have);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_chains(const struct transition *t)
{
	for (size_t i = 0; i < t->have->n_chains; i++) {
		const struct ruleset_chain *have = &t->have->chains[i];
		int r;

		if (same_chain(t->want, have))
			continue;
		r = message_delete_chain(t->batch, t->have, have);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- build up --------------------------------------------------------------------- */

static int add_chains(const struct transition *t)
{
	for (size_t i = 0; i < t->want->n_chains; i++) {
		const struct ruleset_chain *want = &t->want->chains[i];
		int r;

		if (same_chain(t->have, want))
			continue;
		r = message_add_chain(t->batch, t->want, want);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_sets(const struct transition *t)
{
	for (size_t i = 0; i < t->want->n_sets; i++) {
		const struct ruleset_set *want = &t->want->sets[i];
		const struct list *fresh = &t->fresh[i];
		int r;

		if (same_set(t->have, want)) {
			r = message_add_elements(
				t->batch, t->want, want, fresh->elements, fresh->n);
		} else {
			r = message_add_set(t->batch, t->want, want);
			if (r == 0)
				r = add_all_elements(t, want);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_rules(const struct transition *t)
{
	for (size_t i = 0; i < t->want->n_chains; i++) {
		const struct ruleset_chain *want = &t->want->chains[i];

		if (chain_stays(t, ruleset_find_chain(t->have, want->name), want))
			continue;
		for (size_t j = 0; j < want->n_rules; j++) {
			int r = message_add_rule(t->batch, t->want, want, &want->rules[j]);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int change_table(
	struct batch *batch, const struct ruleset_table *have, const struct ruleset_table *want)
{
	static int (*const steps[])(const struct transition *) = {
		remove_rules,
		remove_sets,
		remove_chains,
		add_chains,
		add_sets,
		add_rules,
	};
	struct transition t = {
		.batch = batch,
		.have = have,
		.want = want,
		.fresh = calloc(want->n_sets + 1, sizeof(*t.fresh)),
	};
	int r = t.fresh ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&t);
	for (size_t i = 0; t.fresh && i < want->n_sets; i++)
		list_done(&t.fresh[i]);
	free(t.fresh);
	return r;
}

/* --- counters ---------------------------------------------------------------------- */

/* True if chains of "from" have counters and do not stay as they are in "to". */
static bool chains_lose_counters(const struct ruleset_table *from, const struct ruleset_table *to)
{
	const struct transition t = { .have = from, .want = to };

	for (size_t i = 0; i < from->n_chains; i++) {
		const struct ruleset_chain *chain = &from->chains[i];
		bool counts = false;

		for (size_t j = 0; j < chain->n_rules; j++)
			counts |= chain->rules[j].counter.of != NULL;
		if (counts && !chain_stays(&t, chain, ruleset_find_chain(to, chain->name)))
			return true;
	}
	return false;
}

static bool sets_lose_counters(const struct ruleset_table *from, const struct ruleset_table *to)
{
	for (size_t i = 0; i < from->n_sets; i++) {
		const struct ruleset_set *set = &from->sets[i], *same = same_set(to, set);
		_cleanup_(list_done) struct list gone = { NULL, 0 }, fresh = { NULL, 0 };

		if (!set->counter || set->n_elements == 0)
			continue;
		if (!same || split_elements(set, same, &gone, &fresh) < 0 || gone.n > 0)
			return true;
	}
	return false;
}

static bool lose_counters(const struct ruleset *from, const struct ruleset *to)
{
	for (size_t i = 0; i < from->n_tables; i++) {
		const struct ruleset_table nothing = { .n_sets = 0 };
		const struct ruleset_table *table = &from->tables[i];
		const struct ruleset_table *same = ruleset_find_table(to, table);

		if (chains_lose_counters(table, same ? same : &nothing) ||
			sets_lose_counters(table, same ? same : &nothing))
			return true;
	}
	return false;
}

bool diff_remakes_counters(const struct ruleset *have, const struct ruleset *want)
{
	return lose_counters(have, want) && lose_counters(want, have);
}

/* --- tables ------------------------------------------------------------------------- */

static int add_table(struct batch *batch, const struct ruleset_table *want)
{
	const struct ruleset_table nothing = { .family = want->family, .name = want->name };
	int r = message_add_table(batch, want);

	return r < 0 ? r : change_table(batch, &nothing, want);
}

static int diff_table(
	struct batch *batch, const struct ruleset_table *have, const struct ruleset_table *want)
{
	return have ? change_table(batch, have, want) : add_table(batch, want);
}

int diff_build(const struct ruleset *have, const struct ruleset *want, struct batch **ret_batch)
{
	_cleanup_(batch_free_p) struct batch *batch = batch_new();
	int r = 0;

	if (!batch)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < have->n_tables; i++)
		if (!ruleset_find_table(want, &have->tables[i]))
			r = message_delete_table(batch, &have->tables[i]);
	for (size_t i = 0; r == 0 && i < want->n_tables; i++)
		r = diff_table(batch, ruleset_find_table(have, &want->tables[i]), &want->tables[i]);
	if (r < 0)
		return r;
	*ret_batch = take_ptr(batch);
	return 0;
}

int diff_replace(const struct ruleset *have, const struct ruleset *want, struct batch **ret_batch)
{
	_cleanup_(batch_free_p) struct batch *batch = batch_new();
	int r = 0;

	if (!batch)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < have->n_tables; i++)
		r = message_delete_table(batch, &have->tables[i]);
	for (size_t i = 0; r == 0 && i < want->n_tables; i++)
		r = add_table(batch, &want->tables[i]);
	if (r < 0)
		return r;
	*ret_batch = take_ptr(batch);
	return 0;
}
