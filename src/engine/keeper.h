/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Keeps the kernel's tables what the plan says. Level-triggered: each call computes
 * the whole and commits the difference, whatever happened before.
 */

#include "drover/nft.h"
#include "drover/plan.h"

struct keeper {
	struct nft *nft;
	bool has_shield;      /* against what others' changes let through (compile.h) */
	struct ruleset *have; /* what the kernel has; NULL: not known, to be read */
	char *error;          /* why the kernel has not what it should; NULL if it has */
	uint64_t n_commits;
	uint64_t n_repairs; /* times that somebody else's change was undone */
	uint64_t last_commit_us;
};

int keeper_init(struct keeper *keeper);
void keeper_done(struct keeper *keeper);

/*
 * Has the shield put up from the next keeper_apply() on. Returns 0, or -errno if the kernel has no
 * tables that belong to their maker (before Linux 5.12), or this one belongs to somebody else.
 */
int keeper_enable_shield(struct keeper *keeper);

/* Forgets what the kernel was known to have: somebody else has changed it. */
void keeper_invalidate(struct keeper *keeper);

/*
 * Reads what was counted into keeper->have, which then says what of. Returns 0, -ENODATA
 * if it is not known what the kernel has, or -errno.
 */
int keeper_read_counters(struct keeper *keeper);

/*
 * Arms the member guard (guard.h) for so many seconds from now. Returns 0, -ENOENT if the kernel
 * has none, or -errno. 1 means that it is armed, but somebody else committed at that moment and
 * what the kernel has is no longer known: apply the plan again.
 */
int keeper_arm_guard(struct keeper *keeper, unsigned int seconds);

/*
 * Reads for how long the member guard is still armed, in milliseconds; 0: it is not. Returns 0,
 * -ENOENT if the kernel has none, or -errno.
 */
int keeper_read_guard(struct keeper *keeper, uint64_t *ret_ms);

/*
 * Makes the kernel have what the plan says. Returns 1 if something was
 * committed, 0 if nothing differed, -ENOMEM, or -errno of the kernel; then keeper->error
 * says what was refused, and what the kernel had stays in force.
 */
int keeper_apply(struct keeper *keeper, const struct plan *plan);
