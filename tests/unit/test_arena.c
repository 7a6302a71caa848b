/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5000 };

static bool is_zero(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* Whatever is made in between, and however many blocks it takes, each keeps what it has. */
static void test_pieces_stay(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char *copies[N], *texts[N];
	static uint64_t *numbers[N];
	struct arena arena = { NULL };

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		copies[i] = arena_copy(&arena, &letters[i % 27]);
		texts[i] = arena_format(&arena, "%*d", (int)(i % 100 + 1), (int)(i % 10));
		numbers[i] = arena_alloc(&arena, sizeof(*numbers[i]) * (i % 7 + 1));
		assert_non_null(numbers[i]);
		assert_int_equal((uintptr_t)numbers[i] % _Alignof(max_align_t), 0);
		assert_true(is_zero((const char *)numbers[i], sizeof(uint64_t) * (i % 7 + 1)));
		numbers[i][i % 7] = ~i;
	}
	for (uint64_t i = 0; i < N; i++) {
		assert_string_equal(copies[i], &letters[i % 27]);
		assert_int_equal(strlen(texts[i]), i % 100 + 1);
		assert_int_equal(texts[i][i % 100], '0' + i % 10);
		assert_true(numbers[i][i % 7] == ~i);
	}
	arena_done(&arena);
	assert_null(arena.blocks);
	arena_done(&arena);
}

/* What is larger than a block, and what just fills the rest of one. */
static void test_sizes(void **state)
{
	struct arena arena = { NULL };

	(void)state;
	for (int size = 1; size < 200000; size = size * 3 / 2 + 1) {
		char *text = arena_format(&arena, "%*s", size, "x");
		char *room = arena_alloc(&arena, (size_t)size);

		assert_int_equal(strlen(text), size);
		assert_int_equal(text[size - 1], 'x');
		assert_true(is_zero(room, (size_t)size));
		memset(room, 'y', (size_t)size);
		assert_int_equal(strlen(text), size);
	}
	arena_done(&arena);
	for (int size = 1; size < 100; size++) {
		for (int i = 0; i < 40000; i += size)
			assert_non_null(arena_format(&arena, "%*s", size - 1, ""));
		arena_done(&arena);
	}
}

/* In place where it can be, and elsewhere where it cannot. */
static void test_append(void **state)
{
	struct arena arena = { NULL };
	const char *other, *first = arena_copy(&arena, "first"), *text = arena_copy(&arena, "");
	char expected[5000 * 3 + 1] = "";

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		text = arena_append(&arena, text, "abc");
		memcpy(expected + 3 * i, "abc", 4);
		assert_string_equal(text, expected);
	}
	for (int i = 0; i < 20; i++) {
		other = arena_append(&arena, text, "");
		assert_ptr_equal(other, text);
		other = arena_format(&arena, "%d", i);
		text = arena_append(&arena, text, "abc");
		assert_int_equal(strlen(text), 15000 + 3 * (i + 1));
		assert_int_equal(atoi(other), i);
	}
	assert_string_equal(first, "first");
	assert_string_equal(arena_append(&arena, first, " and last"), "first and last");
	assert_string_equal(first, "first");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_stay),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
