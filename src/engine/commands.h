/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What droverctl can ask for; droverctl(8) documents requests' effects and replies. */

#include <jansson.h>

/* A control_handler_t; user_data is the struct engine. */
json_t *commands_handle(const json_t *request, void *user_data);
