/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch: the interface, the addresses on it, lost events. */
#include "veth.h"
#include <netinet/in.h>

#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

/* --- tests: the interface ------------------------------------------------------ */

static void test_reports_all_before_it_returns(void **state)
{
	struct fixture *f = *state;

	run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near0 nud permanent");
	watch(f, "near0");
	assert_int_equal(f->n_link_calls, 1);
	assert_true(f->link.present);
	assert_int_equal(f->link.index, if_nametoindex("near0"));
	assert_int_equal(f->link.mac.bytes[5], 1);
	assert_true(is_present(f, "192.0.2.1"));
	assert_true(is_present(f, "2001:db8::1"));
	assert_true(has_mac(f, "192.0.2.9", "02:00:00:00:00:09"));
}

static void test_interface_absent_then_made_then_deleted(void **state)
{
	struct fixture *f = *state;

	watch(f, "late0");
	assert_int_equal(f->n_link_calls, 1);
	assert_false(f->link.present);
	run("ip link add late0 type veth peer name late1");
	wait_for(f, f->link.present);
	assert_false(f->link.running);
	run("ip link set late0 up && ip link set late1 up");
	wait_for(f, f->link.running);
	run("ip link delete late0");
	wait_for(f, !f->link.present);
	assert_int_equal(f->link.index, 0);
}

static void test_interface_down_up_and_carrier(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	wait_for(f, f->link.running);
	run("ip link set near0 down");
	wait_for(f, f->link.present && !f->link.running);
	run("ip link set near0 up");
	wait_for(f, f->link.running);
	run_peer(f, "ip link set far0 down");
	wait_for(f, f->link.present && !f->link.running);
	run_peer(f, "ip link set far0 up");
	wait_for(f, f->link.running);
}

static void test_interface_changes_mac(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	run("ip link set near0 address 02:00:00:00:00:77");
	wait_for(f, f->link.mac.bytes[5] == 0x77);
}

static void test_interface_renamed_away_and_back(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	run("ip link set near0 down && ip link set near0 name other0");
	wait_for(f, !f->link.present);
	wait_for(f, !is_present(f, "192.0.2.1"));
	run("ip link set other0 name near0 && ip link set near0 up");
	wait_for(f, f->link.running && is_present(f, "192.0.2.1"));
}

static void test_interface_moves_to_another_namespace(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	run("ip link set near0 netns %d", f->peer);
	wait_for(f, !f->link.present);
	wait_for(f, !is_present(f, "192.0.2.1"));
}

static void test_alternative_name_is_not_the_name(void **state)
{
	struct fixture *f = *state;

	run("ip link property add dev near0 altname nearer0");
	watch(f, "nearer0");
	assert_false(f->link.present);
}

/* Leaving a bridge sends RTM_DELLINK for an interface that stays. */
static void test_bridge_port_is_not_deleted(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	wait_for(f, f->link.running);
	run("ip link add bridge0 type bridge && ip link set near0 master bridge0");
	run("ip link set near0 nomaster && ip link set near0 address 02:00:00:00:00:78");
	wait_for(f, f->link.mac.bytes[5] == 0x78);
	assert_int_equal(f->n_absent_calls, 0);
}

static void test_interface_is_made_again(void **state)
{
	struct fixture *f = *state;
	unsigned int index;

	watch(f, "near0");
	wait_for(f, f->link.running);
	index = f->link.index;
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run("ip link delete near0");
	wait_for(f, !f->link.present);
	wait_for(f, is_unresolved(f, PEER_ADDRESS) && !is_present(f, "192.0.2.1"));
	make_pair(f);
	/* Nobody asks again: the watch does. */
	wait_for(f, f->link.running && has_mac(f, PEER_ADDRESS, PEER_MAC));
	assert_true(is_present(f, "192.0.2.1"));
	assert_int_not_equal(f->link.index, index);
}

/* Deletion and creation in one batch of events are still two reports. */
static void test_interface_is_made_again_unseen(void **state)
{
	struct fixture *f = *state;
	unsigned int index = if_nametoindex("near0");

	watch(f, "near0");
	resolve(f, PEER_ADDRESS);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
	run("ip link delete near0");
	/* The same index even, which the kernel grants to whoever asks for it. */
	run("ip link add near0 index %u type veth peer name far0 netns %d", index, f->peer);
	wait_for(f, f->n_absent_calls == 1 && f->link.present);
	assert_int_equal(f->link.index, index);
	assert_true(is_unresolved(f, PEER_ADDRESS));
	assert_false(is_present(f, "192.0.2.1"));
}

static void test_resolve_before_the_interface_exists(void **state)
{
	struct fixture *f = *state;
	struct address address = address_of(PEER_ADDRESS);

	run("ip link delete near0");
	watch(f, "near0");
	assert_int_equal(link_resolve(f->watch, &address), -ENODEV);
	make_pair(f);
	wait_for(f, has_mac(f, PEER_ADDRESS, PEER_MAC));
}

/* --- tests: addresses ------------------------------------------------------------ */

static void check_add_remove(struct fixture *f, const char *text)
{
	struct address address = address_of(text);

	assert_int_equal(link_add_address(f->watch, &address), 0);
	assert_int_equal(link_add_address(f->watch, &address), 0);
	wait_for(f, is_present(f, text));
	assert_true(link_has_address(f->watch, &address));
	run("! ip -4 route show table all dev near0 | grep -v 'table local' | grep -q '%s'", text);
	run("! ip -6 route show table all dev near0 | grep -vE '^(local|anycast)' | grep -q '%s'",
		text);
	run("! ip address show dev near0 to %s | grep -qE 'tentative|dadfailed'", text);
	assert_int_equal(link_remove_address(f->watch, &address), 0);
	assert_int_equal(link_remove_address(f->watch, &address), 0);
	wait_for(f, !is_present(f, text));
	assert_false(link_has_address(f->watch, &address));
}

static void test_address_is_added_and_removed(void **state)
{
	struct fixture *f = *state;

	watch(f, "near0");
	check_add_remove(f, "203.0.113.5");
	check_add_remove(f, "2001:db8:5::5");
}

/*
 * Source address selection of IPv6 (RFC 6724) prefers the longest match, which a VIP may be: the
 * answers to what this host asked would be balanced.
 */
static void test_added_address_is_no_source(void **state)
{
	static const struct {
		const char *vip, *destination, *source;
	} cases[] = {
		{ "192.0.2.100", "192.0.2.101", "192.0.2.1" },
		{ "2001:db8::100", "2001:db8::101", "2001:db8::1" },
	};
	struct fixture *f = *state;

	watch(f, "near0");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address vip = address_of(cases[i].vip);

		assert_int_equal(link_add_address(f->watch, &vip), 0);
		run("ip route get %s | grep -q ' src %s '", cases[i].destination, cases[i].source);
	}
}

/* A bind() would be refused while an address of IPv6 is tentative. */
static void test_added_address_is_usable_at_once(void **state)
{
	struct fixture *f = *state;
	struct address vip = address_of("2001:db8::100");
	struct sockaddr_in6 own = { .sin6_family = AF_INET6 };
	_cleanup_(close_p) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	watch(f, "near0");
	memcpy(&own.sin6_addr, vip.bytes, sizeof(own.sin6_addr));
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), -1);
	assert_int_equal(link_add_address(f->watch, &vip), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
}

/* What the administrator configured with another prefix length stays. */
static void test_address_of_another_length_stays(void **state)
{
	struct fixture *f = *state;
	struct address address = address_of("192.0.2.1");

	watch(f, "near0");
	assert_int_equal(link_add_address(f->watch, &address), 0);
	assert_int_equal(link_remove_address(f->watch, &address), 0);
	assert_int_equal(link_remove_address(f->watch, &address), 0);
	assert_int_equal(link_dispatch(f->watch), 0);
	assert_true(link_has_address(f->watch, &address));
	run("ip address show dev near0 | grep -q 192.0.2.1/24");
}

/* --- tests: lost events ----------------------------------------------------------- */

static void test_lost_events_are_made_up_for(void **state)
{
	struct fixture *f = *state;
	int size = 0;

	run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near0 nud permanent");
	watch(f, "near0");
	assert_int_equal(
		setsockopt(link_watch_fd(f->watch), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	/* First, since both flush even permanent neighbours (neigh_changeaddr(), arp_ifdown()). */
	run("ip address delete 192.0.2.1/24 dev near0");
	run("ip link set near0 address 02:00:00:00:00:79");
	for (int i = 100; i < 200; i++)
		run("ip neigh add 192.0.2.%d lladdr 02:00:00:00:00:aa dev near0 nud permanent", i);
	run("ip address add 203.0.113.77/32 dev near0");
	/* One call: the overrun is found and everything is made good. */
	assert_int_equal(link_dispatch(f->watch), 0);
	assert_true(is_unresolved(f, "192.0.2.9"));
	assert_true(has_mac(f, "192.0.2.199", "02:00:00:00:00:aa"));
	assert_false(is_present(f, "192.0.2.1"));
	assert_true(is_present(f, "203.0.113.77"));
	assert_int_equal(f->link.mac.bytes[5], 0x79);
}

static void test_snapshot(void **state)
{
	struct fixture *f = *state;

	run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near0 nud permanent");
	assert_int_equal(link_snapshot("near0", &callbacks, f), 0);
	assert_true(f->link.present);
	assert_true(has_mac(f, "192.0.2.9", "02:00:00:00:00:09"));
	assert_int_equal(link_snapshot("none0", &callbacks, f), 0);
	assert_false(f->link.present);
	assert_int_equal(link_snapshot("", &callbacks, f), -EINVAL);
	assert_int_equal(link_snapshot("a-name-too-long-for-it", &callbacks, f), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_reports_all_before_it_returns),
		veth_test(test_interface_absent_then_made_then_deleted),
		veth_test(test_interface_down_up_and_carrier),
		veth_test(test_interface_changes_mac),
		veth_test(test_interface_renamed_away_and_back),
		veth_test(test_interface_moves_to_another_namespace),
		veth_test(test_alternative_name_is_not_the_name),
		veth_test(test_bridge_port_is_not_deleted),
		veth_test(test_interface_is_made_again),
		veth_test(test_interface_is_made_again_unseen),
		veth_test(test_resolve_before_the_interface_exists),
		veth_test(test_address_is_added_and_removed),
		veth_test(test_added_address_is_no_source),
		veth_test(test_added_address_is_usable_at_once),
		veth_test(test_address_of_another_length_stays),
		veth_test(test_lost_events_are_made_up_for),
		veth_test(test_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
