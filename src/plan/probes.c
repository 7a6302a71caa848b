/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom checks ask by VIPs, so that they find what clients find. */
#include "drover/plan.h"

#include "drover/array.h"

#include <errno.h>

size_t plan_list_probe_vips(const struct conf *conf, const struct conf_group *group, int family,
	struct plan_probe_vip *ret_vips)
{
	uint32_t priority = PLAN_PROBE_PRIORITY;
	size_t n = 0;

	for (const struct conf_group *other = conf->groups; other < group; other++)
		for (size_t i = 0; i < other->n_vips; i++)
			priority += PLAN_PROBE_PRIORITY_STEP *
				    (uint32_t)prefix_count(&other->vips[i].prefix);
	for (size_t i = 0; i < group->n_vips; i++) {
		const struct conf_vip *vip = &group->vips[i];

		for (size_t j = 0; j < prefix_count(&vip->prefix); j++) {
			const struct address address = prefix_address_at(&vip->prefix, j);

			if (address.family == family && ret_vips)
				ret_vips[n] = (struct plan_probe_vip){ address, priority,
					vip->location };
			n += address.family == family;
			priority += PLAN_PROBE_PRIORITY_STEP;
		}
	}
	return n;
}

uint32_t plan_probe_mark(const struct conf *conf, const struct conf_member *member)
{
	uint32_t before = 0;
	size_t g = 0;

	while (member < conf->groups[g].members ||
		member >= conf->groups[g].members + conf->groups[g].n_members)
		before += (uint32_t)conf->groups[g++].n_members;
	return PLAN_PROBE_MARK | (before + (uint32_t)(member - conf->groups[g].members));
}

static bool has_vip(const struct conf_group *group, int family)
{
	for (size_t i = 0; i < group->n_vips; i++)
		if (group->vips[i].prefix.address.family == family)
			return true;
	return false;
}

/* This host asks itself without leaving it. Who cannot be reached is asked in vain. */
static int add_member(struct plan *plan, const struct cluster *cluster,
	const struct conf_group *group, const struct conf_member *member)
{
	struct member_view view = cluster_view(cluster, member);
	struct plan_probe *grown;

	if (view.local || !view.has_mac || !has_vip(group, member->address.family))
		return 0;
	grown = array_grow(plan->probes, plan->n_probes, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->probes = grown;
	grown[plan->n_probes++] = (struct plan_probe){
		.group = group->name,
		.member = member->name,
		.address = member->address,
		.mac = view.mac,
		.mark = plan_probe_mark(cluster_conf(cluster), member),
		.location = member->location,
	};
	return 0;
}

static int compare_priorities(const void *a, const void *b)
{
	const struct plan_probe_vip *x = a, *y = b;

	return x->priority < y->priority ? -1 : x->priority > y->priority;
}

/* Of a family that any of the group's members is asked by. */
static int add_vips(struct plan *plan, const struct conf *conf, const struct conf_group *group,
	int family, size_t first_probe)
{
	size_t n = plan_list_probe_vips(conf, group, family, NULL), i = first_probe;
	struct plan_probe_vip *grown;

	while (i < plan->n_probes && plan->probes[i].address.family != family)
		i++;
	if (i == plan->n_probes)
		return 0;
	grown = realloc(plan->probe_vips, (plan->n_probe_vips + n) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->probe_vips = grown;
	plan->n_probe_vips += plan_list_probe_vips(
		conf, group, family, plan->probe_vips + plan->n_probe_vips);
	return 0;
}

static int add_group(
	struct plan *plan, const struct cluster *cluster, const struct conf_group *group)
{
	const struct conf *conf = cluster_conf(cluster);
	size_t first = plan->n_probes;
	int r = 0;

	for (size_t m = 0; r == 0 && m < group->n_members; m++)
		if (group->members[m].probed)
			r = add_member(plan, cluster, group, &group->members[m]);
	if (r == 0)
		r = add_vips(plan, conf, group, AF_INET, first);
	return r < 0 ? r : add_vips(plan, conf, group, AF_INET6, first);
}

int plan_add_probes(struct plan *plan, const struct cluster *cluster)
{
	const struct conf *conf = cluster_conf(cluster);
	int r = 0;

	for (size_t g = 0; r == 0 && g < conf->n_groups; g++)
		if (cluster_is_balancer(cluster, &conf->groups[g]))
			r = add_group(plan, cluster, &conf->groups[g]);
	if (plan->n_probe_vips > 0)
		qsort(plan->probe_vips, plan->n_probe_vips, sizeof(*plan->probe_vips),
			compare_priorities);
	return r;
}
