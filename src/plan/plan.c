/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/plan.h"

#include "drover/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the functions below work on: one group on its way into the plan. */
struct builder {
	const struct cluster *cluster;
	const struct plan_what_if *what_if;
	const struct conf_group *conf;
	const struct plan *plan;
	struct table_cache *tables;
	struct plan_group *group;
	struct member_view *views; /* of conf->members */
	size_t *places;            /* of conf->members in group->members, or NOWHERE */
};

#define NOWHERE SIZE_MAX

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

/* --- bucket tables ---------------------------------------------------------- */

static bool same_subset(const struct plan_table *table, const struct conf_service *service)
{
	size_t size = service->n_members * sizeof(*service->members);

	/* Of a group that has no members, as drover-helper may be told, there is no array either.
	 */
	return table->n_members == service->n_members &&
	       (size == 0 || memcmp(table->members, service->members, size) == 0);
}

static bool is_every_member(const struct conf_group *group, const struct conf_service *service)
{
	size_t n = 0;

	for (size_t i = 0; i < group->n_members; i++)
		n += !group->members[i].balancer_only;
	return service->n_members == n;
}

/* Its members' weights, and who has been taken out of it. Who starts slowly has some weight. */
static int weigh(struct builder *b, const struct conf_service *service, struct plan_table *table)
{
	table->weights = calloc(table->n_members + 1, sizeof(*table->weights));
	if (!table->weights)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_members; i++) {
		size_t member = table->members[i];
		unsigned int weight = b->views[member].weight;
		struct cluster_share share = cluster_share(b->cluster, b->conf, service, member);

		if (weight == 0)
			continue;
		table->weights[i] = share.ejected ? 0 : (weight * share.percent + 99) / 100;
		table->apart |= table->weights[i] != weight;
		if (!share.ejected)
			continue;
		if (!table->ejected)
			table->ejected = calloc(b->group->n_members, sizeof(*table->ejected));
		if (!table->ejected)
			return -ENOMEM;
		table->ejected[b->places[member]] = true;
	}
	return 0;
}

static int fill_table(const struct builder *b, struct plan_table *table)
{
	_cleanup_(free_p) struct buckets_member *entries = calloc(
		table->n_members, sizeof(*entries));
	uint32_t n_slots = b->plan->n_buckets;
	int r;

	table->slots = calloc(n_slots, sizeof(*table->slots));
	if (!table->slots || !entries)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_members; i++)
		entries[i] = (struct buckets_member){
			.name = b->conf->members[table->members[i]].name,
			.weight = table->weights[i],
		};
	r = table_cache_build(
		b->tables, entries, table->n_members, table->order, table->slots, n_slots);
	if (r < 0)
		return r;
	for (uint32_t slot = 0; slot < n_slots; slot++)
		if (table->slots[slot] != BUCKETS_NONE)
			table->slots[slot] =
				(uint16_t)b->places[table->members[table->slots[slot]]];
	return 0;
}

static bool same_members(const struct conf_service *a, const struct conf_service *b)
{
	return a->n_members == b->n_members &&
	       memcmp(a->members, b->members, a->n_members * sizeof(*a->members)) == 0;
}

static bool has_order(const struct conf_service *service, enum buckets_order order)
{
	bool in_turn = service->scheduler == CONF_SCHEDULER_RR;

	if (order == BUCKETS_TURNS)
		return in_turn;
	return !in_turn || (service->protocol & CONF_PROTOCOL_TCP) || service->persistence > 0;
}

/* Named after the first that would have the table if checks found all well. */
static const char *name_subset(
	const struct builder *b, const struct conf_service *service, enum buckets_order order)
{
	if (is_every_member(b->conf, service))
		return NULL;
	for (int without_ports = 0; without_ports < 2; without_ports++)
		for (size_t i = 0; i < b->conf->n_services; i++) {
			const struct conf_service *first = &b->conf->services[i];

			if ((first->n_ports == 0) == without_ports && has_order(first, order) &&
				same_members(first, service))
				return first->name;
		}
	return service->name;
}

static void table_done(struct plan_table *table)
{
	free(table->slots);
	free(table->pinned);
	free(table->ejected);
	free(table->weights);
}

static bool same_table(const struct plan_table *a, const struct plan_table *b)
{
	return a->order == b->order && a->apart == b->apart &&
	       memcmp(a->weights, b->weights, a->n_members * sizeof(*a->weights)) == 0;
}

/* Finds the table for a service's members in this order, or makes it. */
static int get_table(struct builder *b, const struct conf_service *service,
	enum buckets_order order, size_t *ret_index)
{
	struct plan_group *group = b->group;
	struct plan_table table = {
		.memory = name_subset(b, service, order),
		.order = order,
		.members = service->members,
		.n_members = service->n_members,
		.location = service->location,
	};
	int r = weigh(b, service, &table);

	table.subset = table.apart ? service->name : table.memory;
	for (size_t i = 0; r == 0 && i < group->n_tables; i++)
		if (same_subset(&group->tables[i], service) &&
			same_table(&group->tables[i], &table)) {
			table_done(&table);
			*ret_index = i;
			return 0;
		}
	if (r == 0)
		r = fill_table(b, &table);
	if (r < 0) {
		table_done(&table);
		return r;
	}
	*ret_index = group->n_tables;
	group->tables[group->n_tables++] = table;
	return 0;
}

/* --- distributions ----------------------------------------------------------- */

static struct plan_distribution *find_distribution(struct plan_group *group,
	const struct conf_service *service, enum conf_protocol protocols, size_t table)
{
	for (size_t i = 0; i < group->n_distributions; i++) {
		struct plan_distribution *known = &group->distributions[i];

		if (known->scheduler == service->scheduler &&
			known->persistence == service->persistence && known->table == table &&
			(known->n_ports > 0) == (service->n_ports > 0) &&
			(known->protocols == protocols || !plan_is_drawn(known)))
			return known;
	}
	return NULL;
}

static int add_ports(struct plan_distribution *distribution, const struct conf_service *service,
	enum conf_protocol protocols)
{
	size_t n = distribution->n_ports + service->n_ports;
	struct plan_port *ports = realloc(distribution->ports, (n + 1) * sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	distribution->ports = ports;
	for (size_t i = 0; i < service->n_ports; i++)
		ports[distribution->n_ports++] = (struct plan_port){
			.range = service->ports[i],
			.protocols = protocols,
			.service = service->name,
			.location = service->location,
		};
	return 0;
}

static int plan_distribution(
	struct builder *b, const struct conf_service *service, enum conf_protocol protocols)
{
	struct plan_group *group = b->group;
	enum buckets_order order = service->scheduler == CONF_SCHEDULER_RR ? BUCKETS_TURNS
									   : BUCKETS_RENDEZVOUS;
	struct plan_distribution *distribution;
	size_t table, fallback;
	int r;

	r = get_table(b, service, order, &table);
	if (r < 0)
		return r;
	fallback = table;
	if ((protocols & CONF_PROTOCOL_TCP) || service->persistence > 0) {
		r = get_table(b, service, BUCKETS_RENDEZVOUS, &fallback);
		if (r < 0)
			return r;
	}
	distribution = find_distribution(group, service, protocols, table);
	if (!distribution) {
		distribution = &group->distributions[group->n_distributions++];
		*distribution = (struct plan_distribution){
			.scheduler = service->scheduler,
			.persistence = service->persistence,
			.table = table,
			.fallback = fallback,
			.service = service->name,
			.location = service->location,
		};
	}
	distribution->protocols |= protocols;
	return add_ports(distribution, service, protocols);
}

/* What is drawn for TCP is remembered, for UDP it is not. */
static int plan_service(struct builder *b, const struct conf_service *service)
{
	static const enum conf_protocol each[] = { CONF_PROTOCOL_TCP, CONF_PROTOCOL_UDP };

	if (service->scheduler == CONF_SCHEDULER_HASH ||
		service->scheduler == CONF_SCHEDULER_SOURCE)
		return plan_distribution(b, service, service->protocol);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		if (service->protocol & each[i]) {
			int r = plan_distribution(b, service, each[i]);

			if (r < 0)
				return r;
		}
	return 0;
}

/*
 * A rule for both protocols looks up protocol and port together. Ranges of such pairs would cost
 * more than the rest of the packet's way (nft_set_pipapo), and two rules with one port each are
 * cheaper than any look-up.
 */
static bool is_one_rule(const struct plan_distribution *distribution)
{
	const struct plan_port *ports = distribution->ports;

	if (distribution->protocols != CONF_PROTOCOL_ANY || distribution->n_ports <= 1)
		return true;
	for (size_t i = 0; i < distribution->n_ports; i++)
		if (ports[i].range.first != ports[i].range.last)
			return false;
	return distribution->n_ports > 2 || (ports[0].protocols & ports[1].protocols);
}

static void keep_protocol(struct plan_distribution *distribution, enum conf_protocol protocol)
{
	size_t n = 0;

	for (size_t i = 0; i < distribution->n_ports; i++)
		if (distribution->ports[i].protocols & protocol) {
			distribution->ports[n] = distribution->ports[i];
			distribution->ports[n++].protocols = protocol;
		}
	distribution->n_ports = n;
	distribution->protocols = protocol;
	distribution->service = distribution->ports[0].service;
	distribution->location = distribution->ports[0].location;
}

/* Ports are still in the order of the file, and so are the two that this makes of one. */
static int split_protocols(struct plan_group *group, struct plan_distribution *first)
{
	struct plan_distribution *second = &group->distributions[group->n_distributions];
	struct plan_port *ports = calloc(first->n_ports, sizeof(*ports));
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it has two ports or more. */
	bool udp_first = first->ports[0].protocols == CONF_PROTOCOL_UDP;

	if (!ports)
		return -ENOMEM;
	memcpy(ports, first->ports, first->n_ports * sizeof(*ports));
	*second = *first;
	second->ports = ports;
	group->n_distributions++;
	keep_protocol(first, udp_first ? CONF_PROTOCOL_UDP : CONF_PROTOCOL_TCP);
	keep_protocol(second, udp_first ? CONF_PROTOCOL_TCP : CONF_PROTOCOL_UDP);
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	const struct plan_port *x = a, *y = b;

	if (x->range.first != y->range.first)
		return x->range.first < y->range.first ? -1 : 1;
	return (int)x->protocols - (int)y->protocols;
}

static int finish_ports(struct plan_group *group)
{
	size_t n = group->n_distributions;

	for (size_t i = 0; i < n; i++)
		if (!is_one_rule(&group->distributions[i])) {
			int r = split_protocols(group, &group->distributions[i]);

			if (r < 0)
				return r;
		}
	for (size_t i = 0; i < group->n_distributions; i++)
		qsort(group->distributions[i].ports, group->distributions[i].n_ports,
			sizeof(struct plan_port), compare_ports);
	return 0;
}

static int plan_services_of_kind(struct builder *b, bool with_ports)
{
	for (size_t i = 0; i < b->conf->n_services; i++) {
		const struct conf_service *service = &b->conf->services[i];
		int r = 0;

		if ((service->n_ports > 0) == with_ports)
			r = plan_service(b, service);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A service with ports is more specific than one without, wherever the file has it. */
static int plan_services(struct builder *b)
{
	struct plan_group *group = b->group;
	size_t most = 2 * b->conf->n_services;
	int r;

	group->tables = calloc(most, sizeof(*group->tables));
	group->distributions = calloc(most, sizeof(*group->distributions));
	if (!group->tables || !group->distributions)
		return -ENOMEM;
	r = plan_services_of_kind(b, true);
	if (r == 0)
		r = finish_ports(group);
	if (r == 0)
		r = plan_services_of_kind(b, false);
	return r;
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
	r = plan_services(b);
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
		free(group->distributions[i].ports);
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
