/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What main() needs of the helper. */

#include "drover/conf_helper.h"

struct options {
	struct conf_helper conf;
	const char *path;     /* of the file; NULL: none */
	unsigned int timeout; /* seconds; 0: never */
	unsigned int share;   /* the weight of an active balancer, where others have 100 */
	bool rehearse;
};

/* Runs until the cluster is done with it. Returns 0 or -errno, with why on stderr. */
int helper_run(const struct options *options);
