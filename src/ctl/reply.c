/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reply.h"

#include "drover/cleanup.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

_Static_assert((int)REPLY_NUMBER_MAX >= (int)TEXT_SHORT_MAX, "reply_short() shares the buffer");

const char *reply_text_or(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : fallback;
}

const char *reply_text(const json_t *object, const char *key)
{
	return reply_text_or(object, key, "-");
}

const char *reply_number(
	const json_t *object, const char *key, char buffer[static REPLY_NUMBER_MAX])
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_integer(number))
		return "-";
	snprintf(buffer, REPLY_NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	return buffer;
}

const char *reply_short(const json_t *object, const char *key, unsigned int base,
	char buffer[static REPLY_NUMBER_MAX])
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return "-";
	return text_short((uint64_t)json_integer_value(number), base, buffer);
}

bool reply_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool reply_is_false(const json_t *object, const char *key)
{
	return json_is_false(json_object_get(object, key));
}

char *reply_join(const json_t *object, const char *key, const char *separator)
{
	const json_t *array = json_object_get(object, key), *element;
	_cleanup_(free_p) char *joined = NULL;
	size_t i, size = sizeof("-");
	char *end;

	json_array_foreach(array, i, element)
		size += json_string_length(element) + strlen(separator);
	joined = malloc(size);
	if (!joined)
		return NULL;
	end = joined;
	json_array_foreach(array, i, element)
	{
		if (!json_is_string(element))
			continue;
		if (end > joined)
			end = stpcpy(end, separator);
		end = stpcpy(end, json_string_value(element));
	}
	if (end == joined)
		strcpy(joined, "-");
	return take_ptr(joined);
}

const char *reply_reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "it is not running (there is no such socket)";
	case -ECONNREFUSED:
		return "it is not running (nobody listens on the socket)";
	case -EACCES:
	case -EPERM:
		return "permission denied (who may write to the socket may connect)";
	case -ETIMEDOUT:
		return "it does not answer (timed out)";
	case -EBADMSG:
		return "its answer is not understood";
	case -ECONNRESET:
		return "it closed the connection without an answer";
	default:
		return strerror(-error);
	}
}
