/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * plan -> ruleset: the data path, written down once.
 *
 * drover(7) describes the packet's way through the result, and the files
 * in rules/ show it. The shape was measured: a rule whose set has a
 * single element becomes a plain comparison, a bucket map leads to one chain per
 * member that counts, writes both Ethernet addresses at once and forwards.
 */

#include "drover/plan.h"
#include "drover/ruleset.h"

/*
 * Compiles a plan. A plan without an active group gives no netdev table, one
 * without suppressed VIPs no arp table, one that guards no VIPs no inet table. With the ruleset
 * that a plan has given before, unless last is NULL, the new one shares the elements of all port
 * sets that are still the same: a change costs no more with a thousand services than with one.
 * Returns 0 and the caller owns *ret_ruleset, or -ENOMEM.
 */
int compile_plan(const struct plan *plan, const struct ruleset *last, struct ruleset **ret_ruleset);

#define SHIELD_COUNTER "shield" /* struct ruleset_counter.of of what the shield has dropped */

/*
 * Adds the shield to the ruleset of the same plan; nothing if the plan has no active group. It is
 * a table of its own that belongs to the socket which commits it, so that it stands while somebody
 * else has flushed all the others, and no longer than the socket. It drops what comes by the
 * interface for a VIP of an active group, by TCP or UDP, unless the netdev table has accepted it.
 * The client sends it again, and by then the rules are back. Returns 0 or -ENOMEM.
 */
int compile_shield(const struct plan *plan, struct ruleset *ruleset);
