/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include "commands.h"
#include "drover/log.h"
#include "overrides.h"
#include "retired.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

/* --- news from nf_tables --------------------------------------------------------------------- */

static int on_nft(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct daemon *daemon = user_data;
	int r = nft_watch_dispatch(daemon->keeper.nft);

	(void)source;
	(void)fd;
	(void)events;
	if (r < 0) {
		log_error("cannot read nf_tables events: %s", strerror(-r));
		return r;
	}
	if (r > 0) {
		daemon->foreign_change = true;
		daemon->flows.remember = true;
		keeper_invalidate(&daemon->keeper);
		daemon_request_reconcile(daemon);
	}
	return 0;
}

/* --- signals -------------------------------------------------------------------------------------
 */

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *user_data)
{
	struct daemon *daemon = user_data;

	(void)source;
	(void)info;
	(void)sd_notify(0, "RELOADING=1");
	(void)daemon_reload(daemon, false);
	(void)sd_notify(0, "READY=1");
	return 0;
}

/* A duty that was just given up is handed over in peace, unless whoever stops us insists. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user_data)
{
	struct daemon *daemon = user_data;

	(void)source;
	(void)info;
	if (!daemon_is_leaving(daemon) || daemon->stopping)
		return sd_event_exit(daemon->event, 0);
	daemon->stopping = true;
	log_notice("stopping when the duty is handed over");
	return 0;
}

/* Blocks the signals and has them come through the event loop. */
static int set_signals(struct daemon *daemon)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_stop, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, on_stop, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
	return r;
}

/* --- start
 * ----------------------------------------------------------------------------------------- */

/* The duty outlives the daemon, not the host: VIPs on the interface are its mark. */
static void adopt_roles(struct daemon *daemon)
{
	const struct conf *conf = cluster_conf(daemon->cluster);

	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (!duty_holds_vip(daemon->watch, group) ||
			cluster_set_role(daemon->cluster, group->name, ROLE_ACTIVE) <= 0)
			continue;
		log_notice("group %s: its VIPs are on %s, so this host goes on as its active "
			   "balancer",
			group->name, conf->interface);
	}
}

static int open_keeper(struct daemon *daemon)
{
	int r = keeper_init(&daemon->keeper);

	if (r < 0) {
		log_error("cannot talk to nf_tables: %s", strerror(-r));
		return r;
	}
	r = keeper_enable_shield(&daemon->keeper);
	if (r < 0)
		log_warning("cannot have table inet " RULESET_SHIELD_NAME " (%s): connections may "
			    "break when somebody else flushes drover's rules",
			strerror(-r));
	return sd_event_add_io(
		daemon->event, NULL, nft_watch_fd(daemon->keeper.nft), EPOLLIN, on_nft, daemon);
}

static int start(struct daemon *daemon)
{
	const struct conf *conf = cluster_conf(daemon->cluster);
	int r = sd_event_default(&daemon->event);

	if (r >= 0)
		r = set_signals(daemon);
	if (r >= 0)
		r = open_keeper(daemon);
	if (r >= 0)
		r = daemon_open_network(daemon);
	if (r >= 0)
		r = daemon_open_reconcile(daemon);
	if (r < 0)
		return r;
	(void)overrides_load(daemon->cluster);
	adopt_roles(daemon);
	r = daemon_open_flows(daemon);
	if (r >= 0)
		r = daemon_open_sync(daemon);
	if (r < 0)
		return r;
	daemon_begin_learning(daemon);
	daemon_resolve_members(daemon);
	duty_check_port_ranges(conf);
	if (!cluster_link(daemon->cluster)->present)
		log_warning("interface %s is not there yet", conf->interface);
	daemon_request_reconcile(daemon);
	r = control_server_new(
		daemon->event, conf->control, commands_handle, daemon, &daemon->control);
	if (r < 0) {
		log_error("cannot listen on %s: %s", conf->control, strerror(-r));
		return r;
	}
	r = sd_event_set_watchdog(daemon->event, true);
	return r < 0 ? r : 0;
}

static void daemon_done(struct daemon *daemon)
{
	takeover_done(&daemon->takeover);
	control_server_free(daemon->control);
	daemon_close_sync(daemon);
	daemon_close_flows(daemon);
	plan_free(daemon->plan);
	table_cache_free(daemon->tables);
	link_watch_free(daemon->watch);
	keeper_done(&daemon->keeper);
	cluster_free(daemon->cluster);
	conf_errors_done(&daemon->conf_errors);
	sd_event_source_unref(daemon->reconcile_source);
	sd_event_source_unref(daemon->address_source);
	sd_event_source_unref(daemon->announce_timer);
	sd_event_source_unref(daemon->leave_timer);
	sd_event_source_unref(daemon->retry_timer);
	sd_event_source_unref(daemon->resolve_timer);
	sd_event_source_unref(daemon->learn_timer);
	sd_event_unref(daemon->event);
}

int daemon_run(struct conf *conf)
{
	_cleanup_(daemon_done) struct daemon daemon = {
		.tables = table_cache_new(),
	};
	int r;

	retired_load(conf);
	daemon.cluster = cluster_new(conf);
	if (!daemon.cluster) {
		conf_free(conf);
		return -ENOMEM;
	}
	r = start(&daemon);
	if (r < 0)
		return r;
	log_notice("droverd " DROVER_VERSION ": node %s on %s", conf->node, conf->interface);
	r = sd_event_loop(daemon.event);
	(void)sd_notify(0, "STOPPING=1");
	log_notice("stopped; the kernel goes on with what it has");
	return r < 0 ? r : 0;
}
