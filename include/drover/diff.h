/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What leads from one ruleset to another, as one batch.
 *
 * The unit of change is the map element and the chain: an element is replaced
 * alone; a chain one of whose rules differs is emptied and filled anew in the
 * same transaction; a set whose definition differs is replaced together with
 * the chains that use it. Whatever is equal is not touched, so it keeps its
 * handle, its counters and its learned elements.
 */

#include "drover/batch.h"
#include "drover/ruleset.h"

/*
 * Computes the batch from what the kernel has to what it should have. Both
 * must be signed (message_sign_ruleset(), or read by nft_read()). Returns 0
 * and the caller owns *ret_batch (of which batch_count() is 0 if nothing
 * differs), or -ENOMEM.
 */
int diff_build(const struct ruleset *have, const struct ruleset *want, struct batch **ret_batch);

/*
 * Whether that batch would remove some counters of members or services and make others, which
 * begin with what the removed ones have counted: so somebody has to look first. Both were compiled.
 */
bool diff_remakes_counters(const struct ruleset *have, const struct ruleset *want);

/*
 * The same by removing all of the old and making all of the new, in one
 * transaction: for tables in which somebody left what diff_build() cannot get past.
 */
int diff_replace(const struct ruleset *have, const struct ruleset *want, struct batch **ret_batch);
