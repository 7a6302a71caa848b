/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of our flows for those that do not know them all. It goes within the stream, to all:
 * news that happen meanwhile are in their place, and one snapshot serves all who ask at a time.
 * Those that know our flows pass over it.
 */

#include "internal.h"

enum {
	GATHER_MS = 20, /* of a cluster that starts all nodes ask at once */
	RATE = 2000,    /* packets a second */
	BURST = 50,
	STEP_MS = 5,
	YIELD_MS = 20, /* who misses packets has to have them first: they do not stay for ever */
};

void snapshot_init(struct sync *sync)
{
	sync->stream.snapshot_pace = pace_full(RATE, BURST, sync->now);
}

void snapshot_yield(struct sync *sync)
{
	sync->stream.snapshot_yields_until = sync->now + YIELD_MS;
}

void snapshot_request(struct sync *sync, const struct body_snapshot *request)
{
	struct stream_sender *stream = &sync->stream;

	if (request->session != sync->session || stream->snapshot_at != 0)
		return;
	/* One that begins behind its position is on its way to it. */
	if (stream->snapshot_began > request->position)
		return;
	stream->snapshot_at = sync->now + GATHER_MS;
}

static void begin(struct sync *sync)
{
	struct stream_sender *stream = &sync->stream;

	stream_flush(sync);
	stream_emit(sync, STREAM_SNAPSHOT_BEGIN, NULL, 0, sync->now);
	stream->snapshot_at = 0;
	stream->snapshot_runs = true;
	stream->snapshot_cursor = 0;
	stream->snapshot_began = stream->sequence;
}

/* Sends as many flows as one packet has room for, or the end behind the last. */
static void send_flows(struct sync *sync)
{
	const struct flow_set *own = ledger_find(sync->setup.ledger, sync->node);
	uint8_t flows[BODY_FLOWS_MAX];
	struct wire_writer writer = wire_writer(flows, sizeof(flows));
	struct flow flow;
	uint32_t since;

	while (writer.left >= WIRE_FLOW_MAX && own &&
		flow_set_next_since(own, &sync->stream.snapshot_cursor, &flow, &since))
		wire_put_flow(&writer, &flow, true, flow_age(sync->now, since));
	if (writer.left < sizeof(flows)) {
		stream_emit(
			sync, STREAM_SNAPSHOT_FLOWS, flows, sizeof(flows) - writer.left, sync->now);
		return;
	}
	stream_emit(sync, STREAM_SNAPSHOT_END, NULL, 0, sync->now);
	sync->stream.snapshot_runs = false;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t snapshot_send_due(struct sync *sync)
{
	struct stream_sender *stream = &sync->stream;

	/* What is not whole would take from others what they know rightly. */
	if (!stream->snapshot_runs && stream->snapshot_at != 0 && sync->complete &&
		sync->now >= stream->snapshot_at)
		begin(sync);
	while (stream->snapshot_runs && sync->now >= stream->snapshot_yields_until &&
		pace_take(&stream->snapshot_pace, sync->now))
		send_flows(sync);
	if (stream->snapshot_runs)
		return later(stream->snapshot_yields_until, sync->now + STEP_MS);
	/* One may have ended just now that another waited for. */
	return stream->snapshot_at != 0 && sync->complete
		       ? later(stream->snapshot_at, sync->now + 1)
		       : UINT64_MAX;
}
