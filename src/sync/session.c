/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions. A recording of a packet opens as well as the packet did, so a session is believed only
 * once it has answered a random challenge that we have just drawn. That is asked of each session
 * that is new to us, and of one that was silent: recordings of what a dead node said last do not
 * keep it alive.
 *
 * What is not believed makes us send little, and only to addresses of the configuration.
 */

#include "internal.h"

#include <sodium.h>
#include <string.h>

enum {
	CHALLENGE_LIFE_MS = 2000, /* an answer that comes later is asked for again */
};

/* Where to send to, while the source of a packet may be forged. NULL: to all. */
static const struct endpoint *aim(
	const struct sync *sync, const struct peer *peer, const struct endpoint *from)
{
	const char *name = sync->setup.name_of(&from->address, sync->setup.ops.user_data);

	return name && strcmp(name, peer->name) == 0 ? from : NULL;
}

static void challenge(struct sync *sync, struct peer *peer, const struct endpoint *from)
{
	struct body body = { .type = BODY_CHALLENGE };

	if (!pace_take(&peer->challenges, sync->now))
		return;
	/* The same one while it is on its way: an answer may cross the next challenge. */
	if (sync->now >= peer->challenge_until) {
		randombytes_buf(peer->challenge, sizeof(peer->challenge));
		peer->challenge_until = sync->now + CHALLENGE_LIFE_MS;
	}
	strcpy(body.challenge.to, peer->name);
	memcpy(body.challenge.challenge, peer->challenge, sizeof(peer->challenge));
	sync_emit(sync, aim(sync, peer, from), &body);
}

void session_answer(struct sync *sync, struct peer *peer, const struct endpoint *from,
	const struct body_challenge *challenge)
{
	struct body body = { .type = BODY_ANSWER };

	if (strcmp(challenge->to, sync->node) != 0 || !pace_take(&peer->answers, sync->now))
		return;
	strcpy(body.answer.to.to, peer->name);
	memcpy(body.answer.to.challenge, challenge->challenge, sizeof(challenge->challenge));
	body.answer.seed = sync->setup.seed;
	body.answer.n_buckets = sync->setup.n_buckets;
	sync_emit(sync, aim(sync, peer, from), &body);
	/* Whoever has just learned of us need not wait for what it wants to know next. */
	sync_beat(sync, aim(sync, peer, from));
}

static bool proves(
	const struct sync *sync, const struct peer *peer, const struct body_answer *answer)
{
	return sync->now < peer->challenge_until && strcmp(answer->to.to, sync->node) == 0 &&
	       sodium_memcmp(answer->to.challenge, peer->challenge, sizeof(peer->challenge)) == 0;
}

static void begin(struct sync *sync, struct peer *peer, const struct body *body)
{
	const struct body_answer *answer = &body->answer;

	if (!peer->proved || peer->session != body->head.session) {
		peer->session = body->head.session;
		peer->proved = true;
		peer->complete = false;
		peer->last_change = 0;
		peer->shown.n_lost = peer->shown.n_snapshots = peer->shown.lag_ms = 0;
		peer->transit = (struct transit){};
		duties_forget(peer);
		stream_receiver_reset(&peer->stream);
		window_begin(&peer->window, body->head.number);
	}
	peer->challenge_until = 0;
	peer->shown.fault = answer->seed == sync->setup.seed &&
					    answer->n_buckets == sync->setup.n_buckets
				    ? SYNC_FAULT_NONE
				    : SYNC_FAULT_TABLE;
}

bool session_accepts(
	struct sync *sync, struct peer *peer, const struct endpoint *from, const struct body *body)
{
	bool same = peer->proved && peer->session == body->head.session;

	if (same && !window_take(&peer->window, body->head.number)) {
		sync->refusals.replayed++;
		return false;
	}
	if (same && !peer_is_silent(sync, peer))
		return true;
	if (body->type == BODY_ANSWER && proves(sync, peer, &body->answer)) {
		begin(sync, peer, body);
		return true;
	}
	sync->refusals.unproved++;
	if (body->type == BODY_CHALLENGE)
		session_answer(sync, peer, from, &body->challenge);
	challenge(sync, peer, from);
	return false;
}
