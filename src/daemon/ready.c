/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host could do the duty of a group well now. */
#include "daemon.h"

#include <string.h>

static bool __attribute__((format(printf, 2, 3)))
refuse(char reason[static REASON_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, REASON_MAX, format, arguments);
	va_end(arguments);
	return false;
}

static bool serves(const struct cluster *cluster, const struct conf_group *group)
{
	for (size_t i = 0; i < group->n_members; i++)
		if (cluster_view(cluster, &group->members[i]).state == MEMBER_SERVING)
			return true;
	return false;
}

bool daemon_is_ready(const struct daemon *daemon, const struct conf_group *group,
	char ret_reason[static REASON_MAX])
{
	const struct cluster *cluster = daemon->cluster;
	const char *waits_for;

	if (!cluster_is_balancer(cluster, group))
		return refuse(ret_reason, "this node is no balancer of the group");
	if (!cluster_link(cluster)->present)
		return refuse(ret_reason, "the interface is not there");
	if (!cluster_link(cluster)->running)
		return refuse(ret_reason, "the interface is down");
	if (daemon->keeper.error)
		return refuse(ret_reason, "%s", daemon->keeper.error);
	if (daemon_is_settling(daemon))
		return refuse(ret_reason, "members are still being resolved");
	if (!serves(cluster, group))
		return refuse(ret_reason, "no member serves");
	/* Who has the duty is as ready as can be: giving it up would make nothing known. */
	if (cluster_role(cluster, group) != ROLE_ACTIVE && !daemon_knows_flows(daemon, &waits_for))
		return refuse(ret_reason, "the connections of %s are not known yet",
			waits_for ? waits_for : "the other nodes");
	return true;
}
