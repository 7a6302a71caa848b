/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include "commands.h"
#include "drover/clock.h"
#include "drover/heap.h"
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
	struct engine *engine = user_data;
	int r = nft_watch_dispatch(engine->keeper.nft);

	(void)source;
	(void)fd;
	(void)events;
	if (r < 0) {
		log_error("cannot read nf_tables events: %s", strerror(-r));
		return r;
	}
	if (r > 0) {
		engine->foreign_change = true;
		engine->flows.remember = true;
		keeper_invalidate(&engine->keeper);
		engine_request_reconcile(engine);
	}
	return 0;
}

/* --- signals ---------------------------------------------------------------------------- */

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *user_data)
{
	struct engine *engine = user_data;

	(void)source;
	(void)info;
	(void)sd_notify(0, "RELOADING=1");
	(void)engine_reload(engine, false);
	(void)sd_notify(0, "READY=1");
	return 0;
}

void engine_exit(struct engine *engine)
{
	(void)sd_event_exit(engine->event, 0);
}

/* A duty that was just given up is handed over in peace, unless whoever stops us insists. */
void engine_stop(struct engine *engine)
{
	if (!engine_is_leaving(engine) || engine->stopping)
		return engine_exit(engine);
	engine->stopping = true;
	log_notice("stopping when the duty is handed over");
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user_data)
{
	struct engine *engine = user_data;

	(void)source;
	(void)info;
	if (engine->front->stop)
		engine->front->stop(engine, engine->front->user_data);
	else
		engine_stop(engine);
	return 0;
}

/* Blocks the signals and has them come through the event loop. */
static int set_signals(struct engine *engine)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(engine->event, NULL, SIGTERM, on_stop, engine);
	if (r >= 0)
		r = sd_event_add_signal(engine->event, NULL, SIGINT, on_stop, engine);
	if (r >= 0)
		r = sd_event_add_signal(engine->event, NULL, SIGHUP, on_hangup, engine);
	return r;
}

/* --- start ------------------------------------------------------------------------------ */

/* The duty outlives the engine, not the host: VIPs on the interface are its mark. */
static void adopt_roles(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (!duty_holds_vip(engine->watch, group) ||
			cluster_set_role(engine->cluster, group->name, ROLE_ACTIVE) <= 0)
			continue;
		log_notice("group %s: its VIPs are on %s, so this host goes on as its active "
			   "balancer",
			group->name, conf->interface);
	}
}

static int open_keeper(struct engine *engine)
{
	int r = keeper_init(&engine->keeper);

	if (r < 0) {
		log_error("cannot talk to nf_tables: %s", strerror(-r));
		return r;
	}
	r = keeper_enable_shield(&engine->keeper);
	if (r < 0)
		log_warning("cannot have table inet " RULESET_SHIELD_NAME " (%s): connections may "
			    "break when somebody else flushes drover's rules",
			strerror(-r));
	return sd_event_add_io(
		engine->event, NULL, nft_watch_fd(engine->keeper.nft), EPOLLIN, on_nft, engine);
}

static int start(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	int r = sd_event_default(&engine->event);

	if (r >= 0)
		r = engine->claim = engine_claim(engine->front->program);
	if (r >= 0)
		r = set_signals(engine);
	if (r >= 0)
		r = open_keeper(engine);
	if (r >= 0)
		r = engine_open_network(engine);
	if (r >= 0)
		r = engine_open_reconcile(engine);
	if (r < 0)
		return r;
	(void)overrides_load(engine->cluster);
	adopt_roles(engine);
	r = engine_open_flows(engine);
	if (r >= 0)
		r = engine_open_sync(engine);
	if (r >= 0)
		r = engine_open_health(engine);
	if (r < 0)
		return r;
	engine_begin_learning(engine);
	engine_resolve_members(engine);
	duty_check_port_ranges(conf, NULL);
	if (!cluster_link(engine->cluster)->present)
		log_warning("interface %s is not there yet", conf->interface);
	engine_request_reconcile(engine);
	r = control_server_new(
		engine->event, conf->control, commands_handle, engine, &engine->control);
	if (r < 0) {
		log_error("cannot listen on %s: %s", conf->control, strerror(-r));
		return r;
	}
	engine_open_listener(engine);
	r = sd_event_set_watchdog(engine->event, true);
	if (r >= 0 && engine->front->start)
		r = engine->front->start(engine, engine->event, engine->front->user_data);
	return r < 0 ? r : 0;
}

static void engine_done(struct engine *engine)
{
	takeover_done(&engine->takeover);
	control_server_free(engine->control);
	engine_close_listener(engine);
	engine_close_health(engine);
	engine_close_sync(engine);
	engine_close_flows(engine);
	plan_free(engine->plan);
	table_cache_free(engine->tables);
	link_watch_free(engine->watch);
	keeper_done(&engine->keeper);
	cluster_free(engine->cluster);
	conf_errors_done(&engine->conf_errors);
	sd_event_source_unref(engine->reconcile_source);
	sd_event_source_unref(engine->address_source);
	sd_event_source_unref(engine->announce_timer);
	sd_event_source_unref(engine->leave_timer);
	sd_event_source_unref(engine->retry_timer);
	sd_event_source_unref(engine->resolve_timer);
	sd_event_source_unref(engine->learn_timer);
	sd_event_unref(engine->event);
	if (engine->claim >= 0)
		close(engine->claim);
}

int engine_run(struct conf *conf, const struct engine_front *front)
{
	_cleanup_(engine_done) struct engine engine = {
		.front = front,
		.claim = -1,
		.tables = table_cache_new(),
		.started_us = clock_epoch_us(),
	};
	int r;

	heap_keep();
	retired_load(conf);
	engine.cluster = cluster_new(conf);
	if (!engine.cluster) {
		conf_free(conf);
		return -ENOMEM;
	}
	r = start(&engine);
	if (r < 0)
		return r;
	log_notice("%s " DROVER_VERSION ": node %s on %s", front->program, conf->node,
		conf->interface);
	r = sd_event_loop(engine.event);
	(void)sd_notify(0, "STOPPING=1");
	log_notice("stopped; the kernel goes on with what it has");
	return r < 0 ? r : 0;
}
