/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of conntrack and of sock_diag, as events and as dumps bring them. */
#include "../../src/tracker/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOWS_MAX = 4 };

static bool wants(const struct flow *flow, void *user_data)
{
	(void)user_data;
	if (flow->client.family != flow->vip.family)
		abort();
	return flow->vip_port % 2 == 0;
}

static void changed(const struct flow *flow, bool began, void *user_data)
{
	if (flow_set_has(user_data, flow) != began)
		abort();
}

/* Some live, some do not, whatever is asked first. */
static enum flow_life life_of(const struct flow *flow, void *user_data)
{
	(void)user_data;
	return flow->client_port % 3;
}

static void feed(struct book *book, const void *datagram, size_t size,
	void (*take)(struct book *book, const struct nlmsghdr *message))
{
	for (const struct nlmsghdr *message = message_first(datagram, size); message;
		message = message_next(message, datagram, size)) {
		(void)message_verdict(message);
		take(book, message);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that no byte more is read; and aligned, as messages are. */
	_cleanup_(free_p) void *datagram = malloc(size ? size : 1);
	_cleanup_(flow_set_free_p) struct flow_set *flows = flow_set_new(FLOWS_MAX);
	const struct tracker_ops ops = { .wants = wants, .changed = changed, .user_data = flows };
	size_t cursor = 0;
	uint64_t look = 0;
	struct book book;

	if (!datagram || !flows || book_init(&book, flows, &ops) < 0)
		return 0;
	book.life = life_of;
	memcpy(datagram, data, size);
	feed(&book, datagram, size, book_take_event);
	while (!book_find_half_open(&book, 1, &look))
		;
	feed(&book, datagram, size, book_take_event);
	if (book_begin_dump(&book) < 0)
		abort();
	feed(&book, datagram, size, book_take_entry);
	feed(&book, datagram, size, book_take_event);
	feed(&book, datagram, size, book_take_socket);
	book_end_dump(&book);
	while (!book_sweep(&book, 1, &cursor))
		;
	/* What is looked after is in the set, and half-open ones are looked after. */
	if (flow_set_count(book.watched) > flow_set_count(flows) ||
		flow_set_count(book.half_open) > flow_set_count(book.watched))
		abort();
	cursor = 0;
	book_check_watched(&book, FLOWS_MAX + 1, &cursor);
	feed(&book, datagram, size, book_take_event);
	book_end_gone(&book);
	book_done(&book);
	return 0;
}
