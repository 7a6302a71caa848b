/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include "drover/compile.h"
#include "drover/explain.h"
#include "drover/log.h"
#include "drover/script.h"
#include "internal.h"
#include "overrides.h"
#include "report.h"
#include "roles.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *argument(const json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

/* --- the duty ------------------------------------------------------------------- */

static json_t *command_activate(struct engine *engine, const json_t *request)
{
	return takeover_request(engine, argument(request, "group"));
}

static json_t *command_standby(struct engine *engine, const json_t *request)
{
	takeover_cancel(engine, "standby was asked for meanwhile");
	return roles_set(engine, argument(request, "group"), ROLE_STANDBY,
		json_is_true(json_object_get(request, "force")));
}

/* --- members ----------------------------------------------------------------------- */

/* Keeps an override that was just made, and has the kernel follow. */
static json_t *finish_override(struct engine *engine, const char *name, int result)
{
	const struct conf_member *member = conf_find_member(cluster_conf(engine->cluster), name);
	struct member_view view;
	int r;

	if (result == -ENOENT || !member)
		return control_reply_error("there is no member %s", name);
	if (result < 0)
		return control_reply_error("member %s: %s", name, strerror(-result));
	(void)overrides_save(engine->cluster);
	engine_tell_overrides(engine);
	view = cluster_view(engine->cluster, member);
	log_notice("member %s: %s, weight %u", name, member_state_name(view.state),
		view.nominal_weight);
	r = engine_reconcile(engine);
	if (r < 0)
		return control_reply_error("noted, but the kernel does not have it: %s",
			engine->keeper.error ? engine->keeper.error : strerror(-r));
	return json_pack("{s:b, s:s, s:s, s:i}", "ok", true, "member", name, "state",
		member_state_name(view.state), "weight", (int)view.nominal_weight);
}

static json_t *change_member(
	struct engine *engine, const json_t *request, int (*change)(struct cluster *, const char *))
{
	const char *name = argument(request, "member");

	if (!name)
		return control_reply_error("the request names no member");
	return finish_override(engine, name, change(engine->cluster, name));
}

static json_t *command_drain(struct engine *engine, const json_t *request)
{
	return change_member(engine, request, cluster_drain);
}

static json_t *command_enable(struct engine *engine, const json_t *request)
{
	return change_member(engine, request, cluster_enable);
}

static json_t *command_disable(struct engine *engine, const json_t *request)
{
	return change_member(engine, request, cluster_disable);
}

static json_t *command_weight(struct engine *engine, const json_t *request)
{
	const json_t *weight = json_object_get(request, "weight");
	const char *name = argument(request, "member");

	if (!name || !json_is_integer(weight))
		return control_reply_error("the request names no member and weight");
	if (json_integer_value(weight) < 0 || json_integer_value(weight) > CONF_WEIGHT_MAX)
		return control_reply_error("a weight is a number from 0 to %d", CONF_WEIGHT_MAX);
	return finish_override(engine, name,
		cluster_set_weight(
			engine->cluster, name, (unsigned int)json_integer_value(weight)));
}

/* --- configuration -------------------------------------------------------------------- */

static json_t *command_reload(struct engine *engine, const json_t *request)
{
	bool reset = json_is_true(json_object_get(request, "reset"));
	uint64_t before = engine->keeper.n_commits;
	size_t n_overrides = 0;
	int r = engine_reload(engine, reset);

	if (r < 0 && engine->conf_errors.n_messages > 0)
		return json_pack("{s:b, s:s, s:o}", "ok", false, "error",
			"refused; the running configuration stays in force", "errors",
			report_faults(&engine->conf_errors));
	if (r < 0)
		return control_reply_error("loaded, but the kernel does not have it: %s",
			engine->keeper.error ? engine->keeper.error : strerror(-r));
	while (cluster_override_at(engine->cluster, n_overrides))
		n_overrides++;
	return json_pack("{s:b, s:b, s:I}", "ok", true, "changed",
		engine->keeper.n_commits != before, "overrides", (json_int_t)n_overrides);
}

/* --- questions -------------------------------------------------------------------------- */

static json_t *command_rules(struct engine *engine, const json_t *request)
{
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	_cleanup_(free_p) char *text = NULL;

	(void)request;
	if (plan_build(engine->cluster, NULL, engine->tables, &plan) < 0 ||
		compile_plan(plan, NULL, &ruleset) < 0)
		return NULL;
	text = script_format(ruleset);
	return text ? json_pack("{s:b, s:s}", "ok", true, "rules", text) : NULL;
}

static int parse_flow(const json_t *request, struct flow *ret_flow)
{
	const char *protocol = argument(request, "protocol");
	const char *client = argument(request, "client"), *vip = argument(request, "vip");

	if (!protocol || !client || !vip)
		return -EINVAL;
	if (strcmp(protocol, "tcp") == 0)
		ret_flow->protocol = IPPROTO_TCP;
	else if (strcmp(protocol, "udp") == 0)
		ret_flow->protocol = IPPROTO_UDP;
	else
		return -EINVAL;
	if (endpoint_parse(client, &ret_flow->client, &ret_flow->client_port) < 0)
		return -EINVAL;
	return endpoint_parse(vip, &ret_flow->vip, &ret_flow->vip_port);
}

static json_t *explain(const struct cluster *cluster, const struct flow *flow, const char *without)
{
	const struct plan_what_if what_if = { .without = without, .assume_active = true };
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	struct explanation explanation;

	if (plan_build(cluster, &what_if, NULL, &plan) < 0)
		return NULL;
	explain_flow(plan, flow, &explanation);
	return report_explanation(&explanation);
}

/* What the table says is for flows that begin; one that lives stays where it is. */
static void add_owner(struct engine *engine, const struct flow *flow, json_t *reply)
{
	const char *owner = ledger_find_owner(engine->flows.ledger, flow);
	bool pinned = owner && engine->plan && plan_flow_needs_pin(engine->plan, owner, flow);

	json_object_set_new(reply, "owner", owner ? json_string(owner) : json_null());
	json_object_set_new(reply, "pinned", json_boolean(pinned));
}

static json_t *command_explain(struct engine *engine, const json_t *request)
{
	const char *without = argument(request, "without");
	struct flow flow = { .protocol = 0 };
	json_t *reply;

	if (parse_flow(request, &flow) < 0)
		return control_reply_error("expected: tcp|udp CLIENT:PORT VIP:PORT");
	if (flow.client.family != flow.vip.family)
		return control_reply_error("one of client and VIP is IPv4, the other IPv6");
	if (without && !conf_find_member(cluster_conf(engine->cluster), without))
		return control_reply_error("there is no member %s", without);
	reply = control_reply_ok();
	if (!reply)
		return NULL;
	json_object_set(reply, "protocol", json_object_get(request, "protocol"));
	json_object_set(reply, "client", json_object_get(request, "client"));
	json_object_set(reply, "vip", json_object_get(request, "vip"));
	json_object_update_new(reply, explain(engine->cluster, &flow, NULL));
	add_owner(engine, &flow, reply);
	if (without)
		json_object_set_new(reply, "without", explain(engine->cluster, &flow, without));
	return reply;
}

static json_t *command_status(struct engine *engine, const json_t *request)
{
	(void)request;
	return report_status(engine);
}

static json_t *command_members(struct engine *engine, const json_t *request)
{
	(void)request;
	return report_members(engine);
}

static json_t *command_services(struct engine *engine, const json_t *request)
{
	return report_services(engine, json_is_true(json_object_get(request, "brief")));
}

static json_t *command_flows(struct engine *engine, const json_t *request)
{
	const char *member = argument(request, "member");

	if (member && !conf_find_member(cluster_conf(engine->cluster), member))
		return control_reply_error("there is no member %s", member);
	return report_flows(engine, member, json_is_true(json_object_get(request, "list")));
}

static json_t *command_ready(struct engine *engine, const json_t *request)
{
	(void)request;
	return report_ready(engine);
}

static json_t *command_metrics(struct engine *engine, const json_t *request)
{
	_cleanup_(free_p) char *text = engine_metrics(engine);

	(void)request;
	return text ? json_pack("{s:b, s:s}", "ok", true, "metrics", text) : NULL;
}

json_t *commands_handle(const json_t *request, void *user_data)
{
	static const struct {
		const char *name;
		json_t *(*run)(struct engine *engine, const json_t *request);
	} commands[] = {
		{ "status", command_status },
		{ "members", command_members },
		{ "services", command_services },
		{ "flows", command_flows },
		{ "rules", command_rules },
		{ "explain", command_explain },
		{ "ready", command_ready },
		{ "metrics", command_metrics },
		{ "activate", command_activate },
		{ "standby", command_standby },
		{ "drain", command_drain },
		{ "enable", command_enable },
		{ "disable", command_disable },
		{ "weight", command_weight },
		{ "reload", command_reload },
	};
	const char *name = argument(request, "command");

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(user_data, request);
	return control_reply_error("unknown command %s", name);
}
