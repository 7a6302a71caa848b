/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines to JSON and back. */

#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

char *control_netns(void)
{
	struct stat status;
	char *text;

	if (stat("/proc/self/ns/net", &status) < 0)
		return NULL;
	if (asprintf(&text, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino) < 0)
		return NULL;
	return text;
}

json_t *control_reply_ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

/* Messages may quote what a client sent, and a JSON string must be UTF-8. */
static json_t *message_string(char *text)
{
	json_t *string = json_string(text);

	if (string)
		return string;
	for (char *c = text; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(text);
}

json_t *control_reply_error(const char *format, ...)
{
	_cleanup_(free_p) char *text = NULL;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0) {
		text = NULL;
		return NULL;
	}
	return json_pack("{s:b, s:o}", "ok", 0, "error", message_string(text));
}

/* Returns NULL if the namespaces are the same, else the reply to a client that is elsewhere. */
static json_t *refuse_foreign(const json_t *request, const char *netns)
{
	const char *theirs = json_string_value(json_object_get(request, "netns"));
	const char *inode = strchr(netns, ':');

	if (!theirs)
		return control_reply_error("the request does not name its network namespace "
					   "(\"netns\": \"DEVICE:INODE\" of /proc/self/ns/net)");
	if (strcmp(theirs, netns) == 0)
		return NULL;
	return control_reply_error("this daemon serves another network namespace (net:[%s]); run "
				   "droverctl there",
		inode ? inode + 1 : netns);
}

json_t *control_decode(const char *line, size_t size, const char *netns, json_t **ret_error)
{
	_cleanup_(json_decref_p) json_t *request = NULL;
	json_error_t error;

	*ret_error = NULL;
	if (size > CONTROL_REQUEST_MAX) {
		*ret_error = control_reply_error(
			"the request is longer than %d bytes", CONTROL_REQUEST_MAX);
		return NULL;
	}
	request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (!request) {
		*ret_error = control_reply_error("the request is no JSON: %s", error.text);
		return NULL;
	}
	if (!json_is_string(json_object_get(request, "command"))) {
		*ret_error = control_reply_error(
			"the request is no JSON object with a string \"command\"");
		return NULL;
	}
	*ret_error = refuse_foreign(request, netns);
	if (*ret_error)
		return NULL;
	return take_ptr(request);
}

int control_encode(const json_t *message, char **ret_line, size_t *ret_size)
{
	char *line = json_dumps(message, JSON_COMPACT);
	size_t size;

	if (!line)
		return -ENOMEM;
	size = strlen(line);
	/* The newline takes the place of the NUL. */
	line[size] = '\n';
	*ret_line = line;
	*ret_size = size + 1;
	return 0;
}
