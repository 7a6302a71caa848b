/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What messages mean for connections that are half open. */
#include "book_fixture.h"

#include "drover/clock.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static void find_half_open(struct reader *r)
{
	uint64_t cursor = 0;

	while (!book_find_half_open(&r->book, 7, &cursor))
		;
}

/* Conntrack tells of a handshake, and it is under way still when somebody wants to know. */
static void half_open_seen(struct reader *r, uint16_t port)
{
	enum flow_life before = r->life;

	event_of_tcp(r, port, TCP_CONNTRACK_SYN_RECV);
	r->life = FLOW_HALF_OPEN;
	find_half_open(r);
	r->life = before;
}

static void assert_half_open(const struct reader *r, size_t n)
{
	assert_int_equal(flow_set_count(r->book.half_open), n);
}

static void test_which_handshakes_are_half_open(void **state)
{
	struct entry_message sent = tcp(1, TCP_CONNTRACK_SYN_SENT);
	struct entry_message own = tcp(2, TCP_CONNTRACK_SYN_RECV);
	struct entry_message foreign = tcp(3, TCP_CONNTRACK_SYN_RECV);
	struct entry_message of_ipv6 = tcp(4, TCP_CONNTRACK_SYN_RECV);
	struct reader *r = *state;

	give_addresses(r);
	sent.answered = false;
	own.client = "127.9.9.9";
	foreign.answerer = "198.51.100.9";
	of_ipv6.family = AF_INET6;
	r->unwanted = 5;
	event(r, &sent);
	event(r, &own);
	event(r, &foreign);
	event(r, &of_ipv6);
	event_of_tcp(r, 5, TCP_CONNTRACK_SYN_RECV);
	event_of_tcp(r, 6, TCP_CONNTRACK_SYN_RECV);
	event_of_tcp(r, 7, TCP_CONNTRACK_SYN_RECV);
	event_of_tcp(r, 7, TCP_CONNTRACK_ESTABLISHED);
	assert_counts(r, 1, 0, 0);
	r->life = FLOW_HALF_OPEN;
	find_half_open(r);
	assert_counts(r, 3, 0, 2);
	assert_half_open(r, 2);
	assert_int_equal(r->n_asked, 2);
	/* They are known now. */
	find_half_open(r);
	assert_int_equal(r->n_asked, 2);
}

/* The kernel is asked, and has another answer than that it is half-open. */
static void test_handshakes_that_have_ended(void **state)
{
	struct reader *r = *state;

	event_of_tcp(r, 1, TCP_CONNTRACK_SYN_RECV);
	find_half_open(r);
	r->life = FLOW_LIVE; /* as an event is about to tell */
	find_half_open(r);
	assert_int_equal(r->n_asked, 2);
	assert_counts(r, 0, 0, 0);
}

/* Its own events may come later than it was found. */
static void test_half_open_becomes_live(void **state)
{
	struct reader *r = *state;
	struct entry_message sent = tcp(1, TCP_CONNTRACK_SYN_SENT);

	sent.answered = false;
	half_open_seen(r, 1);
	event(r, &sent);
	event_of_tcp(r, 1, TCP_CONNTRACK_SYN_RECV);
	assert_counts(r, 1, 0, 1);
	assert_half_open(r, 1);
	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	assert_counts(r, 1, 0, 0);
	assert_half_open(r, 0);
	event_of_tcp(r, 1, TCP_CONNTRACK_TIME_WAIT);
	assert_counts(r, 1, 1, 0);
	assert_int_equal(r->n_asked, 1);
}

/* The port was another connection's, whose end is told only now. */
static void test_half_open_from_a_port_used_before(void **state)
{
	struct reader *r = *state;

	half_open_seen(r, 1);
	r->life = FLOW_HALF_OPEN;
	event_of_tcp(r, 1, TCP_CONNTRACK_LAST_ACK);
	event_of_tcp(r, 2, TCP_CONNTRACK_LAST_ACK);
	assert_counts(r, 2, 0, 0);
	event_of_tcp(r, 2, TCP_CONNTRACK_TIME_WAIT);
	assert_counts(r, 2, 1, 0);
	half_open_seen(r, 2);
	event_of_tcp(r, 2, TCP_CONNTRACK_CLOSE);
	destroyed(r, 2);
	assert_counts(r, 3, 1, 1);
	assert_half_open(r, 1);
	r->life = FLOW_GONE;
	event_of_tcp(r, 2, TCP_CONNTRACK_CLOSE);
	assert_counts(r, 3, 2, 0);
	assert_half_open(r, 0);
}

/* No event may tell: conntrack does not, of entries that were made while nobody listened. */
static void test_half_open_is_asked_after(void **state)
{
	struct reader *r = *state;
	size_t cursor = 0;

	half_open_seen(r, 1);
	r->life = FLOW_HALF_OPEN;
	check_watched(r, 10, &cursor);
	assert_half_open(r, 1);
	r->life = FLOW_LIVE;
	check_watched(r, 10, &cursor);
	assert_counts(r, 1, 0, 1);
	assert_half_open(r, 0);
	half_open_seen(r, 2);
	r->life = FLOW_GONE;
	check_watched(r, 10, &cursor);
	assert_counts(r, 2, 2, 0);
	assert_half_open(r, 0);
}

/* Somebody marks the entry in the midst of the handshake. */
static void test_half_open_and_untold_state(void **state)
{
	struct reader *r = *state;

	r->life = FLOW_HALF_OPEN;
	event_of_tcp(r, 1, -1);
	assert_counts(r, 0, 0, 0);
	half_open_seen(r, 1);
	event_of_tcp(r, 1, -1);
	assert_counts(r, 1, 0, 1);
	assert_half_open(r, 1);
	r->life = FLOW_LIVE;
	event_of_tcp(r, 1, -1);
	assert_counts(r, 1, 0, 0);
	assert_half_open(r, 0);
}

static void test_half_open_and_dumps(void **state)
{
	struct reader *r = *state;

	half_open_seen(r, 1);
	half_open_seen(r, 2);
	assert_int_equal(book_begin_dump(&r->book), 0);
	dumped_tcp(r, 1, TCP_CONNTRACK_SYN_RECV);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	half_open_seen(r, 3);
	sweep(r);
	assert_counts(r, 3, 0, 3);
	assert_half_open(r, 2);
	/* Another dump, because other flows are wanted. */
	r->unwanted = 1;
	assert_int_equal(book_begin_dump(&r->book), 0);
	dumped_tcp(r, 2, TCP_CONNTRACK_ESTABLISHED);
	sweep(r);
	assert_counts(r, 3, 1, 2);
	assert_half_open(r, 1);
}

/* The latest count, and as many as there is room for. */
static void test_flood_of_handshakes(void **state)
{
	enum { N = BOOK_HANDSHAKES_MAX };
	struct reader *r = *state;
	size_t cursor = 0;

	r->life = FLOW_HALF_OPEN;
	for (uint16_t port = 1; port <= N + 5; port++)
		event_of_tcp(r, port, TCP_CONNTRACK_SYN_RECV);
	find_half_open(r);
	assert_int_equal(r->n_asked, N);
	assert_counts(r, N, 0, N);
	event_of_tcp(r, 1, TCP_CONNTRACK_SYN_RECV);
	event_of_tcp(r, N + 6, TCP_CONNTRACK_SYN_RECV);
	find_half_open(r);
	assert_counts(r, N, 0, N);
	assert_int_equal(r->book.n_refused, 2);
	event_of_tcp(r, 1, TCP_CONNTRACK_ESTABLISHED);
	r->life = FLOW_GONE;
	check_watched(r, 1, &cursor);
	assert_counts(r, N + 1, 1, N - 1);
	half_open_seen(r, N + 7);
	assert_counts(r, N + 2, 1, N);
	assert_int_equal(r->book.n_refused, 3);
}

static void test_half_open_and_a_full_set(void **state)
{
	struct reader *r = *state;

	for (uint16_t port = 1; port <= FLOWS_MAX; port++)
		event_of_tcp(r, port, TCP_CONNTRACK_ESTABLISHED);
	half_open_seen(r, FLOWS_MAX + 1);
	assert_counts(r, FLOWS_MAX, 0, 0);
	assert_half_open(r, 0);
	assert_int_equal(r->book.n_refused, 1);
}

/* --- watched flows --------------------------------------------------------------------- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		reader_test(test_which_handshakes_are_half_open),
		reader_test(test_handshakes_that_have_ended),
		reader_test(test_half_open_becomes_live),
		reader_test(test_half_open_from_a_port_used_before),
		reader_test(test_half_open_is_asked_after),
		reader_test(test_half_open_and_untold_state),
		reader_test(test_half_open_and_dumps),
		reader_test(test_flood_of_handshakes),
		reader_test(test_half_open_and_a_full_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
