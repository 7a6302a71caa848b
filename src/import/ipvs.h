/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What ipvsadm and keepalived have in common: the kernel's schedulers. */

#include "site.h"

#define IPVS_SCHEDULER_DEFAULT "wlc"

void ipvs_read_scheduler(
	struct site *site, unsigned int line, const char *word, enum conf_scheduler *scheduler);
