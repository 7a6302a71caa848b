/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Has malloc() keep some 32 MiB of what is freed, and take arrays of up to 8 MiB from there. Each
 * change makes a ruleset of megabytes and lets go of another: given back to the kernel and faulted
 * in anew page by page, as mallopt(3) would have it where such sizes are the exception, it costs
 * more than what is done with it.
 */
void heap_keep(void);
