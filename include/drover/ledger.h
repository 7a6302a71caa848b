/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The ledger: which member owns which live flow. A part for each owner, which that owner's host
 * alone may write: so two hosts never disagree about a part, only about how new it is. Two
 * members may own one flow for a while: the client reused its port, or a member was cut off and
 * does not know that another one has taken over its flow. Whoever reads sees both, and by
 * flow_set_since() who has got it last.
 */

#include "drover/flow_set.h"

struct ledger;

/* max: the most flows of one owner. Returns NULL without memory. */
struct ledger *ledger_new(size_t max);
void ledger_free(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_free)

/* The owner's flows; the ledger keeps owning them. Made if need be; NULL without memory. */
struct flow_set *ledger_open(struct ledger *ledger, const char *owner);

/* The same, NULL if the owner is unknown. */
struct flow_set *ledger_find(const struct ledger *ledger, const char *owner);
void ledger_forget(struct ledger *ledger, const char *owner);

/*
 * Makes the times of the owner's flows unknown: whoever else got one of them got it later, even if
 * the times of that one have been forgotten before.
 */
void ledger_forget_times(struct ledger *ledger, const char *owner);

/* The first owner, by name, that has the flow, or NULL. */
const char *ledger_find_owner(const struct ledger *ledger, const struct flow *flow);

/* The i-th owner's name, ordered by it, or NULL behind the last. */
const char *ledger_owner_at(const struct ledger *ledger, size_t i);

size_t ledger_count(const struct ledger *ledger); /* flows of all owners */
size_t ledger_memory(const struct ledger *ledger);
