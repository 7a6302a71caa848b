/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render.h"

#include "drover/cleanup.h"
#include "reply.h"
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void view_line(struct view *view, enum text_paint paint, const char *format, ...)
{
	_cleanup_(free_p) char *line = NULL, *escaped = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&line, format, arguments);
	va_end(arguments);
	if (length < 0)
		line = NULL;
	escaped = line ? text_escape(line, false) : NULL;
	if (!escaped) {
		view->error = -ENOMEM;
		return;
	}
	text_paint(view->out, view->colour, paint, escaped);
	fputc('\n', view->out);
}

void view_table(struct view *view, const struct table *table, const char *indent)
{
	int r = table_print(table, view->out, view->colour, indent);

	if (r < 0)
		view->error = r;
}

/* "2/3", and what becomes of a service that has nobody. */
static void add_up(struct table *table, const json_t *service)
{
	json_int_t checked = json_integer_value(json_object_get(service, "checked"));
	char up[REPLY_NUMBER_MAX];
	bool failed = reply_is_true(service, "failed");

	if (checked == 0) {
		table_add(table, TEXT_PLAIN, "-");
		return;
	}
	reply_number(service, "up", up);
	table_add(table, failed ? TEXT_BAD : TEXT_PLAIN, "%s/%" JSON_INTEGER_FORMAT "%s%s", up,
		checked, failed ? ", fails " : "", failed ? reply_text(service, "fail") : "");
}

void render_services(struct view *view, const json_t *reply)
{
	static const struct table_column columns[] = {
		{ "GROUP" },
		{ "SERVICE" },
		{ "PROTOCOL" },
		{ "PORTS" },
		{ "SCHEDULER" },
		{ "CHECK" },
		{ "UP" },
		{ "PACKETS", .right = true },
		{ "BYTES", .right = true },
		{ "MEMBERS" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *services = json_object_get(reply, "services"), *service;
	size_t i;

	if (json_array_size(services) == 0)
		view_line(view, TEXT_PLAIN, "no services");
	json_array_foreach(services, i, service)
	{
		_cleanup_(free_p) char *members = reply_join(service, "members", ", ");
		char number[REPLY_NUMBER_MAX];

		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "group"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "name"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "protocol"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "ports"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "scheduler"));
		table_add(table, TEXT_PLAIN, "%s", reply_text(service, "check"));
		add_up(table, service);
		table_add(table, TEXT_PLAIN, "%s", reply_short(service, "packets", 1000, number));
		table_add(table, TEXT_PLAIN, "%s", reply_short(service, "bytes", 1024, number));
		table_add(table, TEXT_PLAIN, "%s", members ? members : "-");
	}
	view_table(view, table, "");
}

/* The text goes to files and programs, so its layout is kept as it is. */
static void print_text(struct view *view, const char *text)
{
	_cleanup_(free_p) char *escaped = text_escape(text, true);

	if (!escaped) {
		view->error = -ENOMEM;
		return;
	}
	fputs(escaped, view->out);
	if (*escaped && escaped[strlen(escaped) - 1] != '\n')
		fputc('\n', view->out);
}

void render_rules(struct view *view, const json_t *reply)
{
	print_text(view, reply_text(reply, "rules"));
}

void render_metrics(struct view *view, const json_t *reply)
{
	print_text(view, reply_text(reply, "metrics"));
}

static void explain_field(struct view *view, const char *name, const char *value, const char *more)
{
	if (strcmp(more, "-") == 0)
		view_line(view, TEXT_PLAIN, "  %-8s  %s", name, value);
	else
		view_line(view, TEXT_PLAIN, "  %-8s  %s (%s)", name, value, more);
}

static void explain_flow(struct view *view, const json_t *flow)
{
	char bucket[REPLY_NUMBER_MAX];

	explain_field(view, "group", reply_text(flow, "group"), "-");
	explain_field(view, "service", reply_text(flow, "service"), reply_text(flow, "scheduler"));
	explain_field(view, "bucket", reply_number(flow, "bucket", bucket), "-");
	explain_field(view, "member", reply_text(flow, "member"), reply_text(flow, "mac"));
	explain_field(view, "verdict", reply_text(flow, "verdict"), "-");
	explain_field(view, "reason", reply_text(flow, "reason"), "-");
}

void render_explain(struct view *view, const json_t *reply)
{
	const json_t *without = json_object_get(reply, "without");

	view_line(view, TEXT_PLAIN, "%s %s -> %s", reply_text(reply, "protocol"),
		reply_text(reply, "client"), reply_text(reply, "vip"));
	explain_flow(view, reply);
	if (json_is_string(json_object_get(reply, "owner")))
		explain_field(view, "lives at", reply_text(reply, "owner"),
			reply_is_true(reply, "pinned") ? "pinned there" : "-");
	if (!json_is_object(without))
		return;
	view_line(view, TEXT_PLAIN, "without %s", reply_text(view->request, "without"));
	explain_flow(view, without);
}

void render_ready(struct view *view, const json_t *reply)
{
	static const struct table_column columns[] = {
		{ "GROUP" },
		{ "READY" },
		{ "REASON" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *groups = json_object_get(reply, "groups"), *group;
	size_t i;

	if (reply_is_true(reply, "ready"))
		view_line(view, TEXT_GOOD, "ready");
	else
		view_line(view, TEXT_BAD, "not ready");
	json_array_foreach(groups, i, group)
	{
		bool ready = reply_is_true(group, "ready");

		table_add(table, TEXT_PLAIN, "%s", reply_text(group, "name"));
		table_add(table, ready ? TEXT_GOOD : TEXT_BAD, "%s", ready ? "yes" : "no");
		table_add(table, TEXT_PLAIN, "%s", reply_text_or(group, "reason", ""));
	}
	view_table(view, table, "");
}

static void print_waiting(struct view *view, const json_t *reply)
{
	json_int_t waited_ms = json_integer_value(json_object_get(reply, "waited_ms"));

	if (waited_ms > 0)
		view_line(view, TEXT_PLAIN, "waited %.1f s for the connections of other nodes",
			(double)waited_ms / 1000);
	if (reply_is_false(reply, "complete"))
		view_line(view, TEXT_WARNING,
			"the connections of %s are not all known: some may break",
			reply_text_or(reply, "lacks", "the other nodes"));
}

void render_duty(struct view *view, const json_t *reply)
{
	const json_t *groups = json_object_get(reply, "groups"), *group;
	size_t i;

	json_array_foreach(groups, i, group)
	{
		const char *when = reply_is_true(group, "changed") ? "is now" : "was already";

		view_line(view, TEXT_PLAIN, "group %s %s %s", reply_text(group, "name"), when,
			reply_text(group, "role"));
	}
	print_waiting(view, reply);
}

void render_member(struct view *view, const json_t *reply)
{
	char weight[REPLY_NUMBER_MAX];

	view_line(view, TEXT_PLAIN, "%s is %s, weight %s", reply_text(reply, "member"),
		reply_text(reply, "state"), reply_number(reply, "weight", weight));
}

void render_reload(struct view *view, const json_t *reply)
{
	json_int_t overrides = json_integer_value(json_object_get(reply, "overrides"));

	if (reply_is_true(reply, "changed"))
		view_line(view, TEXT_PLAIN, "reloaded");
	else
		view_line(view, TEXT_PLAIN, "reloaded, nothing changed");
	if (overrides > 0)
		view_line(view, TEXT_WARNING,
			"%" JSON_INTEGER_FORMAT " set at run time and kept; "
			"droverctl reload --reset returns to the file",
			overrides);
}

void render_refusal(struct view *view, const json_t *reply)
{
	const json_t *errors = json_object_get(reply, "errors"), *error;
	size_t i;

	view_line(view, TEXT_PLAIN, "droverctl: %s: %s", reply_text(view->request, "command"),
		reply_text_or(reply, "error", "refused by the daemon, which gave no reason"));
	json_array_foreach(errors, i, error) if (json_is_string(error))
		view_line(view, TEXT_PLAIN, "  %s", json_string_value(error));
}
