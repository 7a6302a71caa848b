/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The bucket table: which member each of B hash slots belongs to.
 *
 * Both tables are pure functions of the set {(member name, weight)}: the order
 * in which members are listed, and all history, have no influence, so every
 * balancer of a cluster computes the same one without asking another.
 */

#include <stddef.h>
#include <stdint.h>

#define BUCKETS_NONE UINT16_MAX /* the slot of a table that has no member at all */

struct buckets_member {
	const char *name;    /* unique within the set; borrowed */
	unsigned int weight; /* 0..65535; 0 gets no slot */
};

/* How slots are dealt out. */
enum buckets_order {
	/*
	 * "Serial rendezvous with exact quotas", table format v1: every member
	 * has its share to within one slot, and a change of the set moves
	 * little more than the slots that must move. For hash schedulers.
	 */
	BUCKETS_RENDEZVOUS,
	/*
	 * The same quotas dealt in turns, as evenly spaced as possible (smooth
	 * weighted round robin). For a counter that walks the slots in order.
	 */
	BUCKETS_TURNS,
};

/*
 * Fills slots[0..n_slots) with indices into members (BUCKETS_NONE in all of
 * them if no member has weight). n_slots is 1..65536, n_members below 65535.
 * Returns 0, -E2BIG if more members have weight than there are slots,
 * -ENOMEM.
 */
int buckets_build(const struct buckets_member *members, size_t n_members, enum buckets_order order,
	uint16_t *slots, size_t n_slots);

/* A table that buckets_build() has made; borrowed. */
struct buckets_table {
	const struct buckets_member *members;
	size_t n_members;
	const uint16_t *slots;
};

/*
 * The same as buckets_build() with BUCKETS_RENDEZVOUS, with the same results, from a table of that
 * order and of as many slots, of other members or weights: a slot whose owner was the nearest one
 * is compared only with those who were not to be had for it then. When one of 64 members has
 * changed, that takes a fifteenth of the time for 16384 slots.
 */
int buckets_rebuild(const struct buckets_table *known, const struct buckets_member *members,
	size_t n_members, uint16_t *slots, size_t n_slots);

/* SipHash-2-4 of the name under the table format's key: the member's identity. */
uint64_t buckets_member_key(const char *name);
