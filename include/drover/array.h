/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Arrays that grow at their end: a pointer and a count, and no capacity to keep. */

#include <stdlib.h>

/*
 * Makes room for at least one entry behind the n that the array has. The room
 * doubles whenever n is a power of two, so an array that is only ever grown by
 * this, one entry at a time, costs amortised constant time. Returns the array, maybe moved, or
 * NULL without memory; then the old one stays as it was.
 */
static inline void *array_grow(void *array, size_t n, size_t entry_size)
{
	if ((n & (n - 1)) != 0)
		return array;
	return reallocarray(array, n ? n * 2 : 1, entry_size);
}
