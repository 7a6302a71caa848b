/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the cluster's state to the kernel: when, in which order, and when again. */
#include "daemon.h"
#include "drover/clock.h"
#include "drover/log.h"

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

int daemon_arm_timer(struct daemon *daemon, sd_event_source **source, uint64_t delay_us,
	sd_event_time_handler_t handler)
{
	int r;

	if (!*source)
		return sd_event_add_time_relative(
			daemon->event, source, CLOCK_MONOTONIC, delay_us, 1 * MS, handler, daemon);
	r = sd_event_source_set_time_relative(*source, delay_us);
	return r < 0 ? r : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

void daemon_request_reconcile(struct daemon *daemon)
{
	if (!daemon->reconcile_source)
		return;
	(void)sd_event_source_set_enabled(daemon->reconcile_source, SD_EVENT_ONESHOT);
}

static int on_announce(sd_event_source *source, uint64_t now, void *user_data)
{
	struct daemon *daemon = user_data;
	uint64_t delay_ms = duty_announce(&daemon->duty, daemon->cluster);

	(void)source;
	(void)now;
	if (delay_ms == 0)
		return 0;
	return daemon_arm_timer(daemon, &daemon->announce_timer, delay_ms * MS, on_announce);
}

void daemon_announce_in(struct daemon *daemon, uint64_t delay_us)
{
	daemon->duty.n_announcements = 0;
	(void)daemon_arm_timer(daemon, &daemon->announce_timer, delay_us, on_announce);
}

void daemon_announce(struct daemon *daemon)
{
	daemon_announce_in(daemon, 0);
}

static bool has_role(const struct daemon *daemon, enum cluster_role role)
{
	const struct conf *conf = cluster_conf(daemon->cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (cluster_role(daemon->cluster, &conf->groups[i]) == role)
			return true;
	return false;
}

bool daemon_is_leaving(const struct daemon *daemon)
{
	return has_role(daemon, ROLE_LEAVING);
}

bool daemon_has_duty(const struct daemon *daemon)
{
	return has_role(daemon, ROLE_ACTIVE);
}

/* What the last role left behind goes first: nobody would remove it afterwards. */
static int stop_now(struct daemon *daemon)
{
	(void)daemon_reconcile(daemon);
	return sd_event_exit(daemon->event, 0);
}

static int on_leave(sd_event_source *source, uint64_t now, void *user_data)
{
	struct daemon *daemon = user_data;
	const struct conf *conf = cluster_conf(daemon->cluster);

	(void)source;
	(void)now;
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (cluster_role(daemon->cluster, group) != ROLE_LEAVING)
			continue;
		(void)cluster_set_role(daemon->cluster, group->name, ROLE_STANDBY);
		log_info("group %s: no longer forwarding", group->name);
	}
	if (daemon->stopping)
		return stop_now(daemon);
	daemon_request_reconcile(daemon);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	daemon_request_reconcile(user_data);
	return 0;
}

/* --- settling ---------------------------------------------------------------------- */

static int on_settle(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	daemon_request_reconcile(user_data);
	return 0;
}

/*
 * Just started, or with an interface that has just come, this host knows no
 * member's address yet. What it would tell the kernel now would send every flow to the
 * few that it knows, or take away what an earlier run of it has left there.
 */
void daemon_begin_settling(struct daemon *daemon)
{
	daemon->resolve_until_us = clock_now_us() + RESOLVE_US;
	(void)daemon_arm_timer(daemon, &daemon->resolve_timer, RESOLVE_US, on_settle);
}

/* The same goes for the pins of flows that it does not know yet. */
void daemon_begin_learning(struct daemon *daemon)
{
	uint64_t wait_us = UINT64_C(1000000) * cluster_conf(daemon->cluster)->takeover_wait;

	daemon->learn_until_us = clock_now_us() + wait_us;
	(void)daemon_arm_timer(daemon, &daemon->learn_timer, wait_us, on_settle);
}

void daemon_settle(struct daemon *daemon)
{
	daemon->resolve_until_us = 0;
	daemon->learn_until_us = 0;
}

bool daemon_is_settling(const struct daemon *daemon)
{
	const char *waits_for;
	uint64_t now = clock_now_us();

	if (now < daemon->resolve_until_us && !cluster_is_resolved(daemon->cluster))
		return true;
	return now < daemon->learn_until_us && daemon_has_duty(daemon) &&
	       !daemon_knows_flows(daemon, &waits_for);
}

/* --- reconcile ------------------------------------------------------------------------ */

/* Says what is new about the kernel's state, once. */
static void report_apply(struct daemon *daemon, int result, const char *old_error)
{
	const char *error = daemon->keeper.error;

	if (result < 0 && error && (!old_error || strcmp(old_error, error) != 0))
		log_error("%s; what the kernel had stays in force", error);
	else if (result >= 0 && old_error)
		log_notice("the kernel has the ruleset again");
	if (result > 0 && daemon->foreign_change) {
		daemon->keeper.n_repairs++;
		log_warning("somebody else changed drover's tables: restored in %llu us",
			(unsigned long long)daemon->keeper.last_commit_us);
	}
	daemon->foreign_change = false;
}

static void arm_guard(struct daemon *daemon)
{
	int r = keeper_arm_guard(&daemon->keeper, GUARD_SECONDS);

	if (r > 0)
		daemon_request_reconcile(daemon);
	else if (r < 0 && r != -ENOENT)
		log_warning("cannot arm the member guard: %s", strerror(-r));
}

void daemon_expect_change(struct daemon *daemon)
{
	int r = 0;

	arm_guard(daemon);
	if (daemon->flows.tracker)
		r = tracker_find_half_open(daemon->flows.tracker);
	if (r < 0)
		log_warning("cannot look for half-open connections: %s", strerror(-r));
}

/*
 * Members must be on their guard before the first packet goes another way. What an earlier run has
 * left in the kernel is taken to be what the plan says.
 */
static void warn_members(struct daemon *daemon, const struct plan *plan)
{
	if (!daemon->plan || !plan_moves_flows(daemon->plan, plan))
		return;
	daemon_tell_change(daemon);
	daemon_expect_change(daemon);
}

static int make_plan(struct daemon *daemon, struct plan **ret_plan)
{
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	int r = plan_build(daemon->cluster, NULL, daemon->tables, &plan);

	if (r == 0)
		r = daemon_keep_flows(daemon, plan);
	if (r < 0)
		log_error("cannot compute the plan: %s", strerror(-r));
	else
		*ret_plan = take_ptr(plan);
	return r;
}

int daemon_reconcile(struct daemon *daemon)
{
	_cleanup_(free_p) char *old_error = daemon->keeper.error ? strdup(daemon->keeper.error)
								 : NULL;
	uint64_t begin = clock_now_us();
	struct plan *plan;
	int r;

	/* The kernel removes the base chain with its device; there is nothing to keep until it is
	 * back. */
	if (!cluster_link(daemon->cluster)->present)
		return 0;
	if (daemon_is_settling(daemon))
		return 0;
	daemon_settle(daemon);
	r = make_plan(daemon, &plan);
	if (r < 0)
		return r;
	warn_members(daemon, plan);
	plan_free(daemon->plan);
	daemon->plan = plan;
	r = keeper_apply(&daemon->keeper, plan);
	if (r >= 0)
		daemon->flows.remember = false;
	daemon->last_reconcile_us = clock_now_us() - begin;
	report_apply(daemon, r, old_error);
	if (r < 0)
		(void)daemon_arm_timer(daemon, &daemon->retry_timer, RETRY_US, on_retry);
	return r < 0 ? r : 0;
}

/* Whoever waits for this daemon to have started may rely on what it was last told to do. */
static void tell_ready(struct daemon *daemon)
{
	if (daemon->ready || daemon_is_settling(daemon))
		return;
	daemon->ready = true;
	(void)sd_notify(0, "READY=1");
}

static int on_reconcile(sd_event_source *source, void *user_data)
{
	struct daemon *daemon = user_data;

	(void)source;
	(void)daemon_reconcile(daemon);
	(void)sd_event_source_set_enabled(daemon->address_source, SD_EVENT_ONESHOT);
	tell_ready(daemon);
	return 0;
}

/* Not before the rules that the VIPs' packets need: reconciling asks for them again. */
void daemon_place_vips(struct daemon *daemon, const struct conf *previous)
{
	if (daemon_is_settling(daemon))
		return;
	if (duty_place_vips(daemon->cluster, daemon->watch, previous) > 0)
		daemon_announce(daemon);
}

static int on_addresses(sd_event_source *source, void *user_data)
{
	(void)source;
	daemon_place_vips(user_data, NULL);
	return 0;
}

void daemon_role_changed(struct daemon *daemon)
{
	daemon_place_vips(daemon, NULL);
	(void)daemon_arm_timer(daemon, &daemon->leave_timer, LEAVE_US, on_leave);
}

int daemon_open_reconcile(struct daemon *daemon)
{
	int r = sd_event_add_defer(daemon->event, &daemon->reconcile_source, on_reconcile, daemon);

	if (r < 0)
		return r;
	return sd_event_add_defer(daemon->event, &daemon->address_source, on_addresses, daemon);
}
