/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/buckets.h"
#include "drover/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

static uint16_t slots[65536];

/* FNV-1a over "name\n" of each slot in order: the form in which table format v1 states its vectors.
 */
static uint64_t fnv_of_table(const struct buckets_member *members, size_t n_slots)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t slot = 0; slot < n_slots; slot++) {
		char line[80];
		int length = snprintf(line, sizeof(line), "%s\n", members[slots[slot]].name);

		for (int i = 0; i < length; i++)
			hash = (hash ^ (uint8_t)line[i]) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static size_t count(uint16_t member, size_t n_slots)
{
	size_t n = 0;

	for (size_t slot = 0; slot < n_slots; slot++)
		n += slots[slot] == member;
	return n;
}

static void build(
	const struct buckets_member *members, size_t n, enum buckets_order order, size_t n_slots)
{
	assert_int_equal(buckets_build(members, n, order, slots, n_slots), 0);
}

static void test_member_key(void **state)
{
	assert_true(buckets_member_key("a") == UINT64_C(0xf6ebafd598132c10));
	(void)state;
}

static void test_vectors(void **state)
{
	static const struct buckets_member members[] = { { "a", 100 }, { "b", 100 }, { "c", 50 } };
	static const struct buckets_member shuffled[] = { { "c", 50 }, { "a", 100 }, { "b", 100 } };
	static const struct buckets_member scaled[] = { { "a", 60000 }, { "b", 60000 },
		{ "c", 30000 } };

	build(members, 3, BUCKETS_RENDEZVOUS, 16);
	assert_true(fnv_of_table(members, 16) == UINT64_C(0xf4da4f5191bea68c));

	build(members, 3, BUCKETS_RENDEZVOUS, 256);
	assert_int_equal(count(0, 256), 102);
	assert_int_equal(count(1, 256), 103);
	assert_int_equal(count(2, 256), 51);
	assert_true(fnv_of_table(members, 256) == UINT64_C(0xbb1ea396ceafe5cc));

	build(members, 3, BUCKETS_RENDEZVOUS, 16384);
	assert_int_equal(count(0, 16384), 6553);
	assert_int_equal(count(1, 16384), 6554);
	assert_int_equal(count(2, 16384), 3277);
	assert_true(fnv_of_table(members, 16384) == UINT64_C(0x334cbcf77b6096a3));

	build(shuffled, 3, BUCKETS_RENDEZVOUS, 16384);
	assert_true(fnv_of_table(shuffled, 16384) == UINT64_C(0x334cbcf77b6096a3));

	/* Only proportions count. */
	build(scaled, 3, BUCKETS_RENDEZVOUS, 16384);
	assert_true(fnv_of_table(scaled, 16384) == UINT64_C(0x334cbcf77b6096a3));
	(void)state;
}

/* What the first implementation, which took every member's logarithm, made of larger sets. */
static void test_large_vectors(void **state)
{
	static const struct {
		bool weighted;
		enum buckets_order order;
		uint64_t fnv;
	} vectors[] = {
		{ false, BUCKETS_RENDEZVOUS, UINT64_C(0xbf6c5aa514724a21) },
		{ false, BUCKETS_TURNS, UINT64_C(0xf70d04f7e9620725) },
		{ true, BUCKETS_RENDEZVOUS, UINT64_C(0xf8613f883f856675) },
		{ true, BUCKETS_TURNS, UINT64_C(0x29e8e37f1f92372b) },
	};
	struct buckets_member members[64];
	char names[64][8];

	for (size_t v = 0; v < ARRAY_SIZE(vectors); v++) {
		for (unsigned int i = 0; i < 64; i++) {
			snprintf(names[i], sizeof(names[i]), "m%u", i);
			members[i] = (struct buckets_member){
				.name = names[i],
				.weight = vectors[v].weighted ? i * i * i * 7919 % 65536 : 100,
			};
		}
		build(members, 64, vectors[v].order, 16384);
		assert_true(fnv_of_table(members, 16384) == vectors[v].fnv);
	}
	(void)state;
}

static void test_quotas(void **state)
{
	static const struct buckets_member uneven[] = { { "big", 65535 }, { "small", 1 } };
	static const struct buckets_member drained[] = { { "a", 0 }, { "b", 7 }, { "c", 0 } };
	static const struct buckets_member none[] = { { "a", 0 } };
	struct buckets_member many[257];
	const struct buckets_table known = { many, 256, slots };
	uint16_t rebuilt[256];
	char names[257][8];

	build(uneven, 2, BUCKETS_RENDEZVOUS, 16384);
	assert_int_equal(count(0, 16384), 16383);
	assert_int_equal(count(1, 16384), 1);

	build(drained, 3, BUCKETS_RENDEZVOUS, 256);
	assert_int_equal(count(1, 256), 256);

	build(none, 1, BUCKETS_RENDEZVOUS, 256);
	assert_int_equal(count(BUCKETS_NONE, 256), 256);
	build(none, 0, BUCKETS_TURNS, 256);
	assert_int_equal(count(BUCKETS_NONE, 256), 256);

	for (size_t i = 0; i < 257; i++) {
		snprintf(names[i], sizeof(names[i]), "m%zu", i);
		many[i] = (struct buckets_member){ names[i], (unsigned int)(i % 3) * 1000 + 1 };
	}
	assert_int_equal(buckets_build(many, 257, BUCKETS_RENDEZVOUS, slots, 256), -E2BIG);
	build(many, 256, BUCKETS_RENDEZVOUS, 256);
	for (uint16_t i = 0; i < 256; i++)
		assert_int_equal(count(i, 256), 1);
	assert_int_equal(buckets_rebuild(&known, many, 257, rebuilt, 256), -E2BIG);
	assert_int_equal(buckets_rebuild(&known, none, 1, rebuilt, 256), 0);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal(rebuilt[i], BUCKETS_NONE);
	(void)state;
}

/* A change of one weight moves little more than the slots that must move. */
static void test_stability(void **state)
{
	static uint16_t before[16384];
	struct buckets_member members[64];
	char names[64][8];
	size_t moved = 0, collateral = 0;

	for (size_t i = 0; i < 64; i++) {
		snprintf(names[i], sizeof(names[i]), "m%zu", i);
		members[i] = (struct buckets_member){ names[i], 100 };
	}
	build(members, 64, BUCKETS_RENDEZVOUS, 16384);
	memcpy(before, slots, sizeof(before));
	members[17].weight = 50;
	build(members, 64, BUCKETS_RENDEZVOUS, 16384);
	for (size_t slot = 0; slot < 16384; slot++) {
		moved += slots[slot] != before[slot];
		collateral += slots[slot] != before[slot] && slots[slot] != 17 &&
			      before[slot] != 17;
	}
	assert_in_range(moved, 126, 400);
	assert_in_range(collateral, 0, 16384 / 80);
	(void)state;
}

static unsigned int draw(unsigned int below)
{
	static uint64_t random = 1;

	random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int)(random >> 33) % below;
}

/* Some stay, some change, some are new; the list may be shorter, and in another order. */
static size_t draw_change(
	const struct buckets_member *members, size_t n, struct buckets_member *changed)
{
	static const char *const others[] = { "new0", "new1", "new2", "new3", "new4", "new5" };
	size_t n_changed = n - draw(2) * draw((unsigned int)n), turned = draw(2);

	for (size_t i = 0; i < n_changed; i++) {
		struct buckets_member *member = &changed[turned ? n_changed - 1 - i : i];

		*member = members[i];
		if (draw(3) == 0)
			member->weight = draw(200);
		if (draw(4) == 0 && i < ARRAY_SIZE(others))
			member->name = others[i];
	}
	return n_changed;
}

/* From any other table a table comes to be the one that it is from none. */
static void test_rebuild(void **state)
{
	enum { ROUNDS = 3000 };
	static uint16_t known[1024], rebuilt[1024];

	for (size_t round = 0; round < ROUNDS; round++) {
		struct buckets_member before[12], after[12];
		static char names[12][8];
		size_t n = 1 + draw(12), n_slots = UINT64_C(16) << draw(7), n_after;
		struct buckets_table table = { before, n, known };

		for (size_t i = 0; i < n; i++) {
			snprintf(names[i], sizeof(names[i]), "m%zu", i);
			before[i] = (struct buckets_member){ names[i], draw(2) ? 100 : draw(200) };
		}
		n_after = draw_change(before, n, after);
		assert_int_equal(buckets_build(before, n, BUCKETS_RENDEZVOUS, known, n_slots), 0);
		build(after, n_after, BUCKETS_RENDEZVOUS, n_slots);
		assert_int_equal(buckets_rebuild(&table, after, n_after, rebuilt, n_slots), 0);
		assert_memory_equal(rebuilt, slots, n_slots * sizeof(*slots));
	}
	(void)state;
}

static void test_turns(void **state)
{
	static const struct buckets_member equal[] = { { "a", 1 }, { "b", 1 }, { "c", 1 },
		{ "d", 1 } };
	static const struct buckets_member weighted[] = { { "a", 100 }, { "b", 100 }, { "c", 50 } };
	size_t since = 0, longest = 0;

	build(equal, 4, BUCKETS_TURNS, 256);
	for (size_t slot = 4; slot < 256; slot++)
		assert_int_equal(slots[slot], slots[slot - 4]);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(count(i, 4), 1);

	build(weighted, 3, BUCKETS_TURNS, 4096);
	assert_in_range(count(0, 4096), 1638, 1639);
	assert_in_range(count(2, 4096), 819, 820);
	for (size_t slot = 0; slot < 4096; slot++) {
		since = slots[slot] == 2 ? 0 : since + 1;
		longest = since > longest ? since : longest;
	}
	assert_in_range(longest, 4, 5); /* every fifth turn is c's */
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_member_key),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_large_vectors),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_stability),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
