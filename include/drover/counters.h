/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Counters across rulesets: from what was read back to the same ruleset as it was compiled,
 * which knows what each of them counts, and from one compiled ruleset to the next.
 */

#include "drover/ruleset.h"

/*
 * Gives the counters of want what those of have have counted; all others become zero. A rule
 * is known by its chain and signature, an element by its set, key and comment. What have has
 * counted where want has no such place goes to a counter of the same member or service that is
 * new in want, or else is lost. Both are signed. Returns 0 or -ENOMEM.
 */
int counters_carry(const struct ruleset *have, struct ruleset *want);

/* Calls func for the counter of each rule and element that says what it counts. */
void counters_foreach(struct ruleset *ruleset,
	void (*func)(struct ruleset_counter *counter, void *user_data), void *user_data);
