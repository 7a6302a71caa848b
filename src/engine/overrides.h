/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The state directory: what an operator said at run time about members, kept over
 * a restart of the engine and of the host.
 */

#include "drover/cluster.h"

/*
 * Reads the overrides into the cluster. Those of unknown members are dropped with a warning.
 * No state directory or no file means none. A file that cannot be
 * understood is reported and kept under another name. Returns 0 or -errno.
 */
int overrides_load(struct cluster *cluster);

/* Replaces the file in one step. Returns 0 or -errno (logged). */
int overrides_save(const struct cluster *cluster);

/*
 * The same text in memory, as nodes tell one another: a new string (NULL without memory), and
 * back. overrides_parse() replaces all overrides, or returns -EBADMSG and leaves them as they are.
 */
char *overrides_format(const struct cluster *cluster);
int overrides_parse(struct cluster *cluster, const char *text, size_t size);
