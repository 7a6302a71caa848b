/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* droverctl drain --wait. */

#include <stdbool.h>

/*
 * Asks the daemon again and again until the member has no connection left, showing how many there
 * are unless quiet. Returns 0, -ENODATA if they are not known here, or the error of asking.
 */
int drain_wait(const char *socket_path, const char *member, bool quiet);
