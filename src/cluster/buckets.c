/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/buckets.h"

#include "drover/cleanup.h"
#include "rendezvous.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/*
 * Table format v1. Everything below is integer arithmetic that gives the same
 * result on every machine; whoever changes a single result must change the key,
 * or two balancers of different versions would disagree about live flows.
 */
static const unsigned char TABLE_KEY[crypto_shorthash_siphash24_KEYBYTES] = "drover-bucket-v1";

uint64_t buckets_member_key(const char *name)
{
	unsigned char hash[crypto_shorthash_siphash24_BYTES];
	uint64_t key = 0;

	crypto_shorthash_siphash24(hash, (const unsigned char *)name, strlen(name), TABLE_KEY);
	for (size_t i = sizeof(hash); i-- > 0;)
		key = key << 8 | hash[i];
	return key;
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->name, y->name);
}

/*
 * Members whose exact share is below one slot are given one slot each, and
 * the others share what is left; each such step makes the rest's share
 * smaller, so it repeats until nobody falls below.
 */
static void fix_small_shares(struct entry *entries, size_t n, uint64_t *slots, uint64_t *weight)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < n && !again; i++) {
			struct entry *entry = &entries[i];

			if (entry->fixed || *slots * entry->weight >= *weight)
				continue;
			entry->fixed = true;
			entry->quota = 1;
			*slots -= 1;
			*weight -= entry->weight;
			again = true;
		}
	}
}

/* Largest remainder: everybody's exact share rounded down, then the slots left over. */
static void deal_quotas(struct entry *entries, size_t n, size_t n_slots)
{
	uint64_t slots = n_slots, weight = 0, left;

	for (size_t i = 0; i < n; i++)
		weight += entries[i].weight;
	fix_small_shares(entries, n, &slots, &weight);

	left = slots;
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = &entries[i];

		if (entry->fixed)
			continue;
		entry->quota = (uint32_t)(slots * entry->weight / weight);
		entry->remainder = slots * entry->weight % weight;
		left -= entry->quota;
	}
	while (left > 0) {
		struct entry *best = NULL;

		for (size_t i = 0; i < n; i++)
			if (!entries[i].fixed && (!best || entries[i].remainder > best->remainder))
				best = &entries[i];
		if (!best)
			break;
		best->quota++;
		best->remainder = 0;
		best->fixed = true; /* each gets at most one of the slots left over */
		left--;
	}
}

/* What the inner loop needs of a member. */
struct turn {
	int64_t credit; /* how far behind its share the member is, in slots times n_slots */
	int64_t quota;
};

/* Everybody's claim grows by its quota; the member furthest behind its share is next. */
static size_t find_next(struct turn *turns, size_t n)
{
	size_t next = 0;
	int64_t most = INT64_MIN;

	/* Without a branch, for nobody could predict it. */
	for (size_t i = 0; i < n; i++) {
		int64_t credit = turns[i].credit += turns[i].quota;

		next = credit > most ? i : next;
		most = credit > most ? credit : most;
	}
	return next;
}

/* Smooth weighted round robin. */
static int assign_turns(const struct entry *entries, size_t n, uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct turn *turns = calloc(n, sizeof(*turns));

	if (!turns)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		turns[i].quota = entries[i].quota;
	for (size_t slot = 0; slot < n_slots; slot++) {
		size_t next = find_next(turns, n);

		turns[next].credit -= (int64_t)n_slots;
		slots[slot] = entries[next].index;
	}
	return 0;
}

/*
 * Those with weight, in the order that makes the table, with their quotas. Returns their number, or
 * -E2BIG if there are more of them than slots.
 */
static int list_entries(const struct buckets_member *members, size_t n_members, size_t n_slots,
	struct entry *entries)
{
	size_t n = 0;

	for (size_t i = 0; i < n_members; i++) {
		if (members[i].weight == 0)
			continue;
		entries[n++] = (struct entry){
			.key = buckets_member_key(members[i].name),
			.name = members[i].name,
			.weight = members[i].weight,
			.index = (uint16_t)i,
		};
	}
	if (n > n_slots)
		return -E2BIG;
	qsort(entries, n, sizeof(*entries), entry_compare);
	if (n > 0)
		deal_quotas(entries, n, n_slots);
	return (int)n;
}

static int leave_empty(uint16_t *slots, size_t n_slots)
{
	for (size_t slot = 0; slot < n_slots; slot++)
		slots[slot] = BUCKETS_NONE;
	return 0;
}

int buckets_build(const struct buckets_member *members, size_t n_members, enum buckets_order order,
	uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct entry *entries = calloc(n_members + 1, sizeof(*entries));
	int n = entries ? list_entries(members, n_members, n_slots, entries) : -ENOMEM;

	if (n < 0)
		return n;
	if (n == 0)
		return leave_empty(slots, n_slots);
	return order == BUCKETS_TURNS ? assign_turns(entries, (size_t)n, slots, n_slots)
				      : rendezvous_assign(entries, (size_t)n, NULL, slots, n_slots);
}

/* Both lists are in the order of their keys. */
static void find_owners(struct entry *entries, size_t n, const struct entry *before,
	size_t n_before, struct entry **owners)
{
	size_t i = 0;

	for (size_t k = 0; k < n_before; k++) {
		while (i < n && entry_compare(&entries[i], &before[k]) < 0)
			i++;
		if (i < n && entry_compare(&entries[i], &before[k]) == 0 &&
			entries[i].weight == before[k].weight) {
			entries[i].quota_before = before[k].quota;
			owners[before[k].index] = &entries[i];
		}
	}
}

int buckets_rebuild(const struct buckets_table *known, const struct buckets_member *members,
	size_t n_members, uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct entry *entries = calloc(n_members + 1, sizeof(*entries));
	_cleanup_(free_p) struct entry *before = calloc(known->n_members + 1, sizeof(*before));
	_cleanup_(free_p) struct entry **owners = calloc(known->n_members + 1, sizeof(*owners));
	struct known table = { .slots = known->slots, .owners = owners };
	int n, n_before;

	if (!entries || !before || !owners)
		return -ENOMEM;
	n = list_entries(members, n_members, n_slots, entries);
	if (n < 0)
		return n;
	if (n == 0)
		return leave_empty(slots, n_slots);
	n_before = list_entries(known->members, known->n_members, n_slots, before);
	if (n_before <= 0)
		return rendezvous_assign(entries, (size_t)n, NULL, slots, n_slots);
	find_owners(entries, (size_t)n, before, (size_t)n_before, owners);
	return rendezvous_assign(entries, (size_t)n, &table, slots, n_slots);
}
