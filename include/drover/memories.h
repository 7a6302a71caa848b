/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Memories: the maps that packets fill. What a plan has of them is what they should have learned
 * by now; the kernel may have more, and what it has is newer.
 */

#include "drover/ruleset.h"

/* True if a memory of the ruleset has elements to be told to the kernel. */
bool memories_exist(const struct ruleset *ruleset);

/*
 * Takes out of want's memories what those of have, as read from the kernel, remember already, and
 * what they would have no room for beside what packets will add. A memory that have does not
 * have stays whole.
 */
void memories_subtract(struct ruleset *want, struct ruleset *have);

/* Empties the memories: once the kernel has been told they are its own business. */
void memories_clear(struct ruleset *ruleset);
