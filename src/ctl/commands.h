/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The commands of droverctl: usage, help, requests and renderers come from one table. */

#include "render.h"

#include <jansson.h>

/*
 * Checks the arguments behind the command's name and adds them to the request.
 * Returns 0, -ENOMEM, or -EINVAL with a new string *reterr_why.
 */
typedef int (*request_builder_t)(
	int argument_count, char **arguments, json_t *request, char **reterr_why);

/*
 * Answers a request in the daemon's place. Returns 0, and the caller owns *ret_reply, which may be
 * a refusal; or -ENOMEM.
 */
typedef int (*answerer_t)(const json_t *request, json_t **ret_reply);

/*
 * Asks again and again, and shows the answers. Returns the exit status, having said what is wrong.
 */
typedef int (*follower_t)(const struct view *view, const char *socket_path, bool json);

struct command {
	const char *name;
	const char *arguments; /* as usage shows them */
	const char *help;
	request_builder_t build; /* NULL: run does it, and asks no daemon */
	renderer_t render;
	const char *truth; /* the reply's field that must be true for exit status 0 */
	int timeout_ms;
	answerer_t answer; /* NULL: the daemon is asked */
	int (*run)(const struct command *command, int argument_count, char **arguments);
	follower_t follow; /* NULL: one answer is all */
};

/*
 * Finds a command by its name, or by the beginning of one name only. Returns 0,
 * or -EINVAL with a new string *reterr_why that lists the valid ones; -ENOMEM.
 */
int command_find(const char *name, const struct command **ret_command, char **reterr_why);

void command_print_usage(FILE *out, const struct command *command);
void command_print_help(FILE *out);
