/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How long a packet was under way, our own socket's queue included, beyond the quickest one of the
 * last minutes: two clocks that differ by whatever need not be compared, and may drift.
 */

#include <stdint.h>

struct transit {
	int64_t least, least_before; /* of what lies between the clocks: this span's, the last's */
	uint64_t span_end;           /* 0: nothing was heard */
};

/* Takes a packet that left at sent_ms by the sender's clock; returns its delay in ms. */
uint64_t transit_take(struct transit *transit, uint64_t sent_ms, uint64_t now_ms);
