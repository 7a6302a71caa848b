/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Taking the duty of groups, and giving it up. */

#include "internal.h"

#include <jansson.h>

/*
 * Gives this node the role ROLE_ACTIVE or ROLE_STANDBY in a group, or with name NULL in all that it
 * is a balancer of: in all of them or, if one refuses, in none. Returns the reply to whoever asked
 * for it: a new reference, NULL without memory. By force also if election = "always".
 */
json_t *roles_set(struct engine *engine, const char *name, enum cluster_role wanted, bool force);

/* With a name that group; without, every group that this node is a balancer of. */
bool roles_mean(const struct cluster *cluster, const struct conf_group *group, const char *name);
