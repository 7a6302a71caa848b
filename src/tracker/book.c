/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/clock.h"

#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* --- flows begin and end --------------------------------------------------------------- */

/*
 * age: seconds since this host got it. told: the kernel will tell its end. If watching fails for
 * lack of memory, the flow may outlive its connection until everything is read anew.
 */
static void begin_flow(struct book *book, const struct flow *flow, unsigned int age, bool told)
{
	uint32_t known = flow_set_since(book->flows, flow);
	uint32_t since = flow_time(clock_now_ms(), age);
	int r;

	/* Only of datagrams can more be learned later: when the last one came. */
	if (known > since || (known != 0 && (told || flow->protocol == IPPROTO_TCP)))
		since = known;
	r = flow_set_add_since(book->flows, flow, since);
	if (r < 0) {
		book->n_refused++;
		return;
	}
	if (book->ended)
		(void)flow_set_remove(book->ended, flow);
	(void)flow_set_remove(book->half_open, flow);
	if (told)
		(void)flow_set_remove(book->watched, flow);
	else if (r > 0)
		(void)flow_set_add(book->watched, flow);
	if (r > 0)
		book->ops.changed(flow, true, book->ops.user_data);
}

static void forget_flow(struct book *book, const struct flow *flow)
{
	(void)flow_set_remove(book->watched, flow);
	(void)flow_set_remove(book->half_open, flow);
	book->ops.changed(flow, false, book->ops.user_data);
}

static void end_flow(struct book *book, const struct flow *flow)
{
	if (book->ended && flow_set_add(book->ended, flow) < 0)
		book->incomplete = true;
	if (flow_set_remove(book->flows, flow))
		forget_flow(book, flow);
}

static bool wants(const struct book *book, const struct flow *flow)
{
	return book->ops.wants(flow, book->ops.user_data);
}

/* Has it come from another host, and does it end on this one? */
static bool is_ours(const struct book *book, const struct entry *entry)
{
	if (local_addresses_have(&book->local, &entry->flow.client))
		return false;
	return entry->mirrored || local_addresses_have(&book->local, &entry->answerer);
}

/* --- half-open connections ------------------------------------------------------------- */

static void note_handshake(struct book *book, const struct entry *entry)
{
	if (wants(book, &entry->flow) && is_ours(book, entry))
		book->handshakes[book->n_handshakes++ % BOOK_HANDSHAKES_MAX] = entry->flow;
}

/* Most of them have ended meanwhile: either the flow is known, or nobody has it any more. */
static void take_half_open(struct book *book, const struct flow *flow)
{
	if (flow_set_has(book->flows, flow) || !wants(book, flow) ||
		book->life(flow, book->user_data) != FLOW_HALF_OPEN)
		return;
	if (flow_set_count(book->half_open) >= BOOK_HALF_OPEN_MAX) {
		book->n_refused++;
		return;
	}
	begin_flow(book, flow, 0, false);
	if (flow_set_has(book->flows, flow))
		(void)flow_set_add(book->half_open, flow);
}

bool book_find_half_open(struct book *book, size_t n, uint64_t *cursor)
{
	if (*cursor + BOOK_HANDSHAKES_MAX < book->n_handshakes)
		*cursor = book->n_handshakes - BOOK_HANDSHAKES_MAX;
	for (; n > 0 && *cursor < book->n_handshakes; n--)
		take_half_open(book, &book->handshakes[(*cursor)++ % BOOK_HANDSHAKES_MAX]);
	return *cursor == book->n_handshakes;
}

/* --- messages -------------------------------------------------------------------------- */

/*
 * An entry that goes while TCP is established has timed out, or somebody has flushed the table;
 * the socket knows better. What ends while another handshake is under way may be the connection
 * that had the port before.
 */
static void take_end(struct book *book, const struct entry *entry)
{
	const struct flow *flow = &entry->flow;
	bool known = flow_set_has(book->flows, flow);
	bool doubtful = (entry->destroyed && flow->protocol == IPPROTO_TCP) ||
			flow_set_has(book->half_open, flow);

	if (known && doubtful && book->life(flow, book->user_data) != FLOW_GONE)
		(void)flow_set_add(book->watched, flow);
	else if (known || (book->ended && wants(book, flow)))
		end_flow(book, flow);
}

void book_take_event(struct book *book, const struct nlmsghdr *message)
{
	struct entry entry;
	bool known;

	if (entry_parse(message, &entry) < 0 || entry.life == ENTRY_OPENING)
		return;
	if (entry.life == ENTRY_HALF_OPEN) {
		note_handshake(book, &entry);
		return;
	}
	if (entry.life == ENTRY_OVER) {
		take_end(book, &entry);
		return;
	}
	if (!wants(book, &entry.flow))
		return;
	known = flow_set_has(book->flows, &entry.flow) &&
		!flow_set_has(book->half_open, &entry.flow);
	if (!known && !is_ours(book, &entry))
		return;
	if (!known && entry.life == ENTRY_UNTOLD &&
		book->life(&entry.flow, book->user_data) != FLOW_LIVE)
		return;
	begin_flow(book, &entry.flow, 0, true);
}

/*
 * Nobody tells when an entry was made. But of a datagram flow that has gone to another member
 * since, no packet has come for so long.
 */
static unsigned int age_of(const struct book *book, const struct entry *entry)
{
	unsigned int idle = 0;

	if (entry->flow.protocol == IPPROTO_UDP && entry->left > 0 &&
		entry->left < book->udp_timeout)
		idle = book->udp_timeout - entry->left;
	return idle < FLOW_AGE_MAX ? idle : FLOW_AGE_MAX;
}

void book_take_entry(struct book *book, const struct nlmsghdr *message)
{
	struct entry entry;

	if (entry_parse(message, &entry) < 0 || entry.life != ENTRY_LIVE || entry.destroyed)
		return;
	if (book->ended && flow_set_has(book->ended, &entry.flow))
		return;
	if (wants(book, &entry.flow) && is_ours(book, &entry))
		begin_flow(book, &entry.flow, age_of(book, &entry), false);
}

static bool listens(const struct book *book, uint16_t port)
{
	return book->listening[port / 8] & 1 << port % 8;
}

/*
 * A socket does not tell who opened the connection. One whose port somebody listens on was
 * accepted; those that this host has opened have ports of their own.
 */
void book_take_socket(struct book *book, const struct nlmsghdr *message)
{
	struct tcp_socket socket;

	if (tcp_socket_parse(message, &socket) < 0)
		return;
	if (socket.listens)
		book->listening[socket.port / 8] |= (uint8_t)(1 << socket.port % 8);
	if (!socket.lives || !listens(book, socket.port))
		return;
	if (book->ended && flow_set_has(book->ended, &socket.flow))
		return;
	if (wants(book, &socket.flow) && !local_addresses_have(&book->local, &socket.flow.client))
		begin_flow(book, &socket.flow, 0, false);
}

/* --- dumps ----------------------------------------------------------------------------- */

int book_begin_dump(struct book *book)
{
	struct flow flow;
	size_t cursor = 0;

	if (!book->ended)
		book->ended = flow_set_new(SIZE_MAX);
	if (!book->ended)
		return -ENOMEM;
	book->incomplete = false;
	flow_set_clear(book->ended);
	memset(book->listening, 0, sizeof(book->listening));
	flow_set_mark_stale(book->flows);
	/* Half-open ones are in no dump. */
	while (flow_set_next(book->half_open, &cursor, &flow))
		if (wants(book, &flow))
			(void)flow_set_add_since(book->flows, &flow, flow_time(clock_now_ms(), 0));
	return 0;
}

void book_end_dump(struct book *book)
{
	flow_set_free(book->ended);
	book->ended = NULL;
}

bool book_sweep(struct book *book, size_t n, size_t *cursor)
{
	struct flow flow;

	for (; n > 0; n--) {
		if (!flow_set_remove_stale(book->flows, cursor, &flow))
			return true;
		forget_flow(book, &flow);
	}
	return false;
}

void book_check_watched(struct book *book, size_t n, size_t *cursor)
{
	enum flow_life life;
	struct flow flow;

	for (; n > 0 && book->n_gone < BOOK_GONE_MAX; n--) {
		if (!flow_set_next(book->watched, cursor, &flow)) {
			*cursor = 0;
			return;
		}
		life = book->life(&flow, book->user_data);
		if (life == FLOW_GONE)
			book->gone[book->n_gone++] = flow;
		else if (life == FLOW_LIVE)
			(void)flow_set_remove(book->half_open, &flow);
	}
}

void book_end_gone(struct book *book)
{
	for (size_t i = 0; i < book->n_gone; i++)
		if (flow_set_has(book->watched, &book->gone[i]))
			end_flow(book, &book->gone[i]);
	book->n_gone = 0;
}

/* --- life ------------------------------------------------------------------------------ */

int book_init(struct book *book, struct flow_set *flows, const struct tracker_ops *ops)
{
	size_t cursor = 0;
	struct flow flow;

	*book = (struct book){ .flows = flows, .ops = *ops };
	book->watched = flow_set_new(SIZE_MAX);
	book->half_open = flow_set_new(BOOK_HALF_OPEN_MAX);
	book->handshakes = calloc(BOOK_HANDSHAKES_MAX, sizeof(*book->handshakes));
	if (!book->watched || !book->half_open || !book->handshakes)
		return -ENOMEM;
	while (flow_set_next(flows, &cursor, &flow))
		if (flow_set_add(book->watched, &flow) < 0)
			return -ENOMEM;
	return 0;
}

void book_done(struct book *book)
{
	flow_set_free(book->watched);
	flow_set_free(book->half_open);
	free(book->handshakes);
	flow_set_free(book->ended);
	local_addresses_done(&book->local);
}
