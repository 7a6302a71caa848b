/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include "commands.h"
#include "drover/log.h"
#include "overrides.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
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

static void request_reconcile(struct daemon *daemon)
{
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

static void announce_anew(struct daemon *daemon)
{
	daemon->duty.n_announcements = 0;
	(void)arm_timer(daemon, &daemon->announce_timer, 0, on_announce);
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
	request_reconcile(daemon);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	request_reconcile(user_data);
	return 0;
}

/* --- settling ---------------------------------------------------------------------- */

/* True if this host must know the member's Ethernet address: it balances, or may have to. */
static bool needs_resolving(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_member *member)
{
	return cluster_is_balancer(cluster, group) && !member->has_mac &&
	       strcmp(member->name, cluster_conf(cluster)->node) != 0;
}

static bool all_resolved(const struct cluster *cluster)
{
	const struct conf *conf = cluster_conf(cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];

			if (needs_resolving(cluster, &conf->groups[g], member) &&
				!cluster_view(cluster, member).has_mac)
				return false;
		}
	return true;
}

static int on_settle(sd_event_source *source, uint64_t now, void *user_data)
{
	struct daemon *daemon = user_data;

	(void)source;
	(void)now;
	daemon_settle(daemon);
	request_reconcile(daemon);
	return 0;
}

/*
 * Just started, or with an interface that has just come, this host knows no
 * member's address yet. What it would tell the kernel now would send every flow to the
 * few that it knows, or take away what an earlier run of it has left there.
 */
static void begin_settling(struct daemon *daemon)
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
	if (daemon->settling && !all_resolved(daemon->cluster))
		return 0;
	daemon->settling = false;
	r = plan_build(daemon->cluster, NULL, &plan);
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
static void place_vips(struct daemon *daemon, const struct conf *previous)
{
	if (daemon->settling)
		return;
	if (duty_place_vips(daemon->cluster, daemon->watch, previous) > 0)
		announce_anew(daemon);
}

static int on_addresses(sd_event_source *source, void *user_data)
{
	(void)source;
	place_vips(user_data, NULL);
	return 0;
}

void daemon_role_changed(struct daemon *daemon)
{
	place_vips(daemon, NULL);
	(void)arm_timer(daemon, &daemon->leave_timer, LEAVE_US, on_leave);
}

/* --- news from the interface ------------------------------------------------------------- */

static void on_address(const struct address *address, bool present, void *user_data)
{
	struct daemon *daemon = user_data;

	(void)address;
	(void)present;
	if (daemon->address_source)
		(void)sd_event_source_set_enabled(daemon->address_source, SD_EVENT_ONESHOT);
}

static void on_link(const struct cluster_link *link, void *user_data)
{
	struct daemon *daemon = user_data;
	struct cluster_link old = *cluster_link(daemon->cluster);
	const char *interface = cluster_conf(daemon->cluster)->interface;

	if (!cluster_set_link(daemon->cluster, link))
		return;
	if (link->present && (!old.present || old.index != link->index)) {
		duty_set_arp_sysctls(interface);
		begin_settling(daemon);
	}
	if (old.present != link->present)
		log_notice("interface %s is %s", interface, link->present ? "there" : "gone");
	else if (old.running != link->running)
		log_notice("interface %s is %s", interface, link->running ? "up" : "down");
	/* Chains and addresses went with the device, and the kernel does not tell of the chains. */
	if (!link->present || old.index != link->index)
		keeper_invalidate(&daemon->keeper);
	if (!daemon->reconcile_source)
		return;
	if (link->running)
		announce_anew(daemon);
	request_reconcile(daemon);
	on_address(NULL, false, daemon);
}

static void on_neighbour(const struct address *address, const struct mac *mac, void *user_data)
{
	char address_text[ADDRESS_TEXT_MAX], mac_text[MAC_TEXT_MAX];
	struct daemon *daemon = user_data;

	if (cluster_set_neighbour(daemon->cluster, address, mac) <= 0)
		return;
	if (mac)
		log_info("%s is at %s", address_format(address, address_text),
			mac_format(mac, mac_text));
	else
		log_warning(
			"%s cannot be resolved any more", address_format(address, address_text));
	if (daemon->reconcile_source)
		request_reconcile(daemon);
}

static int on_watch(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct daemon *daemon = user_data;
	int r = link_dispatch(daemon->watch);

	(void)source;
	(void)fd;
	(void)events;
	if (r < 0)
		log_error("cannot read network events: %s", strerror(-r));
	return r;
}

static void resolve_members(struct daemon *daemon)
{
	const struct conf *conf = cluster_conf(daemon->cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];
			int r;

			if (!needs_resolving(daemon->cluster, &conf->groups[g], member))
				continue;
			r = link_resolve(daemon->watch, &member->address);
			if (r < 0 && r != -ENODEV)
				log_error("%s:%u: member %s: cannot be resolved: %s",
					member->location.file, member->location.line, member->name,
					strerror(-r));
		}
}

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
		keeper_invalidate(&daemon->keeper);
		request_reconcile(daemon);
	}
	return 0;
}

/* --- reload ------------------------------------------------------------------------------------
 */

static int refuse(struct conf_errors *errors, const struct conf *conf, const char *what)
{
	char *message = NULL;

	errors->messages = calloc(1, sizeof(*errors->messages));
	if (!errors->messages ||
		asprintf(&message, "%s: %s can be changed only by a restart", conf->path, what) < 0)
		return -ENOMEM;
	errors->messages[errors->n_messages++] = message;
	return -EINVAL;
}

static int check_changes(const struct conf *old, const struct conf *new, struct conf_errors *errors)
{
	if (strcmp(old->node, new->node) != 0)
		return refuse(errors, new, "node");
	if (strcmp(old->interface, new->interface) != 0)
		return refuse(errors, new, "interface");
	if (strcmp(old->control, new->control) != 0)
		return refuse(errors, new, "control");
	return 0;
}

static void log_faults(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n_messages; i++)
		log_error("%s", errors->messages[i]);
}

static bool has_address(const struct conf *conf, const struct address *address)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (address_equal(&conf->groups[g].members[m].address, address))
				return true;
	return false;
}

static void forget_members(struct daemon *daemon, const struct conf *old)
{
	const struct conf *conf = cluster_conf(daemon->cluster);

	for (size_t g = 0; g < old->n_groups; g++)
		for (size_t m = 0; m < old->groups[g].n_members; m++)
			if (!has_address(conf, &old->groups[g].members[m].address))
				(void)link_forget(
					daemon->watch, &old->groups[g].members[m].address);
}

/* Only here does a checked configuration become the running one. */
static int merge_conf(struct daemon *daemon, struct conf *conf)
{
	_cleanup_(conf_free_p) struct conf *old = cluster_replace_conf(daemon->cluster, conf);

	/* The plan borrows from the configuration that goes. */
	plan_free(daemon->plan);
	daemon->plan = NULL;
	forget_members(daemon, old);
	resolve_members(daemon);
	duty_check_port_ranges(conf);
	place_vips(daemon, old);
	return daemon_reconcile(daemon);
}

int daemon_reload(struct daemon *daemon, bool reset_overrides)
{
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf *running = cluster_conf(daemon->cluster);
	int r;

	conf_errors_done(&daemon->conf_errors);
	r = conf_load(running->path, &conf, &daemon->conf_errors);
	if (r == 0)
		r = check_changes(running, conf, &daemon->conf_errors);
	if (r < 0) {
		log_faults(&daemon->conf_errors);
		log_error("%s: refused; the running configuration stays in force", running->path);
		return r;
	}
	if (reset_overrides) {
		cluster_reset_overrides(daemon->cluster);
		(void)overrides_save(daemon->cluster);
	}
	r = merge_conf(daemon, take_ptr(conf));
	log_notice("%s: loaded", cluster_conf(daemon->cluster)->path);
	return r;
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
	r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
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

static int open_sources(struct daemon *daemon)
{
	static const struct link_callbacks callbacks = {
		.link = on_link,
		.neighbour = on_neighbour,
		.address = on_address,
	};
	const struct conf *conf = cluster_conf(daemon->cluster);
	int r;

	r = keeper_init(&daemon->keeper);
	if (r < 0) {
		log_error("cannot talk to nf_tables: %s", strerror(-r));
		return r;
	}
	r = link_watch_new(conf->interface, &callbacks, daemon, &daemon->watch);
	if (r < 0) {
		log_error("cannot watch the network: %s", strerror(-r));
		return r;
	}
	r = sd_event_add_io(
		daemon->event, NULL, nft_watch_fd(daemon->keeper.nft), EPOLLIN, on_nft, daemon);
	if (r >= 0)
		r = sd_event_add_io(daemon->event, NULL, link_watch_fd(daemon->watch), EPOLLIN,
			on_watch, daemon);
	if (r >= 0)
		r = sd_event_add_defer(
			daemon->event, &daemon->reconcile_source, on_reconcile, daemon);
	if (r >= 0)
		r = sd_event_add_defer(
			daemon->event, &daemon->address_source, on_addresses, daemon);
	return r;
}

static int start(struct daemon *daemon)
{
	const struct conf *conf = cluster_conf(daemon->cluster);
	int r = sd_event_default(&daemon->event);

	if (r >= 0)
		r = set_signals(daemon);
	if (r >= 0)
		r = open_sources(daemon);
	if (r < 0)
		return r;
	(void)overrides_load(daemon->cluster);
	adopt_roles(daemon);
	resolve_members(daemon);
	duty_check_port_ranges(conf);
	if (!cluster_link(daemon->cluster)->present)
		log_warning("interface %s is not there yet", conf->interface);
	request_reconcile(daemon);
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
	control_server_free(daemon->control);
	plan_free(daemon->plan);
	link_watch_free(daemon->watch);
	keeper_done(&daemon->keeper);
	cluster_free(daemon->cluster);
	conf_errors_done(&daemon->conf_errors);
	sd_event_source_unref(daemon->reconcile_source);
	sd_event_source_unref(daemon->address_source);
	sd_event_source_unref(daemon->announce_timer);
	sd_event_source_unref(daemon->leave_timer);
	sd_event_source_unref(daemon->retry_timer);
	sd_event_source_unref(daemon->settle_timer);
	sd_event_unref(daemon->event);
}

int daemon_run(struct conf *conf)
{
	_cleanup_(daemon_done) struct daemon daemon = { .cluster = cluster_new(conf) };
	int r;

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
