/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/heap.h"

#include <malloc.h>

void heap_keep(void)
{
	enum { MIB = 1024 * 1024 };

	/* Setting either would leave the other where it is now, small. */
	(void)mallopt(M_MMAP_THRESHOLD, 8 * MIB);
	(void)mallopt(M_TRIM_THRESHOLD, 32 * MIB);
}
