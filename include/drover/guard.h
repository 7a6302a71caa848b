/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The member guard: how it is armed.
 *
 * When flows have moved, a packet may reach a member that does not know its connection, whose
 * kernel would reset it. While armed, a member drops such a packet and counts it: TCP in
 * mid-stream (neither SYN nor RST) that conntrack has no entry for. The client sends it again, and
 * by then it may go to its own member. compile.h makes the rules. They are armed by an element with
 * a timeout in a set, so that a daemon that stops leaves nothing armed.
 *
 * To conntrack such a packet is "new" (nf_conntrack_tcp_loose = 1, the default: it would pick the
 * connection up) or "invalid" (that setting at 0; a FIN in any case). What was dropped in the input
 * hook was never confirmed, so that conntrack still does not know the flow when its packet comes
 * again.
 */

#include "drover/batch.h"

#define GUARD_SET     "armed"
#define GUARD_COUNTER "guard" /* struct ruleset_counter.of of what was dropped */

/*
 * Makes the batch that arms the guard for so many seconds from now, whether it was armed or
 * not; the kernel answers -ENOENT if it has no guard. Returns 0 and the caller owns *ret_batch, or
 * -ENOMEM.
 */
int guard_arm(unsigned int seconds, struct batch **ret_batch);
