/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Commands that need no daemon. Each returns the exit status, having said what is wrong. */

#include "commands.h"

/* A contract with scripts, see droverctl(8). */
enum {
	STATUS_OK = 0,
	STATUS_REFUSED = 1,
	STATUS_USAGE = 2,
	STATUS_NO_DAEMON = 3,
	STATUS_INCOMPLETE = 4,
};

int ctl_keygen(const struct command *command, int argument_count, char **arguments);
int ctl_import(const struct command *command, int argument_count, char **arguments);
