/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the cluster's, as src/helper takes them: to words, and to changes of a copy of the
 * servers. What has become of them is written, and must be read again as the same.
 */
#include "command.h"
#include "servers.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct servers *servers)
{
	json_t *root = servers_to_json(servers);
	char *text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(root);
	if (!text)
		abort();
	return text;
}

static void read_again(const struct servers *servers)
{
	_cleanup_(free_p) char *text = print(servers), *same = NULL;
	struct servers again = { 0 };
	json_t *root = json_loads(text, 0, NULL);

	if (servers_from_json(root, &again) < 0)
		abort();
	same = print(&again);
	if (strcmp(text, same) != 0)
		abort();
	json_decref(root);
	servers_done(&again);
}

static int change(struct servers *servers, struct command *command)
{
	char reason[SERVERS_REASON_MAX];

	switch ((int)command->verb) {
	case VERB_SERVERS:
		return servers_replace(servers, "A", command->rest, reason);
	case VERB_ADD:
		return servers_add(servers, "A", command->rest, reason);
	case VERB_REMOVE:
		return servers_remove(servers, "A", command->rest, reason);
	case VERB_WEIGHT:
		return servers_set_weight(servers, "A", command->rest, reason);
	default:
		return -1;
	}
}

/* A refused change may spoil the copy, and nothing else. */
static void enact(struct servers *servers, char *line, size_t length)
{
	_cleanup_(free_p) char *before = print(servers), *after = NULL;
	struct servers next = { 0 };
	struct command command;

	if (command_parse(line, length, NULL, &command) < 0)
		return;
	if (servers_copy(servers, &next) < 0)
		abort();
	if (change(&next, &command) < 0) {
		servers_done(&next);
		after = print(servers);
		if (strcmp(before, after) != 0)
			abort();
		return;
	}
	for (size_t i = 0; i < next.n; i++)
		if (next.groups[i].n > CONF_MEMBERS_MAX)
			abort();
	servers_done(servers);
	*servers = next;
	read_again(servers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct servers servers = { 0 };

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);
		char line[COMMAND_LINE_MAX];

		if (length < sizeof(line)) {
			memcpy(line, at, length);
			line[length] = '\0';
			enact(&servers, line, length);
		}
		at += length + 1;
	}
	servers_done(&servers);
	return 0;
}
