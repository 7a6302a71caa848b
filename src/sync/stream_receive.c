/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer's stream: packets are applied in their order, those that come early wait, those that are
 * missing are asked for, and where that does not help a snapshot is.
 */

#include "internal.h"

#include <string.h>

enum {
	HELD_MAX = 1024, /* packets that wait, of one peer */
	GAP_MS = 10,     /* what overtakes, overtakes by less */
	ASK_WAIT_MAX_MS = 500,
	REQUEST_WAIT_MS = 250,
	REQUEST_WAIT_MAX_MS = 30 * 1000,
};

struct held {
	uint8_t *flows; /* NULL: none waits here */
	uint16_t size;
	enum stream_kind kind;
	uint32_t age;
	uint64_t arrived;
};

static struct held *held_at(const struct stream_receiver *stream, uint64_t sequence)
{
	return stream->held ? &stream->held[sequence % HELD_MAX] : NULL;
}

static void drop(struct held *held)
{
	if (!held)
		return;
	free(held->flows);
	held->flows = NULL;
}

void stream_receiver_reset(struct stream_receiver *stream)
{
	for (size_t i = 0; i < HELD_MAX; i++)
		drop(held_at(stream, i));
	free(stream->held);
	*stream = (struct stream_receiver){ .request_wait = REQUEST_WAIT_MS };
}

/* Without a snapshot nobody knows what was before this position. */
static void begin(struct stream_receiver *stream, uint64_t position)
{
	if (stream->begun)
		return;
	stream->begun = true;
	stream->position = stream->highest = stream->counted = position;
	stream->wants_snapshot = true;
}

static uint64_t last_held(const struct stream_receiver *stream)
{
	return stream->highest - stream->position > HELD_MAX ? stream->position + HELD_MAX
							     : stream->highest;
}

/* To be called when the position or the highest packet is another. */
static void watch_gap(struct sync *sync, struct stream_receiver *stream)
{
	if (stream->position == stream->highest) {
		stream->ask_at = 0;
		return;
	}
	stream->gap_since = sync->now;
	stream->ask_wait = GAP_MS;
	stream->ask_at = sync->now + GAP_MS;
}

/* --- packets ---------------------------------------------------------------- */

/* Without memory it is as if it were lost. */
static void hold(
	struct sync *sync, struct stream_receiver *stream, const struct body_stream *packet)
{
	struct held *held;

	if (!stream->held)
		stream->held = calloc(HELD_MAX, sizeof(*stream->held));
	held = held_at(stream, packet->sequence);
	if (!held || held->flows)
		return;
	held->flows = malloc(packet->flows_size + 1);
	if (!held->flows)
		return;
	memcpy(held->flows, packet->flows, packet->flows_size);
	held->size = (uint16_t)packet->flows_size;
	held->kind = packet->kind;
	held->age = packet->age;
	held->arrived = sync->now;
}

/* Applies those whose turn it is now. */
static void apply_held(struct sync *sync, struct peer *peer)
{
	struct stream_receiver *stream = &peer->stream;
	struct held *held;

	while ((held = held_at(stream, stream->position + 1)) && held->flows) {
		struct body_stream packet = {
			.sequence = ++stream->position,
			.age = held->age,
			.kind = held->kind,
			.flows = held->flows,
			.flows_size = held->size,
		};

		stream_apply(sync, peer, &packet, held->arrived);
		drop(held);
	}
}

void stream_take(struct sync *sync, struct peer *peer, const struct body_stream *packet)
{
	struct stream_receiver *stream = &peer->stream;
	uint64_t position, highest;

	begin(stream, packet->sequence - 1);
	position = stream->position;
	highest = stream->highest;
	if (packet->sequence <= position)
		return;
	if (packet->sequence > highest)
		stream->highest = packet->sequence;
	if (packet->sequence == position + 1) {
		stream->position++;
		stream_apply(sync, peer, packet, sync->now);
		apply_held(sync, peer);
	} else if (packet->sequence - position <= HELD_MAX) {
		hold(sync, stream, packet);
	}
	if (stream->position != position || highest == position)
		watch_gap(sync, stream);
}

void stream_jump(struct sync *sync, struct peer *peer, uint64_t first)
{
	struct stream_receiver *stream = &peer->stream;

	if (!stream->begun || first <= stream->position + 1)
		return;
	for (uint64_t i = stream->position + 1; i < first && i <= last_held(stream); i++)
		drop(held_at(stream, i));
	stream->position = first - 1;
	if (stream->highest < stream->position)
		stream->highest = stream->position;
	stream->wants_snapshot = true;
	stream->follows = false;
	apply_held(sync, peer);
	watch_gap(sync, stream);
}

/* --- what is missing -------------------------------------------------------- */

static bool is_missing(const struct stream_receiver *stream, uint64_t sequence)
{
	const struct held *held = held_at(stream, sequence);

	return !held || !held->flows;
}

/* Fills in the ranges that are missing, and counts those that never were before. */
static void list_missing(struct peer *peer, struct body_resend *resend)
{
	struct stream_receiver *stream = &peer->stream;
	struct body_range *range = NULL;

	for (uint64_t i = stream->position + 1; i <= last_held(stream); i++) {
		if (!is_missing(stream, i)) {
			range = NULL;
			continue;
		}
		if (!range) {
			if (resend->n == BODY_RANGES_MAX)
				return;
			range = &resend->ranges[resend->n++];
			*range = (struct body_range){ .first = i };
		}
		range->n++;
		if (i > stream->counted) {
			stream->counted = i;
			peer->shown.n_lost++;
		}
	}
}

uint64_t stream_ask_due(struct sync *sync, struct peer *peer)
{
	struct stream_receiver *stream = &peer->stream;
	struct body body = { .type = BODY_RESEND };

	if (stream->ask_at == 0 || peer->shown.state == SYNC_PEER_FOREIGN ||
		peer_is_silent(sync, peer))
		return UINT64_MAX;
	if (sync->now < stream->ask_at)
		return stream->ask_at;
	body.resend.session = peer->session;
	list_missing(peer, &body.resend);
	sync_emit(sync, &peer->shown.endpoint, &body);
	stream->ask_wait = stream->ask_wait * 2 < ASK_WAIT_MAX_MS ? stream->ask_wait * 2
								  : ASK_WAIT_MAX_MS;
	stream->ask_at = sync->now + stream->ask_wait;
	return stream->ask_at;
}

/* --- snapshots -------------------------------------------------------------- */

static void request_snapshot(struct sync *sync, struct peer *peer)
{
	struct stream_receiver *stream = &peer->stream;
	struct body body = { .type = BODY_SNAPSHOT };

	if (stream->follows || !peer->complete || sync->now < stream->request_at)
		return;
	body.snapshot.session = peer->session;
	body.snapshot.position = stream->position;
	sync_emit(sync, &peer->shown.endpoint, &body);
	stream->request_at = sync->now + stream->request_wait;
	stream->request_wait = stream->request_wait * 2 < REQUEST_WAIT_MAX_MS
				       ? stream->request_wait * 2
				       : REQUEST_WAIT_MAX_MS;
}

static bool has_all(
	const struct sync *sync, const struct peer *peer, const struct body_heartbeat *heartbeat)
{
	const struct flow_set *set = ledger_find(sync->setup.ledger, peer->name);

	return heartbeat->n_flows == (set ? flow_set_count(set) : 0) &&
	       heartbeat->digest == (set ? flow_set_digest(set) : 0);
}

void stream_compare(struct sync *sync, struct peer *peer, const struct body_heartbeat *heartbeat)
{
	struct stream_receiver *stream = &peer->stream;
	uint64_t highest;

	begin(stream, heartbeat->sequence);
	highest = stream->highest;
	if (heartbeat->sequence > highest) {
		stream->highest = heartbeat->sequence;
		if (highest == stream->position)
			watch_gap(sync, stream);
	}
	if (heartbeat->sequence == stream->position) {
		stream->wants_snapshot = !has_all(sync, peer, heartbeat);
		if (!stream->wants_snapshot)
			stream->request_wait = REQUEST_WAIT_MS;
	}
	if (stream->wants_snapshot)
		request_snapshot(sync, peer);
}

bool stream_is_whole(const struct sync *sync, const struct peer *peer)
{
	const struct stream_receiver *stream = &peer->stream;

	/* A gap that is mended soon is nothing to speak of. */
	if (stream->ask_at != 0 && sync->now >= stream->gap_since + SYNC_SILENT_MS)
		return false;
	return stream->begun && peer->complete && !stream->wants_snapshot;
}
