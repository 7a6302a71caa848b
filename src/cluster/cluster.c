/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/cluster.h"

#include "drover/array.h"
#include "health.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct neighbour {
	struct address address;
	struct mac mac;
};

struct duty {
	char *group;
	enum cluster_role role;
	uint64_t epoch;
};

struct cluster {
	struct conf *conf;
	struct cluster_link link;
	struct neighbour *neighbours; /* members' resolved addresses */
	size_t n_neighbours;
	struct cluster_override *overrides; /* ordered by member name */
	size_t n_overrides;
	struct duty *duties; /* in groups where this node is not standby */
	size_t n_duties;
	bool relieved; /* of election = "always" */
	struct health health;
	bool health_is_news; /* it is not decided yet what follows */
};

static void decide_health(struct cluster *cluster);

/* --- life ---------------------------------------------------------------- */

struct cluster *cluster_new(struct conf *conf)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));

	if (cluster)
		cluster->conf = conf;
	return cluster;
}

static void forget_overrides(struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->n_overrides; i++)
		free(cluster->overrides[i].member);
	free(cluster->overrides);
	cluster->overrides = NULL;
	cluster->n_overrides = 0;
}

void cluster_free(struct cluster *cluster)
{
	if (!cluster)
		return;
	conf_free(cluster->conf);
	free(cluster->neighbours);
	forget_overrides(cluster);
	for (size_t i = 0; i < cluster->n_duties; i++)
		free(cluster->duties[i].group);
	free(cluster->duties);
	health_done(&cluster->health);
	free(cluster);
}

const struct conf *cluster_conf(const struct cluster *cluster)
{
	return cluster->conf;
}

/* --- what exists in a configuration --------------------------------------- */

static bool conf_has_address(const struct conf *conf, const struct address *address)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (address_equal(&conf->groups[g].members[m].address, address))
				return true;
	return false;
}

/* --- duty ----------------------------------------------------------------- */

static struct duty *find_duty(const struct cluster *cluster, const char *group)
{
	for (size_t i = 0; i < cluster->n_duties; i++)
		if (strcmp(cluster->duties[i].group, group) == 0)
			return &cluster->duties[i];
	return NULL;
}

static void remove_duty(struct cluster *cluster, struct duty *duty)
{
	free(duty->group);
	*duty = cluster->duties[--cluster->n_duties];
}

static int add_duty(struct cluster *cluster, const char *group, enum cluster_role role)
{
	struct duty *grown = array_grow(cluster->duties, cluster->n_duties, sizeof(*grown));
	char *name;

	if (!grown)
		return -ENOMEM;
	cluster->duties = grown;
	name = strdup(group);
	if (!name)
		return -ENOMEM;
	grown[cluster->n_duties++] = (struct duty){
		.group = name,
		.role = role,
		.epoch = 1,
	};
	return 0;
}

bool cluster_is_balancer(const struct cluster *cluster, const struct conf_group *group)
{
	const struct conf_member *self = conf_group_find_member(group, cluster->conf->node);

	return self && self->balancer;
}

static bool is_always_active(const struct cluster *cluster)
{
	return cluster->conf->election == CONF_ELECTION_ALWAYS && !cluster->relieved;
}

enum cluster_role cluster_role(const struct cluster *cluster, const struct conf_group *group)
{
	const struct duty *duty = find_duty(cluster, group->name);

	if (!cluster_is_balancer(cluster, group))
		return ROLE_STANDBY;
	if (is_always_active(cluster))
		return ROLE_ACTIVE;
	return duty ? duty->role : ROLE_STANDBY;
}

int cluster_set_role(struct cluster *cluster, const char *name, enum cluster_role role)
{
	const struct conf_group *group = conf_find_group(cluster->conf, name);
	struct duty *duty = find_duty(cluster, name);
	int r;

	if (!group)
		return -ENOENT;
	if (!cluster_is_balancer(cluster, group))
		return -EPERM;
	if (cluster_role(cluster, group) == role)
		return 0;
	if (is_always_active(cluster))
		return -EBUSY;
	if (role == ROLE_STANDBY) {
		remove_duty(cluster, duty);
	} else if (duty) {
		duty->role = role;
	} else {
		r = add_duty(cluster, name, role);
		if (r < 0)
			return r;
	}
	return 1;
}

void cluster_set_epoch(struct cluster *cluster, const char *group, uint64_t epoch)
{
	struct duty *duty = find_duty(cluster, group);

	if (duty)
		duty->epoch = epoch;
}

static int set_active(struct cluster *cluster, const char *group)
{
	struct duty *duty = find_duty(cluster, group);

	if (!duty)
		return add_duty(cluster, group, ROLE_ACTIVE);
	duty->role = ROLE_ACTIVE;
	return 0;
}

int cluster_relieve(struct cluster *cluster)
{
	const struct conf *conf = cluster->conf;
	int r = 0;

	if (!is_always_active(cluster))
		return 0;
	for (size_t i = 0; r == 0 && i < conf->n_groups; i++)
		if (cluster_is_balancer(cluster, &conf->groups[i]))
			r = set_active(cluster, conf->groups[i].name);
	if (r == 0)
		cluster->relieved = true;
	return r;
}

uint64_t cluster_epoch(const struct cluster *cluster, const struct conf_group *group)
{
	const struct duty *duty = find_duty(cluster, group->name);

	return duty && duty->role == ROLE_ACTIVE ? duty->epoch : 0;
}

/* --- link and neighbours --------------------------------------------------- */

const struct cluster_link *cluster_link(const struct cluster *cluster)
{
	return &cluster->link;
}

bool cluster_set_link(struct cluster *cluster, const struct cluster_link *link)
{
	const struct cluster_link *old = &cluster->link;
	bool same = old->present == link->present && old->running == link->running &&
		    old->index == link->index && mac_equal(&old->mac, &link->mac);

	cluster->link = *link;
	return !same;
}

static struct neighbour *find_neighbour(
	const struct cluster *cluster, const struct address *address)
{
	for (size_t i = 0; i < cluster->n_neighbours; i++)
		if (address_equal(&cluster->neighbours[i].address, address))
			return &cluster->neighbours[i];
	return NULL;
}

static void remove_neighbour(struct cluster *cluster, struct neighbour *neighbour)
{
	*neighbour = cluster->neighbours[--cluster->n_neighbours];
}

int cluster_set_neighbour(
	struct cluster *cluster, const struct address *address, const struct mac *mac)
{
	struct neighbour *neighbour = find_neighbour(cluster, address), *grown;

	if (mac && !mac_is_usable(mac))
		mac = NULL;
	if (!mac) {
		if (!neighbour)
			return 0;
		remove_neighbour(cluster, neighbour);
		decide_health(cluster);
		return 1;
	}
	if (neighbour) {
		bool same = mac_equal(&neighbour->mac, mac);

		neighbour->mac = *mac;
		return !same;
	}
	if (!conf_has_address(cluster->conf, address))
		return 0;
	grown = array_grow(cluster->neighbours, cluster->n_neighbours, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	cluster->neighbours = grown;
	cluster->neighbours[cluster->n_neighbours++] = (struct neighbour){ .address = *address,
		.mac = *mac };
	decide_health(cluster);
	return 1;
}

/* --- overrides ------------------------------------------------------------- */

void cluster_reset_overrides(struct cluster *cluster)
{
	forget_overrides(cluster);
	decide_health(cluster);
}

const struct cluster_override *cluster_override_at(const struct cluster *cluster, size_t i)
{
	return i < cluster->n_overrides ? &cluster->overrides[i] : NULL;
}

static struct cluster_override *find_override(const struct cluster *cluster, const char *member)
{
	for (size_t i = 0; i < cluster->n_overrides; i++)
		if (strcmp(cluster->overrides[i].member, member) == 0)
			return &cluster->overrides[i];
	return NULL;
}

const struct cluster_override *cluster_find_override(
	const struct cluster *cluster, const char *member)
{
	return find_override(cluster, member);
}

static void remove_override(struct cluster *cluster, struct cluster_override *override)
{
	size_t index = (size_t)(override - cluster->overrides);

	free(override->member);
	memmove(override, override + 1, (cluster->n_overrides - index - 1) * sizeof(*override));
	cluster->n_overrides--;
}

/* Finds the override of a member, or makes an empty one in its place in the order. */
static int get_override(
	struct cluster *cluster, const char *member, struct cluster_override **ret_override)
{
	struct cluster_override *override = find_override(cluster, member), *grown;
	size_t place = 0;
	char *name;

	if (!override) {
		if (!conf_find_member(cluster->conf, member))
			return -ENOENT;
		grown = array_grow(cluster->overrides, cluster->n_overrides, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		cluster->overrides = grown;
		name = strdup(member);
		if (!name)
			return -ENOMEM;
		while (place < cluster->n_overrides && strcmp(grown[place].member, name) < 0)
			place++;
		override = &grown[place];
		memmove(override + 1, override, (cluster->n_overrides - place) * sizeof(*override));
		cluster->n_overrides++;
		*override = (struct cluster_override){ .member = name };
	}
	*ret_override = override;
	return 0;
}

int cluster_drain(struct cluster *cluster, const char *member)
{
	struct cluster_override *override;
	int r = get_override(cluster, member, &override);

	if (r < 0)
		return r;
	override->draining = true;
	override->disabled = false;
	decide_health(cluster);
	return 0;
}

int cluster_disable(struct cluster *cluster, const char *member)
{
	struct cluster_override *override;
	int r = get_override(cluster, member, &override);

	if (r < 0)
		return r;
	override->disabled = true;
	override->draining = false;
	decide_health(cluster);
	return 0;
}

int cluster_enable(struct cluster *cluster, const char *member)
{
	struct cluster_override *override;
	int r = get_override(cluster, member, &override);

	if (r < 0)
		return r;
	override->disabled = false;
	override->draining = false;
	if (!override->has_weight)
		remove_override(cluster, override);
	decide_health(cluster);
	return 0;
}

int cluster_set_weight(struct cluster *cluster, const char *member, unsigned int weight)
{
	struct cluster_override *override;
	int r = get_override(cluster, member, &override);

	if (r < 0)
		return r;
	override->has_weight = true;
	override->weight = weight;
	decide_health(cluster);
	return 0;
}

int cluster_set_override(struct cluster *cluster, const struct cluster_override *restored)
{
	struct cluster_override *override;
	int r = get_override(cluster, restored->member, &override);

	if (r < 0)
		return r;
	override->disabled = restored->disabled;
	override->draining = restored->draining;
	override->has_weight = restored->has_weight;
	override->weight = restored->weight;
	decide_health(cluster);
	return 0;
}

/* --- a new configuration ---------------------------------------------------- */

struct conf *cluster_replace_conf(struct cluster *cluster, struct conf *conf)
{
	struct conf *old = cluster->conf;

	cluster->conf = conf;
	cluster->relieved = false;

	for (size_t i = cluster->n_neighbours; i-- > 0;)
		if (!conf_has_address(conf, &cluster->neighbours[i].address))
			remove_neighbour(cluster, &cluster->neighbours[i]);
	for (size_t i = cluster->n_overrides; i-- > 0;)
		if (!conf_find_member(conf, cluster->overrides[i].member))
			remove_override(cluster, &cluster->overrides[i]);
	/* A duty that this host may not have any more is somebody else's: it must not come back. */
	for (size_t i = cluster->n_duties; i-- > 0;) {
		const struct conf_group *group = conf_find_group(conf, cluster->duties[i].group);

		if (!group || !cluster_is_balancer(cluster, group))
			remove_duty(cluster, &cluster->duties[i]);
	}
	health_sweep(&cluster->health, conf);
	decide_health(cluster);
	return old;
}

/* --- decisions --------------------------------------------------------------- */

static struct member_view plain_view(
	const struct cluster *cluster, const struct conf_member *member)
{
	const struct neighbour *neighbour = find_neighbour(cluster, &member->address);
	struct member_view view = {
		.nominal_weight = member->weight,
		.local = strcmp(member->name, cluster->conf->node) == 0,
		.override = find_override(cluster, member->name),
	};

	if (view.local) {
		/* Its own packets are delivered, not sent: it needs no address to be reached. */
		view.has_mac = true;
		view.mac = cluster->link.present ? cluster->link.mac : member->mac;
	} else if (member->has_mac) {
		view.has_mac = true;
		view.mac = member->mac;
	} else if (neighbour) {
		view.has_mac = true;
		view.mac = neighbour->mac;
	}

	if (view.override && view.override->has_weight)
		view.nominal_weight = view.override->weight;
	if (view.override && view.override->disabled)
		view.state = MEMBER_DISABLED;
	else if (!view.has_mac)
		view.state = MEMBER_UNREACHABLE;
	else if (view.nominal_weight == 0 || (view.override && view.override->draining))
		view.state = MEMBER_DRAINING;
	else
		view.state = MEMBER_SERVING;
	view.weight = view.state == MEMBER_SERVING ? view.nominal_weight : 0;
	return view;
}

/* Group by pointer: the member is one of its array. */
static size_t group_of(const struct conf *conf, const struct conf_member *member)
{
	size_t g = 0;

	while (member < conf->groups[g].members ||
		member >= conf->groups[g].members + conf->groups[g].n_members)
		g++;
	return g;
}

struct member_view cluster_view(const struct cluster *cluster, const struct conf_member *member)
{
	struct member_view view = plain_view(cluster, member);
	const struct conf *conf = cluster->conf;
	size_t g;

	if (view.state != MEMBER_SERVING || health_is_empty(&cluster->health))
		return view;
	g = group_of(conf, member);
	if (health_is_down(&cluster->health, g, (size_t)(member - conf->groups[g].members))) {
		view.state = MEMBER_DOWN;
		view.weight = 0;
	}
	return view;
}

/* --- health ----------------------------------------------------------------- */

static bool serves(const struct conf_member *member, void *user_data)
{
	return plain_view(user_data, member).state == MEMBER_SERVING;
}

/* Who serves has changed, or who is healthy. Without memory all are taken to be well. */
static void decide_health(struct cluster *cluster)
{
	(void)health_decide(&cluster->health, cluster->conf, serves, cluster);
}

int cluster_set_health(struct cluster *cluster, const char *group, const char *service,
	const char *member, const struct cluster_health *health)
{
	int r = health_set(&cluster->health, group, service, member, health);

	cluster->health_is_news |= r > 0;
	return r;
}

bool cluster_decide_health(struct cluster *cluster)
{
	bool news = cluster->health_is_news;

	if (news)
		decide_health(cluster);
	cluster->health_is_news = false;
	return news;
}

struct cluster_share cluster_share(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_service *service, size_t member)
{
	return health_share(&cluster->health, (size_t)(group - cluster->conf->groups), group,
		(size_t)(service - group->services), member);
}

bool cluster_is_well(const struct cluster *cluster, const struct conf_group *group)
{
	return health_is_well(&cluster->health, (size_t)(group - cluster->conf->groups));
}

bool cluster_service_failed(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_service *service)
{
	return health_failed(&cluster->health, (size_t)(group - cluster->conf->groups),
		(size_t)(service - group->services));
}

/* --- readiness ---------------------------------------------------------------- */

bool cluster_must_resolve(const struct cluster *cluster, const struct conf_group *group,
	const struct conf_member *member)
{
	return cluster_is_balancer(cluster, group) && !member->has_mac &&
	       strcmp(member->name, cluster->conf->node) != 0;
}

bool cluster_is_resolved(const struct cluster *cluster)
{
	const struct conf *conf = cluster->conf;

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];

			if (cluster_must_resolve(cluster, &conf->groups[g], member) &&
				!cluster_view(cluster, member).has_mac)
				return false;
		}
	return true;
}

const char *member_state_name(enum member_state state)
{
	switch (state) {
	case MEMBER_SERVING:
		return "serving";
	case MEMBER_DRAINING:
		return "draining";
	case MEMBER_DISABLED:
		return "disabled";
	case MEMBER_UNREACHABLE:
		return "unreachable";
	case MEMBER_DOWN:
		return "down";
	}
	return NULL;
}
