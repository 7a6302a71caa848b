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

static void test_sysctl_get_and_set(void **state)
{
	int value = 7;

	(void)state;
	run("echo 8 > /proc/sys/net/ipv4/conf/near0/arp_ignore");
	assert_int_equal(sysctl_get(AF_INET, "near0", "arp_ignore", &value), 0);
	assert_int_equal(value, 8);
	assert_int_equal(sysctl_set(AF_INET, "all", "arp_ignore", 1), 0);
	assert_int_equal(sysctl_set(AF_INET6, "lo", "disable_ipv6", 1), 0);
	run("test $(cat /proc/sys/net/ipv4/conf/all/arp_ignore) = 1");
	run("test $(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6) = 1");
	assert_int_equal(sysctl_get(AF_INET, "none0", "arp_ignore", &value), -ENOENT);
	assert_int_equal(sysctl_set(AF_INET, "none0", "arp_ignore", 1), -ENOENT);
	assert_int_equal(sysctl_get(AF_INET, "../../..", "arp_ignore", &value), -EINVAL);
	assert_int_equal(value, 8);
}

/* The name that sysctl(8) takes is the one that it has for that file. */
static void test_sysctl_key(void **state)
{
	_cleanup_(free_p) char *key = sysctl_key(AF_INET, "near0.7", "arp_ignore");

	(void)state;
	run("ip link add near0.7 type veth peer name other0");
	assert_string_equal(key, "net.ipv4.conf.near0/7.arp_ignore");
	run("sysctl -qw %s=2", key);
	run("test $(cat /proc/sys/net/ipv4/conf/near0.7/arp_ignore) = 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_sysctl_raise),
		veth_test(test_sysctl_get_and_set),
		veth_test(test_sysctl_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
