/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transit.h"

enum { SPAN_MS = 60 * 1000 };

uint64_t transit_take(struct transit *transit, uint64_t sent_ms, uint64_t now_ms)
{
	int64_t between = (int64_t)(now_ms - sent_ms), least;

	if (transit->span_end == 0)
		transit->least_before = between;
	if (now_ms >= transit->span_end) {
		if (transit->span_end != 0)
			transit->least_before = transit->least;
		transit->least = between;
		transit->span_end = now_ms + SPAN_MS;
	}
	if (between < transit->least)
		transit->least = between;
	least = transit->least < transit->least_before ? transit->least : transit->least_before;
	return (uint64_t)between - (uint64_t)least;
}
