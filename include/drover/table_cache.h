/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A memo of buckets_build(). A bucket table is the dearest part of a plan, and most changes of a
 * cluster leave most tables as they were, or nearly so.
 */

#include "drover/buckets.h"
#include "drover/cleanup.h"

struct table_cache;

/* Returns an empty cache, NULL without memory. */
struct table_cache *table_cache_new(void);
void table_cache_free(struct table_cache *cache);
DEFINE_CLEANUP(struct table_cache, table_cache_free)

/*
 * The same as buckets_build(), with the same results; a table that the cache has is only copied,
 * one that differs little from one of them is made from that one (buckets_rebuild()).
 * cache may be NULL.
 */
int table_cache_build(struct table_cache *cache, const struct buckets_member *members,
	size_t n_members, enum buckets_order order, uint16_t *slots, size_t n_slots);

/* Forgets the tables that were not built since the last call. */
void table_cache_sweep(struct table_cache *cache);

/* Number of tables that the cache has. */
size_t table_cache_count(const struct table_cache *cache);
