/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From live flows to pins: when the ledger asks for another plan. */
#include "drover/clock.h"
#include "drover/log.h"
#include "drover/sysctl.h"
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	FLOWS_MAX = 4 * 1024 * 1024, /* of one owner */
	MS = 1000,
	/* A flow that is not where its slot says must be pinned before it speaks again … */
	PIN_SOON_US = 5 * MS,
	/* … while a pin without a flow only costs memory. */
	UNPIN_LATER_US = 1000 * MS,
	/* Longer than a balancer that leaves goes on forwarding. */
	OVERLAP_US = 10 * 1000 * MS,
	/* With many flows all this takes time: no more than a sixth of it goes there. */
	PACE = 5,
};

/* --- when to look over pins --------------------------------------------------------- */

static int on_keep(sd_event_source *source, uint64_t now, void *user_data)
{
	struct engine *engine = user_data;

	(void)source;
	(void)now;
	engine->flows.keep_due_us = 0;
	engine_request_reconcile(engine);
	return 0;
}

static void request_keep(struct engine *engine, uint64_t delay_us)
{
	struct flows *flows = &engine->flows;
	uint64_t pause_us = PACE * engine->last_reconcile_us, due_us;

	if (delay_us < pause_us)
		delay_us = pause_us;
	due_us = clock_now_us() + delay_us;
	if (flows->keep_due_us != 0 && flows->keep_due_us <= due_us)
		return;
	if (engine_arm_timer(engine, &flows->keep_timer, delay_us, on_keep) >= 0)
		flows->keep_due_us = due_us;
}

void engine_flow_changed(
	struct engine *engine, const char *owner, const struct flow *flow, bool began)
{
	struct flows *flows = &engine->flows;

	if (!engine->plan)
		return;
	if (plan_flow_needs_pin(engine->plan, owner, flow))
		request_keep(engine, began ? PIN_SOON_US : UNPIN_LATER_US);
	if (began && clock_now_us() < flows->learn_until_us &&
		plan_flow_is_remembered(engine->plan, flow)) {
		flows->remember = true;
		request_keep(engine, PIN_SOON_US);
	}
}

/*
 * The balancer that had the duty goes on drawing for who has not heard of it yet, and news of what
 * it has drawn are under way: for so long this host must learn each connection that it hears of.
 */
void engine_begin_remembering(struct engine *engine)
{
	engine->flows.remember = true;
	engine->flows.learn_until_us = clock_now_us() + OVERLAP_US;
}

static void report_left_out(
	const struct conf *conf, const struct plan_kept *before, const struct plan_kept *now)
{
	if (now->n_left_out > 0 && before->n_left_out == 0)
		log_warning("%zu connections would need a pin beyond the most allowed (pins = %u): "
			    "they go to another member, and break",
			now->n_left_out, conf->pins);
	else if (now->n_left_out == 0 && before->n_left_out > 0)
		log_notice("all connections that need a pin have one again");
}

/*
 * To a member that is disabled nothing is sent, by any balancer: its flows go elsewhere from now
 * on, perhaps back to one that had them before, whose conntrack then tells nothing new. One that is
 * only unreachable may be so for this host alone.
 */
static void forget_times_of_disabled(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];

			if (cluster_view(engine->cluster, member).state == MEMBER_DISABLED)
				ledger_forget_times(engine->flows.ledger, member->name);
		}
}

int engine_keep_flows(struct engine *engine, struct plan *plan)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	struct flows *flows = &engine->flows;
	const struct plan_keep keep = { .max_pins = conf->pins, .remember = flows->remember };
	struct plan_kept kept;
	int r;

	forget_times_of_disabled(engine);
	r = plan_keep_flows(plan, flows->ledger, &keep, &kept);

	if (r < 0)
		return r;
	report_left_out(conf, &flows->kept, &kept);
	flows->kept = kept;
	return 0;
}

/* --- this host's own flows ------------------------------------------------------------ */

static bool is_member(const struct conf *conf, const struct conf_group *group)
{
	const struct conf_member *self = conf_group_find_member(group, conf->node);

	return self && !self->balancer_only;
}

static bool has_vip(const struct conf_group *group, const struct address *vip)
{
	for (size_t i = 0; i < group->n_vips; i++)
		if (prefix_contains(&group->vips[i].prefix, vip))
			return true;
	return false;
}

/* Datagrams that are drawn each for itself are no flow: the next one may be anybody's. */
static bool has_flows(const struct conf_service *service, uint8_t protocol)
{
	bool drawn = conf_scheduler_draws(service->scheduler);

	return protocol == IPPROTO_TCP || !drawn || service->persistence > 0;
}

/* A check, or whatever else: it comes from a balancer, and is never balanced. */
static bool is_from_balancer(const struct conf_group *group, const struct flow *flow)
{
	for (size_t i = 0; i < group->n_members; i++)
		if (group->members[i].balancer &&
			address_equal(&group->members[i].address, &flow->client))
			return true;
	return false;
}

static bool wants_flow(const struct flow *flow, void *user_data)
{
	const struct engine *engine = user_data;
	const struct conf *conf = cluster_conf(engine->cluster);
	enum conf_protocol protocol = flow->protocol == IPPROTO_TCP ? CONF_PROTOCOL_TCP
								    : CONF_PROTOCOL_UDP;

	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];
		const struct conf_service *service;

		if (!is_member(conf, group) || !has_vip(group, &flow->vip))
			continue;
		service = conf_group_find_service(group, protocol, flow->vip_port);
		if (is_from_balancer(group, flow))
			return false;
		return service && has_flows(service, flow->protocol);
	}
	return false;
}

static void on_own_flow(const struct flow *flow, bool began, void *user_data)
{
	struct engine *engine = user_data;

	engine_tell_flow(engine, flow, began);
	engine_flow_changed(engine, cluster_conf(engine->cluster)->node, flow, began);
}

static void on_complete(void *user_data)
{
	struct engine *engine = user_data;
	const char *node = cluster_conf(engine->cluster)->node;

	log_info("%zu connections end on this host",
		flow_set_count(ledger_find(engine->flows.ledger, node)));
	engine_tell_complete(engine);
}

static void report_overruns(struct engine *engine)
{
	struct tracker_stats stats = tracker_stats(engine->flows.tracker);

	if (stats.n_overruns == engine->flows.n_overruns)
		return;
	engine->flows.n_overruns = stats.n_overruns;
	log_warning("conntrack events came faster than they could be read: reading the table again "
		    "(receive buffer now %zu bytes)",
		stats.receive_buffer);
}

static int on_tracker(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct engine *engine = user_data;
	int r = tracker_dispatch(engine->flows.tracker);

	(void)source;
	(void)fd;
	(void)events;
	if (r < 0) {
		log_error("cannot read conntrack events: %s", strerror(-r));
		return r;
	}
	report_overruns(engine);
	engine_run_sync(engine);
	return 0;
}

static bool is_any_member(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (is_member(conf, &conf->groups[i]))
			return true;
	return false;
}

static void check_events(void)
{
	int events;

	if (sysctl_conntrack("events", &events) == 0 && events == 0)
		log_warning(
			"net.netfilter.nf_conntrack_events = 0: connections that begin or end on "
			"this host are not heard of; set it to 1 or 2");
}

static int open_tracker(struct engine *engine)
{
	const struct tracker_ops ops = {
		.wants = wants_flow,
		.changed = on_own_flow,
		.complete = on_complete,
		.user_data = engine,
	};
	struct flow_set *own = ledger_open(
		engine->flows.ledger, cluster_conf(engine->cluster)->node);
	int r = own ? tracker_open(own, &ops, &engine->flows.tracker) : -ENOMEM;

	if (r < 0)
		return r;
	check_events();
	return sd_event_add_io(engine->event, &engine->flows.tracker_source,
		tracker_fd(engine->flows.tracker), EPOLLIN, on_tracker, engine);
}

/* --- life -------------------------------------------------------------------------------- */

int engine_open_flows(struct engine *engine)
{
	int r;

	engine->flows.ledger = ledger_new(FLOWS_MAX);
	if (!engine->flows.ledger)
		return -ENOMEM;
	engine->flows.remember = true;
	if (!is_any_member(cluster_conf(engine->cluster)))
		return 0;
	r = open_tracker(engine);
	if (r < 0)
		log_warning(
			"cannot watch conntrack: %s; connections that end on this host will not "
			"be known when members change or the duty moves",
			strerror(-r));
	return 0;
}

void engine_close_flows(struct engine *engine)
{
	struct flows *flows = &engine->flows;

	sd_event_source_disable_unref(flows->tracker_source);
	sd_event_source_disable_unref(flows->keep_timer);
	tracker_free(flows->tracker);
	ledger_free(flows->ledger);
}

/* This host may have become a member by it. */
void engine_reload_flows(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	struct flows *flows = &engine->flows;
	const char *owner;
	size_t i = 0;
	int r = 0;

	while ((owner = ledger_owner_at(flows->ledger, i)))
		if (conf_find_member(conf, owner))
			i++;
		else
			ledger_forget(flows->ledger, owner);
	if (flows->tracker)
		r = tracker_resync(flows->tracker);
	else if (is_any_member(conf))
		r = open_tracker(engine);
	if (r < 0)
		log_warning("cannot read the conntrack table: %s", strerror(-r));
}
