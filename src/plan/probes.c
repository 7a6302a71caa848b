/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom checks ask by a VIP, so that they find what clients find. */
#include "drover/plan.h"

#include "drover/array.h"

#include <errno.h>

bool plan_probe_vip(
	const struct conf_group *group, const struct conf_member *member, struct address *ret_vip)
{
	for (size_t i = 0; i < group->n_vips; i++)
		if (group->vips[i].prefix.address.family == member->address.family) {
			*ret_vip = group->vips[i].prefix.address;
			return true;
		}
	return false;
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

static bool is_asked(const struct conf *conf, const struct conf_group *group, size_t member)
{
	for (size_t i = 0; i < group->n_services; i++) {
		const struct conf_service *service = &group->services[i];
		const struct conf_check *check = conf_service_check(conf, service);

		for (size_t j = 0; check && !check->by_address && j < service->n_members; j++)
			if (service->members[j] == member)
				return true;
	}
	return false;
}

/* This host asks itself without leaving it. Who cannot be reached is asked in vain. */
static int add_member(struct plan *plan, const struct cluster *cluster,
	const struct conf_group *group, const struct conf_member *member)
{
	struct member_view view = cluster_view(cluster, member);
	struct plan_probe *grown;
	struct address vip;

	if (view.local || !view.has_mac || !plan_probe_vip(group, member, &vip))
		return 0;
	grown = array_grow(plan->probes, plan->n_probes, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->probes = grown;
	grown[plan->n_probes++] = (struct plan_probe){
		.group = group->name,
		.member = member->name,
		.address = member->address,
		.vip = vip,
		.mac = view.mac,
		.mark = plan_probe_mark(cluster_conf(cluster), member),
		.location = member->location,
	};
	return 0;
}

int plan_add_probes(struct plan *plan, const struct cluster *cluster)
{
	const struct conf *conf = cluster_conf(cluster);
	int r = 0;

	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_group *group = &conf->groups[g];

		if (!cluster_is_balancer(cluster, group))
			continue;
		for (size_t m = 0; r == 0 && m < group->n_members; m++)
			if (is_asked(conf, group, m))
				r = add_member(plan, cluster, group, &group->members[m]);
	}
	return r;
}
