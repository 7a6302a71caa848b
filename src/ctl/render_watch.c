/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates of members and services, and what goes with them. */
#include "drover/cleanup.h"
#include "render.h"
#include "reply.h"
#include "table.h"

#include <string.h>

enum {
	BAR_MIN = 8,
	BAR_MAX = 60,
	RATE_MAX = 32,
};

/* --- numbers --------------------------------------------------------------------------------- */

/* "0.4", "12", "4.2M"; "-" for what is not known. */
static const char *rate_text(const json_t *object, const char *key, char buffer[static RATE_MAX])
{
	const json_t *number = json_object_get(object, key);
	double rate = json_number_value(number);

	if (!json_is_number(number) || rate < 0 || rate > 1e18)
		return "-";
	if (rate > 0 && rate < 9.95)
		snprintf(buffer, RATE_MAX, "%.1f", rate);
	else
		return text_short((uint64_t)(rate + 0.5), 1000, buffer);
	return buffer;
}

static const char *percent_text(const json_t *object, const char *key, char buffer[static RATE_MAX])
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_number(number))
		return "-";
	snprintf(buffer, RATE_MAX, "%.1f%%", json_number_value(number) * 100);
	return buffer;
}

/* --- members -----------------------------------------------------------------------------------
 */

static double share_of(const json_t *member, const char *key)
{
	double share = json_number_value(json_object_get(member, key));

	return share > 0 && share <= 1 ? share : 0;
}

/* The longest bar fills its column. */
static double largest_share(const json_t *members)
{
	const json_t *member;
	double largest = 0;
	size_t i;

	json_array_foreach(members, i, member)
	{
		double traffic = share_of(member, "traffic"), share = share_of(member, "share");

		if (traffic > largest)
			largest = traffic;
		if (share > largest)
			largest = share;
	}
	return largest;
}

/* What the other columns leave; names, states and numbers of usual length are in mind. */
static size_t bar_width(const json_t *members, size_t columns)
{
	size_t used, longest = 6, i;
	const json_t *member;

	json_array_foreach(members, i, member)
	{
		size_t width = text_width(reply_text(member, "name"));

		if (width > longest)
			longest = width;
	}
	used = longest + 52;
	if (columns < used + BAR_MIN)
		return BAR_MIN;
	return columns - used < BAR_MAX ? columns - used : BAR_MAX;
}

static void add_member(struct table *table, const json_t *member, double largest, size_t width)
{
	const char *state = reply_text(member, "state");
	char text[RATE_MAX], bar[BAR_MAX + 1];

	table_add(table, TEXT_PLAIN, "%s", reply_text(member, "name"));
	table_add(table, render_state_paint(state), "%s", state);
	table_add(table, TEXT_PLAIN, "%s", rate_text(member, "packets_per_second", text));
	table_add(table, TEXT_PLAIN, "%s", rate_text(member, "bits_per_second", text));
	table_add(table, TEXT_PLAIN, "%s", percent_text(member, "traffic", text));
	table_add(table, TEXT_PLAIN, "%s", percent_text(member, "share", text));
	text_bar_marked(largest > 0 ? share_of(member, "traffic") / largest : 0,
		largest > 0 ? share_of(member, "share") / largest : 0, width, bar);
	table_add(table, TEXT_PLAIN, "%s", bar);
}

static void print_members(struct view *view, const json_t *members, size_t columns)
{
	static const struct table_column titles[] = {
		{ "MEMBER" },
		{ "STATE" },
		{ "PKT/S", .right = true },
		{ "BIT/S", .right = true },
		{ "TRAFFIC", .right = true },
		{ "SHARE", .right = true },
		{ "" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	double largest = largest_share(members);
	size_t width = bar_width(members, columns), i;
	const json_t *member;

	json_array_foreach(members, i, member) add_member(table, member, largest, width);
	view_table(view, table, "  ");
}

/* --- services ----------------------------------------------------------------------------------
 */

static void print_services(struct view *view, const json_t *services, const char *group)
{
	static const struct table_column titles[] = {
		{ "SERVICE" },
		{ "PROTOCOL" },
		{ "PKT/S", .right = true },
		{ "BIT/S", .right = true },
		{ "PORTS" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *service;
	char text[RATE_MAX];
	size_t i;

	json_array_foreach(services, i, service)
	{
		if (strcmp(reply_text(service, "group"), group) != 0)
			continue;
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "name"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "protocol"));
		table_add(table, TEXT_PLAIN, "%s", rate_text(service, "packets_per_second", text));
		table_add(table, TEXT_PLAIN, "%s", rate_text(service, "bits_per_second", text));
		table_add(table, TEXT_PLAIN, "%s", reply_text_or(service, "ports", "all others"));
	}
	view_table(view, table, "  ");
}

/* --- the node ----------------------------------------------------------------------------------
 */

static void print_kernel(struct view *view, const json_t *reply)
{
	const json_t *interface = json_object_get(reply, "interface");
	const json_t *kernel = json_object_get(reply, "kernel");
	bool running = reply_is_true(interface, "running");
	bool in_sync = reply_is_true(kernel, "in_sync");
	char commits[REPLY_NUMBER_MAX], repairs[REPLY_NUMBER_MAX];

	view_line(view, running && in_sync ? TEXT_PLAIN : TEXT_BAD,
		"%s %s; kernel %s, commits %s, repairs %s", reply_text(interface, "name"),
		running ? "running" : "not running", in_sync ? "in sync" : "not in sync",
		reply_number(kernel, "commits", commits), reply_number(kernel, "repairs", repairs));
}

static void print_flows(struct view *view, const json_t *reply)
{
	const json_t *flows = json_object_get(reply, "flows");
	char known[REPLY_NUMBER_MAX], own[REPLY_NUMBER_MAX], pinned[REPLY_NUMBER_MAX];

	if (json_is_object(flows))
		view_line(view, TEXT_PLAIN, "connections %s, here %s, pinned %s",
			reply_number(flows, "known", known), reply_number(flows, "own", own),
			reply_number(flows, "pinned", pinned));
}

/* "sync complete: fe6 complete, fe7 silent for 12 s" */
static void print_sync(struct view *view, const json_t *reply)
{
	const json_t *sync = json_object_get(reply, "sync"), *node;
	_cleanup_(free_p) char *text = NULL;
	bool complete = reply_is_true(sync, "complete");
	size_t size, i;
	FILE *out;

	if (!json_is_object(sync))
		return;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	json_array_foreach(json_object_get(sync, "nodes"), i, node)
	{
		json_int_t ms = json_integer_value(json_object_get(node, "heard_ms_ago"));
		bool silent = strcmp(reply_text(node, "state"), "silent") == 0;

		fprintf(out, "%s%s %s", i == 0 ? ": " : ", ",
			reply_text_or(node, "name", reply_text(node, "address")),
			reply_text(node, "state"));
		if (silent)
			fprintf(out, " for %" JSON_INTEGER_FORMAT " s", ms / 1000);
	}
	fclose(out);
	view_line(view, complete ? TEXT_PLAIN : TEXT_WARNING, "sync %s%s",
		complete ? "complete" : "not complete", text);
}

static void print_group(struct view *view, const json_t *group)
{
	const char *role = reply_text(group, "role");
	char packets[RATE_MAX], bits[RATE_MAX];

	fputc('\n', view->out);
	view_line(view, strcmp(role, "active") == 0 ? TEXT_GOOD : TEXT_PLAIN,
		"group %s: %s, %s packets/s, %s bits/s", reply_text(group, "name"), role,
		rate_text(group, "packets_per_second", packets),
		rate_text(group, "bits_per_second", bits));
}

void render_watch(struct view *view, const json_t *reply, size_t columns)
{
	const json_t *groups = json_object_get(reply, "groups"), *group;
	size_t i;

	render_problems(view, reply);
	print_kernel(view, reply);
	print_flows(view, reply);
	print_sync(view, reply);
	json_array_foreach(groups, i, group)
	{
		print_group(view, group);
		print_members(view, json_object_get(group, "members"), columns);
		print_services(view, json_object_get(reply, "services"), reply_text(group, "name"));
	}
}
