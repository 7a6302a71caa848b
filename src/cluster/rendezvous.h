/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The order BUCKETS_RENDEZVOUS: each slot goes to the member that is nearest to it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* A table that is known, and whom of this one it has with the same weight. */
struct known {
	const uint16_t *slots;
	struct entry **owners; /* NULL: who had it is no more, or has another weight */
};

/*
 * Fills slots[0..n_slots) with the indices of entries, which are in the order of their keys; uses
 * their quotas up, which make n_slots together. known may be NULL. Returns 0, -ENOMEM.
 */
int rendezvous_assign(struct entry *entries, size_t n, const struct known *known, uint16_t *slots,
	size_t n_slots);
