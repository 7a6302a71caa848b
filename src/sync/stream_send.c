/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our stream: numbered packets of flows that began or ended, to all. The last ones are kept, to be
 * sent again to who missed them.
 */

#include "internal.h"

#include <errno.h>
#include <string.h>

enum {
	BATCH_MS = 20,
	RING_SIZE = 2048, /* packets: a second of a snapshot at its full pace, 2.6 MB */
	RESEND_RATE = 2000,
	RESEND_BURST = 200,
};

struct sent {
	uint8_t *flows;
	uint16_t size;
	enum stream_kind kind;
	uint64_t oldest; /* when the oldest of the flows changed, ms */
};

int stream_sender_init(struct sync *sync)
{
	sync->stream.ring = calloc(RING_SIZE, sizeof(*sync->stream.ring));
	if (!sync->stream.ring)
		return -ENOMEM;
	sync->stream.resends = pace_full(RESEND_RATE, RESEND_BURST, sync->now);
	snapshot_init(sync);
	return 0;
}

void stream_sender_done(struct sync *sync)
{
	for (size_t i = 0; sync->stream.ring && i < RING_SIZE; i++)
		free(sync->stream.ring[i].flows);
	free(sync->stream.ring);
}

static struct sent *sent_at(const struct sync *sync, uint64_t sequence)
{
	return &sync->stream.ring[sequence % RING_SIZE];
}

/* Without memory it is gone, with all before it. */
static void keep(struct sync *sync, const struct sent *packet)
{
	struct sent *kept = sent_at(sync, sync->stream.sequence);

	free(kept->flows);
	*kept = *packet;
	kept->flows = malloc(packet->size + 1u);
	if (!kept->flows)
		sync->stream.first_kept = sync->stream.sequence + 1;
	else if (packet->size > 0)
		memcpy(kept->flows, packet->flows, packet->size);
}

static void send_packet(
	struct sync *sync, const struct endpoint *to, uint64_t sequence, const struct sent *packet)
{
	uint64_t age = sync->now - packet->oldest;
	struct body body = {
		.type = BODY_STREAM,
		.stream = {
			.sequence = sequence,
			.age = age < UINT32_MAX ? (uint32_t)age : UINT32_MAX,
			.kind = packet->kind,
			.flows = packet->flows,
			.flows_size = packet->size,
		},
	};

	sync_emit(sync, to, &body);
}

void stream_emit(
	struct sync *sync, enum stream_kind kind, uint8_t *flows, size_t size, uint64_t oldest)
{
	const struct sent packet = { flows, (uint16_t)size, kind, oldest };

	sync->stream.sequence++;
	keep(sync, &packet);
	send_packet(sync, NULL, sync->stream.sequence, &packet);
}

/* --- news ------------------------------------------------------------------- */

void stream_flush(struct sync *sync)
{
	struct stream_sender *stream = &sync->stream;

	if (stream->pending_size > 0)
		stream_emit(sync, STREAM_NEWS, stream->pending, stream->pending_size,
			stream->pending_since);
	stream->pending_size = 0;
}

void stream_add(struct sync *sync, const struct flow *flow, bool began)
{
	struct stream_sender *stream = &sync->stream;
	struct wire_writer writer;

	if (sizeof(stream->pending) - stream->pending_size < WIRE_FLOW_MAX)
		stream_flush(sync);
	if (stream->pending_size == 0)
		stream->pending_since = sync->now;
	writer = wire_writer(stream->pending + stream->pending_size,
		sizeof(stream->pending) - stream->pending_size);
	wire_put_flow(&writer, flow, began, 0);
	stream->pending_size = sizeof(stream->pending) - writer.left;
}

uint64_t stream_send_due(struct sync *sync)
{
	struct stream_sender *stream = &sync->stream;

	if (stream->pending_size > 0 && sync->now >= stream->pending_since + BATCH_MS)
		stream_flush(sync);
	return stream->pending_size > 0 ? stream->pending_since + BATCH_MS : UINT64_MAX;
}

/* --- what was missed -------------------------------------------------------- */

static uint64_t first_kept(const struct sync *sync)
{
	const struct stream_sender *stream = &sync->stream;
	uint64_t oldest = stream->sequence > RING_SIZE ? stream->sequence - RING_SIZE + 1 : 1;

	return oldest > stream->first_kept ? oldest : stream->first_kept;
}

/* Returns false when no more may be sent now. */
static bool resend_range(
	struct sync *sync, const struct endpoint *to, const struct body_range *range)
{
	uint64_t kept = first_kept(sync), last = sync->stream.sequence;
	uint64_t sequence = range->first < kept ? kept : range->first;

	/* Written so that nothing overflows, whatever was asked for. */
	for (; sequence <= last && sequence - range->first < range->n; sequence++) {
		if (!pace_take(&sync->stream.resends, sync->now))
			return false;
		send_packet(sync, to, sequence, sent_at(sync, sequence));
	}
	return true;
}

void stream_resend(struct sync *sync, const struct endpoint *to, const struct body_resend *resend)
{
	struct body gone = { .type = BODY_GONE, .gone = first_kept(sync) };

	if (resend->session != sync->session)
		return;
	snapshot_yield(sync);
	for (size_t i = 0; i < resend->n; i++) {
		if (resend->ranges[i].first >= gone.gone)
			continue;
		sync_emit(sync, to, &gone);
		break;
	}
	for (size_t i = 0; i < resend->n; i++)
		if (!resend_range(sync, to, &resend->ranges[i]))
			return;
}
