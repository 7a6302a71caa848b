/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of an interface that the test made. */
#include "drover/sysctl.h"

#include "veth.h"
#include <errno.h>

static void test_sysctl_raise(void **state)
{
	unsigned int first = 0, last = 0;

	(void)state;
	assert_int_equal(sysctl_raise("near0", "arp_announce", 2), 1);
	assert_int_equal(sysctl_raise("near0", "arp_announce", 2), 0);
	assert_int_equal(sysctl_raise("near0", "arp_announce", 1), 0);
	run("test $(cat /proc/sys/net/ipv4/conf/near0/arp_announce) = 2");
	assert_int_equal(sysctl_raise("none0", "arp_announce", 1), -ENOENT);
	assert_int_equal(sysctl_raise("..", "ip_forward", 1), -EINVAL);
	assert_int_equal(sysctl_raise("near0", "../../ip_forward", 1), -EINVAL);
	run("echo 40000 50000 > /proc/sys/net/ipv4/ip_local_port_range");
	assert_int_equal(sysctl_local_port_range(&first, &last), 0);
	assert_int_equal(first, 40000);
	assert_int_equal(last, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_sysctl_raise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
