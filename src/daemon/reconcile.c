/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the cluster's state to the kernel: when, in which order, and when again. */
#include "daemon.h"
#include "drover/log.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum {
	MS = 1000,
	/* Neighbours have heard the new holder's announcements by then, or ask again. */
	LEAVE_US = 5 * 1000 * MS,
	RETRY_US = 1000 * MS,
	SETTLE_US = 2 * 1000 * MS,
};

/* --- timers ---------------------------------------------------------------------- */

/* Arms a one-shot timer, whether it was made before or not. */
static int arm_timer(struct daemon *daemon, sd_event_source **source, uint64_t delay_us,
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
	return arm_timer(daemon, &daemon->announce_timer, delay_ms * MS, on_announce);
}

void daemon_announce(struct daemon *daemon)
{
	daemon->duty.n_announcements = 0;
	(void)arm_timer(daemon, &daemon->announce_timer, 0, on_announce);
}

bool daemon_is_leaving(const struct daemon *daemon)
{
	const struct conf *conf = cluster_conf(daemon->cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (cluster_role(daemon->cluster, &conf->groups[i]) == ROLE_LEAVING)
			return true;
	return false;
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
	struct daemon *daemon = user_data;

	(void)source;
	(void)now;
	daemon_settle(daemon);
	daemon_request_reconcile(daemon);
	return 0;
}

/*
 * Just started, or with an interface that has just come, this host knows no
 * member's address yet. What it would tell the kernel now would send every flow to the
 * few that it knows, or take away what an earlier run of it has left there.
 */
void daemon_begin_settling(struct daemon *daemon)
{
	daemon->settling = true;
	(void)arm_timer(daemon, &daemon->settle_timer, SETTLE_US, on_settle);
}

void daemon_settle(struct daemon *daemon)
{
	daemon->settling = false;
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

int daemon_reconcile(struct daemon *daemon)
{
	_cleanup_(free_p) char *old_error = daemon->keeper.error ? strdup(daemon->keeper.error)
								 : NULL;
	struct plan *plan;
	int r;

	/* The kernel removes the base chain with its device; there is nothing to keep until it is
	 * back. */
	if (!cluster_link(daemon->cluster)->present)
		return 0;
	if (daemon->settling && !cluster_is_resolved(daemon->cluster))
		return 0;
	daemon->settling = false;
	r = plan_build(daemon->cluster, NULL, daemon->tables, &plan);
	if (r < 0) {
		log_error("cannot compute the plan: %s", strerror(-r));
		return r;
	}
	plan_free(daemon->plan);
	daemon->plan = plan;
	r = keeper_apply(&daemon->keeper, plan);
	report_apply(daemon, r, old_error);
	if (r < 0)
		(void)arm_timer(daemon, &daemon->retry_timer, RETRY_US, on_retry);
	return r < 0 ? r : 0;
}

/* Whoever waits for this daemon to have started may rely on what it was last told to do. */
static void tell_ready(struct daemon *daemon)
{
	if (daemon->ready || daemon->settling)
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
	if (daemon->settling)
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
	(void)arm_timer(daemon, &daemon->leave_timer, LEAVE_US, on_leave);
}

int daemon_open_reconcile(struct daemon *daemon)
{
	int r = sd_event_add_defer(daemon->event, &daemon->reconcile_source, on_reconcile, daemon);

	if (r < 0)
		return r;
	return sd_event_add_defer(daemon->event, &daemon->address_source, on_addresses, daemon);
}
