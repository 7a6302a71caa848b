/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the cluster has said: who serves, and of which groups this host has the duty. */

#include "servers.h"

struct told {
	struct servers servers;
	char **active; /* names of groups */
	size_t n_active;
};

void told_done(struct told *told);
/* Replaces what is told by what is next, which is empty then. */
void told_move(struct told *told, struct told *next);
int told_copy(const struct told *told, struct told *ret_copy); /* 0 or -ENOMEM */

bool told_is_active(const struct told *told, const char *group);
int told_set_active(struct told *told, const char *group, bool active); /* 0 or -ENOMEM */

/* The servers as of before a restart. What cannot be read is logged, and passed over. */
void told_load(struct told *told);
void told_save(const struct told *told);
