/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drain.h"

#include "drover/control.h"
#include "reply.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
	ASK_EVERY_MS = 500,
	SAY_EVERY = 20, /* times asked, where a line cannot be written over */
	ANSWER_MS = 5000,
};

/* Returns how many are left, -ENODATA, or -errno. */
static json_int_t connections_left(const char *socket_path, const char *member)
{
	_cleanup_(json_decref_p)
		json_t *request = json_pack("{s:s, s:s}", "command", "flows", "member", member);
	_cleanup_(json_decref_p) json_t *reply = NULL;
	const json_t *entry;
	int r = request ? control_ask(socket_path, request, ANSWER_MS, &reply) : -ENOMEM;

	if (r < 0)
		return r;
	entry = json_array_get(json_object_get(reply, "members"), 0);
	if (!entry || strcmp(reply_text(entry, "source"), "unknown") == 0 ||
		strcmp(reply_text(entry, "source"), "absent") == 0)
		return -ENODATA;
	return json_integer_value(json_object_get(entry, "flows"));
}

static void show(const char *member, json_int_t left, unsigned int times)
{
	if (isatty(STDOUT_FILENO))
		printf("\r%s: %" JSON_INTEGER_FORMAT " connections left\033[K", member, left);
	else if (times % SAY_EVERY == 0)
		printf("%s: %" JSON_INTEGER_FORMAT " connections left\n", member, left);
	fflush(stdout);
}

int drain_wait(const char *socket_path, const char *member, bool quiet)
{
	for (unsigned int times = 0;; times++) {
		json_int_t left = connections_left(socket_path, member);

		if (left < 0)
			return (int)left;
		if (!quiet)
			show(member, left, left == 0 ? 0 : times);
		if (left == 0)
			break;
		(void)poll(NULL, 0, ASK_EVERY_MS);
	}
	if (!quiet && isatty(STDOUT_FILENO))
		putchar('\n');
	return 0;
}
