/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "takeover.h"

#include "drover/clock.h"
#include "drover/log.h"
#include "internal.h"
#include "roles.h"

#include <string.h>

/* Another node has the duty of a group that is meant, or could have it now. */
static bool another_can_carry_on(const struct engine *engine, const char *group)
{
	const struct sync_peer *peer;

	for (size_t i = 0; engine->sync && (peer = sync_peer_at(engine->sync, i)); i++) {
		if (peer->state != SYNC_PEER_SYNCING && peer->state != SYNC_PEER_COMPLETE)
			continue;
		for (size_t j = 0; j < peer->n_duties; j++) {
			const struct sync_duty *duty = &peer->duties[j];

			if ((duty->active || duty->ready) &&
				(!group || strcmp(duty->group, group) == 0))
				return true;
		}
	}
	return false;
}

/*
 * Just after a start it is too early to tell who is there, and waits_for is NULL: that is over in
 * less than a second.
 */
static bool must_wait(const struct engine *engine, const char *group, const char **ret_waits_for)
{
	return !engine_knows_flows(engine, ret_waits_for) &&
	       (!*ret_waits_for || another_can_carry_on(engine, group));
}

/* What is active already has nothing to wait for. */
static bool would_change(const struct engine *engine, const char *name)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (roles_mean(engine->cluster, &conf->groups[i], name) &&
			cluster_is_balancer(engine->cluster, &conf->groups[i]) &&
			cluster_role(engine->cluster, &conf->groups[i]) != ROLE_ACTIVE)
			return true;
	return false;
}

/* Tells how long it waited, and for whom in vain. */
static json_t *enact(struct engine *engine, const char *group, uint64_t waited_us)
{
	const char *waits_for = NULL;
	bool complete = engine_knows_flows(engine, &waits_for);
	json_t *reply;

	if (!complete)
		log_warning("taking the duty without knowing all connections of %s",
			waits_for ? waits_for : "the other nodes");
	reply = roles_set(engine, group, ROLE_ACTIVE, false);
	if (!reply || !json_is_true(json_object_get(reply, "ok")))
		return reply;
	json_object_set_new(reply, "waited_ms", json_integer((json_int_t)(waited_us / 1000)));
	json_object_set_new(reply, "complete", json_boolean(complete));
	json_object_set_new(
		reply, "lacks", !complete && waits_for ? json_string(waits_for) : json_null());
	return reply;
}

/* Nobody waits any more; returns what was waiting. */
static struct takeover take(struct takeover *takeover)
{
	struct takeover taken = *takeover;

	if (takeover->timer)
		(void)sd_event_source_set_enabled(takeover->timer, SD_EVENT_OFF);
	*takeover = (struct takeover){ .timer = takeover->timer };
	return taken;
}

static void finish(struct engine *engine)
{
	struct takeover taken = take(&engine->takeover);
	_cleanup_(free_p) char *group = taken.group;

	deferred_answer(
		engine, &taken.asked, enact(engine, group, clock_now_us() - taken.began_us));
}

static int on_deadline(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	finish(user_data);
	return 0;
}

json_t *takeover_request(struct engine *engine, const char *group)
{
	struct takeover *takeover = &engine->takeover;
	uint64_t wait_us = UINT64_C(1000000) * cluster_conf(engine->cluster)->takeover_wait;
	const char *waits_for = NULL;

	if (takeover->waits)
		finish(engine);
	if (wait_us == 0 || !would_change(engine, group) || !must_wait(engine, group, &waits_for) ||
		engine_arm_timer(engine, &takeover->timer, wait_us, on_deadline) < 0)
		return enact(engine, group, 0);
	log_notice("waiting up to %u s to know the connections of %s before taking the duty",
		cluster_conf(engine->cluster)->takeover_wait,
		waits_for ? waits_for : "the other nodes");
	takeover->waits = true;
	takeover->asked = deferred_now(engine);
	takeover->began_us = clock_now_us();
	takeover->group = group ? strdup(group) : NULL;
	return NULL;
}

void engine_continue_takeover(struct engine *engine)
{
	const char *waits_for;

	if (engine->takeover.waits && !must_wait(engine, engine->takeover.group, &waits_for))
		finish(engine);
}

void takeover_cancel(struct engine *engine, const char *why)
{
	struct takeover taken;
	_cleanup_(free_p) char *group = NULL;

	if (!engine->takeover.waits)
		return;
	taken = take(&engine->takeover);
	group = taken.group;
	deferred_answer(engine, &taken.asked, control_reply_error("not active: %s", why));
}

void takeover_done(struct takeover *takeover)
{
	sd_event_source_disable_unref(takeover->timer);
	free(takeover->group);
}
