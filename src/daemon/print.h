/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* droverd -p: the ruleset as an nft script, without touching the kernel. */

#include "drover/conf.h"

/*
 * Writes the ruleset that the configured node would have as the active
 * balancer of all its groups to stdout. Ethernet addresses that the file does not give come from
 * the live system, if it has the interface and knows them; members without one are
 * named in comments. Takes ownership of conf. Returns 0 or -errno.
 */
int print_ruleset(struct conf *conf);
