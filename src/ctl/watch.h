/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* droverctl watch: rates, from what the daemon says again and again. */

#include "render.h"

enum {
	WATCH_INTERVAL_MIN_MS = 100,
	WATCH_INTERVAL_MAX = 3600, /* seconds */
};

/* Does what a request of arguments_watch() says: a follower_t of commands.h. */
int watch_follow(const struct view *view, const char *socket_path, bool json);
