/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "roles.h"

#include "drover/log.h"

#include <errno.h>
#include <string.h>

static json_t *refuse_role(const char *group, int error)
{
	switch (error) {
	case -ENOENT:
		return control_reply_error("there is no group %s", group);
	case -EPERM:
		return control_reply_error("this node is no balancer of group %s", group);
	case -EBUSY:
		return control_reply_error(
			"group %s is always active here (election = \"always\")", group);
	default:
		return control_reply_error("group %s: %s", group, strerror(-error));
	}
}

static json_t *role_entry(const struct conf_group *group, enum cluster_role role, bool changed)
{
	return json_pack("{s:s, s:s, s:b}", "name", group->name, "role",
		role == ROLE_ACTIVE ? "active" : "standby", "changed", changed);
}

/* Standing by from being active passes through leaving, standing by otherwise does not. */
static enum cluster_role next_role(
	const struct cluster *cluster, const struct conf_group *group, enum cluster_role wanted)
{
	if (wanted == ROLE_ACTIVE)
		return ROLE_ACTIVE;
	return cluster_role(cluster, group) == ROLE_STANDBY ? ROLE_STANDBY : ROLE_LEAVING;
}

static int set_role(struct cluster *cluster, const struct conf_group *group,
	enum cluster_role wanted, bool force)
{
	int r = cluster_set_role(cluster, group->name, next_role(cluster, group, wanted));

	if (r != -EBUSY || !force)
		return r;
	r = cluster_relieve(cluster);
	return r < 0 ? r : set_role(cluster, group, wanted, false);
}

bool roles_mean(const struct cluster *cluster, const struct conf_group *group, const char *name)
{
	return name ? strcmp(group->name, name) == 0 : cluster_is_balancer(cluster, group);
}

static void take_roles_back(
	struct cluster *cluster, const struct conf *conf, const enum cluster_role *before)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		(void)cluster_set_role(cluster, conf->groups[i].name, before[i]);
}

/* Rules first, then the VIPs: a packet that comes must find its way. */
static int enact_roles(struct engine *engine)
{
	int r;

	if (!cluster_link(engine->cluster)->present)
		return -ENODEV;
	engine_settle(engine);
	engine_begin_remembering(engine);
	r = engine_reconcile(engine);
	if (r == 0)
		engine_role_changed(engine);
	engine_run_sync(engine);
	return r;
}

static void log_role_changes(
	const struct cluster *cluster, const enum cluster_role *before, enum cluster_role wanted)
{
	const struct conf *conf = cluster_conf(cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (cluster_role(cluster, &conf->groups[i]) != before[i])
			log_notice("group %s: %s", conf->groups[i].name,
				wanted == ROLE_ACTIVE ? "active" : "standby");
}

static json_t *set_roles(struct engine *engine, const char *name, enum cluster_role wanted,
	bool force, enum cluster_role *before)
{
	struct cluster *cluster = engine->cluster;
	const struct conf *conf = cluster_conf(cluster);
	_cleanup_(json_decref_p) json_t *entries = json_array();
	bool any = false;
	int r;

	for (size_t i = 0; i < conf->n_groups; i++)
		before[i] = cluster_role(cluster, &conf->groups[i]);
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (!roles_mean(cluster, group, name))
			continue;
		r = set_role(cluster, group, wanted, force);
		if (r < 0) {
			take_roles_back(cluster, conf, before);
			return refuse_role(group->name, r);
		}
		if (r > 0 && wanted == ROLE_ACTIVE)
			cluster_set_epoch(
				cluster, group->name, engine_next_epoch(engine, group->name));
		any = true;
		json_array_append_new(entries, role_entry(group, wanted, r > 0));
	}
	if (!any && name)
		return refuse_role(name, -ENOENT);
	if (!any)
		return control_reply_error("this node is no balancer of any group");
	r = enact_roles(engine);
	if (r < 0 && wanted == ROLE_ACTIVE) {
		take_roles_back(cluster, conf, before);
		return control_reply_error(
			"not active: %s", r == -ENODEV           ? "the interface is not there"
					  : engine->keeper.error ? engine->keeper.error
								 : strerror(-r));
	}
	log_role_changes(cluster, before, wanted);
	return json_pack("{s:b, s:O}", "ok", true, "groups", entries);
}

json_t *roles_set(struct engine *engine, const char *name, enum cluster_role wanted, bool force)
{
	size_t n_groups = cluster_conf(engine->cluster)->n_groups;
	_cleanup_(free_p) enum cluster_role *before = calloc(n_groups, sizeof(*before));

	return before ? set_roles(engine, name, wanted, force, before) : NULL;
}
