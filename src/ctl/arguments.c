/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arguments.h"

#include "drover/address.h"
#include "drover/cleanup.h"
#include "drover/control.h"
#include "watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int refuse(char **reterr_why, const char *format, ...)
{
	char *why = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&why, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	*reterr_why = why;
	return -EINVAL;
}

static int check_count(int count, char **arguments, int least, int most, char **reterr_why)
{
	if (count > most)
		return refuse(reterr_why, "unexpected argument \"%s\"", arguments[most]);
	if (count < least)
		return refuse(reterr_why, "argument missing");
	return 0;
}

/* JSON holds nothing but UTF-8, so a name that is not cannot be one of the daemon's. */
static int add_name(json_t *request, const char *key, const char *name, char **reterr_why)
{
	_cleanup_(json_decref_p) json_t *string = NULL;

	if (!*name)
		return refuse(reterr_why, "the %s is empty", key);
	string = json_string(name);
	if (!string)
		return refuse(reterr_why, "the %s is not UTF-8 text", key);
	return json_object_set(request, key, string) < 0 ? -ENOMEM : 0;
}

/* Reads decimal digits and nothing else: strtoul() would also take " +7" and "-7". */
static int number_parse(const char *text, unsigned int most, unsigned int *ret_number)
{
	unsigned int number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = number * 10 + (unsigned int)(*text - '0');
		if (number > most)
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}

int arguments_none(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	(void)request;
	return check_count(argument_count, arguments, 0, 0, reterr_why);
}

int arguments_group(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	int r = check_count(argument_count, arguments, 0, 1, reterr_why);

	if (r < 0 || argument_count == 0)
		return r;
	return add_name(request, "group", arguments[0], reterr_why);
}

int arguments_member(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	int r = check_count(argument_count, arguments, 1, 1, reterr_why);

	if (r < 0)
		return r;
	return add_name(request, "member", arguments[0], reterr_why);
}

/* Moves an option out of the arguments, wherever it stands; returns whether it was there. */
static bool take_option(int *argument_count, char **arguments, const char *option)
{
	bool found = false;
	int kept = 0;

	for (int i = 0; i < *argument_count; i++) {
		if (strcmp(arguments[i], option) == 0)
			found = true;
		else
			arguments[kept++] = arguments[i];
	}
	*argument_count = kept;
	return found;
}

static int add_truth(json_t *request, const char *key, bool truth)
{
	return json_object_set_new(request, key, json_boolean(truth)) < 0 ? -ENOMEM : 0;
}

int arguments_standby(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	bool force = take_option(&argument_count, arguments, "--force");
	int r = arguments_group(argument_count, arguments, request, reterr_why);

	return r < 0 || !force ? r : add_truth(request, "force", true);
}

int arguments_drain(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	bool wait = take_option(&argument_count, arguments, "--wait");
	int r = arguments_member(argument_count, arguments, request, reterr_why);

	return r < 0 || !wait ? r : add_truth(request, "wait", true);
}

int arguments_flows(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	bool list = take_option(&argument_count, arguments, "--list");
	int r = check_count(argument_count, arguments, 0, 1, reterr_why);

	if (r == 0 && argument_count == 1)
		r = add_name(request, "member", arguments[0], reterr_why);
	return r < 0 ? r : add_truth(request, "list", list);
}

int arguments_weight(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	unsigned int weight;
	int r = check_count(argument_count, arguments, 2, 2, reterr_why);

	if (r < 0)
		return r;
	if (number_parse(arguments[1], UINT16_MAX, &weight) < 0)
		return refuse(
			reterr_why, "weight \"%s\" is not a number from 0 to 65535", arguments[1]);
	r = add_name(request, "member", arguments[0], reterr_why);
	if (r < 0)
		return r;
	return json_object_set_new(request, "weight", json_integer(weight)) < 0 ? -ENOMEM : 0;
}

int arguments_reload(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	int r = check_count(argument_count, arguments, 0, 1, reterr_why);

	if (r < 0)
		return r;
	if (argument_count == 1 && strcmp(arguments[0], "--reset") != 0)
		return refuse(reterr_why, "unexpected argument \"%s\"", arguments[0]);
	return add_truth(request, "reset", argument_count == 1);
}

static int add_endpoint(json_t *request, const char *key, const char *text, char **reterr_why)
{
	struct address address;
	uint16_t port;

	if (endpoint_parse(text, &address, &port) < 0)
		return refuse(reterr_why,
			"%s \"%s\" is not ADDRESS:PORT with a port from 1 to 65535", key, text);
	return json_object_set_new(request, key, json_string(text)) < 0 ? -ENOMEM : 0;
}

/* Moves an option with a value out of the arguments, wherever it stands; NULL if it is not there.
 */
static int take_value(int *argument_count, char **arguments, const char *option, const char *what,
	const char **ret_value, char **reterr_why)
{
	const char *value = NULL;
	int kept = 0;

	for (int i = 0; i < *argument_count; i++) {
		if (strcmp(arguments[i], option) != 0) {
			arguments[kept++] = arguments[i];
			continue;
		}
		if (value)
			return refuse(reterr_why, "%s is given twice", option);
		if (i + 1 == *argument_count)
			return refuse(reterr_why, "%s needs %s", option, what);
		value = arguments[++i];
	}
	*argument_count = kept;
	*ret_value = value;
	return 0;
}

int arguments_explain(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	const char *without = NULL;
	int r = take_value(
		&argument_count, arguments, "--without", "a member", &without, reterr_why);

	if (r < 0)
		return r;
	r = check_count(argument_count, arguments, 3, 3, reterr_why);
	if (r < 0)
		return r;
	if (strcmp(arguments[0], "tcp") != 0 && strcmp(arguments[0], "udp") != 0)
		return refuse(reterr_why, "protocol \"%s\" is neither tcp nor udp", arguments[0]);
	r = add_name(request, "protocol", arguments[0], reterr_why);
	if (r < 0)
		return r;
	r = add_endpoint(request, "client", arguments[1], reterr_why);
	if (r < 0)
		return r;
	r = add_endpoint(request, "vip", arguments[2], reterr_why);
	if (r < 0 || !without)
		return r;
	return add_name(request, "without", without, reterr_why);
}

int arguments_vips(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	static const struct {
		const char *option, *what, *key;
	} options[] = { { "-f", "a file", "file" }, { "-i", "an interface", "interface" },
		{ "-c", "a file", "conf" } };
	static const char *const actions[] = { "up", "down", "show" };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *value;

		r = take_value(&argument_count, arguments, options[i].option, options[i].what,
			&value, reterr_why);
		if (r == 0 && value)
			r = add_name(request, options[i].key, value, reterr_why);
		if (r < 0)
			return r;
	}
	r = check_count(argument_count, arguments, 1, 1, reterr_why);
	if (r < 0)
		return r;
	if (json_object_get(request, "conf") && strcmp(arguments[0], "show") != 0)
		return refuse(reterr_why, "-c is for show alone");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(arguments[0], actions[i]) == 0)
			return add_name(request, "action", actions[i], reterr_why);
	return refuse(reterr_why, "\"%s\" is neither up, down nor show", arguments[0]);
}

/* Reads seconds like "2" and "0.25", down to a millisecond. */
static int seconds_parse(const char *text, unsigned int *ret_ms)
{
	static const unsigned int units[] = { 1000, 100, 10, 1 };
	_cleanup_(free_p) char *whole = strndup(text, strcspn(text, "."));
	const char *dot = strchr(text, '.');
	size_t decimals = dot ? strlen(dot + 1) : 0;
	unsigned int seconds, fraction = 0;

	if (!whole || decimals >= ARRAY_SIZE(units) ||
		number_parse(whole, WATCH_INTERVAL_MAX, &seconds) < 0 ||
		(dot && number_parse(dot + 1, 999, &fraction) < 0))
		return -EINVAL;
	*ret_ms = seconds * 1000 + fraction * units[decimals];
	return *ret_ms >= WATCH_INTERVAL_MIN_MS ? 0 : -ERANGE;
}

int arguments_watch(int argument_count, char **arguments, json_t *request, char **reterr_why)
{
	const char *interval = NULL, *count = NULL;
	unsigned int interval_ms = 1000, n = 0;
	int r = take_value(&argument_count, arguments, "--interval", "a number of seconds",
		&interval, reterr_why);

	if (r == 0)
		r = take_value(
			&argument_count, arguments, "--count", "a number", &count, reterr_why);
	if (r == 0)
		r = check_count(argument_count, arguments, 0, 0, reterr_why);
	if (r < 0)
		return r;
	if (interval && seconds_parse(interval, &interval_ms) < 0)
		return refuse(reterr_why,
			"interval \"%s\" is not a number of seconds from 0.1 to %d", interval,
			WATCH_INTERVAL_MAX);
	if (count && (number_parse(count, INT32_MAX, &n) < 0 || n == 0))
		return refuse(reterr_why, "count \"%s\" is not a number from 1", count);
	if (json_object_set_new(request, "interval_ms", json_integer(interval_ms)) < 0 ||
		json_object_set_new(request, "count", json_integer(n)) < 0)
		return -ENOMEM;
	return 0;
}
