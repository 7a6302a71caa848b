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
	uint64_t reciprocal; /* 2^32 / weight: turns a score into a distance */
	uint64_t remainder;
	int64_t credit; /* BUCKETS_TURNS: how far behind its share the member is */
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

/* Each slot in turn goes to the nearest member (weighted rendezvous) that has quota left. */
static void assign_rendezvous(struct entry *entries, size_t n, uint16_t *slots, size_t n_slots)
{
	uint32_t steps[LOG_STEPS + 1];

	fill_log_steps(steps);
	for (size_t slot = 0; slot < n_slots; slot++) {
		struct entry *nearest = entries;
		uint64_t nearest_distance = UINT64_MAX; /* above any product */

		for (size_t i = 0; i < n; i++) {
			uint64_t distance;

			if (entries[i].quota == 0)
				continue;
			distance = negative_log2(steps, score(entries[i].key, slot)) *
				   entries[i].reciprocal;
			if (distance < nearest_distance) {
				nearest = &entries[i];
				nearest_distance = distance;
			}
		}
		slots[slot] = nearest->index;
		nearest->quota--;
	}
}

/* Smooth weighted round robin: the member furthest behind its share is next. */
static void assign_turns(struct entry *entries, size_t n, uint16_t *slots, size_t n_slots)
{
	for (size_t slot = 0; slot < n_slots; slot++) {
		struct entry *next = entries;

		for (size_t i = 0; i < n; i++) {
			entries[i].credit += entries[i].quota;
			if (entries[i].credit > next->credit)
				next = &entries[i];
		}
		next->credit -= (int64_t)n_slots;
		slots[slot] = next->index;
	}
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
			.reciprocal = UINT32_MAX / members[i].weight,
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
	switch (order) {
	case BUCKETS_RENDEZVOUS:
		assign_rendezvous(entries, n, slots, n_slots);
		break;
	case BUCKETS_TURNS:
		assign_turns(entries, n, slots, n_slots);
		break;
	}
	return 0;
}
