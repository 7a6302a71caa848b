/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Request builders (request_builder_t of commands.h): the shape is checked here, the daemon does
 * the rest. */

#include <jansson.h>

int arguments_none(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_group(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_standby(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_member(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_drain(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_flows(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_weight(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_reload(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_explain(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_watch(int argument_count, char **arguments, json_t *request, char **reterr_why);
int arguments_vips(int argument_count, char **arguments, json_t *request, char **reterr_why);
