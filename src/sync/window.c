/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "window.h"

#include <string.h>

static uint64_t *word_of(struct window *window, uint64_t number)
{
	return &window->seen[number / 64 % (WINDOW_SIZE / 64)];
}

static uint64_t bit_of(uint64_t number)
{
	return UINT64_C(1) << number % 64;
}

void window_begin(struct window *window, uint64_t number)
{
	window->highest = number;
	memset(window->seen, 0xff, sizeof(window->seen));
}

/* The window moves up: what it uncovers was not seen. */
static void advance(struct window *window, uint64_t number)
{
	if (number - window->highest >= WINDOW_SIZE)
		memset(window->seen, 0, sizeof(window->seen));
	else
		for (uint64_t i = window->highest + 1; i < number; i++)
			*word_of(window, i) &= ~bit_of(i);
	window->highest = number;
}

bool window_take(struct window *window, uint64_t number)
{
	uint64_t bit = bit_of(number);

	if (number > window->highest)
		advance(window, number);
	else if (window->highest - number >= WINDOW_SIZE || (*word_of(window, number) & bit))
		return false;
	*word_of(window, number) |= bit;
	return true;
}
