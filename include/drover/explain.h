/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What happens to a packet, told from the plan alone: the same decisions that the
 * ruleset makes, in the same order.
 */

#include "drover/plan.h"

enum explain_verdict {
	EXPLAIN_FORWARD, /* to another host */
	EXPLAIN_LOCAL,   /* its member is this host */
	EXPLAIN_DROP,    /* its service has no member */
	EXPLAIN_ACCEPT,  /* not balanced: this host answers for itself */
	EXPLAIN_DRAWN,   /* its scheduler draws a member when the packet comes */
};

struct explanation {
	enum explain_verdict verdict;
	const struct plan_group *group;               /* NULL: no group has the VIP */
	const struct plan_distribution *distribution; /* NULL: no service has the port */
	const char *service;
	bool has_bucket;
	uint32_t bucket;
	const struct plan_member *member; /* NULL unless forwarded or local */
	char reason[256];
};

/* For the first packet of a flow. */
void explain_flow(
	const struct plan *plan, const struct flow *flow, struct explanation *ret_explanation);

const char *explain_verdict_name(enum explain_verdict verdict);
