/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The kernel's nf_tables subsystem by nfnetlink: read what it has of drover's
 * tables, commit a batch, hear when somebody else changes them.
 */

#include "drover/batch.h"
#include "drover/ruleset.h"

struct nft;

/* Opens the sockets; needs CAP_NET_ADMIN. Returns 0 or -errno. */
int nft_open(struct nft **ret_nft);
void nft_close(struct nft *nft);
DEFINE_CLEANUP(struct nft, nft_close)

/*
 * Reads drover's tables: signatures, elements, counters; no statements. A
 * read that a concurrent commit disturbed is repeated. Returns 0 and the caller
 * owns *ret_ruleset, or -errno.
 */
int nft_read(struct nft *nft, struct ruleset **ret_ruleset);

/*
 * Reads only what counts: the netdev and the inet table, with elements of those sets alone that
 * count what they match. See counters_carry(). Returns 0 and the caller owns *ret_ruleset, or
 * -errno.
 */
int nft_read_counters(struct nft *nft, struct ruleset **ret_ruleset);

/*
 * Reads only what packets have filled: the netdev table, with the elements of its dynamic sets
 * alone. See memories_subtract(). Returns 0 and the caller owns *ret_ruleset, or -errno.
 */
int nft_read_memories(struct nft *nft, struct ruleset **ret_ruleset);

/*
 * Reads how long the element of a timed set (see ruleset.h) that stays longest still has, in
 * milliseconds; 0 if the set is empty. Returns 0, -ENOENT if there is no such set, or -errno.
 */
int nft_read_expiry(struct nft *nft, enum ruleset_family family, const char *set, uint64_t *ret_ms);

/*
 * Sends a batch whole, in one go, and reads the verdict of each of its
 * messages. The kernel applies all or nothing (nfnetlink_rcv_batch()). Returns
 * 0, 1 if it was applied but others committed too at that moment (so that the
 * tables should be read again), or -errno of the first refusal; then *ret_message (if not NULL) is
 * a new string that says what was refused and why. -ENOENT and -EEXIST mean that the kernel did not
 * have what the batch was computed from.
 */
int nft_commit(struct nft *nft, struct batch *batch, char **ret_message);

/* The descriptor to poll for changes made by others. */
int nft_watch_fd(const struct nft *nft);

/*
 * Reads all pending change events. Returns 1 if somebody else changed
 * drover's tables, or may have (the kernel dropped events), 0 if not, or -errno.
 */
int nft_watch_dispatch(struct nft *nft);
