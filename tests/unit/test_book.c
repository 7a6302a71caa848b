/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What messages mean for the set of flows. No kernel: test_tracker.c has that. */
#include "book_fixture.h"

#include "drover/clock.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Which message begins a flow, and which ends it. */
static void test_states(void **state)
{
	static const struct {
		uint8_t protocol;
		int tcp_state;
		bool answered, begins, ends;
	} cases[] = {
		{ IPPROTO_TCP, TCP_CONNTRACK_NONE, true, false, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, false, false, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT2, true, false, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_SYN_RECV, true, false, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED, true, true, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED, false, false, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_FIN_WAIT, true, true, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_CLOSE_WAIT, true, true, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_LAST_ACK, true, true, false },
		{ IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, true, false, true },
		{ IPPROTO_TCP, TCP_CONNTRACK_CLOSE, true, false, true },
		{ IPPROTO_TCP, 200, true, false, false },
		{ IPPROTO_UDP, -1, false, false, false },
		{ IPPROTO_UDP, -1, true, true, false },
		{ IPPROTO_SCTP, -1, true, false, false },
		{ IPPROTO_ICMP, -1, true, false, false },
	};
	struct reader *r = *state;
	unsigned int began = 0, ended = 0;

	for (uint16_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct entry_message entry = {
			.protocol = cases[i].protocol,
			.family = i % 2 ? AF_INET6 : AF_INET,
			.client_port = (uint16_t)(i + 1),
			.tcp_state = cases[i].tcp_state,
			.answered = cases[i].answered,
		};

		event(r, &entry);
		began += cases[i].begins;
		assert_counts(r, began, ended, 0);
		dumped(r, &entry);
		assert_counts(r, began, ended, 0);
		/* One that is there already. */
		if (cases[i].ends) {
			event_of_tcp(r, 1000, TCP_CONNTRACK_ESTABLISHED);
			began++;
			entry.client_port = 1000;
			entry.family = AF_INET;
			event(r, &entry);
			ended++;
			assert_counts(r, began, ended, 0);
		}
	}
	assert_int_equal(r->n_asked, 0);
}

static void test_destroyed_entry_of_udp_ends_its_flow(void **state)
{
	struct reader *r = *state;
	struct entry_message entry = {
		.protocol = IPPROTO_UDP, .family = AF_INET6, .client_port = 7, .answered = true
	};

	event(r, &entry);
	assert_counts(r, 1, 0, 0);
	r->life = FLOW_LIVE;
	entry.destroyed = true;
	event(r, &entry);
	event(r, &entry);
	assert_counts(r, 1, 1, 0);
	assert_int_equal(r->n_asked, 0);
}

/* The socket knows better than an entry that was flushed, or has timed out. */
static void test_destroyed_entry_of_tcp(void **state)
{
	struct reader *r = *state;
	size_t cursor = 0;

	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	event_of_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	destroyed(r, 1);
	assert_counts(r, 2, 1, 0);
	r->life = FLOW_LIVE;
	destroyed(r, 2);
	assert_counts(r, 2, 1, 1);
	assert_int_equal(r->n_asked, 2);
	destroyed(r, 3); /* nobody's */
	assert_int_equal(r->n_asked, 2);
	/* It is looked after until its socket goes, too. */
	book_check_watched(&r->book, 10, &cursor);
	assert_int_equal(cursor, 0);
	assert_counts(r, 2, 1, 1);
	r->life = FLOW_GONE;
	check_watched(r, 10, &cursor);
	assert_counts(r, 2, 2, 0);
}

/* A message without the state of TCP. */
static void test_untold_state(void **state)
{
	struct reader *r = *state;
	struct entry_message foreign = tcp(3, -1);

	event_of_tcp(r, 1, -1);
	assert_int_equal(r->n_asked, 1);
	assert_counts(r, 0, 0, 0);
	r->life = FLOW_LIVE;
	event_of_tcp(r, 1, -1);
	assert_counts(r, 1, 0, 0);
	/* Of a known one nobody needs to ask. */
	event_of_tcp(r, 1, -1);
	assert_int_equal(r->n_asked, 2);
	/* Nor of one that is not ours. */
	foreign.answerer = "198.51.100.9";
	event(r, &foreign);
	foreign = tcp(4, -1);
	foreign.answered = false;
	event(r, &foreign);
	assert_int_equal(r->n_asked, 2);
	assert_counts(r, 1, 0, 0);
}

static void test_translated_flows_end_elsewhere(void **state)
{
	struct reader *r = *state;
	struct entry_message entry = tcp(1, TCP_CONNTRACK_ESTABLISHED);

	entry.answerer = "198.51.100.9";
	event(r, &entry);
	dumped(r, &entry);
	assert_counts(r, 0, 0, 0);
	entry.answerer = "192.0.2.1";
	give_addresses(r);
	event(r, &entry);
	assert_counts(r, 1, 0, 0);
}

static void test_outgoing_flows_are_none(void **state)
{
	struct reader *r = *state;
	struct entry_message entry = tcp(1, TCP_CONNTRACK_ESTABLISHED);

	give_addresses(r);
	entry.client = "127.9.9.9";
	event(r, &entry);
	dumped(r, &entry);
	assert_counts(r, 0, 0, 0);
}

/* What the dump alone has found may end without an event. */
static void test_dumped_flows_are_watched_until_an_event(void **state)
{
	struct reader *r = *state;

	assert_int_equal(book_begin_dump(&r->book), 0);
	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 3, TCP_CONNTRACK_ESTABLISHED);
	sweep(r);
	assert_counts(r, 3, 0, 2);
	event_of_tcp(r, 2, TCP_CONNTRACK_FIN_WAIT);
	assert_counts(r, 3, 0, 1);
	event_of_tcp(r, 3, TCP_CONNTRACK_CLOSE);
	assert_counts(r, 3, 1, 0);
}

/* For a datagram flow at least, it is told how long nothing has come. */
static void test_a_dumped_flow_is_as_old_as_it_is_idle(void **state)
{
	static const uint32_t left[] = { 90, 120, 600, 0, 90 }, ages[] = { 30, 0, 0, 0, 0 };
	struct reader *r = *state;

	r->book.udp_timeout = 120;
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		uint32_t now = flow_time(clock_now_ms(), 0);
		size_t cursor = i;
		struct flow flow;

		dumped_with_left(r, i < 4 ? IPPROTO_UDP : IPPROTO_TCP, (uint16_t)(1 + i), left[i]);
		assert_true(flow_set_next(r->flows, &cursor, &flow));
		assert_in_range(flow_set_since(r->flows, &flow) + ages[i], now, now + 1);
	}
}

/* Of a flow that is known, a dump can tell only when the last datagram came, if that is later. */
static void test_a_flow_dumped_again(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP };
	static const uint32_t left[][2] = { { 90, 115 }, { 115, 90 }, { 90, 115 } };
	static const uint32_t ages[] = { 5, 5, 0 };
	struct reader *r = *state;

	r->book.udp_timeout = 120;
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		uint32_t now = flow_time(clock_now_ms(), 0);
		size_t cursor = i;
		struct flow flow;

		dumped_with_left(r, protocols[i], (uint16_t)(1 + i), left[i][0]);
		flow_set_mark_stale(r->flows);
		dumped_with_left(r, protocols[i], (uint16_t)(1 + i), left[i][1]);
		assert_true(flow_set_next(r->flows, &cursor, &flow));
		assert_in_range(flow_set_since(r->flows, &flow) + ages[i], now, now + 1);
	}
}

/* A page of the dump may be older than an event that was read before it. */
static void test_dump_raises_nobody_from_the_dead(void **state)
{
	const struct socket_message listener = { AF_INET, TCP_LISTEN, "0.0.0.0", "0.0.0.0", 80, 0 };
	const struct socket_message socket = { AF_INET, TCP_ESTABLISHED, "192.0.2.100", "192.0.2.2",
		80, 1 };
	struct reader *r = *state;

	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	assert_int_equal(book_begin_dump(&r->book), 0);
	event_of_tcp(r, 1, TCP_CONNTRACK_TIME_WAIT);
	event_of_tcp(r, 2, TCP_CONNTRACK_TIME_WAIT); /* which the dump would tell first */
	dumped_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	socket_seen(r, &listener);
	socket_seen(r, &socket);
	assert_counts(r, 1, 1, 0);
	/* The port is used again. */
	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	sweep(r);
	assert_counts(r, 2, 1, 0);
	/* Of the next dump, nothing has ended yet. */
	assert_int_equal(book_begin_dump(&r->book), 0);
	dumped_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	sweep(r);
	assert_counts(r, 3, 1, 1);
}

static void test_sweep_ends_what_was_not_met(void **state)
{
	struct reader *r = *state;

	for (uint16_t port = 1; port <= 6; port++)
		event_of_tcp(r, port, TCP_CONNTRACK_ESTABLISHED);
	assert_int_equal(book_begin_dump(&r->book), 0);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	dumped_tcp(r, 3, TCP_CONNTRACK_TIME_WAIT);
	event_of_tcp(r, 4, TCP_CONNTRACK_FIN_WAIT);
	sweep(r);
	assert_counts(r, 6, 4, 0);
}

static void test_sockets(void **state)
{
	static const struct {
		struct socket_message socket;
		bool begins;
	} cases[] = {
		/* Without anybody who listens, it is one that this host has opened. */
		{ { AF_INET, TCP_ESTABLISHED, "192.0.2.100", "192.0.2.2", 80, 1 }, false },
		{ { AF_INET6, TCP_LISTEN, "::", "::", 80, 0 }, false },
		{ { AF_INET, TCP_ESTABLISHED, "192.0.2.100", "192.0.2.2", 80, 1 }, true },
		{ { AF_INET6, TCP_CLOSE_WAIT, "2001:db8::100", "2001:db8::2", 80, 1 }, true },
		{ { AF_INET6, TCP_FIN_WAIT1, "::ffff:192.0.2.100", "::ffff:192.0.2.2", 80, 2 },
			true },
		{ { AF_INET, TCP_FIN_WAIT2, "192.0.2.100", "192.0.2.2", 80, 3 }, true },
		{ { AF_INET, TCP_LAST_ACK, "192.0.2.100", "192.0.2.2", 80, 4 }, true },
		{ { AF_INET, TCP_CLOSING, "192.0.2.100", "192.0.2.2", 80, 5 }, true },
		{ { AF_INET, TCP_TIME_WAIT, "192.0.2.100", "192.0.2.2", 80, 6 }, false },
		{ { AF_INET, TCP_SYN_RECV, "192.0.2.100", "192.0.2.2", 80, 7 }, false },
		{ { AF_INET, 200, "192.0.2.100", "192.0.2.2", 80, 8 }, false },
		{ { AF_INET, TCP_ESTABLISHED, "192.0.2.100", "127.0.0.1", 80, 9 }, false },
		{ { AF_INET, TCP_LISTEN, "0.0.0.0", "0.0.0.0", 81, 0 }, false },
		{ { AF_INET, TCP_ESTABLISHED, "192.0.2.100", "192.0.2.2", 81, 1 }, false },
		{ { AF_INET6, TCP_ESTABLISHED, "::ffff:192.0.2.100", "2001:db8::2", 80, 1 },
			false },
	};
	struct reader *r = *state;
	unsigned int began = 0;

	give_addresses(r);
	assert_int_equal(book_begin_dump(&r->book), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		socket_seen(r, &cases[i].socket);
		began += cases[i].begins;
		assert_counts(r, began, 0, began);
	}
	/* The mapped one is of IPv4. */
	event_of_tcp(r, 2, TCP_CONNTRACK_CLOSE);
	assert_counts(r, began, 1, began - 1);
}

/* --- half-open connections ------------------------------------------------------------- */

/* Watched flows have their turn in pieces, whoever goes meanwhile. */
static void test_watched_flows_have_turns(void **state)
{
	struct reader *r = *state;
	size_t cursor = 0;

	r->life = FLOW_LIVE;
	for (uint16_t port = 1; port <= 10; port++)
		dumped_tcp(r, port, TCP_CONNTRACK_ESTABLISHED);
	book_check_watched(&r->book, 4, &cursor);
	assert_int_equal(r->n_asked, 4);
	book_check_watched(&r->book, 4, &cursor);
	book_check_watched(&r->book, 4, &cursor);
	assert_int_equal(r->n_asked, 10);
	assert_int_equal(cursor, 0);
	r->life = FLOW_GONE;
	check_watched(r, 4, &cursor);
	assert_counts(r, 10, 4, 6);
	check_watched(r, 100, &cursor);
	assert_counts(r, 10, 10, 0);
}

/* The kernel's answer is ahead of its events: a flow of which one was under way is not ended. */
static void test_event_that_was_under_way(void **state)
{
	struct reader *r = *state;
	size_t cursor = 0;

	for (uint16_t port = 1; port <= 3; port++)
		dumped_tcp(r, port, TCP_CONNTRACK_ESTABLISHED);
	book_check_watched(&r->book, 10, &cursor);
	assert_counts(r, 3, 0, 3);
	event_of_tcp(r, 1, TCP_CONNTRACK_FIN_WAIT);
	event_of_tcp(r, 2, TCP_CONNTRACK_TIME_WAIT);
	book_end_gone(&r->book);
	assert_counts(r, 3, 2, 0);
	event_of_tcp(r, 1, TCP_CONNTRACK_TIME_WAIT);
	assert_counts(r, 3, 3, 0);
}

/* What a set already has when its tracker begins was found by another one. */
static void test_flows_of_an_earlier_tracker_are_watched(void **state)
{
	struct reader *r = *state;
	struct tracker_ops ops = r->book.ops;

	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	assert_counts(r, 1, 0, 0);
	book_done(&r->book);
	assert_int_equal(book_init(&r->book, r->flows, &ops), 0);
	assert_counts(r, 1, 0, 1);
}

/* Cut anywhere, a message changes nothing, or as much as the whole one. */
static void test_cut_messages(void **state)
{
	const struct entry_message entry = tcp(1, TCP_CONNTRACK_ESTABLISHED);
	struct reader *r = *state;
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
	uint32_t size = put_entry(buffer, &entry)->nlmsg_len;

	for (uint32_t cut = sizeof(struct nlmsghdr); cut < size; cut += NLMSG_ALIGNTO) {
		_cleanup_(free_p) struct nlmsghdr *message = malloc(cut);

		assert_non_null(message);
		memcpy(message, buffer, cut);
		message->nlmsg_len = cut;
		book_take_event(&r->book, message);
		book_take_entry(&r->book, message);
		book_take_socket(&r->book, message);
		message->nlmsg_type = 20; /* SOCK_DIAG_BY_FAMILY */
		book_take_socket(&r->book, message);
	}
	/* Only the state is at the end, without which the kernel is asked. */
	assert_counts(r, 0, 0, 0);
}

/* Whatever the lengths say, wherever one could stand: no other flow comes of it, and no harm. */
static void test_attributes_of_another_size(void **state)
{
	const struct entry_message entry = tcp(1, TCP_CONNTRACK_ESTABLISHED);
	struct reader *r = *state;
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
	uint32_t size = put_entry(buffer, &entry)->nlmsg_len;
	struct entry whole, changed_one;

	assert_int_equal(entry_parse((const struct nlmsghdr *)(void *)buffer, &whole), 0);
	for (uint32_t at = sizeof(struct nlmsghdr) + sizeof(uint32_t); at < size;
		at += NLMSG_ALIGNTO) {
		for (unsigned int length = 0; length < 24; length++) {
			_cleanup_(free_p) char *message = malloc(size);

			assert_non_null(message);
			memcpy(message, buffer, size);
			message[at] = (char)length;
			message[at + 1] = 0;
			if (entry_parse((const struct nlmsghdr *)(void *)message, &changed_one) ==
					0 &&
				changed_one.mirrored)
				assert_true(flow_equal(&changed_one.flow, &whole.flow));
			book_take_event(&r->book, (const struct nlmsghdr *)(void *)message);
		}
	}
	assert_true(r->n_began > 0);
	assert_true(flow_set_count(r->flows) <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		reader_test(test_states),
		reader_test(test_destroyed_entry_of_udp_ends_its_flow),
		reader_test(test_destroyed_entry_of_tcp),
		reader_test(test_untold_state),
		reader_test(test_translated_flows_end_elsewhere),
		reader_test(test_outgoing_flows_are_none),
		reader_test(test_dumped_flows_are_watched_until_an_event),
		reader_test(test_a_dumped_flow_is_as_old_as_it_is_idle),
		reader_test(test_a_flow_dumped_again),
		reader_test(test_dump_raises_nobody_from_the_dead),
		reader_test(test_sweep_ends_what_was_not_met),
		reader_test(test_sockets),
		reader_test(test_watched_flows_have_turns),
		reader_test(test_event_that_was_under_way),
		reader_test(test_flows_of_an_earlier_tracker_are_watched),
		reader_test(test_cut_messages),
		reader_test(test_attributes_of_another_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
