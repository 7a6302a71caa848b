/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include "drover/compile.h"
#include "drover/counters.h"
#include "drover/guard.h"
#include "drover/ports.h"

#include <errno.h>
#include <string.h>

/* A string, or null. */
static json_t *text(const char *value)
{
	return value ? json_string(value) : json_null();
}

static json_t *mac_text(bool known, const struct mac *mac)
{
	char buffer[MAC_TEXT_MAX];

	return known ? json_string(mac_format(mac, buffer)) : json_null();
}

json_t *report_faults(const struct conf_errors *errors)
{
	json_t *messages;

	if (errors->n_messages == 0)
		return json_null();
	messages = json_array();
	for (size_t i = 0; i < errors->n_messages; i++)
		json_array_append_new(messages, json_string(errors->messages[i]));
	return messages;
}

/* --- counters ------------------------------------------------------------------------ */

/* Sums up {"member/A/fe5": [packets, bytes], "service/A/web": [packets, bytes], "guard": …}. */
static void take_counter(struct ruleset_counter *counter, void *user_data)
{
	const json_t *sum = json_object_get(user_data, counter->of);
	json_int_t packets = json_integer_value(json_array_get(sum, 0));
	json_int_t bytes = json_integer_value(json_array_get(sum, 1));

	json_object_set_new(user_data, counter->of,
		json_pack("[I, I]", packets + (json_int_t)counter->packets,
			bytes + (json_int_t)counter->bytes));
}

static json_t *read_counters(struct engine *engine)
{
	json_t *counters = json_object();

	if (counters && keeper_read_counters(&engine->keeper) == 0)
		counters_foreach(engine->keeper.have, take_counter, counters);
	return counters;
}

/* A standby has the counters too, but has had nothing to count since it had the duty. */
static const json_t *counters_of(
	const struct engine *engine, const struct conf_group *group, const json_t *counters)
{
	return cluster_role(engine->cluster, group) == ROLE_STANDBY ? NULL : counters;
}

static void add_counters(json_t *entry, const json_t *counters, const char *kind,
	const struct conf_group *group, const char *name)
{
	char of[16 + 2 * CONF_NAME_MAX];
	const json_t *pair;

	snprintf(of, sizeof(of), "%s/%s/%s", kind, group->name, name);
	pair = json_object_get(counters, of);
	json_object_set_new(
		entry, "packets", pair ? json_incref(json_array_get(pair, 0)) : json_null());
	json_object_set_new(
		entry, "bytes", pair ? json_incref(json_array_get(pair, 1)) : json_null());
}

/* --- members --------------------------------------------------------------------------- */

/* Slots of each member of a group in the table over all of them, whoever is active. */
static int count_slots(
	const struct cluster *cluster, const struct conf_group *group, size_t *counts)
{
	size_t n_slots = cluster_conf(cluster)->buckets;
	_cleanup_(free_p) struct buckets_member *members = calloc(
		group->n_members, sizeof(*members));
	_cleanup_(free_p) uint16_t *slots = calloc(n_slots, sizeof(*slots));
	int r;

	if (!members || !slots)
		return -ENOMEM;
	for (size_t i = 0; i < group->n_members; i++)
		members[i] = (struct buckets_member){
			.name = group->members[i].name,
			.weight = cluster_view(cluster, &group->members[i]).weight,
		};
	r = buckets_build(members, group->n_members, BUCKETS_RENDEZVOUS, slots, n_slots);
	for (size_t slot = 0; r == 0 && slot < n_slots; slot++)
		if (slots[slot] != BUCKETS_NONE)
			counts[slots[slot]]++;
	return r;
}

/* Only balancers resolve members; to the others a member without a MAC is nothing unusual. */
static const char *state_text(const struct cluster *cluster, const struct conf_group *group,
	const struct member_view *view)
{
	if (view->state == MEMBER_UNREACHABLE && !cluster_is_balancer(cluster, group))
		return "unknown";
	return member_state_name(view->state);
}

static json_t *member_entry(struct engine *engine, const struct conf_group *group,
	const struct conf_member *member, size_t count)
{
	struct member_view view = cluster_view(engine->cluster, member);
	uint32_t buckets = cluster_conf(engine->cluster)->buckets;
	char address[ADDRESS_TEXT_MAX];

	return json_pack("{s:s, s:s, s:o, s:s, s:i, s:i, s:b, s:b, s:b, s:b, s:I, s:f}", "name",
		member->name, "address", address_format(&member->address, address), "mac",
		mac_text(view.has_mac && !mac_is_zero(&view.mac), &view.mac), "state",
		state_text(engine->cluster, group, &view), "weight", (int)view.nominal_weight,
		"configured_weight", (int)member->weight, "overridden", view.override != NULL,
		"local", view.local, "balancer", member->balancer, "retired", member->retired,
		"buckets", (json_int_t)count, "share", (double)count / buckets);
}

/* Appends the members of a group; with_group adds its name to each. */
static void add_members(struct engine *engine, json_t *list, const json_t *counters,
	const struct conf_group *group, bool with_group)
{
	_cleanup_(free_p) size_t *counts = calloc(group->n_members, sizeof(*counts));

	if (!counts || count_slots(engine->cluster, group, counts) < 0)
		return;
	for (size_t i = 0; i < group->n_members; i++) {
		const struct conf_member *member = &group->members[i];
		json_t *entry;

		if (member->balancer_only)
			continue;
		entry = member_entry(engine, group, member, counts[i]);
		if (!entry)
			return;
		if (with_group)
			json_object_set_new(entry, "group", json_string(group->name));
		add_counters(
			entry, counters_of(engine, group, counters), "member", group, member->name);
		json_object_set_new(entry, "checks", report_health_of(engine, group, member));
		json_array_append_new(list, entry);
	}
}

json_t *report_members(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(json_decref_p) json_t *counters = read_counters(engine);
	_cleanup_(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; i < conf->n_groups; i++)
		add_members(engine, list, counters, &conf->groups[i], true);
	return json_pack("{s:b, s:O}", "ok", true, "members", list);
}

/* --- services ------------------------------------------------------------------------------ */

static json_t *members_of(const struct conf_group *group, const struct conf_service *service)
{
	json_t *members = json_array();

	for (size_t i = 0; i < service->n_members; i++)
		json_array_append_new(
			members, json_string(group->members[service->members[i]].name));
	return members;
}

static json_t *service_entry(const struct engine *engine, const json_t *counters,
	const struct conf_group *group, const struct conf_service *service, bool brief)
{
	_cleanup_(free_p) char *ports = ports_format(service->ports, service->n_ports);
	json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "group", group->name, "name",
		service->name, "protocol", conf_protocol_name(service->protocol), "ports",
		ports ? ports : "", "scheduler", conf_scheduler_name(service->scheduler), "check",
		text(service->check));

	if (!brief)
		json_object_set_new(entry, "members", members_of(group, service));
	report_service_health(engine, group, service, entry);
	add_counters(entry, counters_of(engine, group, counters), "service", group, service->name);
	return entry;
}

static json_t *services_of(struct engine *engine, const json_t *counters, bool brief)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; i < conf->n_groups; i++)
		for (size_t j = 0; j < conf->groups[i].n_services; j++)
			json_array_append_new(
				list, service_entry(engine, counters, &conf->groups[i],
					      &conf->groups[i].services[j], brief));
	return json_pack("{s:b, s:O}", "ok", true, "services", list);
}

json_t *report_services(struct engine *engine, bool brief)
{
	_cleanup_(json_decref_p) json_t *counters = read_counters(engine);

	return services_of(engine, counters, brief);
}

/* --- readiness ------------------------------------------------------------------------------- */

json_t *report_ready(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(json_decref_p) json_t *groups = json_array();
	bool ready = true, any = false;

	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];
		char reason[REASON_MAX];
		bool is_ready = engine_is_ready(engine, group, reason);

		json_array_append_new(
			groups, json_pack("{s:s, s:b, s:o}", "name", group->name, "ready", is_ready,
					"reason", text(is_ready ? NULL : reason)));
		if (cluster_is_balancer(engine->cluster, group)) {
			any = true;
			ready &= is_ready;
		}
	}
	return json_pack("{s:b, s:b, s:O}", "ok", true, "ready", any && ready, "groups", groups);
}

/* --- status ------------------------------------------------------------------------------------
 */

static const char *role_text(const struct cluster *cluster, const struct conf_group *group)
{
	if (!cluster_is_balancer(cluster, group))
		return "member";
	return cluster_role(cluster, group) == ROLE_ACTIVE ? "active" : "standby";
}

/* Services that have nobody who is up. */
static json_t *failed_services(const struct cluster *cluster, const struct conf_group *group)
{
	json_t *list = json_array();

	for (size_t i = 0; i < group->n_services; i++) {
		const struct conf_service *service = &group->services[i];

		if (service->check && cluster_service_failed(cluster, group, service))
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "service", service->name, "fail",
					      conf_fail_name(service->fail)));
	}
	return list;
}

static json_t *group_entry(
	struct engine *engine, const json_t *counters, const struct conf_group *group)
{
	const char *role = role_text(engine->cluster, group);
	char reason[REASON_MAX];
	bool is_balancer = cluster_is_balancer(engine->cluster, group);
	bool ready = engine_is_ready(engine, group, reason);
	json_t *vips = json_array(), *members = json_array();

	for (size_t i = 0; i < group->n_vips; i++) {
		char vip[PREFIX_TEXT_MAX];

		json_array_append_new(
			vips, json_string(prefix_format(&group->vips[i].prefix, vip)));
	}
	add_members(engine, members, counters, group, false);
	return json_pack("{s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:o, s:o}", "name", group->name,
		"role", role, "forwarding", cluster_role(engine->cluster, group) != ROLE_STANDBY,
		"ready", ready, "reason", text(is_balancer && !ready ? reason : NULL), "vips", vips,
		"buckets", (json_int_t)cluster_conf(engine->cluster)->buckets, "members", members,
		"failed_services", failed_services(engine->cluster, group));
}

static json_t *kernel_entry(const struct keeper *keeper)
{
	return json_pack("{s:b, s:o, s:I, s:I, s:I}", "in_sync", keeper->error == NULL, "error",
		text(keeper->error), "commits", (json_int_t)keeper->n_commits, "repairs",
		(json_int_t)keeper->n_repairs, "last_commit_us",
		(json_int_t)keeper->last_commit_us);
}

/* Null if this host has no member guard. */
static json_t *guard_entry(struct keeper *keeper, const json_t *counters)
{
	const json_t *dropped = json_object_get(counters, GUARD_COUNTER);
	uint64_t left_ms = 0;

	if (keeper_read_guard(keeper, &left_ms) < 0)
		return json_null();
	return json_pack("{s:b, s:I, s:o}", "armed", left_ms > 0, "left_ms", (json_int_t)left_ms,
		"dropped", dropped ? json_incref(json_array_get(dropped, 0)) : json_null());
}

/* Null while this host has no shield. */
static json_t *shield_entry(const json_t *counters)
{
	const json_t *dropped = json_object_get(counters, SHIELD_COUNTER);

	if (!dropped)
		return json_null();
	return json_pack("{s:O}", "dropped", json_array_get(dropped, 0));
}

static json_t *interface_entry(const struct cluster *cluster)
{
	const struct cluster_link *link = cluster_link(cluster);

	return json_pack("{s:s, s:b, s:b, s:o}", "name", cluster_conf(cluster)->interface,
		"present", link->present, "running", link->running, "mac",
		mac_text(link->present, &link->mac));
}

static json_t *status_of(struct engine *engine, const json_t *counters)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(json_decref_p) json_t *groups = json_array();
	size_t n_overrides = 0;

	while (cluster_override_at(engine->cluster, n_overrides))
		n_overrides++;
	for (size_t i = 0; i < conf->n_groups; i++)
		json_array_append_new(groups, group_entry(engine, counters, &conf->groups[i]));
	return json_pack(
		"{s:b, s:s, s:s, s:i, s:o, s:s, s:{s:s, s:o}, s:o, s:o, s:o, s:o, s:o, s:I, s:O}",
		"ok", true, "node", conf->node, "version", DROVER_VERSION, "pid", (int)getpid(),
		"interface", interface_entry(engine->cluster), "election",
		conf_election_name(conf->election), "configuration", "file", conf->path, "errors",
		report_faults(&engine->conf_errors), "kernel", kernel_entry(&engine->keeper),
		"shield", shield_entry(counters), "guard", guard_entry(&engine->keeper, counters),
		"flows", report_flow_totals(engine), "sync", report_sync(engine), "overrides",
		(json_int_t)n_overrides, "groups", groups);
}

json_t *report_status(struct engine *engine)
{
	_cleanup_(json_decref_p) json_t *counters = read_counters(engine);

	return status_of(engine, counters);
}

json_t *report_all(struct engine *engine)
{
	_cleanup_(json_decref_p) json_t *counters = read_counters(engine);

	return json_pack("{s:o, s:o, s:o}", "status", status_of(engine, counters), "services",
		services_of(engine, counters, true), "flows", report_flows(engine, NULL, false));
}

/* --- explain
 * --------------------------------------------------------------------------------------- */

json_t *report_explanation(const struct explanation *explanation)
{
	const struct plan_member *member = explanation->member;
	const struct plan_distribution *distribution = explanation->distribution;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "group",
		text(explanation->group ? explanation->group->name : NULL), "service",
		text(explanation->service), "scheduler",
		text(distribution ? conf_scheduler_name(distribution->scheduler) : NULL), "bucket",
		explanation->has_bucket ? json_integer(explanation->bucket) : json_null(), "member",
		text(member ? member->name : NULL), "mac",
		member ? mac_text(true, &member->mac) : json_null(), "verdict",
		explain_verdict_name(explanation->verdict), "reason", explanation->reason);
}
