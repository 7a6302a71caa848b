/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Replies as text for people. Each renderer prints one kind of reply. */

#include "text.h"

#include <jansson.h>

struct table;

/* Where a reply is printed, and what was asked. */
struct view {
	FILE *out;
	bool colour;
	const json_t *request;
	int error; /* -ENOMEM once something could not be printed */
};

typedef void (*renderer_t)(struct view *view, const json_t *reply);

/* Prints one line; control characters in it are escaped. */
void view_line(struct view *view, enum text_paint paint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints a table, each line behind the indent. */
void view_table(struct view *view, const struct table *table, const char *indent);

void render_status(struct view *view, const json_t *reply);
void render_members(struct view *view, const json_t *reply);
void render_services(struct view *view, const json_t *reply);
void render_flows(struct view *view, const json_t *reply);
void render_rules(struct view *view, const json_t *reply);
void render_metrics(struct view *view, const json_t *reply);
void render_explain(struct view *view, const json_t *reply);
void render_ready(struct view *view, const json_t *reply);
void render_duty(struct view *view, const json_t *reply);   /* activate, standby */
void render_member(struct view *view, const json_t *reply); /* drain, enable, disable, weight */
void render_reload(struct view *view, const json_t *reply);
void render_vips(struct view *view, const json_t *reply);

/* Prints a reply that rates_compute() has completed, in so many columns. */
void render_watch(struct view *view, const json_t *reply, size_t columns);

/* Prints what is wrong, as the status has it: lines that begin with "PROBLEM:". */
void render_problems(struct view *view, const json_t *reply);

/* Prints why the daemon refused: "droverctl: COMMAND: error", and its list of errors. */
void render_refusal(struct view *view, const json_t *reply);

/* The colour of a member's state. */
enum text_paint render_state_paint(const char *state);

/* Prints a table of members, with an indent, and what of it was set at run time. */
void render_member_table(struct view *view, const json_t *members, const char *indent);

/* Prints the other nodes, as the status has them; nothing without sync. */
void render_nodes(struct view *view, const json_t *sync);

/* Says so if connections lack a pin, as the totals of flows have it. */
void render_unpinned(struct view *view, const json_t *totals);
