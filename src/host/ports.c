/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a range of ports. */

#include "drover/ports.h"

#include "drover/host.h"

/* The part from a port on, up to the next one taken. Returns false if that port is taken. */
static bool part_from(uint16_t first, const struct port_range *range,
	const struct port_range *taken, size_t n_taken, struct port_range *ret_part)
{
	struct port_range part = { .first = first, .last = range->last };

	for (size_t i = 0; i < n_taken; i++) {
		if (port_range_contains(&taken[i], first))
			return false;
		if (taken[i].first > first && taken[i].first <= part.last)
			part.last = (uint16_t)(taken[i].first - 1);
	}
	*ret_part = part;
	return true;
}

/* A part begins where the range does, or behind one that is taken. */
bool host_free_ports(const struct port_range *range, const struct port_range *taken, size_t n_taken,
	struct port_range *ret_part)
{
	struct port_range part, longest;
	bool found = part_from(range->first, range, taken, n_taken, &longest);

	for (size_t i = 0; i < n_taken; i++) {
		uint16_t first = (uint16_t)(taken[i].last + 1);

		if (!port_range_contains(range, first) ||
			!part_from(first, range, taken, n_taken, &part))
			continue;
		if (!found || part.last - part.first > longest.last - longest.first)
			longest = part;
		found = true;
	}
	if (found)
		*ret_part = longest;
	return found;
}
