/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* droverctl vips: what makes this host a member, done here and without the daemon. */

#include <jansson.h>

/* Does what a request of arguments_vips() says: an answerer_t of commands.h. */
int vips_answer(const json_t *request, json_t **ret_reply);
