/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the cluster's state to the kernel: when, in which order, and when again. */
#include "drover/clock.h"
#include "drover/log.h"
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum {
	MS = 1000,
	/* Neighbours have heard the new holder's announcements by then, or ask again. */
	LEAVE_US = 5 * 1000 * MS,
	RETRY_US = 1000 * MS,
	RESOLVE_US = 2 * 1000 * MS,
	/* For a client to send again what was dropped: its first retransmissions come within. */
	GUARD_SECONDS = 3,
};

/* --- timers ---------------------------------------------------------------------- */

int engine_arm_timer(struct engine *engine, sd_event_source **source, uint64_t delay_us,
	sd_event_time_handler_t handler)
{
	int r;

	if (!*source)
		return sd_event_add_time_relative(
			engine->event, source, CLOCK_MONOTONIC, delay_us, 1 * MS, handler, engine);
	r = sd_event_source_set_time_relative(*source, delay_us);
	return r < 0 ? r : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

void engine_request_reconcile(struct engine *engine)
{
	if (!engine->reconcile_source)
		return;
	(void)sd_event_source_set_enabled(engine->reconcile_source, SD_EVENT_ONESHOT);
}

static int on_announce(sd_event_source *source, uint64_t now, void *user_data)
{
	struct engine *engine = user_data;
	uint64_t delay_ms = duty_announce(&engine->duty, engine->cluster);

	(void)source;
	(void)now;
	if (delay_ms == 0)
		return 0;
	return engine_arm_timer(engine, &engine->announce_timer, delay_ms * MS, on_announce);
}

void engine_announce_in(struct engine *engine, uint64_t delay_us)
{
	engine->duty.n_announcements = 0;
	(void)engine_arm_timer(engine, &engine->announce_timer, delay_us, on_announce);
}

void engine_announce(struct engine *engine)
{
	engine_announce_in(engine, 0);
}

static bool has_role(const struct engine *engine, enum cluster_role role)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (cluster_role(engine->cluster, &conf->groups[i]) == role)
			return true;
	return false;
}

bool engine_is_leaving(const struct engine *engine)
{
	return has_role(engine, ROLE_LEAVING);
}

bool engine_has_duty(const struct engine *engine)
{
	return has_role(engine, ROLE_ACTIVE);
}

/* What the last role left behind goes first: nobody would remove it afterwards. */
static int stop_now(struct engine *engine)
{
	(void)engine_reconcile(engine);
	return sd_event_exit(engine->event, 0);
}

static int on_leave(sd_event_source *source, uint64_t now, void *user_data)
{
	struct engine *engine = user_data;
	const struct conf *conf = cluster_conf(engine->cluster);

	(void)source;
	(void)now;
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (cluster_role(engine->cluster, group) != ROLE_LEAVING)
			continue;
		(void)cluster_set_role(engine->cluster, group->name, ROLE_STANDBY);
		log_info("group %s: no longer forwarding", group->name);
	}
	if (engine->stopping)
		return stop_now(engine);
	engine_request_reconcile(engine);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	engine_request_reconcile(user_data);
	return 0;
}

/* --- settling ---------------------------------------------------------------------- */

static int on_settle(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	engine_request_reconcile(user_data);
	return 0;
}

/*
 * Just started, or with an interface that has just come, this host knows no
 * member's address yet. What it would tell the kernel now would send every flow to the
 * few that it knows, or take away what an earlier run of it has left there.
 */
void engine_begin_settling(struct engine *engine)
{
	engine->resolve_until_us = clock_now_us() + RESOLVE_US;
	(void)engine_arm_timer(engine, &engine->resolve_timer, RESOLVE_US, on_settle);
}

/* The same goes for the pins of flows that it does not know yet. */
void engine_begin_learning(struct engine *engine)
{
	uint64_t wait_us = UINT64_C(1000000) * cluster_conf(engine->cluster)->takeover_wait;

	engine->learn_until_us = clock_now_us() + wait_us;
	(void)engine_arm_timer(engine, &engine->learn_timer, wait_us, on_settle);
}

void engine_settle(struct engine *engine)
{
	engine->resolve_until_us = 0;
	engine->learn_until_us = 0;
	engine->health.wait_until_us = 0;
}

bool engine_is_settling(const struct engine *engine)
{
	const char *waits_for;
	uint64_t now = clock_now_us();

	if (now < engine->resolve_until_us && !cluster_is_resolved(engine->cluster))
		return true;
	if (engine_waits_for_health(engine))
		return true;
	return now < engine->learn_until_us && engine_has_duty(engine) &&
	       !engine_knows_flows(engine, &waits_for);
}

/* --- reconcile ------------------------------------------------------------------------ */

/* Says what is new about the kernel's state, once. */
static void report_apply(struct engine *engine, int result, const char *old_error)
{
	const char *error = engine->keeper.error;

	if (result < 0 && error && (!old_error || strcmp(old_error, error) != 0))
		log_error("%s; what the kernel had stays in force", error);
	else if (result >= 0 && old_error)
		log_notice("the kernel has the ruleset again");
	if (result > 0 && engine->foreign_change) {
		engine->keeper.n_repairs++;
		log_warning("somebody else changed drover's tables: restored in %llu us",
			(unsigned long long)engine->keeper.last_commit_us);
	}
	engine->foreign_change = false;
}

static void arm_guard(struct engine *engine)
{
	int r = keeper_arm_guard(&engine->keeper, GUARD_SECONDS);

	if (r > 0)
		engine_request_reconcile(engine);
	else if (r < 0 && r != -ENOENT)
		log_warning("cannot arm the member guard: %s", strerror(-r));
}

void engine_expect_change(struct engine *engine)
{
	int r = 0;

	arm_guard(engine);
	if (engine->flows.tracker)
		r = tracker_find_half_open(engine->flows.tracker);
	if (r < 0)
		log_warning("cannot look for half-open connections: %s", strerror(-r));
}

/*
 * Members must be on their guard before the first packet goes another way. What an earlier run has
 * left in the kernel is taken to be what the plan says.
 */
static void warn_members(struct engine *engine, const struct plan *plan)
{
	if (!engine->plan || !plan_moves_flows(engine->plan, plan))
		return;
	engine_tell_change(engine);
	engine_expect_change(engine);
}

static int make_plan(struct engine *engine, struct plan **ret_plan)
{
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	int r = plan_build(engine->cluster, NULL, engine->tables, &plan);

	if (r == 0)
		r = engine_keep_flows(engine, plan);
	if (r < 0)
		log_error("cannot compute the plan: %s", strerror(-r));
	else
		*ret_plan = take_ptr(plan);
	return r;
}

int engine_reconcile(struct engine *engine)
{
	_cleanup_(free_p) char *old_error = engine->keeper.error ? strdup(engine->keeper.error)
								 : NULL;
	uint64_t begin = clock_now_us();
	struct plan *plan;
	int r;

	/* The kernel removes the base chain with its device; there is nothing to keep until it is
	 * back. */
	if (!cluster_link(engine->cluster)->present)
		return 0;
	if (engine_is_settling(engine))
		return 0;
	engine_settle(engine);
	r = make_plan(engine, &plan);
	if (r < 0)
		return r;
	warn_members(engine, plan);
	plan_free(engine->plan);
	engine->plan = plan;
	r = keeper_apply(&engine->keeper, plan);
	if (r >= 0) {
		engine->flows.remember = false;
		engine_release_health(engine);
	}
	engine->last_reconcile_us = clock_now_us() - begin;
	report_apply(engine, r, old_error);
	if (r < 0)
		(void)engine_arm_timer(engine, &engine->retry_timer, RETRY_US, on_retry);
	return r < 0 ? r : 0;
}

/* Whoever waits for this engine to have started may rely on what it was last told to do. */
static void tell_ready(struct engine *engine)
{
	if (engine->ready || engine_is_settling(engine))
		return;
	engine->ready = true;
	/* Who has just come may be sent what others had, before it hears of any change. */
	arm_guard(engine);
	(void)sd_notify(0, "READY=1");
}

static int on_reconcile(sd_event_source *source, void *user_data)
{
	struct engine *engine = user_data;

	(void)source;
	(void)engine_reconcile(engine);
	(void)sd_event_source_set_enabled(engine->address_source, SD_EVENT_ONESHOT);
	tell_ready(engine);
	return 0;
}

/* Not before the rules that the VIPs' packets need: reconciling asks for them again. */
void engine_place_vips(struct engine *engine, const struct conf *previous)
{
	if (engine_is_settling(engine))
		return;
	if (duty_place_vips(engine->cluster, engine->watch, previous) > 0)
		engine_announce(engine);
}

static int on_addresses(sd_event_source *source, void *user_data)
{
	(void)source;
	engine_place_vips(user_data, NULL);
	return 0;
}

void engine_role_changed(struct engine *engine)
{
	engine_place_vips(engine, NULL);
	(void)engine_arm_timer(engine, &engine->leave_timer, LEAVE_US, on_leave);
}

int engine_open_reconcile(struct engine *engine)
{
	int r = sd_event_add_defer(engine->event, &engine->reconcile_source, on_reconcile, engine);

	if (r < 0)
		return r;
	return sd_event_add_defer(engine->event, &engine->address_source, on_addresses, engine);
}
