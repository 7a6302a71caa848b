/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way packets would leave a namespace that the test made. */
#include "drover/route.h"

#include "veth.h"
#include <errno.h>
#include <net/if.h>

static int find(const char *to, const char *from, unsigned int *ret_index)
{
	struct address to_address = address_of(to), from_address;

	if (!from)
		return route_find(&to_address, NULL, ret_index);
	from_address = address_of(from);
	return route_find(&to_address, &from_address, ret_index);
}

static void assert_way(const char *to, const char *from, const char *interface)
{
	unsigned int index = 0;

	assert_int_equal(find(to, from, &index), 0);
	assert_int_equal(index, if_nametoindex(interface));
}

static void test_ways(void **state)
{
	unsigned int index = 7;

	(void)state;
	assert_way(PEER_ADDRESS, NULL, "near0");
	assert_way("2001:db8::2", NULL, "near0");
	assert_way(NEAR_ADDRESS, NULL, "lo");
	assert_int_equal(find("198.51.100.1", NULL, &index), -ENETUNREACH);
	assert_int_equal(find("2001:db8:9::1", NULL, &index), -ENETUNREACH);
	assert_int_equal(index, 7);
}

/* Policy routing: answers from one address take another way. */
static void test_source_counts(void **state)
{
	unsigned int index = 7;

	(void)state;
	run("ip link add other0 type veth peer name other1 && ip link set other0 up");
	run("ip route add default dev other0");
	run("ip address add 203.0.113.5/32 dev lo");
	run("ip rule add from 203.0.113.5 lookup 100");
	run("ip route add default dev near0 table 100");
	assert_way("198.51.100.1", NULL, "other0");
	assert_way("198.51.100.1", "203.0.113.5", "near0");
	/* Not an address of this host. */
	assert_true(find("198.51.100.1", "203.0.113.6", &index) < 0);
	assert_int_equal(index, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_ways),
		veth_test(test_source_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
