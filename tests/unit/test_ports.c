/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/ports.h"

#include <errno.h>

static void test_ports_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *formatted;
	} cases[] = {
		{ "25", 0, "25" },
		{ "25,465,6000-6999", 0, "25,465,6000-6999" },
		{ " 25 ,\t465 , 6000-6999 ", 0, "25,465,6000-6999" },
		{ "993,143", 0, "993,143" },
		{ "7-7", 0, "7" },
		{ "1-65535", 0, "1-65535" },
		{ "00025", 0, "25" },
		{ "25,25", 0, "25,25" },
		{ "0", -ERANGE, NULL },
		{ "65536", -ERANGE, NULL },
		{ "4294967321", -ERANGE, NULL },
		{ "18446744073709551641", -ERANGE, NULL },
		{ "20-10", -ERANGE, NULL },
		{ "1-0", -ERANGE, NULL },
		{ "", -EINVAL, NULL },
		{ " ", -EINVAL, NULL },
		{ ",", -EINVAL, NULL },
		{ "25,", -EINVAL, NULL },
		{ ",25", -EINVAL, NULL },
		{ "25,,26", -EINVAL, NULL },
		{ "25 26", -EINVAL, NULL },
		{ "25-", -EINVAL, NULL },
		{ "-25", -EINVAL, NULL },
		{ "25 - 26", -EINVAL, NULL },
		{ "25-26-27", -EINVAL, NULL },
		{ "+25", -EINVAL, NULL },
		{ "0x19", -ERANGE, NULL },
		{ "25x", -EINVAL, NULL },
		{ "smtp", -EINVAL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(free_p) struct port_range *ranges = NULL;
		_cleanup_(free_p) char *text = NULL;
		size_t n = 0;

		assert_int_equal(ports_parse(cases[i].text, &ranges, &n), cases[i].result);
		if (cases[i].result < 0) {
			assert_null(ranges);
			assert_int_equal(n, 0);
			continue;
		}
		text = ports_format(ranges, n);
		assert_string_equal(text, cases[i].formatted);
	}
	(void)state;
}

static void test_ports_format(void **state)
{
	struct port_range widest[] = { { 10000, 65535 }, { 10001, 65534 }, { 1, 1 } };
	_cleanup_(free_p) char *text = ports_format(widest, ARRAY_SIZE(widest)), *none = NULL;
	char buffer[PORT_RANGE_TEXT_MAX];

	assert_string_equal(text, "10000-65535,10001-65534,1");
	assert_string_equal(port_range_format(&widest[0], buffer), "10000-65535");
	none = ports_format(NULL, 0);
	assert_string_equal(none, "");
	(void)state;
}

static void test_range_relations(void **state)
{
	const struct port_range range = { 100, 200 };

	assert_true(port_range_contains(&range, 100));
	assert_true(port_range_contains(&range, 200));
	assert_false(port_range_contains(&range, 99));
	assert_false(port_range_contains(&range, 201));

	assert_true(port_range_overlaps(&range, &(struct port_range){ 200, 300 }));
	assert_true(port_range_overlaps(&range, &(struct port_range){ 1, 100 }));
	assert_true(port_range_overlaps(&range, &(struct port_range){ 150, 150 }));
	assert_true(port_range_overlaps(&range, &(struct port_range){ 1, 65535 }));
	assert_false(port_range_overlaps(&range, &(struct port_range){ 201, 300 }));
	assert_false(port_range_overlaps(&range, &(struct port_range){ 1, 99 }));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_parse),
		cmocka_unit_test(test_ports_format),
		cmocka_unit_test(test_range_relations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
