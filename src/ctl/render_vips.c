/* SPDX-License-Identifier: GPL-2.0-or-later */
/* droverctl vips. */
#include "render.h"

#include "reply.h"
#include "table.h"

#include <string.h>

static void print_vips(struct view *view, const json_t *reply)
{
	static const struct table_column columns[] = {
		{ "VIP" },
		{ "ADDRESSES", .right = true },
		{ "ON LO", .right = true },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *vip;
	size_t i;

	json_array_foreach(json_object_get(reply, "vips"), i, vip)
	{
		bool whole = json_equal(
			json_object_get(vip, "addresses"), json_object_get(vip, "on_lo"));
		char number[REPLY_NUMBER_MAX];

		table_add(table, TEXT_PLAIN, "%s", reply_text(vip, "vip"));
		table_add(table, TEXT_PLAIN, "%s", reply_number(vip, "addresses", number));
		table_add(table, whole ? TEXT_GOOD : TEXT_BAD, "%s",
			reply_number(vip, "on_lo", number));
	}
	view_line(view, TEXT_PLAIN, "VIPs of %s", reply_text(reply, "file"));
	view_table(view, table, "  ");
}

static enum text_paint paint_of(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return TEXT_GOOD;
	return strcmp(state, "missing") == 0 ? TEXT_BAD : TEXT_PLAIN;
}

static void print_checks(struct view *view, const json_t *checks)
{
	static const struct table_column columns[] = {
		{ "CHECK" },
		{ "STATE" },
		{ "FOUND" },
	};
	_cleanup_(table_free_p) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *check;
	size_t i;

	json_array_foreach(checks, i, check)
	{
		const char *state = reply_text(check, "state");

		table_add(table, TEXT_PLAIN, "%s", reply_text(check, "name"));
		table_add(table, paint_of(state), "%s", state);
		table_add(table, TEXT_PLAIN, "%s", reply_text(check, "found"));
	}
	view_table(view, table, "  ");
}

/* Commands stand alone on their lines, to be copied. */
static void print_commands(struct view *view, const json_t *reply)
{
	const json_t *check;
	size_t i;

	if (reply_is_true(reply, "complete")) {
		view_line(view, TEXT_GOOD, "nothing is missing");
		return;
	}
	view_line(view, TEXT_BAD, "something is missing; this mends it:");
	json_array_foreach(json_object_get(reply, "checks"), i, check)
	{
		if (json_is_string(json_object_get(check, "mend")))
			view_line(view, TEXT_PLAIN, "  %s", reply_text(check, "mend"));
	}
}

static void print_change(struct view *view, const json_t *reply)
{
	bool is_up = strcmp(reply_text(reply, "action"), "up") == 0;
	json_int_t left = json_integer_value(json_object_get(reply, "on_lo"));
	char changed[REPLY_NUMBER_MAX], addresses[REPLY_NUMBER_MAX];
	const json_t *setting;
	size_t i;

	json_array_foreach(json_object_get(reply, "settings"), i, setting)
		view_line(view, TEXT_PLAIN, "set %s", json_string_value(setting));
	reply_number(reply, "changed", changed);
	reply_number(reply, "addresses", addresses);
	if (is_up)
		view_line(view, TEXT_PLAIN, "%s addresses are on lo, %s of them new", addresses,
			changed);
	else
		view_line(view, TEXT_PLAIN, "%s of %s addresses taken from lo", changed, addresses);
	if (!is_up && left > 0)
		view_line(view, TEXT_WARNING,
			"%" JSON_INTEGER_FORMAT " stay, for they are there with a shorter prefix",
			left);
}

void render_vips(struct view *view, const json_t *reply)
{
	const char *interface = reply_text(reply, "interface");

	if (strcmp(reply_text(reply, "action"), "show") != 0) {
		print_change(view, reply);
		return;
	}
	print_vips(view, reply);
	fputc('\n', view->out);
	view_line(view, TEXT_PLAIN, "This host as a member, on %s",
		strcmp(interface, "all") == 0 ? "all interfaces" : interface);
	print_checks(view, json_object_get(reply, "checks"));
	fputc('\n', view->out);
	print_commands(view, reply);
}
