/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Live flows: the ledger of who owns which, fed by this host's own tracker and by the other nodes'
 * news; and what of it the kernel has been told.
 */

#include "drover/ledger.h"
#include "drover/plan.h"
#include "drover/tracker.h"

#include <systemd/sd-event.h>

struct flows {
	struct ledger *ledger;
	struct tracker *tracker; /* NULL: this host is no member, or its kernel has no conntrack */
	sd_event_source *tracker_source;
	sd_event_source *keep_timer;
	uint64_t n_overruns;
	uint64_t keep_due_us; /* when pins are to be looked over, on the monotonic clock; 0: not */
	uint64_t learn_until_us; /* until then it is to be told of each one that begins, too */
	bool remember;           /* the kernel's memories are to begin with what the ledger has */
	struct plan_kept kept;   /* of the plan in force */
};
