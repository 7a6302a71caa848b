/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "book_fixture.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>

static bool wants(const struct flow *flow, void *user_data)
{
	const struct reader *r = user_data;

	return flow->vip_port == 80 && flow->client_port != r->unwanted;
}

static void changed(const struct flow *flow, bool began, void *user_data)
{
	struct reader *r = user_data;

	assert_int_equal(flow_set_has(r->flows, flow), began);
	*(began ? &r->n_began : &r->n_ended) += 1;
}

static enum flow_life life_of(const struct flow *flow, void *user_data)
{
	struct reader *r = user_data;

	(void)flow;
	r->n_asked++;
	return r->life;
}

int make_reader(void **state)
{
	struct reader *r = calloc(1, sizeof(*r));
	const struct tracker_ops ops = { .wants = wants, .changed = changed, .user_data = r };

	assert_non_null(r);
	r->flows = flow_set_new(FLOWS_MAX);
	assert_non_null(r->flows);
	assert_int_equal(book_init(&r->book, r->flows, &ops), 0);
	r->book.life = life_of;
	r->book.user_data = r;
	*state = r;
	return 0;
}

int drop_reader(void **state)
{
	struct reader *r = *state;

	book_done(&r->book);
	flow_set_free(r->flows);
	free(r);
	return 0;
}

/* --- short ways to say things ---------------------------------------------------------- */

void event(struct reader *r, const struct entry_message *entry)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];

	book_take_event(&r->book, put_entry(buffer, entry));
}

void dumped(struct reader *r, const struct entry_message *entry)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];

	book_take_entry(&r->book, put_entry(buffer, entry));
}

void socket_seen(struct reader *r, const struct socket_message *socket)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];

	book_take_socket(&r->book, put_socket(buffer, socket));
}

struct entry_message tcp(uint16_t port, int tcp_state)
{
	return (struct entry_message){
		.protocol = IPPROTO_TCP,
		.family = AF_INET,
		.client_port = port,
		.tcp_state = tcp_state,
		.answered = true,
	};
}

void event_of_tcp(struct reader *r, uint16_t port, int tcp_state)
{
	const struct entry_message entry = tcp(port, tcp_state);

	event(r, &entry);
}

void destroyed(struct reader *r, uint16_t port)
{
	struct entry_message entry = tcp(port, -1);

	entry.destroyed = true;
	event(r, &entry);
}

void dumped_tcp(struct reader *r, uint16_t port, int tcp_state)
{
	const struct entry_message entry = tcp(port, tcp_state);

	dumped(r, &entry);
}

void dumped_with_left(struct reader *r, uint8_t protocol, uint16_t port, uint32_t left)
{
	struct entry_message entry = tcp(port, TCP_CONNTRACK_ESTABLISHED);

	entry.protocol = protocol;
	entry.left = left;
	dumped(r, &entry);
}

/* The host has 192.0.2.1, and 127.0.0.0/8. */
void give_addresses(struct reader *r)
{
	struct local_addresses *local = &r->book.local;

	local->addresses = calloc(1, sizeof(*local->addresses));
	local->subnets = calloc(1, sizeof(*local->subnets));
	assert_true(local->addresses && local->subnets);
	local->n_addresses = local->n_subnets = 1;
	assert_int_equal(address_parse("192.0.2.1", &local->addresses[0]), 0);
	assert_int_equal(prefix_parse("127.0.0.0/8", &local->subnets[0]), 0);
}

void sweep(struct reader *r)
{
	size_t cursor = 0;

	book_end_dump(&r->book);
	while (!book_sweep(&r->book, 1, &cursor))
		;
}

void check_watched(struct reader *r, size_t n, size_t *cursor)
{
	book_check_watched(&r->book, n, cursor);
	book_end_gone(&r->book);
}

void assert_counts(
	const struct reader *r, unsigned int began, unsigned int ended, unsigned int watched)
{
	assert_int_equal(r->n_began, began);
	assert_int_equal(r->n_ended, ended);
	assert_int_equal(flow_set_count(r->flows), began - ended);
	assert_int_equal(flow_set_count(r->book.watched), watched);
}
