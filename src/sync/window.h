/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which packet numbers of a session were seen: a sliding window as in RFC 4303 section 3.4.3 (IPsec
 * ESP). Packets may overtake one another by less than its size; none is taken twice.
 */

#include <stdbool.h>
#include <stdint.h>

enum { WINDOW_SIZE = 1024 };

struct window {
	uint64_t highest;
	uint64_t seen[WINDOW_SIZE / 64]; /* by number, modulo the size */
};

/* Begins with a packet: it and all before it count as seen. */
void window_begin(struct window *window, uint64_t number);

/* Returns false if the packet was seen, or is too old to tell. */
bool window_take(struct window *window, uint64_t number);
