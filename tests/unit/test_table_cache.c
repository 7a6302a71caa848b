/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster_fixture.h"

#include "drover/table_cache.h"

#include <errno.h>

enum { N_SLOTS = 256 };

#define SUBSETS                                                                                    \
	WEB ", { name = \"dns\"; protocol = \"udp\"; ports = \"53\"; scheduler = \"rr\"; "         \
	    "members = [ \"fe5\", \"fe6\" ]; }"

/* Builds a table with the cache, and sees that it is the one that buckets_build() makes. */
static void build(struct table_cache *cache, const struct buckets_member *members, size_t n,
	enum buckets_order order)
{
	uint16_t cached[N_SLOTS], computed[N_SLOTS];

	assert_int_equal(table_cache_build(cache, members, n, order, cached, N_SLOTS), 0);
	assert_int_equal(buckets_build(members, n, order, computed, N_SLOTS), 0);
	assert_memory_equal(cached, computed, sizeof(cached));
}

static void test_same_tables(void **state)
{
	/* Each list differs from the others in something that its table follows from. */
	static const struct buckets_member lists[][3] = {
		{ { "a", 100 }, { "b", 100 }, { "c", 50 } },
		{ { "a", 100 }, { "b", 100 }, { "c", 51 } },
		{ { "a", 100 }, { "b", 100 }, { "d", 50 } },
		{ { "c", 50 }, { "a", 100 }, { "b", 100 } },
		{ { "a", 100 }, { "b", 0 }, { "c", 50 } },
		{ { "a", 100 }, { "b 0", 1 }, { "c", 50 } },
	};
	_cleanup_(table_cache_free_p) struct table_cache *cache = table_cache_new();

	assert_non_null(cache);
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
			build(cache, lists[i], 3, BUCKETS_RENDEZVOUS);
			build(cache, lists[i], 3, BUCKETS_TURNS);
			build(cache, lists[i], 2, BUCKETS_TURNS);
		}
		build(cache, lists[0], 0, BUCKETS_TURNS);
		/* Three lists begin with the same two members. */
		assert_int_equal(table_cache_count(cache), 3 * ARRAY_SIZE(lists) + 1 - 2);
	}
	build(NULL, lists[0], 3, BUCKETS_RENDEZVOUS);
	(void)state;
}

static void test_sweep(void **state)
{
	static const struct buckets_member members[] = { { "a", 2 }, { "b", 1 } };
	_cleanup_(table_cache_free_p) struct table_cache *cache = table_cache_new();

	assert_non_null(cache);
	build(cache, members, 1, BUCKETS_TURNS);
	build(cache, members, 2, BUCKETS_TURNS);
	table_cache_sweep(cache);
	assert_int_equal(table_cache_count(cache), 2);
	build(cache, members, 2, BUCKETS_TURNS);
	table_cache_sweep(cache);
	assert_int_equal(table_cache_count(cache), 1);
	table_cache_sweep(cache);
	assert_int_equal(table_cache_count(cache), 0);
	(void)state;
}

static void test_refusal(void **state)
{
	static const struct buckets_member members[] = { { "a", 1 }, { "b", 1 } };
	_cleanup_(table_cache_free_p) struct table_cache *cache = table_cache_new();
	uint16_t slot;

	assert_int_equal(
		table_cache_build(cache, members, 2, BUCKETS_RENDEZVOUS, &slot, 1), -E2BIG);
	assert_int_equal(table_cache_count(cache), 0);
	(void)state;
}

/* A plan made with the tables of others is the plan made without. */
static void assert_same_plan(const struct cluster *cluster, struct table_cache *tables)
{
	_cleanup_(plan_free_p) struct plan *computed = plan_of(cluster, NULL), *cached = NULL;
	const struct plan_group *x, *y;

	assert_int_equal(plan_build(cluster, NULL, tables, &cached), 0);
	x = plan_find_group(computed, "A");
	y = plan_find_group(cached, "A");
	assert_int_equal(x->n_tables, y->n_tables);
	for (size_t i = 0; i < x->n_tables; i++)
		assert_memory_equal(x->tables[i].slots, y->tables[i].slots,
			computed->n_buckets * sizeof(*x->tables[i].slots));
	assert_int_equal(table_cache_count(tables), x->n_tables);
}

static void test_plans(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " PLAIN(7), SUBSETS));
	_cleanup_(table_cache_free_p) struct table_cache *tables = table_cache_new();

	assert_non_null(tables);
	assert_same_plan(cluster, tables);
	assert_same_plan(cluster, tables);
	assert_int_equal(cluster_set_weight(cluster, "fe7", 50), 0);
	assert_same_plan(cluster, tables);
	/* What is not in a table anymore changes what its slots mean in the plan. */
	assert_int_equal(cluster_disable(cluster, "fe7"), 0);
	assert_same_plan(cluster, tables);
	assert_int_equal(cluster_disable(cluster, "fe5"), 0);
	assert_same_plan(cluster, tables);
	assert_int_equal(cluster_enable(cluster, "fe7"), 0);
	assert_same_plan(cluster, tables);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_tables),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
