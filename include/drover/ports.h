/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Text of port lists: "25,465,6000-6999". */

#include "drover/conf.h"

#define PORT_RANGE_TEXT_MAX 12

/*
 * Reads a comma-separated list of ports (1..65535) and ranges; blanks around
 * the parts are allowed. The result is in the order of the text, unchecked
 * for overlaps. Returns 0 and the caller frees *ret_ranges, -EINVAL if a part
 * is not a port or range, -ERANGE if a number is outside 1..65535 or a range
 * runs backwards, -ENOMEM.
 */
int ports_parse(const char *text, struct port_range **ret_ranges, size_t *ret_n);

/* Writes "25" or "6000-6999" into the buffer and returns it. */
const char *port_range_format(
	const struct port_range *range, char buffer[static PORT_RANGE_TEXT_MAX]);

/* Writes the list "25,465,6000-6999"; returns a new string, NULL without memory. */
char *ports_format(const struct port_range *ranges, size_t n);

bool port_range_overlaps(const struct port_range *a, const struct port_range *b);
bool port_range_contains(const struct port_range *range, uint16_t port);
