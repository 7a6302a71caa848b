/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/sync_key.h"
#include "local.h"

#include <errno.h>
#include <string.h>

/* That of droverd.service, which has to read the key. */
#define DAEMON_GROUP "drover"

int ctl_keygen(const struct command *command, int argument_count, char **arguments)
{
	struct view view = { .out = stderr };
	int r;

	if (argument_count != 1) {
		command_print_usage(stderr, command);
		return STATUS_USAGE;
	}
	r = sync_keys_create(arguments[0], DAEMON_GROUP);
	if (r < 0)
		view_line(&view, TEXT_PLAIN, "droverctl: cannot make %s: %s", arguments[0],
			r == -EEXIST ? "it exists already, and is left as it is" : strerror(-r));
	return r < 0 ? STATUS_REFUSED : STATUS_OK;
}
