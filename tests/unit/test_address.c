/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/address.h"
#include "drover/cleanup.h"

#include <errno.h>

static void test_prefix_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *formatted;
	} cases[] = {
		{ "10.0.0.1", 0, "10.0.0.1" },
		{ "10.0.0.1/32", 0, "10.0.0.1" },
		{ "72.20.112.48/29", 0, "72.20.112.48/29" },
		{ "72.20.112.49/29", -ERANGE, NULL },
		{ "0.0.0.0/0", 0, "0.0.0.0/0" },
		{ "10.0.0.0/33", -EINVAL, NULL },
		{ "10.0.0.0/", -EINVAL, NULL },
		{ "10.0.0.0/-1", -EINVAL, NULL },
		{ "10.0.0.0/+8", -EINVAL, NULL },
		{ "10.0.0.0/8x", -EINVAL, NULL },
		{ "10.0.0", -EINVAL, NULL },
		{ "", -EINVAL, NULL },
		{ "/24", -EINVAL, NULL },
		{ "2001:db8::1", 0, "2001:db8::1" },
		{ "2001:db8::/64", 0, "2001:db8::/64" },
		{ "2001:db8::1/64", -ERANGE, NULL },
		{ "2001:db8::/129", -EINVAL, NULL },
		{ "1111111111111111111111111111111111111111111111111111", -EINVAL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct prefix prefix = { 0 };
		char buffer[PREFIX_TEXT_MAX];

		assert_int_equal(prefix_parse(cases[i].text, &prefix), cases[i].result);
		if (cases[i].result == 0)
			assert_string_equal(prefix_format(&prefix, buffer), cases[i].formatted);
		else
			assert_int_equal(prefix.address.family, AF_UNSPEC);
	}
	(void)state;
}

static void test_mac_parse(void **state)
{
	struct mac mac = { { 0 } };
	char buffer[MAC_TEXT_MAX];

	assert_int_equal(mac_parse("02:00:5e:00:0A:ff", &mac), 0);
	assert_string_equal(mac_format(&mac, buffer), "02:00:5e:00:0a:ff");
	assert_int_equal(mac_parse("02:00:5e:00:0a", &mac), -EINVAL);
	assert_int_equal(mac_parse("02:00:5e:00:0a:f", &mac), -EINVAL);
	assert_int_equal(mac_parse("02-00-5e-00-0a-ff", &mac), -EINVAL);
	assert_int_equal(mac_parse("02:00:5e:00:0a:fg", &mac), -EINVAL);
	assert_int_equal(mac_parse("02:00:5e:00:0a:ff:", &mac), -EINVAL);
	(void)state;
}

static void test_mac_usable(void **state)
{
	assert_true(mac_is_usable(&(struct mac){ { 2, 0, 0, 0, 0, 1 } }));
	assert_false(mac_is_usable(&(struct mac){ { 0 } }));
	assert_false(mac_is_usable(&(struct mac){ { 1, 0, 0x5e, 0, 0, 1 } }));
	(void)state;
}

static void test_prefix_relations(void **state)
{
	struct prefix wide, narrow, other;
	struct address inside;
	char buffer[ADDRESS_TEXT_MAX];

	assert_int_equal(prefix_parse("10.1.2.0/23", &wide), 0);
	assert_int_equal(prefix_parse("10.1.3.8/29", &narrow), 0);
	assert_int_equal(prefix_parse("10.1.4.0/24", &other), 0);
	assert_int_equal(address_parse("10.1.3.255", &inside), 0);

	assert_true(prefix_contains(&wide, &inside));
	assert_false(prefix_contains(&narrow, &inside));
	assert_true(prefix_overlaps(&wide, &narrow));
	assert_true(prefix_overlaps(&narrow, &wide));
	assert_false(prefix_overlaps(&wide, &other));

	assert_int_equal(prefix_count(&wide), 512);
	inside = prefix_address_at(&wide, 511);
	assert_string_equal(address_format(&inside, buffer), "10.1.3.255");
	inside = prefix_address_at(&narrow, 7);
	assert_string_equal(address_format(&inside, buffer), "10.1.3.15");
	(void)state;
}

static void test_endpoint_parse(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
	} good[] = {
		{ "198.51.100.7:40001", "198.51.100.7", 40001 },
		{ "[2001:db8::7]:1", "2001:db8::7", 1 },
		{ "[::ffff:192.0.2.1]:65535", "::ffff:192.0.2.1", 65535 },
		{ "0.0.0.0:080", "0.0.0.0", 80 },
	};
	static const char *const bad[] = { "", ":", ":80", "[", "[]", "[]:80", "]:80", "[:80",
		"198.51.100.7", "198.51.100.7:", "198.51.100.7:0", "198.51.100.7:65536",
		"198.51.100.7:4294967376", "198.51.100.7:+80", "198.51.100.7: 80",
		"198.51.100.7:80 ", "[198.51.100.7]:80", "2001:db8::7:80", "[2001:db8::7]80",
		"[2001:db8::7]:", "[2001:db8::7:80", "2001:db8::7]:80", "[[2001:db8::7]]:80",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:80",
		"1111111111111111111111111111111111111111111111111111111:80" };
	char buffer[ADDRESS_TEXT_MAX];
	struct address address;
	uint16_t port;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(endpoint_parse(good[i].text, &address, &port), 0);
		assert_string_equal(address_format(&address, buffer), good[i].address);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (endpoint_parse(bad[i], &address, &port) != -EINVAL)
			fail_msg("\"%s\" was not refused", bad[i]);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_mac_parse),
		cmocka_unit_test(test_mac_usable),
		cmocka_unit_test(test_prefix_relations),
		cmocka_unit_test(test_endpoint_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
