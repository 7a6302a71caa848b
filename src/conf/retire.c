/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member that the file has no more, but whose connections live. */
#include "drover/ports.h"
#include "internal.h"

#include <errno.h>
#include <string.h>

static struct conf_member *find_like(struct conf_group *group, const struct conf_member *member)
{
	for (size_t i = 0; i < group->n_members; i++)
		if (strcmp(group->members[i].name, member->name) == 0 ||
			address_equal(&group->members[i].address, &member->address))
			return &group->members[i];
	return NULL;
}

/* Ports that have become somebody else's are that one's. */
static bool is_free(const struct conf_group *group, const struct port_range *range)
{
	for (size_t i = 0; i < group->n_members; i++)
		for (size_t j = 0; j < group->members[i].n_outgoing; j++)
			if (port_range_overlaps(&group->members[i].outgoing[j].range, range))
				return false;
	for (size_t i = 0; i < group->n_services; i++)
		for (size_t j = 0; j < group->services[i].n_ports; j++)
			if (port_range_overlaps(&group->services[i].ports[j], range))
				return false;
	return true;
}

/* What it has opened itself lives on its outgoing ranges. */
static int keep_outgoing(const struct conf_group *group, struct conf_member *retired,
	const struct conf_member *member)
{
	for (size_t i = 0; i < member->n_outgoing; i++) {
		struct conf_outgoing *outgoing;

		if (!is_free(group, &member->outgoing[i].range))
			continue;
		outgoing = array_append(retired->outgoing, retired->n_outgoing);
		if (!outgoing)
			return -ENOMEM;
		*outgoing = (struct conf_outgoing){
			.range = member->outgoing[i].range,
			.location = group->location,
		};
	}
	return 1;
}

/* One that goes on as a balancer only is still a member for so long. */
static int retire_balancer(
	const struct conf_group *group, struct conf_member *known, const struct conf_member *member)
{
	if (!known->balancer_only || strcmp(known->name, member->name) != 0)
		return 0;
	known->balancer_only = false;
	known->retired = true;
	return keep_outgoing(group, known, member);
}

static struct conf_group *find_group(struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (strcmp(conf->groups[i].name, name) == 0)
			return &conf->groups[i];
	return NULL;
}

/* Behind all others: services name their members by number. */
int conf_retire_member(struct conf *conf, const char *group_name, const struct conf_member *member)
{
	struct conf_group *group = find_group(conf, group_name);
	struct conf_member *retired;
	char *name;

	if (!group || member->balancer_only)
		return 0;
	retired = find_like(group, member);
	if (retired)
		return retire_balancer(group, retired, member);
	if (group->n_members >= CONF_MEMBERS_MAX)
		return 0;
	name = strdup(member->name);
	if (!name)
		return -ENOMEM;
	retired = array_append(group->members, group->n_members);
	if (!retired) {
		free(name);
		return -ENOMEM;
	}
	*retired = (struct conf_member){
		.name = name,
		.address = member->address,
		.has_mac = member->has_mac,
		.mac = member->mac,
		.retired = true,
		.location = group->location,
	};
	return keep_outgoing(group, retired, member);
}
