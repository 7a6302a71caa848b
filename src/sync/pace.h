/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How fast we may send: a token bucket. */

#include <stdbool.h>
#include <stdint.h>

struct pace {
	unsigned int rate; /* tokens a second */
	unsigned int burst;
	uint64_t credit; /* in thousandths of a token */
	uint64_t filled; /* ms */
};

struct pace pace_full(unsigned int rate, unsigned int burst, uint64_t now_ms);

/* Takes a token, or returns false if there is none. */
bool pace_take(struct pace *pace, uint64_t now_ms);
