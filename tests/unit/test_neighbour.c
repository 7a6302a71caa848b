/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch: neighbours, and what keeps them resolved. */
#include "veth.h"

static void test_resolves_both_families(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	resolve(f, "2001:db8::2");
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	wait_for(f, has_mac(f, "2001:db8::2", PEER_MAC));
	run("ip neigh show dev near0 to " PEER_ADDRESS " | grep -q managed");
}

/* A caller that begins to care about an address is told what is known already. */
static void test_resolve_tells_again(void **state)
{
	struct fixture *f = *state;
	unsigned int n_calls;

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	n_calls = neighbour(f, PEER_ADDRESS)->n_calls;
	resolve(f, PEER_ADDRESS);
	wait_for(f, neighbour(f, PEER_ADDRESS)->n_calls > n_calls);
	assert_true(has_mac(f, PEER_ADDRESS, PEER_MAC));
}

static void test_resolve_reports_failure(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	wait_for(f, f->link.running);
	resolve(f, "192.0.2.200");
	wait_for(f, is_unresolved(f, "192.0.2.200"));
}

/* The peer is gone for as long as the kernel needs to give up, then comes back. */
static void test_peer_away_and_back(void **state)
{
	struct fixture *f = *state;
	long back;

	write_file("/proc/sys/net/ipv4/neigh/near0/base_reachable_time_ms", "500");
	write_file("/proc/sys/net/ipv4/neigh/near0/delay_first_probe_time", "1");
	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	/* Its carrier stays: like a host behind a switch. */
	run_peer(f, "ip link set far0 arp off");
	wait_for(f, is_unresolved(f, PEER_ADDRESS));
	run("ip neigh show dev near0 to " PEER_ADDRESS " >&2");
	run_peer(f, "ip link set far0 arp on");
	back = now_ms();
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	print_message("resolved %ld ms after its return\n", now_ms() - back);
	assert_true(now_ms() - back < 10000);
}

static void test_peer_down_and_up(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run_peer(f, "ip link set far0 down");
	wait_for(f, !f->link.running && is_unresolved(f, PEER_ADDRESS));
	run_peer(f, "ip link set far0 up");
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
}

static void test_peer_changes_mac_and_announces(void **state)
{
	struct fixture *f = *state;

	write_file("/proc/sys/net/ipv4/neigh/near0/locktime", "0");
	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run_peer(f, "sysctl -qw net.ipv4.conf.far0.arp_notify=1");
	run_peer(f, "ip link set far0 address 02:00:00:00:00:22");
	wait_for(f, has_mac(f, PEER_ADDRESS, "02:00:00:00:00:22"));
}

static void test_peer_changes_mac_silently(void **state)
{
	struct fixture *f = *state;

	write_file("/proc/sys/net/ipv4/neigh/near0/base_reachable_time_ms", "500");
	write_file("/proc/sys/net/ipv4/neigh/near0/delay_first_probe_time", "1");
	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run_peer(f, "ip link set far0 address 02:00:00:00:00:23");
	wait_for(f, has_mac(f, PEER_ADDRESS, "02:00:00:00:00:23"));
}

static void test_deleted_entry_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	unsigned int n_calls;

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	n_calls = neighbour(f, PEER_ADDRESS)->n_calls;
	run("ip neigh delete " PEER_ADDRESS " dev near0");
	wait_for(f, neighbour(f, PEER_ADDRESS)->n_calls > n_calls &&
			    has_mac(f, PEER_ADDRESS, PEER_MAC));
}

/* An administrator's "replace" ends the kernel's care for the entry. */
static void test_replaced_entry_is_managed_again(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run("ip neigh replace " PEER_ADDRESS " lladdr 02:00:00:00:00:66 dev near0 nud reachable");
	wait_for(f, has_mac(f, PEER_ADDRESS, "02:00:00:00:00:66"));
	run("ip neigh show dev near0 to " PEER_ADDRESS " | grep -q managed");
}

static void test_permanent_entry_is_respected(void **state)
{
	struct fixture *f = *state;

	run("ip neigh add " PEER_ADDRESS " lladdr 02:00:00:00:00:99 dev near0 nud permanent");
	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, "02:00:00:00:00:99"));
	run("ip neigh show dev near0 to " PEER_ADDRESS " | grep -q PERMANENT");
	run("ip neigh delete " PEER_ADDRESS " dev near0");
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run("ip neigh replace " PEER_ADDRESS " lladdr 02:00:00:00:00:98 dev near0 nud permanent");
	wait_for(f, has_mac(f, PEER_ADDRESS, "02:00:00:00:00:98"));
	run("ip neigh show dev near0 to " PEER_ADDRESS " | grep -q PERMANENT");
}

static void test_forget_ends_the_care(void **state)
{
	struct fixture *f = *state;
	struct address address = address_of(PEER_ADDRESS);

	watch(f, "near0");
	assert_int_equal(link_forget(f->watch, &address), 0);
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	assert_int_equal(link_forget(f->watch, &address), 0);
	run("ip neigh show dev near0 to " PEER_ADDRESS " | grep -q " PEER_MAC);
	run("! ip neigh show dev near0 to " PEER_ADDRESS " | grep -q managed");
	run("ip neigh delete " PEER_ADDRESS " dev near0");
	wait_for(f, is_unresolved(f, PEER_ADDRESS));
	run("! ip neigh show dev near0 | grep -q " PEER_ADDRESS);
}

static void test_other_interfaces_do_not_matter(void **state)
{
	struct fixture *f = *state;

	run("ip link add far1 type veth peer name near1 && ip link set near1 up");
	watch(f, "near0");
	run("ip address add 198.51.100.1/24 dev near1");
	run("ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev near1 nud permanent");
	run("ip neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev near0 nud permanent");
	wait_for(f, has_mac(f, "192.0.2.8", "02:00:00:00:00:08"));
	assert_int_equal(neighbour(f, "192.0.2.7")->n_calls, 0);
	assert_false(is_present(f, "198.51.100.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_resolves_both_families),
		veth_test(test_resolve_tells_again),
		veth_test(test_resolve_reports_failure),
		veth_test(test_peer_away_and_back),
		veth_test(test_peer_down_and_up),
		veth_test(test_peer_changes_mac_and_announces),
		veth_test(test_peer_changes_mac_silently),
		veth_test(test_deleted_entry_is_asked_for_again),
		veth_test(test_replaced_entry_is_managed_again),
		veth_test(test_permanent_entry_is_respected),
		veth_test(test_forget_ends_the_care),
		veth_test(test_other_interfaces_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
