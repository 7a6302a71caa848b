/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/ports.h"

#include <errno.h>
#include <string.h>

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* Reads one decimal port and moves *at behind it; any number of digits is read, none wraps. */
static int parse_port(const char **at, uint16_t *ret_port)
{
	unsigned int port = 0;
	const char *c = *at;

	if (*c < '0' || *c > '9')
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++)
		if (port <= UINT16_MAX)
			port = port * 10 + (unsigned int)(*c - '0');
	*at = c;
	if (port < 1 || port > UINT16_MAX)
		return -ERANGE;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse_range(const char **at, struct port_range *ret_range)
{
	struct port_range range;
	int r;

	r = parse_port(at, &range.first);
	if (r < 0)
		return r;
	range.last = range.first;
	if (**at == '-') {
		(*at)++;
		r = parse_port(at, &range.last);
		if (r < 0)
			return r;
	}
	if (range.last < range.first)
		return -ERANGE;
	*ret_range = range;
	return 0;
}

static size_t count_parts(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

int ports_parse(const char *text, struct port_range **ret_ranges, size_t *ret_n)
{
	_cleanup_(free_p) struct port_range *ranges = NULL;
	size_t n = count_parts(text);
	const char *at = text;

	ranges = calloc(n, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r;

		at = skip_blanks(at);
		r = parse_range(&at, &ranges[i]);
		if (r < 0)
			return r;
		at = skip_blanks(at);
		if (*at != (i + 1 < n ? ',' : '\0'))
			return -EINVAL;
		at++;
	}
	*ret_ranges = take_ptr(ranges);
	*ret_n = n;
	return 0;
}

const char *port_range_format(
	const struct port_range *range, char buffer[static PORT_RANGE_TEXT_MAX])
{
	if (range->first == range->last)
		snprintf(buffer, PORT_RANGE_TEXT_MAX, "%u", range->first);
	else
		snprintf(buffer, PORT_RANGE_TEXT_MAX, "%u-%u", range->first, range->last);
	return buffer;
}

char *ports_format(const struct port_range *ranges, size_t n)
{
	char *text = calloc(n + 1, PORT_RANGE_TEXT_MAX), *at = text;
	char buffer[PORT_RANGE_TEXT_MAX];

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			*at++ = ',';
		at = stpcpy(at, port_range_format(&ranges[i], buffer));
	}
	return text;
}

bool port_range_overlaps(const struct port_range *a, const struct port_range *b)
{
	return a->first <= b->last && b->first <= a->last;
}

bool port_range_contains(const struct port_range *range, uint16_t port)
{
	return range->first <= port && port <= range->last;
}
