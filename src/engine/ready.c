/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host could do the duty of a group well now. */
#include "internal.h"

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

bool engine_is_ready(const struct engine *engine, const struct conf_group *group,
	char ret_reason[static REASON_MAX])
{
	const struct cluster *cluster = engine->cluster;
	const char *waits_for;

	if (!cluster_is_balancer(cluster, group))
		return refuse(ret_reason, "this node is no balancer of the group");
	if (!cluster_link(cluster)->present)
		return refuse(ret_reason, "the interface is not there");
	if (!cluster_link(cluster)->running)
		return refuse(ret_reason, "the interface is down");
	if (engine->keeper.error)
		return refuse(ret_reason, "%s", engine->keeper.error);
	if (engine_is_settling(engine))
		return refuse(ret_reason, "members are still being resolved");
	if (!serves(cluster, group))
		return refuse(ret_reason, "no member serves");
	/* Who has the duty is as ready as can be: giving it up would make nothing known. */
	if (cluster_role(cluster, group) != ROLE_ACTIVE && !engine_knows_flows(engine, &waits_for))
		return refuse(ret_reason, "the connections of %s are not known yet",
			waits_for ? waits_for : "the other nodes");
	return true;
}
