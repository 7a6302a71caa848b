/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracker against the real kernel. What it makes of messages alone is in test_book.c. */
#include "tracker_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* --- the life of a flow ---------------------------------------------------------------- */

static void check_life(struct member *m, const char *vip, bool by_reset)
{
	int listener = listen_at(vip, 80);
	struct connection connection = connect_to(m, listener, vip, 80);

	wait_for(m, has(m, &connection.flow));
	if (by_reset)
		reset(connection.client);
	else
		close(connection.client);
	close(connection.server);
	wait_for(m, !has(m, &connection.flow));
	assert_int_equal(m->n_began, 1);
	assert_int_equal(m->n_ended, 1);
	assert_int_equal(flow_set_count(m->flows), 0);
	close(listener);
}

static void test_tcp_begins_and_ends(void **state)
{
	track_connections();
	start_tracker(*state);
	check_life(*state, VIP, false);
}

static void test_tcp_ends_by_reset(void **state)
{
	track_connections();
	start_tracker(*state);
	check_life(*state, VIP, true);
}

static void test_tcp_of_ipv6(void **state)
{
	track_connections();
	start_tracker(*state);
	check_life(*state, VIP_6, false);
}

/* One end has said all that it had to say, and still hears the other. */
static void test_tcp_half_closed_lives(void **state)
{
	struct member *m = *state;
	struct connection connection;
	int listener;

	track_connections();
	start_tracker(m);
	listener = listen_at(VIP, 80);
	connection = connect_to(m, listener, VIP, 80);
	assert_int_equal(shutdown(connection.client, SHUT_WR), 0);
	fence(m);
	assert_true(has(m, &connection.flow));
	disconnect(&connection);
	wait_for(m, !has(m, &connection.flow));
	close(listener);
}

/* The client never hears that it was answered. */
static void test_half_open_is_none(void **state)
{
	struct member *m = *state;
	int listener, client;
	struct flow flow;

	track_connections();
	start_tracker(m);
	listener = listen_at(VIP, 81);
	client = client_socket(m, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	shell("nft 'table inet deaf { chain output { type filter hook postrouting priority 0;"
	      " tcp sport 81 drop; }; }'");
	assert_int_equal(try_connect(client, VIP, 81), -EINPROGRESS);
	flow = flow_of(client, IPPROTO_TCP, VIP, 81);
	fence(m);
	assert_false(has(m, &flow));
	assert_int_equal(m->n_began, 1); /* the fence */
	close(client);
	close(listener);
}

static void check_udp(struct member *m, const char *vip)
{
	struct connection connection = datagrams_to(m, vip, 53);
	unsigned int n_began = m->n_began;

	assert_int_equal(send(connection.client, "?", 1, 0), 1);
	fence(m);
	assert_false(has(m, &connection.flow));
	assert_int_equal(m->n_began, n_began + 1); /* the fence */
	answer(&connection);
	wait_for(m, has(m, &connection.flow));
	delete_entry(&connection.flow);
	wait_for(m, !has(m, &connection.flow));
	disconnect(&connection);
}

static void test_udp_begins_with_the_answer(void **state)
{
	track_connections();
	start_tracker(*state);
	check_udp(*state, VIP);
	check_udp(*state, VIP_6);
}

/* --- older flows ----------------------------------------------------------------------- */

static void check_older(struct member *m, int listener, const char *vip)
{
	struct connection speaks = connect_to(m, listener, vip, 80);
	struct connection silent = connect_to(m, listener, vip, 80);

	track_connections();
	start_tracker(m);
	assert_true(has(m, &speaks.flow));
	assert_true(has(m, &silent.flow));
	assert_int_equal(m->n_began, 2);
	/* Conntrack picks it up, and then it is conntrack that tells its end. */
	assert_int_equal(send(speaks.client, "x", 1, 0), 1);
	fence(m);
	assert_true(has(m, &speaks.flow));
	disconnect(&speaks);
	wait_for(m, !has(m, &speaks.flow));
	assert_true(has(m, &silent.flow));
	disconnect(&silent);
	wait_for(m, !has(m, &silent.flow));
}

static void test_sockets_are_older_than_the_hooks(void **state)
{
	int listener = listen_at(VIP, 80);

	check_older(*state, listener, VIP);
	close(listener);
}

static void test_sockets_are_older_ipv6(void **state)
{
	int listener = listen_at(VIP_6, 80);

	check_older(*state, listener, VIP_6);
	close(listener);
}

/* A server of IPv6 accepts clients of IPv4, too. */
static void test_sockets_are_older_mapped(void **state)
{
	int listener = listen_at("::", 80);

	check_older(*state, listener, VIP);
	close(listener);
}

/* The server speaks first: to conntrack, it is who has opened the connection. */
static void test_older_connection_is_picked_up_the_wrong_way_round(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection connection = connect_to(m, listener, VIP, 80);
	char byte;

	track_connections();
	start_tracker(m);
	assert_int_equal(send(connection.server, "x", 1, 0), 1);
	assert_int_equal(recv(connection.client, &byte, 1, 0), 1);
	fence(m);
	assert_true(has(m, &connection.flow));
	disconnect(&connection);
	wait_for(m, !has(m, &connection.flow));
	close(listener);
}

/*
 * Entries that were made while nobody listened have no events, by nf_conntrack_events = 2: a daemon
 * that was restarted finds them in the table, and would never hear of their end.
 */
static void test_entries_are_older_than_the_tracker(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection tcp, udp;

	shell("test $(cat /proc/sys/net/netfilter/nf_conntrack_events) = 2");
	track_connections();
	tcp = connect_to(m, listener, VIP, 80);
	udp = datagrams_to(m, VIP, 53);
	assert_int_equal(send(udp.client, "?", 1, 0), 1);
	answer(&udp);
	start_tracker(m);
	assert_true(has(m, &tcp.flow));
	assert_true(has(m, &udp.flow));
	assert_int_equal(flow_set_count(m->flows), 2);
	disconnect(&tcp);
	wait_for(m, !has(m, &tcp.flow));
	assert_true(has(m, &udp.flow));
	delete_entry(&udp.flow);
	wait_for(m, !has(m, &udp.flow));
	disconnect(&udp);
	close(listener);
}

/* The set has outlived its tracker, and so may flows that nobody tells about. */
static void test_tracker_is_opened_again(void **state)
{
	struct member *m = *state;
	struct connection gone, stays, ends;
	int listener = listen_at(VIP, 80);

	track_connections();
	start_tracker(m);
	gone = connect_to(m, listener, VIP, 80);
	stays = connect_to(m, listener, VIP, 80);
	ends = connect_to(m, listener, VIP, 80);
	wait_for(m, flow_set_count(m->flows) == 3);
	stop_tracker(m);
	disconnect(&gone);
	start_tracker(m);
	assert_false(has(m, &gone.flow));
	assert_true(has(m, &stays.flow));
	disconnect(&ends);
	wait_for(m, !has(m, &ends.flow));
	assert_true(has(m, &stays.flow));
	assert_int_equal(m->n_began, 3);
	assert_int_equal(m->n_ended, 2);
	disconnect(&stays);
	close(listener);
}

/* conntrack -F breaks no connection, and it does not end a flow whose socket is there. */
static void test_flushed_table_ends_nothing(void **state)
{
	struct member *m = *state;
	struct connection speaks, silent;
	int listener = listen_at(VIP, 80);

	track_connections();
	start_tracker(m);
	speaks = connect_to(m, listener, VIP, 80);
	silent = connect_to(m, listener, VIP, 80);
	wait_for(m, has(m, &speaks.flow) && has(m, &silent.flow));
	delete_entry(&speaks.flow);
	delete_entry(&silent.flow);
	assert_int_equal(send(speaks.client, "x", 1, 0), 1);
	fence(m);
	assert_int_equal(m->n_ended, 1); /* the fence */
	disconnect(&speaks);
	wait_for(m, !has(m, &speaks.flow));
	disconnect(&silent);
	wait_for(m, !has(m, &silent.flow));
	close(listener);
}

/* --- flows of others ------------------------------------------------------------------- */

/* What the member opens itself: to a VIP, and from one. */
static void test_outgoing_connections_are_none(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80), there, own, early, late;

	own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	early = bind_stream(VIP, 33000);
	late = bind_stream(VIP, 33001);
	there = listen_at_client(m, 25);
	connect_fd(own, VIP, 80);
	connect_fd(early, CLIENT, 25);
	track_connections();
	start_tracker(m);
	connect_fd(late, CLIENT, 25);
	reset(own);
	own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connect_fd(own, VIP, 80);
	fence(m);
	assert_int_equal(m->n_began, 1); /* the fence */
	assert_int_equal(flow_set_count(m->flows), 0);
	close(own);
	close(early);
	close(late);
	close(there);
	close(listener);
}

/* Redirected to another port of this host it ends here; sent on to another host it does not. */
static void test_translated_flows(void **state)
{
	struct member *m = *state;
	struct connection here;
	int listener = listen_at("0.0.0.0", 80), elsewhere, client;
	struct flow flow;

	track_connections();
	shell("echo 1 >/proc/sys/net/ipv4/ip_forward");
	shell("nft 'table ip nat {"
	      " chain prerouting { type nat hook prerouting priority -100;"
	      "  ip daddr " VIP " tcp dport 8080 redirect to :80;"
	      "  ip daddr " VIP " tcp dport 8081 dnat to " CLIENT ":25; };"
	      " chain postrouting { type nat hook postrouting priority 100;"
	      "  oif near0 ct status dnat tcp dport 25 snat to " MEMBER "; }; }'");
	start_tracker(m);
	elsewhere = listen_at_client(m, 25);
	client = client_socket(m, AF_INET, SOCK_STREAM);
	connect_fd(client, VIP, 8081);
	flow = flow_of(client, IPPROTO_TCP, VIP, 8081);
	here = connect_to(m, listener, VIP, 8080);
	wait_for(m, has(m, &here.flow));
	assert_false(has(m, &flow));
	assert_int_equal(m->n_began, 1);
	disconnect(&here);
	wait_for(m, !has(m, &here.flow));
	close(client);
	close(elsewhere);
	close(listener);
}

/* A packet of no connection makes an entry that looks established, until it is answered. */
static void test_stray_packet_is_none(void **state)
{
	struct member *m = *state;

	track_connections();
	start_tracker(m);
	send_stray_ack(m, 7777, 80);
	fence(m);
	assert_int_equal(m->n_began, 1); /* the fence */
	assert_int_equal(flow_set_count(m->flows), 0);
}

/* --- losses and changes ---------------------------------------------------------------- */

static void test_overrun_recovers_the_truth(void **state)
{
	enum { N = 300 };
	struct member *m = *state;
	struct connection connections[N];
	int listener = listen_at(VIP, 80);
	size_t buffer;

	track_connections();
	start_tuned_tracker(m, 4096);
	wait_for(m, m->n_complete == 1);
	buffer = tracker_stats(m->tracker).receive_buffer;
	for (size_t i = 0; i < N; i++)
		connections[i] = connect_to(m, listener, VIP, 80);
	for (size_t i = 0; i < N / 2; i++)
		disconnect(&connections[i]);
	wait_for(m, tracker_stats(m->tracker).n_overruns > 0);
	assert_false(tracker_stats(m->tracker).complete);
	wait_for(m, tracker_stats(m->tracker).complete);
	assert_true(tracker_stats(m->tracker).receive_buffer >= 2 * buffer);
	assert_int_equal(flow_set_count(m->flows), N - N / 2);
	for (size_t i = N / 2; i < N; i++) {
		assert_true(has(m, &connections[i].flow));
		disconnect(&connections[i]);
	}
	wait_for(m, flow_set_count(m->flows) == 0);
	assert_int_equal(m->n_began, m->n_ended);
	close(listener);
}

static void test_resync_with_other_wishes(void **state)
{
	struct member *m = *state;
	int http = listen_at(VIP, 80), smtp = listen_at(VIP, 25);
	struct connection web, mail;

	track_connections();
	m->unwanted_port = 25;
	start_tracker(m);
	web = connect_to(m, http, VIP, 80);
	mail = connect_to(m, smtp, VIP, 25);
	fence(m);
	assert_true(has(m, &web.flow));
	assert_false(has(m, &mail.flow));
	m->unwanted_port = 80;
	assert_int_equal(tracker_resync(m->tracker), 0);
	assert_false(tracker_stats(m->tracker).complete);
	wait_for(m, m->n_complete == 2);
	assert_false(has(m, &web.flow));
	assert_true(has(m, &mail.flow));
	/* Twice at once is once more. */
	m->unwanted_port = 0;
	assert_int_equal(tracker_resync(m->tracker), 0);
	assert_int_equal(tracker_resync(m->tracker), 0);
	wait_for(m, has(m, &web.flow) && has(m, &mail.flow));
	wait_for(m, tracker_stats(m->tracker).complete);
	disconnect(&web);
	disconnect(&mail);
	wait_for(m, flow_set_count(m->flows) == 0);
	close(http);
	close(smtp);
}

/* The set is full: it is counted, and what has its place keeps it. */
static void test_full_set_refuses(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80);
	struct connection first, second;

	flow_set_free(m->flows);
	m->flows = flow_set_new(1);
	track_connections();
	start_tracker(m);
	first = connect_to(m, listener, VIP, 80);
	second = connect_to(m, listener, VIP, 80);
	wait_for(m, tracker_stats(m->tracker).n_refused > 0);
	assert_true(has(m, &first.flow));
	assert_false(has(m, &second.flow));
	disconnect(&second);
	disconnect(&first);
	wait_for(m, flow_set_count(m->flows) == 0);
	close(listener);
}

/* An address that the member gets later is its own as well. */
static void test_addresses_change(void **state)
{
	struct member *m = *state;
	int listener = listen_at(VIP, 80), own;

	track_connections();
	start_tracker(m);
	shell("ip address add 198.51.100.1/32 dev lo");
	own = bind_stream("198.51.100.1", 0);
	connect_fd(own, VIP, 80);
	fence(m);
	assert_int_equal(m->n_began, 1); /* the fence */
	close(own);
	close(listener);
}

static void test_needs_privilege(void **state)
{
	struct member *m = *state;
	const struct tracker_ops ops = { .wants = NULL };
	struct tracker *tracker = NULL;

	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(tracker_open(m->flows, &ops, &tracker), -EPERM);
	assert_int_equal(seteuid(0), 0);
	assert_null(tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		member_test(test_tcp_begins_and_ends),
		member_test(test_tcp_ends_by_reset),
		member_test(test_tcp_of_ipv6),
		member_test(test_tcp_half_closed_lives),
		member_test(test_half_open_is_none),
		member_test(test_udp_begins_with_the_answer),
		member_test(test_sockets_are_older_than_the_hooks),
		member_test(test_sockets_are_older_ipv6),
		member_test(test_sockets_are_older_mapped),
		member_test(test_older_connection_is_picked_up_the_wrong_way_round),
		member_test(test_entries_are_older_than_the_tracker),
		member_test(test_tracker_is_opened_again),
		member_test(test_flushed_table_ends_nothing),
		member_test(test_outgoing_connections_are_none),
		member_test(test_translated_flows),
		member_test(test_stray_packet_is_none),
		member_test(test_overrun_recovers_the_truth),
		member_test(test_resync_with_other_wishes),
		member_test(test_full_set_refuses),
		member_test(test_addresses_change),
		member_test(test_needs_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
