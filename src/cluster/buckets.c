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
	uint16_t index; /* in the caller's array */
	bool fixed;     /* its share is below one slot: it gets exactly one */
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

/*
 * Most members are seen to be too far away without a logarithm: -log2(x) >= 1 - x, and
 * negative_log2() never rounds below it.
 */
static struct rival *find_nearest(
	struct rival *rivals, size_t n, const uint32_t *steps, uint64_t slot)
{
	struct rival *nearest = rivals;
	uint64_t nearest_distance = UINT64_MAX; /* above any product */

	for (size_t i = 0; i < n; i++) {
		uint64_t h = score(rivals[i].key, slot), distance;

		if ((~h >> 38) * rivals[i].reciprocal >= nearest_distance)
			continue;
		distance = negative_log2(steps, h) * rivals[i].reciprocal;
		if (distance < nearest_distance) {
			nearest = &rivals[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

/* Each slot in turn goes to the nearest member (weighted rendezvous) that has quota left. */
static int assign_rendezvous(struct entry *entries, size_t n, uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct rival *rivals = calloc(n, sizeof(*rivals));
	uint32_t steps[LOG_STEPS + 1];

	if (!rivals)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rivals[i] = (struct rival){
			.key = entries[i].key,
			.reciprocal = UINT32_MAX / entries[i].weight,
			.entry = &entries[i],
		};
	fill_log_steps(steps);
	for (size_t slot = 0; slot < n_slots; slot++) {
		struct rival *nearest = find_nearest(rivals, n, steps, slot);

		slots[slot] = nearest->entry->index;
		if (--nearest->entry->quota == 0)
			memmove(nearest, nearest + 1, (char *)&rivals[n--] - (char *)(nearest + 1));
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

int buckets_build(const struct buckets_member *members, size_t n_members, enum buckets_order order,
	uint16_t *slots, size_t n_slots)
{
	_cleanup_(free_p) struct entry *entries = calloc(n_members + 1, sizeof(*entries));
	size_t n = 0;

	if (!entries)
		return -ENOMEM;
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
	if (n == 0) {
		for (size_t slot = 0; slot < n_slots; slot++)
			slots[slot] = BUCKETS_NONE;
		return 0;
	}

	qsort(entries, n, sizeof(*entries), entry_compare);
	deal_quotas(entries, n, n_slots);
	return order == BUCKETS_TURNS ? assign_turns(entries, n, slots, n_slots)
				      : assign_rendezvous(entries, n, slots, n_slots);
}
