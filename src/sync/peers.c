/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes that packets have named. */

#include "internal.h"

#include "drover/array.h"
#include <string.h>

/* A second: so often at most does a forger make us answer. */
enum {
	CHALLENGE_RATE = 20,
	CHALLENGE_BURST = 5,
	ANSWER_RATE = 20,
	ANSWER_BURST = 10,
	FAULT_KEPT_MS = 10 * 1000,
};

static size_t position(const struct sync *sync, const char *name)
{
	size_t i = 0;

	while (i < sync->n_peers && strcmp(sync->peers[i]->name, name) < 0)
		i++;
	return i;
}

static struct peer *peer_new(const struct sync *sync, const char *name)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	strcpy(peer->name, name);
	peer->shown.name = peer->name;
	peer->challenges = pace_full(CHALLENGE_RATE, CHALLENGE_BURST, sync->now);
	peer->answers = pace_full(ANSWER_RATE, ANSWER_BURST, sync->now);
	return peer;
}

static void peer_free(struct peer *peer)
{
	stream_receiver_reset(&peer->stream);
	duties_done(&peer->duties);
	duties_done(&peer->coming_duties);
	free(peer->shown_duties);
	free(peer);
}

struct peer *peers_get(struct sync *sync, const char *name)
{
	size_t i = position(sync, name);
	struct peer **peers, *peer;

	if (i < sync->n_peers && strcmp(sync->peers[i]->name, name) == 0)
		return sync->peers[i];
	peers = array_grow(sync->peers, sync->n_peers, sizeof(struct peer *));
	if (!peers)
		return NULL;
	sync->peers = peers;
	peer = peer_new(sync, name);
	if (!peer)
		return NULL;
	memmove(&peers[i + 1], &peers[i], (sync->n_peers - i) * sizeof(struct peer *));
	peers[i] = peer;
	sync->n_peers++;
	return peer;
}

bool peer_is_silent(const struct sync *sync, const struct peer *peer)
{
	return sync->now >= peer->heard + SYNC_SILENT_MS;
}

/* --- states ----------------------------------------------------------------- */

static enum sync_peer_state state_of(const struct sync *sync, const struct peer *peer)
{
	if (peer->shown.fault != SYNC_FAULT_NONE)
		return SYNC_PEER_FOREIGN;
	if (!peer->proved)
		return SYNC_PEER_ABSENT;
	if (peer_is_silent(sync, peer))
		return SYNC_PEER_SILENT;
	return stream_is_whole(sync, peer) ? SYNC_PEER_COMPLETE : SYNC_PEER_SYNCING;
}

static void tell_state(struct sync *sync, struct peer *peer)
{
	const struct sync_peer *shown = &peer->shown;

	if (peer->told_state == shown->state && peer->told_fault == shown->fault &&
		peer->told_other_configuration == shown->other_configuration)
		return;
	peer->told_state = shown->state;
	peer->told_fault = shown->fault;
	peer->told_other_configuration = shown->other_configuration;
	if (sync->setup.ops.peer_changed)
		sync->setup.ops.peer_changed(shown, sync->setup.ops.user_data);
}

void peer_settle(struct sync *sync, struct peer *peer)
{
	struct sync_peer *shown = &peer->shown;

	if (shown->fault == SYNC_FAULT_TABLE && !peer_is_silent(sync, peer))
		peer->fault_until = sync->now + FAULT_KEPT_MS;
	if (sync->now >= peer->fault_until)
		shown->fault = SYNC_FAULT_NONE;
	shown->state = state_of(sync, peer);
	tell_state(sync, peer);
	if (!peer->duties_changed)
		return;
	peer->duties_changed = false;
	if (sync->setup.ops.duties_changed)
		sync->setup.ops.duties_changed(shown, sync->setup.ops.user_data);
}

/* --- the end ---------------------------------------------------------------- */

void peers_prune(struct sync *sync)
{
	size_t n = 0;

	for (size_t i = 0; i < sync->n_peers; i++) {
		struct peer *peer = sync->peers[i];

		if (sync->setup.knows(peer->name, sync->setup.ops.user_data))
			sync->peers[n++] = peer;
		else
			peer_free(peer);
	}
	sync->n_peers = n;
}

void peers_free(struct sync *sync)
{
	for (size_t i = 0; i < sync->n_peers; i++)
		peer_free(sync->peers[i]);
	free(sync->peers);
}
