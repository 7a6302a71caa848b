/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live connections, and the nodes that know of them. */
#include "drover/cleanup.h"
#include "render.h"
#include "reply.h"
#include "table.h"

#include <string.h>

/* --- flows ----------------------------------------------------------------------------- */

static void print_owners(struct view *view, const json_t *members)
{
	static const struct table_column columns[] = {
		{ "MEMBER" },
		{ "CONNECTIONS", .right = true },
		{ "PINNED", .right = true },
		{ "KNOWN FROM" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *member;
	size_t i;

	json_array_foreach(members, i, member)
	{
		const char *source = reply_text(member, "source");
		bool known = strcmp(source, "unknown") != 0;
		char number[REPLY_NUMBER_MAX];

		table_add(table, TEXT_PLAIN, "%s", reply_text(member, "name"));
		table_add(table, TEXT_PLAIN, "%s",
			known ? reply_number(member, "flows", number) : "-");
		table_add(table, TEXT_PLAIN, "%s",
			known ? reply_number(member, "pinned", number) : "-");
		table_add(table, known ? TEXT_PLAIN : TEXT_WARNING, "%s", source);
	}
	view_table(view, table, "");
}

static void print_list(struct view *view, const json_t *flows)
{
	static const struct table_column columns[] = {
		{ "PROTOCOL" },
		{ "CLIENT" },
		{ "VIP" },
		{ "MEMBER" },
		{ "" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *flow;
	size_t i;

	json_array_foreach(flows, i, flow)
	{
		table_add(table, TEXT_PLAIN, "%s", reply_text(flow, "protocol"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(flow, "client"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(flow, "vip"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(flow, "member"));
		table_add(table, TEXT_PLAIN, "%s", reply_is_true(flow, "pinned") ? "pinned" : "");
	}
	view_table(view, table, "");
}

void render_unpinned(struct view *view, const json_t *flows)
{
	char unpinned[REPLY_NUMBER_MAX], most[REPLY_NUMBER_MAX];

	if (json_integer_value(json_object_get(flows, "unpinned")) > 0)
		view_line(view, TEXT_BAD,
			"PROBLEM: %s connections would need a pin beyond the most allowed (pins = "
			"%s): they break",
			reply_number(flows, "unpinned", unpinned),
			reply_number(flows, "most_pins", most));
}

void render_flows(struct view *view, const json_t *reply)
{
	if (reply_is_true(view->request, "list"))
		print_list(view, json_object_get(reply, "flows"));
	else
		print_owners(view, json_object_get(reply, "members"));
	render_unpinned(view, json_object_get(reply, "totals"));
}

/* --- nodes ----------------------------------------------------------------------------- */

static enum text_paint node_paint(const char *state)
{
	if (strcmp(state, "complete") == 0)
		return TEXT_GOOD;
	return strcmp(state, "foreign") == 0 ? TEXT_BAD : TEXT_WARNING;
}

static char *duties_text(const json_t *node)
{
	const json_t *duties = json_object_get(node, "duties"), *duty;
	char *text = NULL;
	size_t size, i, n = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	json_array_foreach(duties, i, duty) if (reply_is_true(duty, "active"))
		fprintf(file, "%s%s", n++ ? ", " : "active in ", reply_text(duty, "group"));
	if (reply_is_true(node, "other_configuration"))
		fprintf(file, "%sanother configuration", n++ ? "; " : "");
	if (json_is_string(json_object_get(node, "fault")))
		fprintf(file, "%s%s", n++ ? "; " : "", reply_text(node, "fault"));
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_node(struct table *table, const json_t *node)
{
	_cleanup_(free_p) char *notes = duties_text(node);
	const char *state = reply_text(node, "state");
	char number[REPLY_NUMBER_MAX];

	table_add(table, TEXT_PLAIN, "%s", reply_text(node, "name"));
	table_add(table, TEXT_PLAIN, "%s", reply_text(node, "address"));
	table_add(table, node_paint(state), "%s", state);
	table_add(table, TEXT_PLAIN, "%s", reply_number(node, "known_flows", number));
	table_add(table, TEXT_PLAIN, "%s ms", reply_number(node, "lag_ms", number));
	table_add(table, TEXT_PLAIN, "%s", reply_number(node, "lost", number));
	table_add(table, TEXT_PLAIN, "%s", notes ? notes : "");
}

void render_nodes(struct view *view, const json_t *sync)
{
	static const struct table_column columns[] = {
		{ "NODE" },
		{ "ADDRESS" },
		{ "STATE" },
		{ "CONNECTIONS", .right = true },
		{ "LAG", .right = true },
		{ "LOST", .right = true },
		{ "NOTES" },
	};
	const json_t *nodes = json_object_get(sync, "nodes"), *node;
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	size_t i;

	if (!json_is_object(sync))
		return;
	fputc('\n', view->out);
	view_line(view, TEXT_PLAIN, "sync: %s",
		reply_is_true(sync, "complete") ? "the connections of all nodes heard are known"
						: "not complete yet");
	json_array_foreach(nodes, i, node) add_node(table, node);
	view_table(view, table, "  ");
}
