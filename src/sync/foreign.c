/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes that cannot be understood. Their packets prove nothing, not even from where they come: so
 * they never count against a node that we hear well, and have little room.
 */

#include "internal.h"

#include <string.h>

enum {
	NAMED_KEPT_MS = 10 * 1000,
	UNNAMED_KEPT_MS = 60 * 1000, /* so often at most is each of few places news */
};

static void tell(struct sync *sync, const struct sync_peer *shown)
{
	if (sync->setup.ops.peer_changed)
		sync->setup.ops.peer_changed(shown, sync->setup.ops.user_data);
}

static void heard_of_peer(
	struct sync *sync, struct peer *peer, const struct endpoint *from, enum sync_fault fault)
{
	if (peer->proved && !peer_is_silent(sync, peer))
		return;
	peer->shown.fault = fault;
	peer->shown.endpoint = *from;
	peer->shown.last_heard = sync->now;
	peer->fault_until = sync->now + NAMED_KEPT_MS;
	peer_settle(sync, peer);
}

/* Returns its place, else a free one, else NULL. */
static struct foreigner *find_place(struct sync *sync, const struct endpoint *from)
{
	struct foreigner *place = NULL;

	for (size_t i = FOREIGNERS_MAX; i > 0; i--) {
		struct foreigner *foreigner = &sync->foreigners[i - 1];

		if (foreigner->until == 0)
			place = foreigner;
		else if (address_equal(&foreigner->shown.endpoint.address, &from->address))
			return foreigner;
	}
	return place;
}

static void heard_of_stranger(struct sync *sync, const struct endpoint *from, enum sync_fault fault)
{
	struct foreigner *foreigner = find_place(sync, from);
	bool changed;

	if (!foreigner)
		return;
	changed = foreigner->until == 0 || foreigner->shown.fault != fault;
	foreigner->until = sync->now + UNNAMED_KEPT_MS;
	foreigner->shown = (struct sync_peer){
		.endpoint = *from,
		.state = SYNC_PEER_FOREIGN,
		.fault = fault,
		.last_heard = sync->now,
	};
	if (changed)
		tell(sync, &foreigner->shown);
}

void foreign_heard(struct sync *sync, const struct endpoint *from, enum sync_fault fault)
{
	void *user_data = sync->setup.ops.user_data;
	const char *name = sync->setup.name_of(&from->address, user_data);
	struct peer *peer;

	if (!name || !wire_name_is_valid(name) || !sync->setup.knows(name, user_data)) {
		heard_of_stranger(sync, from, fault);
		return;
	}
	if (strcmp(name, sync->node) == 0)
		return;
	peer = peers_get(sync, name);
	if (peer)
		heard_of_peer(sync, peer, from, fault);
}

void foreign_expire(struct sync *sync)
{
	for (size_t i = 0; i < FOREIGNERS_MAX; i++) {
		struct foreigner *foreigner = &sync->foreigners[i];

		if (foreigner->until == 0 || sync->now < foreigner->until)
			continue;
		foreigner->until = 0;
		foreigner->shown.state = SYNC_PEER_SILENT;
		foreigner->shown.fault = SYNC_FAULT_NONE;
		tell(sync, &foreigner->shown);
	}
}

const struct sync_peer *foreign_at(const struct sync *sync, size_t i)
{
	for (size_t place = 0; place < FOREIGNERS_MAX; place++)
		if (sync->foreigners[place].until != 0 && i-- == 0)
			return &sync->foreigners[place].shown;
	return NULL;
}
