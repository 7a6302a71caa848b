/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/buckets.h"

#include "drover/cleanup.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

/*
 * Table format v1. Everything below is integer arithmetic that gives the same
 * result on every machine; whoever changes a single result must change the key,
 * or two balancers of different versions would disagree about live flows.
 */
static const unsigned char TABLE_KEY[crypto_shorthash_siphash24_KEYBYTES] = "drover-bucket-v1";

enum { LOG_STEPS = 256 };

/* One member that takes part. */
struct entry {
	uint64_t key;
	uint64_t remainder;
	const char *name;
	uint32_t weight;
	uint32_t quota;
	uint32_t quota_before; /* in a table that is known; 0: not in it, or with another weight */
	uint16_t index;        /* in the caller's array */
	bool fixed;            /* its share is below one slot: it gets exactly one */
};

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

/* steps[i] = 2^26 * log2(1 + i/256), rounded down bit by bit. */
static void fill_log_steps(uint32_t steps[static LOG_STEPS + 1])
{
	for (uint64_t i = 0; i < LOG_STEPS; i++) {
		uint64_t x = (LOG_STEPS + i) << 23;

		steps[i] = 0;
		for (int bit = 25; bit >= 0; bit--) {
			x = (x * x) >> 31;
			if (x >> 32) {
				x >>= 1;
				steps[i] |= UINT32_C(1) << bit;
			}
		}
	}
	steps[LOG_STEPS] = UINT32_C(1) << 26;
}

/* -log2(h / 2^64) in units of 2^-26, by linear interpolation; at least 1, monotone. */
static uint64_t negative_log2(const uint32_t *steps, uint64_t h)
{
	uint64_t x, i, fraction, result;
	unsigned int zeros;

	h |= 1;
	zeros = (unsigned int)__builtin_clzll(h);
	x = h << zeros;
	i = (x >> 55) & 255;
	fraction = (x >> 23) & UINT32_MAX;
	result = ((uint64_t)(zeros + 1) << 26) - steps[i] -
		 (((steps[i + 1] - steps[i]) * fraction) >> 32);
	return result < UINT32_MAX ? result : UINT32_MAX;
}

/* The (slot+1)-th output of SplitMix64 seeded with the member's key. */
static uint64_t score(uint64_t key, uint64_t slot)
{
	uint64_t z = key + (slot + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* What the inner loop needs of a member that has quota left. */
struct rival {
	uint64_t key;
	uint64_t reciprocal; /* 2^32 / weight: turns a score into a distance */
	struct entry *entry;
};

static struct rival make_rival(struct entry *entry)
{
	return (struct rival){
		.key = entry->key,
		.reciprocal = UINT32_MAX / entry->weight,
		.entry = entry,
	};
}

struct nearest {
	struct entry *entry;
	uint64_t distance;
};

static const struct nearest NOBODY = { NULL, UINT64_MAX /* above any product */ };

/*
 * Whether any of these is nearer than who is nearest so far; the first of equals is. Most are seen
 * to be too far away without a logarithm: -log2(x) >= 1 - x, and negative_log2() never rounds
 * below it.
 */
static struct nearest find_nearest(const struct rival *rivals, size_t n, const uint32_t *steps,
	uint64_t slot, struct nearest nearest)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t h = score(rivals[i].key, slot), distance;

		if ((~h >> 38) * rivals[i].reciprocal > nearest.distance)
			continue;
		distance = negative_log2(steps, h) * rivals[i].reciprocal;
		if (distance < nearest.distance ||
			(distance == nearest.distance && rivals[i].entry < nearest.entry))
			nearest = (struct nearest){ rivals[i].entry, distance };
	}
	return nearest;
}

/* A table that is known, and whom of this one it has with the same weight. */
struct known {
	const uint16_t *slots;
	struct entry **owners; /* NULL: who had it is no more, or has another weight */
};

struct rendezvous {
	uint32_t steps[LOG_STEPS + 1];
	struct rival *all; /* with quota left */
	size_t n_all;
	struct rival
		*new; /* those of them who were not to be had for the slot in the known table */
	size_t n_new;
};

static void gather_rivals(struct rendezvous *meeting, struct entry *entries, size_t n)
{
	meeting->n_all = 0;
	meeting->n_new = 0;
	for (size_t i = 0; i < n; i++) {
		if (entries[i].quota == 0)
			continue;
		meeting->all[meeting->n_all++] = make_rival(&entries[i]);
		if (entries[i].quota_before == 0)
			meeting->new[meeting->n_new++] = make_rival(&entries[i]);
	}
}

/* Of those who could have had the slot before, nobody is nearer than the owner that it had. */
static struct entry *choose(const struct rendezvous *meeting, struct entry *owner, uint64_t slot)
{
	struct nearest nearest;
	struct rival rival;

	if (!owner || owner->quota == 0)
		return find_nearest(meeting->all, meeting->n_all, meeting->steps, slot, NOBODY)
			.entry;
	rival = make_rival(owner);
	nearest = find_nearest(&rival, 1, meeting->steps, slot, NOBODY);
	return find_nearest(meeting->new, meeting->n_new, meeting->steps, slot, nearest).entry;
}

/* Each slot in turn goes to the nearest member (weighted rendezvous) that has quota left. */
static int assign_rendezvous(
	struct entry *entries, size_t n, const struct known *known, uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct rival *rivals = calloc(2 * n, sizeof(*rivals));
	struct rendezvous meeting = { .all = rivals, .new = rivals ? rivals + n : NULL };

	if (!rivals)
		return -ENOMEM;
	fill_log_steps(meeting.steps);
	gather_rivals(&meeting, entries, n);
	for (size_t slot = 0; slot < n_slots; slot++) {
		struct entry *owner = known ? known->owners[known->slots[slot]] : NULL;
		struct entry *nearest = choose(&meeting, owner, slot);
		bool one_less = --nearest->quota == 0;

		slots[slot] = nearest->index;
		if ((owner && --owner->quota_before == 0) || one_less)
			gather_rivals(&meeting, entries, n);
	}
	return 0;
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

/* Those with weight, in the order that makes the table, with their quotas; their number. */
static size_t list_entries(const struct buckets_member *members, size_t n_members, size_t n_slots,
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
	qsort(entries, n, sizeof(*entries), entry_compare);
	if (n > 0)
		deal_quotas(entries, n, n_slots);
	return n;
}

static void leave_empty(uint16_t *slots, size_t n_slots)
{
	for (size_t slot = 0; slot < n_slots; slot++)
		slots[slot] = BUCKETS_NONE;
}

int buckets_build(const struct buckets_member *members, size_t n_members, enum buckets_order order,
	uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct entry *entries = calloc(n_members + 1, sizeof(*entries));
	size_t n;

	if (!entries)
		return -ENOMEM;
	n = list_entries(members, n_members, n_slots, entries);
	if (n > n_slots)
		return -E2BIG;
	if (n == 0) {
		leave_empty(slots, n_slots);
		return 0;
	}
	return order == BUCKETS_TURNS ? assign_turns(entries, n, slots, n_slots)
				      : assign_rendezvous(entries, n, NULL, slots, n_slots);
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
	size_t n, n_before;

	if (!entries || !before || !owners)
		return -ENOMEM;
	n = list_entries(members, n_members, n_slots, entries);
	n_before = list_entries(known->members, known->n_members, n_slots, before);
	if (n > n_slots)
		return -E2BIG;
	if (n == 0) {
		leave_empty(slots, n_slots);
		return 0;
	}
	if (n_before == 0)
		return assign_rendezvous(entries, n, NULL, slots, n_slots);
	find_owners(entries, n, before, n_before, owners);
	return assign_rendezvous(entries, n, &table, slots, n_slots);
}
