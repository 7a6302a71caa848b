/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a packet. */

#include "internal.h"

#include <string.h>

/* Opens and decodes it, or counts why not. The body points into plain. */
static bool read_packet(struct sync *sync, const struct endpoint *from, const void *packet,
	size_t size, uint8_t plain[static SEAL_PLAIN_MAX], struct body *body)
{
	size_t plain_size;

	switch (seal_open(&sync->seal, packet, size, plain, &plain_size)) {
	case SEAL_OPENED:
		if (body_decode(plain, plain_size, body))
			return true;
		sync->refusals.malformed++;
		return false;
	case SEAL_MALFORMED:
		sync->refusals.malformed++;
		return false;
	case SEAL_OTHER_VERSION:
		sync->refusals.version++;
		foreign_heard(sync, from, SYNC_FAULT_VERSION);
		return false;
	case SEAL_OTHER_ID:
		sync->refusals.id++;
		return false;
	case SEAL_OTHER_KEY:
		sync->refusals.key++;
		foreign_heard(sync, from, SYNC_FAULT_KEY);
		return false;
	case SEAL_FORGED:
		sync->refusals.key++;
		return false;
	}
	return false;
}

static void take_heartbeat(
	struct sync *sync, struct peer *peer, const struct body_heartbeat *heartbeat)
{
	peer->shown.other_configuration = heartbeat->fingerprint != sync->setup.fingerprint;
	peer->shown.n_flows = (size_t)heartbeat->n_flows;
	peer->complete = heartbeat->complete;
	stream_compare(sync, peer, heartbeat);
	note_heard(sync, peer, &heartbeat->note);
}

/* It is sent twice. */
static void take_change(struct sync *sync, struct peer *peer, uint64_t number)
{
	if (number <= peer->last_change)
		return;
	peer->last_change = number;
	if (sync->setup.ops.change_announced)
		sync->setup.ops.change_announced(peer->name, sync->setup.ops.user_data);
}

static void take_message(struct sync *sync, struct peer *peer, const struct body *body)
{
	const struct endpoint *from = &peer->shown.endpoint;

	switch (body->type) {
	case BODY_CHALLENGE:
	case BODY_ANSWER:
		return;
	case BODY_HEARTBEAT:
		take_heartbeat(sync, peer, &body->heartbeat);
		return;
	case BODY_DUTIES:
		duties_take(sync, peer, &body->duties);
		return;
	case BODY_STREAM:
		stream_take(sync, peer, &body->stream);
		return;
	case BODY_RESEND:
		stream_resend(sync, from, &body->resend);
		return;
	case BODY_GONE:
		stream_jump(sync, peer, body->gone);
		return;
	case BODY_SNAPSHOT:
		snapshot_request(sync, &body->snapshot);
		return;
	case BODY_NOTE:
		note_take(sync, &body->note);
		return;
	case BODY_NOTE_REQUEST:
		note_resend(sync, from, &body->note_request);
		return;
	case BODY_CHANGE:
		take_change(sync, peer, body->change);
		return;
	}
}

/* Of one that balances by another table only challenges are heard: it must learn of us, too. */
static void take(
	struct sync *sync, struct peer *peer, const struct endpoint *from, const struct body *body)
{
	if (!session_accepts(sync, peer, from, body))
		return;
	peer->heard = peer->shown.last_heard = sync->now;
	peer->shown.endpoint = *from;
	peer->delay = transit_take(&peer->transit, body->head.clock, sync->now);
	if (body->type == BODY_CHALLENGE)
		session_answer(sync, peer, from, &body->challenge);
	else if (peer->shown.fault == SYNC_FAULT_NONE)
		take_message(sync, peer, body);
}

void sync_receive(struct sync *sync, const struct endpoint *from, const void *packet, size_t size,
	uint64_t now_ms)
{
	uint8_t plain[SEAL_PLAIN_MAX];
	struct peer *peer;
	struct body body;

	sync_advance(sync, now_ms);
	if (!read_packet(sync, from, packet, size, plain, &body))
		return;
	if (strcmp(body.head.node, sync->node) == 0)
		return;
	if (!sync->setup.knows(body.head.node, sync->setup.ops.user_data)) {
		sync->refusals.unknown++;
		return;
	}
	peer = peers_get(sync, body.head.node);
	if (!peer)
		return;
	take(sync, peer, from, &body);
	peer_settle(sync, peer);
}
