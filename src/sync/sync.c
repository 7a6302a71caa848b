/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as a whole: its life, its clock, what it says by itself. */

#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

/* --- life ------------------------------------------------------------------- */

int sync_new(const struct sync_setup *setup, uint64_t now_ms, struct sync **ret_sync)
{
	_cleanup_(sync_free_p) struct sync *sync = NULL;
	int r;

	if (!wire_name_is_valid(setup->node))
		return -EINVAL;
	if (sodium_init() < 0)
		return -ENOSYS;
	sync = calloc(1, sizeof(*sync));
	if (!sync)
		return -ENOMEM;
	strcpy(sync->node, setup->node);
	sync->setup = *setup;
	sync->setup.node = sync->node;
	sync->setup.keys = NULL;
	sync->now = sync->started = sync->heartbeat_at = now_ms;
	randombytes_buf(&sync->session, sizeof(sync->session));
	r = seal_init(&sync->seal, setup->id, setup->keys);
	if (r < 0)
		return r;
	r = stream_sender_init(sync);
	if (r < 0)
		return r;
	*ret_sync = take_ptr(sync);
	return 0;
}

void sync_free(struct sync *sync)
{
	if (!sync)
		return;
	peers_free(sync);
	stream_sender_done(sync);
	duties_done(&sync->duties);
	free(sync->note.bytes);
	free(sync->coming.bytes);
	free(sync->epochs);
	seal_done(&sync->seal);
	free(sync);
}

void sync_set_fingerprint(struct sync *sync, uint64_t fingerprint)
{
	sync->setup.fingerprint = fingerprint;
}

int sync_set_keys(struct sync *sync, const struct sync_keys *keys)
{
	return seal_init(&sync->seal, sync->seal.id, keys);
}

/* --- sending ---------------------------------------------------------------- */

void sync_emit(struct sync *sync, const struct endpoint *to, struct body *body)
{
	uint8_t plain[SEAL_PLAIN_MAX], packet[SYNC_PACKET_MAX];
	size_t size;

	body->head.session = sync->session;
	body->head.number = ++sync->number;
	body->head.clock = sync->now;
	strcpy(body->head.node, sync->node);
	size = body_encode(body, plain);
	assert(size > 0);
	size = seal_close(&sync->seal, plain, size, packet);
	sync->setup.ops.send(to, packet, size, sync->setup.ops.user_data);
}

void sync_beat(struct sync *sync, const struct endpoint *to)
{
	const struct flow_set *own = ledger_find(sync->setup.ledger, sync->node);
	struct body body = { .type = BODY_HEARTBEAT };

	/* Count and digest are those at the sequence that stands beside them. */
	stream_flush(sync);
	body.heartbeat = (struct body_heartbeat){
		.sequence = sync->stream.sequence,
		.n_flows = own ? flow_set_count(own) : 0,
		.digest = own ? flow_set_digest(own) : 0,
		.complete = sync->complete,
		.fingerprint = sync->setup.fingerprint,
		.note = sync->note.revision,
	};
	sync_emit(sync, to, &body);
	duties_send(sync, to);
}

/* --- the clock -------------------------------------------------------------- */

/* While this daemon stood still it heard nobody: that is no silence of theirs. */
void sync_advance(struct sync *sync, uint64_t now_ms)
{
	uint64_t passed = now_ms > sync->now ? now_ms - sync->now : 0;

	if (passed > 2 * SYNC_HEARTBEAT_MS)
		for (size_t i = 0; i < sync->n_peers; i++)
			sync->peers[i]->heard += passed;
	sync->now += passed;
}

static void beat_if_due(struct sync *sync)
{
	if (sync->now < sync->heartbeat_at)
		return;
	sync->heartbeat_at = sync->now + SYNC_HEARTBEAT_MS;
	peers_prune(sync);
	foreign_expire(sync);
	sync_beat(sync, NULL);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When what is now known of the peer lapses, if nothing is heard of it. */
static uint64_t peer_lapses(const struct peer *peer)
{
	uint64_t at = UINT64_MAX;

	if (peer->shown.state == SYNC_PEER_SYNCING || peer->shown.state == SYNC_PEER_COMPLETE)
		at = peer->heard + SYNC_SILENT_MS;
	if (peer->shown.state == SYNC_PEER_FOREIGN)
		at = peer->fault_until;
	return at;
}

uint64_t sync_tick(struct sync *sync, uint64_t now_ms)
{
	uint64_t next;

	sync_advance(sync, now_ms);
	beat_if_due(sync);
	next = earlier(sync->heartbeat_at, stream_send_due(sync));
	next = earlier(next, snapshot_send_due(sync));
	for (size_t i = 0; i < sync->n_peers; i++) {
		struct peer *peer = sync->peers[i];

		next = earlier(next, stream_ask_due(sync, peer));
		peer_settle(sync, peer);
		next = earlier(next, peer_lapses(peer));
	}
	return next;
}

/* --- what the caller says --------------------------------------------------- */

void sync_flow_changed(struct sync *sync, const struct flow *flow, bool began, uint64_t now_ms)
{
	sync_advance(sync, now_ms);
	stream_add(sync, flow, began);
}

void sync_set_duties(
	struct sync *sync, const struct sync_duty *duties, size_t n_duties, uint64_t now_ms)
{
	sync_advance(sync, now_ms);
	if (duties_set(sync, duties, n_duties))
		duties_send(sync, NULL);
}

void sync_set_complete(struct sync *sync, bool complete, uint64_t now_ms)
{
	sync_advance(sync, now_ms);
	if (sync->complete == complete)
		return;
	sync->complete = complete;
	sync_beat(sync, NULL);
}

void sync_announce_change(struct sync *sync, uint64_t now_ms)
{
	struct body body = { .type = BODY_CHANGE };

	sync_advance(sync, now_ms);
	body.change = ++sync->n_changes;
	/* Twice: nobody can ask for it again in time. */
	sync_emit(sync, NULL, &body);
	sync_emit(sync, NULL, &body);
}

/* --- what the caller asks --------------------------------------------------- */

bool sync_is_ready(const struct sync *sync, uint64_t now_ms, const char **ret_waits_for)
{
	*ret_waits_for = NULL;
	if (now_ms < sync->started + HEARD_MS)
		return false;
	for (size_t i = 0; i < sync->n_peers; i++) {
		if (sync->peers[i]->shown.state != SYNC_PEER_SYNCING)
			continue;
		*ret_waits_for = sync->peers[i]->name;
		return false;
	}
	return true;
}

const struct sync_peer *sync_peer_at(const struct sync *sync, size_t i)
{
	if (i < sync->n_peers)
		return &sync->peers[i]->shown;
	return foreign_at(sync, i - sync->n_peers);
}

struct sync_refusals sync_refusals(const struct sync *sync)
{
	return sync->refusals;
}

const char *sync_peer_state_name(enum sync_peer_state state)
{
	static const char *const names[] = {
		[SYNC_PEER_ABSENT] = "absent",
		[SYNC_PEER_SYNCING] = "syncing",
		[SYNC_PEER_COMPLETE] = "complete",
		[SYNC_PEER_SILENT] = "silent",
		[SYNC_PEER_FOREIGN] = "foreign",
	};

	return names[state];
}

const char *sync_fault_name(enum sync_fault fault)
{
	static const char *const names[] = {
		[SYNC_FAULT_NONE] = "none",
		[SYNC_FAULT_VERSION] = "another version of the protocol",
		[SYNC_FAULT_KEY] = "another key",
		[SYNC_FAULT_TABLE] = "another seed or number of buckets",
	};

	return names[fault];
}
