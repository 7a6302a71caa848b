/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking for half-open connections against the real kernel. */
#include "tracker_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* The member gets the SYN of a connection to port 80 and nothing more, until it hears again. */
static void become_deaf(void)
{
	shell("nft 'table inet deaf { chain input { type filter hook prerouting priority raw;"
	      " tcp dport 80 tcp flags & syn == 0 drop; }; }'");
}

static void hear_again(void)
{
	shell("nft delete table inet deaf");
}

/* To the client, the handshake has ended; to the member, it has not. */
static struct connection begin(struct member *m, const char *vip)
{
	struct connection connection = { .server = -1 };
	int family = strchr(vip, ':') ? AF_INET6 : AF_INET;

	connection.client = client_socket(m, family, SOCK_STREAM);
	connect_fd(connection.client, vip, 80);
	connection.flow = flow_of(connection.client, IPPROTO_TCP, vip, 80);
	return connection;
}

static void check_handshake_ends(struct member *m, const char *listens, const char *vip)
{
	int listener = listen_at(listens, 80);
	struct connection connection;

	track_connections();
	start_tracker(m);
	become_deaf();
	connection = begin(m, vip);
	fence(m);
	assert_false(has(m, &connection.flow));
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &connection.flow));
	hear_again();
	assert_int_equal(send(connection.client, "x", 1, 0), 1);
	connection.server = accept(listener, NULL, NULL);
	fence(m);
	assert_true(has(m, &connection.flow));
	assert_int_equal(m->n_began, 3); /* with two fences */
	disconnect(&connection);
	wait_for(m, !has(m, &connection.flow));
	assert_int_equal(m->n_began, m->n_ended);
	close(listener);
}

static void test_handshake_ends(void **state)
{
	check_handshake_ends(*state, VIP, VIP);
}

static void test_handshake_ends_ipv6(void **state)
{
	check_handshake_ends(*state, VIP_6, VIP_6);
}

/* A server of IPv6 that a client of IPv4 has found. */
static void test_handshake_ends_mapped(void **state)
{
	check_handshake_ends(*state, "::", VIP);
}

static void test_handshake_is_reset(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection connection;

	track_connections();
	start_tracker(m);
	become_deaf();
	connection = begin(m, VIP);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &connection.flow));
	hear_again();
	reset(connection.client);
	wait_for(m, !has(m, &connection.flow));
	assert_int_equal(m->n_began, 1);
	close(listener);
}

/* Nobody tells of the end of a handshake that the client has forgotten: the kernel is asked. */
static void test_handshake_times_out(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection connection;

	shell("echo 1 >/proc/sys/net/ipv4/tcp_synack_retries");
	track_connections();
	start_tracker(m);
	become_deaf();
	connection = begin(m, VIP);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &connection.flow));
	wait_for(m, !has(m, &connection.flow));
	close(connection.client);
	close(listener);
}

/* SYNs come here until the packets do go elsewhere. */
static void test_handshakes_begin_after_the_call(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection first, second;

	track_connections();
	start_tracker(m);
	become_deaf();
	first = begin(m, VIP);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &first.flow));
	second = begin(m, VIP);
	wait_for(m, has(m, &second.flow));
	close(first.client);
	close(second.client);
	close(listener);
}

/* Looking does not wait for a dump, and what it finds is not ended by one. */
static void test_half_open_and_dumps(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection whole, early, late;

	track_connections();
	start_tracker(m);
	whole = connect_to(m, listener, VIP, 80);
	wait_for(m, has(m, &whole.flow));
	become_deaf();
	early = begin(m, VIP);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &early.flow));
	late = begin(m, VIP);
	assert_int_equal(tracker_resync(m->tracker), 0);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	wait_for(m, has(m, &late.flow));
	wait_for(m, m->n_complete == 2);
	assert_int_equal(m->n_began, 3);
	assert_int_equal(m->n_ended, 0);
	close(early.client);
	close(late.client);
	disconnect(&whole);
	close(listener);
}

static void test_only_what_is_wanted(void **state)
{
	struct member *m = *state;
	int listener = listen_at("0.0.0.0", 80);
	struct connection connection;

	track_connections();
	m->unwanted_port = 80;
	start_tracker(m);
	become_deaf();
	connection = begin(m, VIP);
	assert_int_equal(tracker_find_half_open(m->tracker), 0);
	fence(m);
	assert_int_equal(m->n_began, 1); /* the fence */
	close(connection.client);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		member_test(test_handshake_ends),
		member_test(test_handshake_ends_ipv6),
		member_test(test_handshake_ends_mapped),
		member_test(test_handshake_is_reset),
		member_test(test_handshake_times_out),
		member_test(test_handshakes_begin_after_the_call),
		member_test(test_half_open_and_dumps),
		member_test(test_only_what_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
