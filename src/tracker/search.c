/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for half-open connections. Looking again is simpler than following conntrack's events
 * about handshakes, and misses none that matters: a connection whose last ACK has gone astray stays
 * half-open until a look meets it. And what SYN cookies answer costs nothing here.
 */
#include "internal.h"

#include <errno.h>
#include <linux/netlink.h>

enum { PAGES_MAX = 4 };

/*
 * From one look to the next. The new rules are in force some ms after the first, later where they
 * are many; the last one is well before the other member's guard ends and resets what it got.
 */
static const uint64_t PAUSES_MS[] = { 100, 300, 900 };

void search_begin(struct search *search, uint64_t now_ms)
{
	search->n_looks = 0;
	search->look_at = now_ms;
}

uint64_t search_due(const struct search *search)
{
	return search->family == 0 ? search->look_at : 0;
}

static int ask(struct search *search, int family)
{
	_Alignas(struct nlmsghdr) char buffer[CHANNEL_REQUEST_SIZE];
	int r = channel_send(&search->channel, sockets_put_half_open(buffer, family), NLM_F_DUMP);

	if (r == 0)
		search->family = family;
	return r;
}

static int look(struct search *search, uint64_t now_ms)
{
	bool again = search->n_looks < ARRAY_SIZE(PAUSES_MS);

	search->look_at = again ? now_ms + PAUSES_MS[search->n_looks++] : 0;
	return ask(search, AF_INET);
}

static int end_dump(struct search *search, int verdict)
{
	bool more = search->family == AF_INET;

	search->family = 0;
	/* Without sock_diag there is nothing to be found. */
	if (verdict < 0 && verdict != -ENOENT)
		return verdict;
	return more ? ask(search, AF_INET6) : 0;
}

static int take_page(
	struct search *search, struct book *book, const struct channel_buffer *page, size_t size)
{
	for (const struct nlmsghdr *message = message_first(page->bytes, size); message;
		message = message_next(message, page->bytes, size)) {
		if (message->nlmsg_seq != search->channel.sequence)
			continue;
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return end_dump(search, message_verdict(message));
		book_take_half_open(book, message);
	}
	return 0;
}

int search_continue(
	struct search *search, struct book *book, struct channel_buffer *buffer, uint64_t now_ms)
{
	uint64_t due = search_due(search);
	int r = due != 0 && now_ms >= due ? look(search, now_ms) : 0;

	for (size_t i = 0; r == 0 && search->family != 0 && i < PAGES_MAX; i++) {
		ssize_t n = channel_receive(&search->channel, buffer);

		if (n == -EAGAIN)
			break;
		/* What a lost page had is met by the next look. */
		if (n == -ENOBUFS)
			continue;
		r = n < 0 ? (int)n : take_page(search, book, buffer, (size_t)n);
	}
	return r;
}
