/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- members --------------------------------------------------------------- */

static struct member_view look_at(const struct builder *b, const struct conf_member *member)
{
	struct member_view view = cluster_view(b->cluster, member);

	if (b->what_if && b->what_if->without && strcmp(b->what_if->without, member->name) == 0) {
		view.state = MEMBER_DISABLED;
		view.weight = 0;
	}
	return view;
}

static int compare_members(const void *a, const void *b)
{
	const struct plan_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool mark_is_taken(const struct plan_group *group, size_t n, uint32_t mark)
{
	for (size_t i = 0; i < n; i++)
		if (group->members[i].mark == mark)
			return true;
	return false;
}

/*
 * A mark depends on the member's name alone, so that a remembered flow means the
 * same member on every balancer and after every change. Should two of a group collide
 * (2^-32 each pair), the later name moves on.
 */
static void give_marks(struct plan_group *group)
{
	for (size_t i = 0; i < group->n_members; i++) {
		uint32_t mark = (uint32_t)buckets_member_key(group->members[i].name);

		while (mark == 0 || mark_is_taken(group, i, mark))
			mark++;
		group->members[i].mark = mark;
	}
}

static int plan_members(struct builder *b)
{
	struct plan_group *group = b->group;

	group->members = calloc(b->conf->n_members, sizeof(*group->members));
	if (!group->members)
		return -ENOMEM;
	for (size_t i = 0; i < b->conf->n_members; i++) {
		const struct conf_member *member = &b->conf->members[i];
		const struct member_view *view = &b->views[i];

		b->places[i] = NOWHERE;
		if (member->balancer_only ||
			(view->state != MEMBER_SERVING && view->state != MEMBER_DRAINING))
			continue;
		group->members[group->n_members++] = (struct plan_member){
			.name = member->name,
			.address = member->address,
			.mac = view->mac,
			.local = view->local,
			.draining = view->state == MEMBER_DRAINING,
			.location = member->location,
		};
	}
	qsort(group->members, group->n_members, sizeof(*group->members), compare_members);
	give_marks(group);
	for (size_t i = 0; i < b->conf->n_members; i++)
		for (size_t place = 0; place < group->n_members; place++)
			if (strcmp(group->members[place].name, b->conf->members[i].name) == 0)
				b->places[i] = place;
	return 0;
}

/* --- outgoing ranges and peers ------------------------------------------------ */

static int compare_outgoing(const void *a, const void *b)
{
	const struct plan_outgoing *x = a, *y = b;

	return x->range.first < y->range.first ? -1 : x->range.first > y->range.first;
}

static int plan_outgoing(struct builder *b)
{
	struct plan_group *group = b->group;
	size_t n = 0;

	for (size_t i = 0; i < b->conf->n_members; i++)
		n += b->conf->members[i].n_outgoing;
	group->outgoing = calloc(n + 1, sizeof(*group->outgoing));
	if (!group->outgoing)
		return -ENOMEM;
	for (size_t i = 0; i < b->conf->n_members; i++) {
		const struct conf_member *member = &b->conf->members[i];

		if (b->places[i] == NOWHERE)
			continue;
		for (size_t j = 0; j < member->n_outgoing; j++)
			group->outgoing[group->n_outgoing++] = (struct plan_outgoing){
				.range = member->outgoing[j].range,
				.member = b->places[i],
				.location = member->outgoing[j].location,
			};
	}
	qsort(group->outgoing, group->n_outgoing, sizeof(*group->outgoing), compare_outgoing);
	return 0;
}

static int compare_peers(const void *a, const void *b)
{
	const struct plan_peer *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int plan_peers(struct builder *b)
{
	struct plan_group *group = b->group;

	group->peers = calloc(b->conf->n_members, sizeof(*group->peers));
	if (!group->peers)
		return -ENOMEM;
	for (size_t i = 0; i < b->conf->n_members; i++) {
		const struct conf_member *member = &b->conf->members[i];

		/* A disabled member may still be an active balancer: it stays a peer. */
		if (!member->balancer || b->views[i].local || !b->views[i].has_mac)
			continue;
		group->peers[group->n_peers++] = (struct plan_peer){
			.name = member->name,
			.mac = b->views[i].mac,
			.location = member->location,
		};
	}
	qsort(group->peers, group->n_peers, sizeof(*group->peers), compare_peers);
	return 0;
}

/* --- groups -------------------------------------------------------------------- */

static int plan_group(struct builder *b)
{
	_cleanup_(free_p) struct member_view *views = calloc(b->conf->n_members, sizeof(*views));
	_cleanup_(free_p) size_t *places = calloc(b->conf->n_members, sizeof(*places));
	int r;

	if (!views || !places)
		return -ENOMEM;
	b->views = views;
	b->places = places;
	for (size_t i = 0; i < b->conf->n_members; i++)
		views[i] = look_at(b, &b->conf->members[i]);

	b->group->name = b->conf->name;
	b->group->vips = b->conf->vips;
	b->group->n_vips = b->conf->n_vips;
	b->group->location = b->conf->location;
	r = plan_members(b);
	if (r < 0)
		return r;
	r = distributions_add(b);
	if (r < 0)
		return r;
	r = plan_outgoing(b);
	if (r < 0)
		return r;
	return plan_peers(b);
}

static int append_vips(
	const struct conf_vip ***vips, size_t *n_vips, const struct conf_group *group)
{
	const struct conf_vip **grown = realloc(*vips, (*n_vips + group->n_vips) * sizeof(**vips));

	if (!grown)
		return -ENOMEM;
	*vips = grown;
	for (size_t i = 0; i < group->n_vips; i++)
		grown[(*n_vips)++] = &group->vips[i];
	return 0;
}

/* This host keeps silent about VIPs of a group that it belongs to but does not balance. */
static int plan_suppression(
	struct plan *plan, const struct cluster *cluster, const struct conf_group *group)
{
	const struct conf_member *self = conf_group_find_member(group, cluster_conf(cluster)->node);
	struct plan_suppress *suppress = &plan->suppress;

	if (!self || cluster_role(cluster, group) == ROLE_ACTIVE)
		return 0;
	if (self->address.family == AF_INET)
		suppress->source = self->address;
	return append_vips(&suppress->vips, &suppress->n_vips, group);
}

/* A member's flows are watched whatever its weight: those that it has may outlive its share. */
static int plan_guarding(
	struct plan *plan, const struct cluster *cluster, const struct conf_group *group)
{
	const struct conf *conf = cluster_conf(cluster);
	const struct conf_member *self = conf_group_find_member(group, conf->node);

	if (!self || self->balancer_only || (!conf->member_guard && !conf->sync.present))
		return 0;
	plan->guard.drops = conf->member_guard;
	return append_vips(&plan->guard.vips, &plan->guard.n_vips, group);
}

static bool balances(const struct cluster *cluster, const struct plan_what_if *what_if,
	const struct conf_group *group)
{
	if (what_if && what_if->assume_active)
		return conf_group_find_member(group, cluster_conf(cluster)->node);
	return cluster_is_balancer(cluster, group);
}

static bool forwards(const struct cluster *cluster, const struct plan_what_if *what_if,
	const struct conf_group *group)
{
	return (what_if && what_if->assume_active) || cluster_role(cluster, group) != ROLE_STANDBY;
}

/* The interface has the last word on this host's MAC; without one, the file. */
static struct mac own_mac(const struct cluster *cluster)
{
	const struct conf *conf = cluster_conf(cluster);

	if (cluster_link(cluster)->present)
		return cluster_link(cluster)->mac;
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_member *self = conf_group_find_member(
			&conf->groups[i], conf->node);

		if (self && self->has_mac)
			return self->mac;
	}
	return (struct mac){ 0 };
}

int plan_build(const struct cluster *cluster, const struct plan_what_if *what_if,
	struct table_cache *tables, struct plan **ret_plan)
{
	const struct conf *conf = cluster_conf(cluster);
	_cleanup_(plan_free_p) struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->interface = conf->interface;
	plan->interface_index = cluster_link(cluster)->index;
	plan->mac = own_mac(cluster);
	plan->n_buckets = conf->buckets;
	plan->seed = conf->seed;
	plan->counters = conf->counters;
	plan->groups = calloc(conf->n_groups, sizeof(*plan->groups));
	if (!plan->groups)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_groups; i++) {
		struct builder builder = {
			.cluster = cluster,
			.what_if = what_if,
			.conf = &conf->groups[i],
			.plan = plan,
			.tables = tables,
		};
		int r;

		r = plan_guarding(plan, cluster, &conf->groups[i]);
		if (r == 0 && (!what_if || !what_if->assume_active))
			r = plan_suppression(plan, cluster, &conf->groups[i]);
		if (r < 0)
			return r;
		if (!balances(cluster, what_if, &conf->groups[i]))
			continue;
		builder.group = &plan->groups[plan->n_groups++];
		builder.group->forwards = forwards(cluster, what_if, &conf->groups[i]);
		r = plan_group(&builder);
		if (r < 0)
			return r;
	}
	if (tables)
		table_cache_sweep(tables);
	if (plan_add_probes(plan, cluster) < 0)
		return -ENOMEM;
	*ret_plan = take_ptr(plan);
	return 0;
}

static void group_done(struct plan_group *group)
{
	for (size_t i = 0; i < group->n_tables; i++)
		table_done(&group->tables[i]);
	for (size_t i = 0; i < group->n_distributions; i++) {
		conf_ports_unref(group->distributions[i].ports);
		free(group->distributions[i].memories);
	}
	free(group->members);
	free(group->tables);
	free(group->distributions);
	free(group->outgoing);
	free(group->pins);
	free(group->peers);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_groups; i++)
		group_done(&plan->groups[i]);
	free(plan->groups);
	free(plan->suppress.vips);
	free(plan->guard.vips);
	free(plan->probes);
	free(plan->probe_vips);
	free(plan);
}

const struct plan_group *plan_find_group(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		if (strcmp(plan->groups[i].name, name) == 0)
			return &plan->groups[i];
	return NULL;
}

size_t plan_table_count(const struct plan *plan, const struct plan_table *table, size_t member)
{
	size_t count = 0;

	for (uint32_t slot = 0; slot < plan->n_buckets; slot++)
		count += table->slots[slot] == member;
	return count;
}
