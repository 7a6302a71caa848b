/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/cleanup.h"
#include "screen.h"
#include "text.h"
#include "watch_rates.h"

/* JSON with quotation marks that C does not have to escape. */
static json_t *load(const char *text)
{
	_cleanup_(free_p) char *copy = strdup(text);
	json_t *root;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	root = json_loads(copy, 0, NULL);
	assert_non_null(root);
	return root;
}

/* --- rates ----------------------------------------------------------------------------------- */

static void assert_rates(
	const char *before, const char *after, double seconds, const char *expected)
{
	json_t *first = before ? load(before) : NULL, *last = load(after), *wanted = load(expected);
	json_t *rates = rates_compute(first, last, seconds);
	char *text = json_dumps(rates, JSON_PRESERVE_ORDER);

	if (!json_equal(rates, wanted))
		fail_msg("%s", text);
	free(text);
	json_decref(rates);
	json_decref(wanted);
	json_decref(last);
	json_decref(first);
}

static void test_rates(void **state)
{
	assert_rates(
		"{ 'groups': [ { 'name': 'A', 'members': ["
		"   { 'name': 'fe5', 'packets': 100, 'bytes': 1000 },"
		"   { 'name': 'fe6', 'packets': 10, 'bytes': 0 } ] } ],"
		"  'services': [ { 'group': 'A', 'name': 'web', 'packets': 1, 'bytes': 2 },"
		"                { 'group': 'B', 'name': 'web', 'packets': 5, 'bytes': 5 } ] }",
		"{ 'groups': [ { 'name': 'A', 'members': ["
		"   { 'name': 'fe5', 'packets': 130, 'bytes': 2000 },"
		"   { 'name': 'fe6', 'packets': 20, 'bytes': 100 } ] } ],"
		"  'services': [ { 'group': 'B', 'name': 'web', 'packets': 7, 'bytes': 5 } ] }",
		2.0,
		"{ 'groups': [ { 'name': 'A', 'packets_per_second': 20.0,"
		"   'bits_per_second': 4400.0, 'members': ["
		"   { 'name': 'fe5', 'packets': 130, 'bytes': 2000, 'packets_per_second': 15.0,"
		"     'bits_per_second': 4000.0, 'traffic': 0.75 },"
		"   { 'name': 'fe6', 'packets': 20, 'bytes': 100, 'packets_per_second': 5.0,"
		"     'bits_per_second': 400.0, 'traffic': 0.25 } ] } ],"
		"  'services': [ { 'group': 'B', 'name': 'web', 'packets': 7, 'bytes': 5,"
		"     'packets_per_second': 1.0, 'bits_per_second': 0.0 } ],"
		"  'seconds': 2.0 }");
	(void)state;
}

#define MEMBER(rest) "{ 'groups': [ { 'name': 'A', 'members': [ { 'name': 'fe5'" rest " } ]"
#define UNKNOWN                                                                                    \
	", 'packets_per_second': null, 'bits_per_second': null, 'traffic': null } ],"              \
	" 'packets_per_second': null, 'bits_per_second': null } ], 'seconds': 1.0 }"

static void test_what_is_not_known(void **state)
{
	static const char counted[] = MEMBER(", 'packets': 9, 'bytes': 9") " } ] }";
	static const char not_counted[] = MEMBER(", 'packets': null, 'bytes': null") " } ] }";
	static const char other[] = "{ 'groups': [ { 'name': 'B', 'members': ["
				    "{ 'name': 'fe5', 'packets': 1, 'bytes': 1 } ] } ] }";
	static const char more[] = MEMBER(", 'packets': 10, 'bytes': 10") " } ] }";
	static const char unknown[] =
		"{ 'groups': [ { 'name': 'A', 'members': [ { 'name': 'fe5', 'packets': 9,"
		" 'bytes': 9" UNKNOWN;

	assert_rates(NULL, counted, 1.0, unknown);
	assert_rates("{}", counted, 1.0, unknown);
	assert_rates(not_counted, counted, 1.0, unknown);
	assert_rates(other, counted, 1.0, unknown);
	/* It began at zero in between. */
	assert_rates(more, counted, 1.0, unknown);
	assert_rates(counted, not_counted, 1.0,
		"{ 'groups': [ { 'name': 'A', 'members': [ { 'name': 'fe5', 'packets': null,"
		" 'bytes': null" UNKNOWN);
	(void)state;
}

/* A clock that stands still, traffic that does, and replies of another version. */
static void test_no_traffic(void **state)
{
	static const char counted[] = MEMBER(", 'packets': 9, 'bytes': 9") " } ] }";

	assert_rates(counted, counted, 2.0,
		"{ 'groups': [ { 'name': 'A', 'members': [ { 'name': 'fe5', 'packets': 9,"
		" 'bytes': 9, 'packets_per_second': 0.0, 'bits_per_second': 0.0, 'traffic': null"
		" } ], 'packets_per_second': 0.0, 'bits_per_second': 0.0 } ], 'seconds': 2.0 }");
	assert_rates(counted, "{ 'ok': true }", 1.0, "{ 'ok': true, 'seconds': 1.0 }");
	assert_rates("{ 'groups': 5, 'services': [ 1 ] }", "{ 'services': [ 1, null ] }", 1.0,
		"{ 'services': [ 1, null ], 'seconds': 1.0 }");
	(void)state;
}

/* --- bars ------------------------------------------------------------------------------------ */

static void test_bars(void **state)
{
	static const struct {
		double share, mark;
		const char *bar;
	} cases[] = {
		{ 0, 0, "" },
		{ 0.5, 0, "#####" },
		{ 0, 0.5, "    |" },
		{ 0.3, 0.5, "### |" },
		{ 0.5, 0.5, "####|" },
		{ 0.8, 0.5, "####|###" },
		{ 1, 1, "#########|" },
		{ 7, 0, "##########" },
		{ 0.001, 0, "#" },
		{ 0.001, 0.001, "|" },
		{ -1, -1, "" },
		{ 0.0 / 0.0, 0.0 / 0.0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char bar[11];

		text_bar_marked(cases[i].share, cases[i].mark, 10, bar);
		assert_string_equal(bar, cases[i].bar);
	}
	(void)state;
}

/* --- what fits ---------------------------------------------------------------------------------
 */

static void assert_fits(const char *text, size_t skip, size_t columns, size_t rows, bool terminal,
	const char *expected, size_t skipped)
{
	char *shown = NULL;
	size_t size;
	FILE *out = open_memstream(&shown, &size);

	assert_non_null(out);
	assert_int_equal(screen_fit(text, skip, columns, rows, terminal, out), skipped);
	fclose(out);
	assert_string_equal(shown, expected);
	free(shown);
}

static void test_fit(void **state)
{
	assert_fits("", 0, 80, 24, false, "", 0);
	assert_fits("abc\nde\n", 0, 3, 2, false, "abc\nde", 0);
	assert_fits("abcd\n\nef\n", 0, 3, 5, false, "abc\n\nef", 0);
	assert_fits("a\nb\n", 0, 3, 5, true, "a\033[K\nb\033[K", 0);
	assert_fits("f\xc3\xbcnf\n", 0, 3, 1, false, "f\xc3\xbcn", 0);
	/* A colour takes no column, and ends where the line is cut. */
	assert_fits("\033[31mred\033[0mx\n", 0, 2, 1, false, "\033[31mre\033[0m", 0);
	assert_fits("\033[31mred\033[0mx\n", 0, 3, 1, false, "\033[31mred\033[0m\033[0m", 0);
	(void)state;
}

static void test_fit_rows(void **state)
{
	static const char five[] = "1\n2\n3\n4\n5\n";

	assert_fits(five, 0, 80, 3, false, "1\n2\n(3 more lines: j and k scroll)", 0);
	assert_fits(five, 1, 80, 3, false, "2\n3\n(2 more lines: j and k scroll)", 1);
	assert_fits(five, 2, 80, 3, false, "3\n4\n5", 2);
	assert_fits(five, 9, 80, 3, false, "3\n4\n5", 2);
	assert_fits(five, 9, 80, 5, false, "1\n2\n3\n4\n5", 0);
	assert_fits(five, 0, 4, 2, false, "1\n(4 m", 0);
	assert_fits(five, 0, 80, 0, false, "", 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_no_traffic),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_fit_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
