/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is: the node, its problems, its groups and their members. */
#include "drover/cleanup.h"
#include "render.h"
#include "reply.h"
#include "table.h"

#include <errno.h>
#include <string.h>

enum text_paint render_state_paint(const char *state)
{
	if (strcmp(state, "serving") == 0)
		return TEXT_GOOD;
	if (strcmp(state, "draining") == 0)
		return TEXT_WARNING;
	if (strcmp(state, "disabled") == 0 || strcmp(state, "unreachable") == 0 ||
		strcmp(state, "down") == 0)
		return TEXT_BAD;
	return TEXT_PLAIN;
}

/* Which of the two columns carries the mark: the one that the operator changed. */
static bool state_is_set(const json_t *member)
{
	const char *state = reply_text(member, "state");

	return reply_is_true(member, "overridden") &&
	       (strcmp(state, "draining") == 0 || strcmp(state, "disabled") == 0);
}

static bool weight_is_set(const json_t *member)
{
	return reply_is_true(member, "overridden") &&
	       (!state_is_set(member) || !json_equal(json_object_get(member, "weight"),
						 json_object_get(member, "configured_weight")));
}

static void add_share(struct table *table, const json_t *member)
{
	const json_t *number = json_object_get(member, "share");
	double share = json_number_value(number);
	char bar[TEXT_BAR_MAX];

	if (!json_is_number(number) || share < 0 || share > 1) {
		table_add(table, TEXT_PLAIN, "-");
		table_add(table, TEXT_PLAIN, "%s", "");
		return;
	}
	table_add(table, TEXT_PLAIN, "%.1f%%", share * 100);
	table_add(table, TEXT_PLAIN, "%s", text_bar(share, bar));
}

/* "local, balancer" */
static void add_notes(struct table *table, const json_t *member)
{
	static const struct {
		const char *field, *note;
	} notes[] = {
		{ "local", "local" },
		{ "balancer", "balancer" },
		{ "retired", "not in the file any more" },
	};
	char text[64] = "";
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (reply_is_true(member, notes[i].field))
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
				length > 0 ? ", " : "", notes[i].note);
	table_add(table, TEXT_PLAIN, "%s", text);
}

static void add_member(struct table *table, const json_t *member, const char *weight_pad)
{
	const char *state = reply_text(member, "state");
	char number[REPLY_NUMBER_MAX];

	table_add(table, TEXT_PLAIN, "%s", reply_text_or(member, "group", ""));
	table_add(table, TEXT_PLAIN, "%s", reply_text(member, "name"));
	table_add(table, TEXT_PLAIN, "%s", reply_text(member, "address"));
	table_add(table, TEXT_PLAIN, "%s", reply_text(member, "mac"));
	table_add(table, render_state_paint(state), "%s%s", state, state_is_set(member) ? "*" : "");
	table_add(table, TEXT_PLAIN, "%s%s", reply_number(member, "weight", number),
		weight_is_set(member) ? "*" : weight_pad);
	add_share(table, member);
	table_add(table, TEXT_PLAIN, "%s", reply_short(member, "packets", 1000, number));
	table_add(table, TEXT_PLAIN, "%s", reply_short(member, "bytes", 1024, number));
	add_notes(table, member);
}

/* Says what the file has for each marked member, so that the way back is known. */
static void print_overrides(struct view *view, const json_t *members, const char *indent)
{
	char *names = NULL;
	size_t size, i, count = 0;
	const json_t *member;
	FILE *list = open_memstream(&names, &size);

	if (!list) {
		view->error = -ENOMEM;
		return;
	}
	json_array_foreach(members, i, member)
	{
		char weight[REPLY_NUMBER_MAX];

		if (!reply_is_true(member, "overridden"))
			continue;
		fprintf(list, "%s%s %s", count++ ? ", " : "", reply_text(member, "name"),
			reply_number(member, "configured_weight", weight));
	}
	fclose(list);
	if (count > 0)
		view_line(view, TEXT_WARNING,
			"%s* set at run time (file: %s); droverctl reload --reset returns to the "
			"file",
			indent, names);
	free(names);
}

static void print_check(
	struct view *view, const json_t *member, const json_t *check, const char *indent)
{
	json_int_t since_ms = json_integer_value(json_object_get(check, "since_ms"));
	const char *detail = reply_text_or(check, "detail", "");
	const char *own = reply_text_or(check, "own_outcome", "");
	const char *vip = reply_text_or(check, "vip", "");
	bool ejected = reply_is_true(check, "ejected");
	char percent[REPLY_NUMBER_MAX];

	if (strcmp(reply_text(check, "state"), "down") == 0)
		view_line(view, ejected ? TEXT_BAD : TEXT_WARNING,
			"%s%s, %s: down for %.1f s: %s%s%s%s%s%s%s%s", indent,
			reply_text(member, "name"), reply_text(check, "service"),
			(double)since_ms / 1000, reply_text(check, "outcome"), *detail ? ", " : "",
			detail, *vip ? " by VIP " : "", vip, *own ? ", by its own address " : "",
			own, ejected ? "" : "; used all the same");
	else if (json_integer_value(json_object_get(check, "percent")) < 100 && !ejected)
		view_line(view, TEXT_WARNING, "%s%s, %s: starts slowly, at %s%% of its weight",
			indent, reply_text(member, "name"), reply_text(check, "service"),
			reply_number(check, "percent", percent));
}

/* Only what is not as it should be. */
static void print_checks(struct view *view, const json_t *members, const char *indent)
{
	const json_t *member, *check;
	size_t i, j;

	json_array_foreach(members, i, member)
	{
		json_array_foreach(json_object_get(member, "checks"), j, check)
			print_check(view, member, check, indent);
	}
}

void render_member_table(struct view *view, const json_t *members, const char *indent)
{
	static const struct table_column columns[] = {
		{ "GROUP" },
		{ "MEMBER" },
		{ "ADDRESS" },
		{ "MAC" },
		{ "STATE" },
		{ "WEIGHT", .right = true },
		{ "SHARE", .right = true },
		{ "" },
		{ "PACKETS", .right = true },
		{ "BYTES", .right = true },
		{ "NOTES" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const char *weight_pad = "";
	const json_t *member;
	size_t i;

	json_array_foreach(members, i, member) if (weight_is_set(member))
		weight_pad = " "; /* digits stay below digits */
	json_array_foreach(members, i, member) add_member(table, member, weight_pad);
	view_table(view, table, indent);
	print_overrides(view, members, indent);
	print_checks(view, members, indent);
}

void render_members(struct view *view, const json_t *reply)
{
	const json_t *members = json_object_get(reply, "members");

	if (json_array_size(members) == 0)
		view_line(view, TEXT_PLAIN, "no members");
	render_member_table(view, members, "");
}

/* A host that only serves has no duty to be ready for, unless it says why it is not. */
static bool readiness_matters(const json_t *group)
{
	return strcmp(reply_text(group, "role"), "member") != 0 ||
	       json_is_string(json_object_get(group, "reason"));
}

static void print_group_problem(struct view *view, const json_t *group)
{
	const json_t *failed = json_object_get(group, "failed_services"), *service;
	size_t i;

	json_array_foreach(failed, i, service) view_line(view, TEXT_BAD,
		"PROBLEM: group %s, service %s: no member is up; fail = %s",
		reply_text(group, "name"), reply_text(service, "service"),
		reply_text(service, "fail"));
	if (!reply_is_false(group, "ready") || !readiness_matters(group))
		return;
	view_line(view, TEXT_BAD, "PROBLEM: group %s is not ready: %s", reply_text(group, "name"),
		reply_text_or(group, "reason", "no reason given"));
}

void render_problems(struct view *view, const json_t *reply)
{
	const json_t *interface = json_object_get(reply, "interface");
	const json_t *kernel = json_object_get(reply, "kernel");
	const json_t *configuration = json_object_get(reply, "configuration");
	const json_t *errors = json_object_get(configuration, "errors"), *error;
	const json_t *groups = json_object_get(reply, "groups"), *group;
	const char *refusal = reply_text_or(kernel, "error", NULL);
	size_t i;

	if (reply_is_false(kernel, "in_sync") || refusal)
		view_line(view, TEXT_BAD, "PROBLEM: the kernel is not in sync: %s",
			refusal ? refusal : "no reason given");
	if (reply_is_false(interface, "present"))
		view_line(view, TEXT_BAD, "PROBLEM: interface %s is missing",
			reply_text(interface, "name"));
	else if (reply_is_false(interface, "running"))
		view_line(view, TEXT_BAD, "PROBLEM: interface %s is down",
			reply_text(interface, "name"));
	json_array_foreach(errors, i, error) view_line(view, TEXT_BAD,
		"PROBLEM: configuration refused, the earlier one runs: %s",
		json_is_string(error) ? json_string_value(error) : "-");
	json_array_foreach(groups, i, group) print_group_problem(view, group);
	render_unpinned(view, json_object_get(reply, "flows"));
}

static const char *interface_state(const json_t *interface)
{
	if (reply_is_false(interface, "present"))
		return "missing";
	if (reply_is_true(interface, "running"))
		return "running";
	return reply_is_false(interface, "running") ? "down" : "-";
}

static const char *kernel_state(const json_t *kernel)
{
	if (reply_is_true(kernel, "in_sync"))
		return "in sync";
	return reply_is_false(kernel, "in_sync") ? "not in sync" : "-";
}

static void print_node(struct view *view, const json_t *reply)
{
	const json_t *interface = json_object_get(reply, "interface");
	const json_t *kernel = json_object_get(reply, "kernel");
	const json_t *configuration = json_object_get(reply, "configuration");
	char pid[REPLY_NUMBER_MAX], commits[REPLY_NUMBER_MAX], repairs[REPLY_NUMBER_MAX];
	char duration[REPLY_NUMBER_MAX], overrides[REPLY_NUMBER_MAX];

	view_line(view, TEXT_PLAIN, "node           %s (drover %s, pid %s)",
		reply_text(reply, "node"), reply_text(reply, "version"),
		reply_number(reply, "pid", pid));
	view_line(view, TEXT_PLAIN, "interface      %s, %s, MAC %s", reply_text(interface, "name"),
		interface_state(interface), reply_text(interface, "mac"));
	view_line(view, TEXT_PLAIN, "election       %s", reply_text(reply, "election"));
	view_line(view, TEXT_PLAIN, "configuration  %s", reply_text(configuration, "file"));
	view_line(
		view, TEXT_PLAIN, "overrides      %s", reply_number(reply, "overrides", overrides));
	view_line(view, TEXT_PLAIN, "kernel         %s, commits %s (last took %s us), repairs %s",
		kernel_state(kernel), reply_number(kernel, "commits", commits),
		reply_number(kernel, "last_commit_us", duration),
		reply_number(kernel, "repairs", repairs));
}

/* A host that is active has one. */
static void print_shield(struct view *view, const json_t *reply)
{
	const json_t *shield = json_object_get(reply, "shield");
	char dropped[REPLY_NUMBER_MAX];

	if (json_is_object(shield))
		view_line(view, TEXT_PLAIN, "shield         up, dropped %s packets",
			reply_number(shield, "dropped", dropped));
}

/* A host that is no member has none. */
static void print_guard(struct view *view, const json_t *reply)
{
	const json_t *guard = json_object_get(reply, "guard");
	json_int_t left_ms = json_integer_value(json_object_get(guard, "left_ms"));
	char dropped[REPLY_NUMBER_MAX];

	if (!json_is_object(guard))
		return;
	reply_number(guard, "dropped", dropped);
	if (reply_is_true(guard, "armed"))
		view_line(view, TEXT_WARNING,
			"guard          armed for %.1f s more, dropped %s packets",
			(double)left_ms / 1000, dropped);
	else
		view_line(
			view, TEXT_PLAIN, "guard          not armed, dropped %s packets", dropped);
}

static void print_flows(struct view *view, const json_t *reply)
{
	const json_t *flows = json_object_get(reply, "flows");
	char known[REPLY_NUMBER_MAX], own[REPLY_NUMBER_MAX], pinned[REPLY_NUMBER_MAX];

	if (!json_is_object(flows))
		return;
	view_line(view, TEXT_PLAIN, "connections    %s known, %s of them end here, %s pinned",
		reply_number(flows, "known", known), reply_number(flows, "own", own),
		reply_number(flows, "pinned", pinned));
}

static const char *ready_text(const json_t *group)
{
	if (!readiness_matters(group))
		return "";
	if (reply_is_true(group, "ready"))
		return " ready,";
	return reply_is_false(group, "ready") ? " not ready," : " -,";
}

void render_status(struct view *view, const json_t *reply)
{
	const json_t *groups = json_object_get(reply, "groups"), *group;
	size_t i;

	render_problems(view, reply);
	print_node(view, reply);
	print_shield(view, reply);
	print_guard(view, reply);
	print_flows(view, reply);
	render_nodes(view, json_object_get(reply, "sync"));
	json_array_foreach(groups, i, group)
	{
		_cleanup_(free_p) char *vips = reply_join(group, "vips", ", ");
		char buckets[REPLY_NUMBER_MAX];

		fputc('\n', view->out);
		view_line(view, TEXT_PLAIN, "group %s: %s,%s %s buckets", reply_text(group, "name"),
			reply_text(group, "role"), ready_text(group),
			reply_number(group, "buckets", buckets));
		view_line(view, TEXT_PLAIN, "  VIPs %s", vips ? vips : "-");
		render_member_table(view, json_object_get(group, "members"), "  ");
	}
}
