/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of a stream, in their turn, become the owner's part of the ledger. */

#include "internal.h"

static void tell(struct sync *sync, const struct peer *peer, const struct flow *flow, bool began)
{
	if (sync->setup.ops.flow_changed)
		sync->setup.ops.flow_changed(peer->name, flow, began, sync->setup.ops.user_data);
}

/* To a node that has seen more than the owner, the oldest age says nothing new. */
static uint32_t time_of(const struct sync *sync, unsigned int age)
{
	return age < FLOW_AGE_MAX ? flow_time(sync->now, age) : 0;
}

/* What finds no room is missed by the next heartbeat's count. */
static void apply_flows(struct sync *sync, struct peer *peer, struct flow_set *set,
	const struct body_stream *packet)
{
	struct wire_reader reader = wire_reader(packet->flows, packet->flows_size);
	struct flow flow;
	unsigned int age;
	bool began;

	while (reader.left > 0 && wire_get_flow(&reader, &flow, &began, &age))
		if (began ? flow_set_add_since(set, &flow, time_of(sync, age)) == 1
			  : flow_set_remove(set, &flow))
			tell(sync, peer, &flow, began);
}

static void begin_snapshot(struct peer *peer, struct flow_set *set)
{
	if (!peer->stream.wants_snapshot)
		return;
	flow_set_mark_stale(set);
	peer->stream.follows = true;
	peer->shown.n_snapshots++;
}

static void end_snapshot(struct sync *sync, struct peer *peer, struct flow_set *set)
{
	size_t cursor = 0;
	struct flow flow;

	if (!peer->stream.follows)
		return;
	while (flow_set_remove_stale(set, &cursor, &flow))
		tell(sync, peer, &flow, false);
	peer->stream.follows = peer->stream.wants_snapshot = false;
}

void stream_apply(
	struct sync *sync, struct peer *peer, const struct body_stream *packet, uint64_t arrived)
{
	struct flow_set *set = ledger_open(sync->setup.ledger, peer->name);

	if (!set)
		return;
	switch (packet->kind) {
	case STREAM_NEWS:
		apply_flows(sync, peer, set, packet);
		peer->shown.lag_ms = packet->age + (sync->now - arrived) + peer->delay;
		return;
	case STREAM_SNAPSHOT_BEGIN:
		begin_snapshot(peer, set);
		return;
	case STREAM_SNAPSHOT_FLOWS:
		if (peer->stream.follows)
			apply_flows(sync, peer, set, packet);
		return;
	case STREAM_SNAPSHOT_END:
		end_snapshot(sync, peer, set);
		return;
	}
}
