/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "table.h"

#include <stdlib.h>

static const struct table_column columns[] = {
	{ "NAME" },
	{ "N", .right = true },
	{ "EMPTY" },
	{ "NOTE" },
};

static void assert_prints(const struct table *table, bool colour, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(table_print(table, out, colour, "  "), 0);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void add_row(struct table *table, const char *name, const char *number, const char *note)
{
	table_add(table, TEXT_PLAIN, "%s", name);
	table_add(table, TEXT_PLAIN, "%s", number);
	table_add(table, TEXT_PLAIN, "%s", "");
	table_add(table, TEXT_GOOD, "%s", note);
}

static void test_alignment(void **state)
{
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	assert_prints(table, false, "");
	add_row(table, "a", "12345", "");
	add_row(table, "longer", "1", "x");
	assert_prints(table, false,
		"  NAME        N  NOTE\n"
		"  a       12345\n"
		"  longer      1  x\n");
	assert_prints(table, true,
		"  NAME        N  NOTE\n"
		"  a       12345\n"
		"  longer      1  \033[32mx\033[0m\n");
	(void)state;
}

static void test_characters_count_once(void **state)
{
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	add_row(table, "f\xc3\xbcnf", "5", "x");
	add_row(table, "four", "4", "y");
	assert_prints(table, false,
		"  NAME  N  NOTE\n"
		"  f\xc3\xbcnf  5  x\n"
		"  four  4  y\n");
	(void)state;
}

static void test_unfinished_row(void **state)
{
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	table_add(table, TEXT_PLAIN, "only");
	assert_prints(table, false, "  NAME\n  only\n");
	(void)state;
}

static void test_many_rows(void **state)
{
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int i = 0; i < 1000; i++)
		add_row(table, "member", "1", "");
	assert_non_null(out);
	assert_int_equal(table_print(table, out, false, ""), 0);
	fclose(out);
	assert_int_equal(size, 1001 * strlen("member  1\n"));
	free(text);
	(void)state;
}

static void test_escape(void **state)
{
	static const struct {
		const char *text;
		const char *escaped;
	} cases[] = {
		{ "", "" },
		{ "plain \xc3\xbc\xe2\x82\xac", "plain \xc3\xbc\xe2\x82\xac" },
		{ "\033[31m", "\\x1b[31m" },
		{ "a\nb\tc\r", "a\\nb\\tc\\x0d" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b", "\\u009b" },
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\xc2", "\xc2" },
	};
	_cleanup_(free_p) char *layout = text_escape("a\n\tb\033", true);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(free_p) char *escaped = text_escape(cases[i].text, false);

		assert_string_equal(escaped, cases[i].escaped);
	}
	assert_string_equal(layout, "a\n\tb\\x1b");
	(void)state;
}

static void test_short(void **state)
{
	static const struct {
		uint64_t value;
		unsigned int base;
		const char *text;
	} cases[] = {
		{ 0, 1000, "0" },
		{ 9999, 1000, "9999" },
		{ 10000, 1000, "10k" },
		{ 999999, 1000, "999k" },
		{ 1000000, 1000, "1.0M" },
		{ 4299999, 1000, "4.2M" },
		{ 1024 * 1024 - 1, 1024, "1023k" },
		{ 1024 * 1024, 1024, "1.0M" },
		{ 12ull << 30, 1024, "12G" },
		{ UINT64_MAX, 1000, "18E" },
		{ UINT64_MAX, 1024, "15E" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buffer[TEXT_SHORT_MAX];

		assert_string_equal(
			text_short(cases[i].value, cases[i].base, buffer), cases[i].text);
	}
	(void)state;
}

static void test_bar(void **state)
{
	char buffer[TEXT_BAR_MAX];

	assert_string_equal(text_bar(0, buffer), "");
	assert_string_equal(text_bar(0.0001, buffer), "#");
	assert_string_equal(text_bar(0.26, buffer), "###");
	assert_string_equal(text_bar(1, buffer), "##########");
	assert_string_equal(text_bar(7, buffer), "##########");
	assert_string_equal(text_bar(-1, buffer), "");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_characters_count_once),
		cmocka_unit_test(test_unfinished_row),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
