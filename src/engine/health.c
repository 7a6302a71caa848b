/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What checks find goes to the cluster, and what follows from it to the kernel. */
#include "drover/array.h"
#include "drover/clock.h"
#include "drover/log.h"
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum {
	MS = 1000,
	SLOW_STEPS = 10,
	/* A start waits no longer for the first verdicts than that. */
	FIRST_WAIT_US = 3 * 1000 * MS,
	DURATION_TEXT_MAX = 32,
	WAY_TEXT_MAX = ADDRESS_TEXT_MAX + 64,
};

/* --- texts ------------------------------------------------------------------------- */

static const char *duration(uint64_t us, char text[static DURATION_TEXT_MAX])
{
	if (us < UINT64_C(1000) * MS)
		snprintf(text, DURATION_TEXT_MAX, "%llu ms", (unsigned long long)(us / MS));
	else if (us < UINT64_C(600) * 1000 * MS)
		snprintf(text, DURATION_TEXT_MAX, "%.1f s", (double)us / 1e6);
	else
		snprintf(text, DURATION_TEXT_MAX, "%llu min",
			(unsigned long long)(us / (60 * 1000 * MS)));
	return text;
}

/*
 * Which VIP was asked, and, of a member that does not do well by it, what its own address said. Who
 * has risen has answered by all.
 */
static const char *way(const struct check_report *report, char text[static WAY_TEXT_MAX])
{
	char vip[ADDRESS_TEXT_MAX];
	size_t length;

	text[0] = '\0';
	if (report->asked.address.family == AF_UNSPEC)
		return text;
	if (report->state.verdict == CHECK_UP && report->target.n_vips > 1) {
		snprintf(text, WAY_TEXT_MAX, " by all %zu VIPs", report->target.n_vips);
		return text;
	}
	length = (size_t)snprintf(
		text, WAY_TEXT_MAX, " by VIP %s", address_format(&report->asked.address, vip));
	if (report->own_outcome != CHECK_PENDING)
		snprintf(text + length, WAY_TEXT_MAX - length, " (by its own address: %s)",
			check_outcome_name(report->own_outcome));
	return text;
}

/* One line for each transition: who, what, why, and how long it had been otherwise. */
static void log_change(
	const struct check_report *report, enum check_verdict before, uint64_t for_us)
{
	const struct check_target *target = &report->target;
	bool up = report->state.verdict == CHECK_UP;
	char address[ADDRESS_TEXT_MAX], took[DURATION_TEXT_MAX], held[DURATION_TEXT_MAX];
	char end[DURATION_TEXT_MAX + 32] = "", port[16] = "", by[WAY_TEXT_MAX];

	if (target->port)
		snprintf(port, sizeof(port), " port %u", target->port);
	if (before != CHECK_UNKNOWN)
		snprintf(end, sizeof(end), "; was %s for %s", check_verdict_name(before),
			duration(for_us, held));
	log_write(up ? LOG_NOTICE : LOG_WARNING,
		"check %s: member %s (%s%s) is %s: %s%s%s%s after %s%s", target->check->name,
		target->member, address_format(&target->address, address), port,
		check_verdict_name(report->state.verdict), check_outcome_name(report->outcome),
		*report->detail ? ", " : "", report->detail, way(report, by),
		duration(report->took_us, took), end);
}

/* --- to the cluster -------------------------------------------------------------------- */

static unsigned int slow_percent(const struct health_link *link, uint64_t now_us)
{
	uint64_t whole_us = UINT64_C(1000000) * link->service->slow_start, step;

	if (link->rose_us == 0)
		return 100;
	step = 1 + (now_us - link->rose_us) * SLOW_STEPS / whole_us;
	return step >= SLOW_STEPS ? 100 : (unsigned int)(step * 100 / SLOW_STEPS);
}

static void tell_cluster(struct engine *engine, struct health_link *link, uint64_t now_us)
{
	const struct check_report *report = check_report(link->probe);
	struct cluster_health health = {
		.down = report->state.verdict == CHECK_DOWN,
		.since = report->since_us,
		.percent = slow_percent(link, now_us),
	};

	if (health.percent >= 100)
		link->rose_us = 0;
	if (cluster_set_health(engine->cluster, link->group->name, link->service->name,
		    link->member->name, &health) < 0)
		log_error(
			"cannot note how member %s does: %s", link->member->name, strerror(ENOMEM));
}

static bool is_first_of_service(const struct health *health, size_t i)
{
	return i == 0 || health->links[i].service != health->links[i - 1].service;
}

/* Says once that a service has nobody, and what that means for it; and once that it has again. */
static void report_services_failed(struct engine *engine)
{
	struct health *health = &engine->health;

	for (size_t i = 0; i < health->n_links; i++) {
		struct health_link *link = &health->links[i];
		bool failed = cluster_service_failed(engine->cluster, link->group, link->service);

		if (!is_first_of_service(health, i) || failed == link->failed)
			continue;
		link->failed = failed;
		if (!failed)
			log_notice("group %s, service %s: it has a member that is up again",
				link->group->name, link->service->name);
		else
			log_error("group %s, service %s: no member is up; fail = %s: %s",
				link->group->name, link->service->name,
				conf_fail_name(link->service->fail),
				link->service->fail == CONF_FAIL_OPEN ? "all are used"
								      : "its packets are dropped");
	}
}

static void arm_slow_timer(struct engine *engine, uint64_t now_us);

static void tell_all(struct engine *engine, uint64_t now_us)
{
	struct health *health = &engine->health;

	health->news = false;
	for (size_t i = 0; i < health->n_links; i++)
		tell_cluster(engine, &health->links[i], now_us);
	if (cluster_decide_health(engine->cluster))
		engine_request_reconcile(engine);
	report_services_failed(engine);
	arm_slow_timer(engine, now_us);
}

static int on_slow(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	tell_all(user_data, clock_now_us());
	return 0;
}

/* When somebody's weight grows next. */
static void arm_slow_timer(struct engine *engine, uint64_t now_us)
{
	const struct health *health = &engine->health;
	uint64_t soonest_us = UINT64_MAX;

	for (size_t i = 0; i < health->n_links; i++) {
		const struct health_link *link = &health->links[i];
		uint64_t step_us = UINT64_C(1000000) * link->service->slow_start / SLOW_STEPS;

		if (link->rose_us == 0)
			continue;
		step_us -= (now_us - link->rose_us) % step_us;
		if (step_us < soonest_us)
			soonest_us = step_us;
	}
	if (soonest_us != UINT64_MAX)
		(void)engine_arm_timer(
			engine, &engine->health.slow_timer, soonest_us + MS, on_slow);
}

static void on_changed(
	const struct probe *probe, enum check_verdict before, uint64_t before_us, void *user_data)
{
	struct engine *engine = user_data;
	struct health *health = &engine->health;
	const struct check_report *report = check_report(probe);
	uint64_t now_us = report->since_us; /* that of this run */

	(void)before_us;
	for (size_t i = 0; i < health->n_links; i++) {
		struct health_link *link = &health->links[i];

		if (link->probe == probe)
			link->rose_us = before == CHECK_DOWN && link->service->slow_start > 0
						? now_us
						: 0;
	}
	health->news = true;
}

static void on_explained(
	const struct probe *probe, enum check_verdict before, uint64_t before_us, void *user_data)
{
	const struct check_report *report = check_report(probe);

	(void)user_data;
	/* That all is well from the start is no news. */
	if (before != CHECK_UNKNOWN || report->state.verdict != CHECK_UP)
		log_change(report, before, report->since_us - before_us);
}

/* --- the loop -------------------------------------------------------------------------- */

static int on_due(sd_event_source *source, uint64_t now, void *user_data);

static void run(struct engine *engine)
{
	uint64_t now_us = clock_now_us(), next_us;

	next_us = checks_run(engine->health.checks, now_us);
	if (engine->health.news) {
		tell_all(engine, now_us);
		/* A start may have waited for just that. */
		if (engine->health.wait_until_us > now_us &&
			checks_are_known(engine->health.checks))
			engine_request_reconcile(engine);
	}
	if (next_us != UINT64_MAX)
		(void)engine_arm_timer(engine, &engine->health.timer,
			next_us > now_us ? next_us - now_us : 0, on_due);
}

static int on_due(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	run(user_data);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	(void)source;
	(void)fd;
	(void)events;
	run(user_data);
	return 0;
}

/* --- who is asked what --------------------------------------------------------------------- */

static bool needs_port(const struct conf_check *check)
{
	return check->type != CONF_CHECK_ICMP && check->type != CONF_CHECK_EXEC;
}

static uint16_t port_of(const struct conf_check *check, const struct conf_service *service)
{
	if (check->port || service->n_ports == 0)
		return check->port;
	return needs_port(check) || check->type == CONF_CHECK_EXEC ? service->ports[0].first : 0;
}

/* What was under way of a slow start goes on behind a reload. */
static uint64_t find_rose(const struct health_link *links, size_t n_links,
	const struct probe *probe, const struct conf_service *service)
{
	for (size_t i = 0; i < n_links; i++)
		if (links[i].probe == probe && service->slow_start > 0)
			return links[i].rose_us;
	return 0;
}

static int family_index(int family)
{
	return family == AF_INET6;
}

static int list_vips(const struct conf *conf, const struct conf_group *group, int family,
	struct health_vips *vips)
{
	size_t n = plan_list_probe_vips(conf, group, family, NULL);
	_cleanup_(free_p) struct plan_probe_vip *list = calloc(n + 1, sizeof(*list));

	vips->list = calloc(n + 1, sizeof(*vips->list));
	if (!list || !vips->list)
		return -ENOMEM;
	vips->n = plan_list_probe_vips(conf, group, family, list);
	for (size_t i = 0; i < n; i++)
		vips->list[i] = (struct check_vip){ list[i].address, list[i].priority };
	return 0;
}

static int list_all_vips(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	struct health *health = &engine->health;
	int r = 0;

	health->vips = calloc(conf->n_groups, sizeof(*health->vips));
	if (!health->vips)
		return -ENOMEM;
	health->n_vips = conf->n_groups;
	for (size_t g = 0; r == 0 && g < conf->n_groups; g++) {
		const struct conf_group *group = &conf->groups[g];

		r = list_vips(conf, group, AF_INET, &health->vips[g][family_index(AF_INET)]);
		if (r == 0)
			r = list_vips(
				conf, group, AF_INET6, &health->vips[g][family_index(AF_INET6)]);
	}
	return r;
}

static void free_vips(health_group_vips *vips, size_t n_vips)
{
	for (size_t g = 0; g < n_vips; g++) {
		free(vips[g][0].list);
		free(vips[g][1].list);
	}
	free(vips);
}

static struct check_target target_of(const struct engine *engine, const struct conf_group *group,
	const struct conf_service *service, const struct conf_member *member)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	const struct conf_check *check = conf_service_check(conf, service);
	struct check_target target = {
		.check = check,
		.member = member->name,
		.address = member->address,
		.port = port_of(check, service),
		.local = strcmp(member->name, conf->node) == 0,
	};

	if (!check->by_address) {
		const struct health_vips *vips =
			&engine->health
				 .vips[group - conf->groups][family_index(member->address.family)];

		target.vips = vips->list;
		target.n_vips = vips->n;
		target.group = group->name;
		target.mark = plan_probe_mark(conf, member);
	}
	return target;
}

static int link_member(struct engine *engine, const struct conf_group *group,
	const struct conf_service *service, const struct conf_member *member)
{
	const struct check_target target = target_of(engine, group, service, member);
	struct health *health = &engine->health;
	struct health_link *grown = array_grow(health->links, health->n_links, sizeof(*grown));
	const struct probe *probe;

	if (!grown)
		return -ENOMEM;
	health->links = grown;
	probe = checks_want(health->checks, &target, clock_now_us());
	if (!probe)
		return -ENOMEM;
	grown[health->n_links++] = (struct health_link){
		.group = group,
		.service = service,
		.member = member,
		.probe = probe,
	};
	return 0;
}

/* Each balancer of a group asks, whether it has the duty or not; who is none does not. */
static int link_all(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	int r = list_all_vips(engine);

	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_group *group = &conf->groups[g];

		for (size_t s = 0; s < group->n_services; s++) {
			const struct conf_service *service = &group->services[s];

			if (!service->check || !cluster_is_balancer(engine->cluster, group))
				continue;
			for (size_t m = 0; r == 0 && m < service->n_members; m++)
				r = link_member(engine, group, service,
					&group->members[service->members[m]]);
		}
	}
	return r;
}

void engine_reload_health(struct engine *engine)
{
	struct health *health = &engine->health;
	_cleanup_(free_p) struct health_link *old = health->links;
	size_t n_old = health->n_links, n_old_vips = health->n_vips;
	health_group_vips *old_vips = health->vips;

	if (!health->checks)
		return;
	health->links = NULL;
	health->n_links = 0;
	health->vips = NULL;
	health->n_vips = 0;
	checks_begin(health->checks);
	if (link_all(engine) < 0)
		log_error("cannot check all members: %s", strerror(ENOMEM));
	for (size_t i = 0; i < health->n_links; i++) {
		struct health_link *link = &health->links[i];

		link->rose_us = find_rose(old, n_old, link->probe, link->service);
	}
	checks_end(health->checks);
	free_vips(old_vips, n_old_vips);
	tell_all(engine, clock_now_us());
	run(engine);
}

/* Each probe under way has a descriptor, and they may all hang at once. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int engine_open_health(struct engine *engine)
{
	const struct checks_ops ops = {
		.changed = on_changed,
		.explained = on_explained,
		.user_data = engine,
	};
	struct health *health = &engine->health;
	int r = checks_new(&ops, &health->checks);

	if (r >= 0)
		r = sd_event_add_io(engine->event, &health->io, checks_fd(health->checks), EPOLLIN,
			on_io, engine);
	if (r < 0) {
		log_error("cannot check members: %s", strerror(-r));
		return r;
	}
	raise_file_limit();
	health->wait_until_us = clock_now_us() + FIRST_WAIT_US;
	(void)engine_arm_timer(engine, &health->slow_timer, FIRST_WAIT_US, on_slow);
	engine_reload_health(engine);
	return 0;
}

void engine_close_health(struct engine *engine)
{
	struct health *health = &engine->health;

	sd_event_source_disable_unref(health->io);
	sd_event_source_disable_unref(health->timer);
	sd_event_source_disable_unref(health->slow_timer);
	checks_free(health->checks);
	free(health->links);
	free_vips(health->vips, health->n_vips);
}

void engine_release_health(struct engine *engine)
{
	struct health *health = &engine->health;

	if (health->checks && checks_release(health->checks, clock_now_us()))
		(void)engine_arm_timer(engine, &health->timer, 0, on_due);
}

bool engine_waits_for_health(const struct engine *engine)
{
	const struct health *health = &engine->health;

	return health->checks && clock_now_us() < health->wait_until_us &&
	       !checks_are_known(health->checks);
}

const struct health_link *health_find(const struct health *health, const struct conf_group *group,
	const struct conf_service *service, const struct conf_member *member)
{
	for (size_t i = 0; i < health->n_links; i++) {
		const struct health_link *link = &health->links[i];

		if (link->group == group && link->service == service && link->member == member)
			return link;
	}
	return NULL;
}
