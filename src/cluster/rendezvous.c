/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rendezvous.h"

#include "drover/cleanup.h"

#include <errno.h>

/*
 * Table format v1, as in buckets.c: integer arithmetic that gives the same result on every machine.
 */

enum { LOG_STEPS = 256 };

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

struct rendezvous {
	uint32_t steps[LOG_STEPS + 1];
	struct rival *all; /* with quota left */
	size_t n_all;
	struct rival *new; /* those of them who could not have had the slot before */
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
int rendezvous_assign(
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
