/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keeper.h"

#include "drover/clock.h"
#include "drover/compile.h"
#include "drover/counters.h"
#include "drover/diff.h"
#include "drover/guard.h"
#include "drover/memories.h"
#include "drover/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int keeper_init(struct keeper *keeper)
{
	*keeper = (struct keeper){ .have = NULL };
	return nft_open(&keeper->nft);
}

void keeper_done(struct keeper *keeper)
{
	nft_close(keeper->nft);
	ruleset_free(keeper->have);
	free(keeper->error);
}

int keeper_enable_shield(struct keeper *keeper)
{
	const struct ruleset_table table = {
		.family = RULESET_INET,
		.name = RULESET_SHIELD_NAME,
		.owned = true,
		.comment = "drover: can there be one?",
	};
	_cleanup_(batch_free_p) struct batch *batch = batch_new();
	int r;

	if (!batch)
		return -ENOMEM;
	r = message_add_table(batch, &table);
	if (r == 0)
		r = message_delete_table(batch, &table);
	if (r == 0)
		r = nft_commit(keeper->nft, batch, NULL);
	keeper->has_shield = r >= 0;
	return r < 0 ? r : 0;
}

void keeper_invalidate(struct keeper *keeper)
{
	ruleset_free(keeper->have);
	keeper->have = NULL;
}

static void set_error(struct keeper *keeper, char *message)
{
	free(keeper->error);
	keeper->error = message;
}

static void set_errno(struct keeper *keeper, const char *what, int error)
{
	char *message = NULL;

	if (asprintf(&message, "%s: %s", what, strerror(-error)) < 0)
		message = NULL;
	set_error(keeper, message);
}

int keeper_read_counters(struct keeper *keeper)
{
	_cleanup_(ruleset_free_p) struct ruleset *now = NULL;
	int r;

	if (!keeper->have)
		return -ENODATA;
	r = nft_read_counters(keeper->nft, &now);
	return r < 0 ? r : counters_carry(now, keeper->have);
}

typedef int (*diff_func_t)(
	const struct ruleset *have, const struct ruleset *want, struct batch **ret_batch);

/* Packets go on filling the kernel's memories: what it has by now must not be added again. */
static int settle_memories(struct keeper *keeper, struct ruleset *want)
{
	_cleanup_(ruleset_free_p) struct ruleset *now = NULL;
	int r;

	if (!memories_exist(want))
		return 0;
	r = nft_read_memories(keeper->nft, &now);
	if (r == 0)
		memories_subtract(want, now);
	return r;
}

/*
 * Counters are read only for a change that makes some anew: most move buckets alone. A change
 * must not be refused because nobody knows what was counted before it.
 */
static int settle_counters(struct keeper *keeper, struct ruleset *want, bool is_read)
{
	if (!is_read && !diff_remakes_counters(keeper->have, want))
		return 0;
	if (!is_read)
		(void)keeper_read_counters(keeper);
	return counters_carry(keeper->have, want);
}

static int build_batch(
	struct keeper *keeper, struct ruleset *want, diff_func_t diff, struct batch **ret_batch)
{
	bool is_known = keeper->have;
	int r = 0;

	if (!is_known)
		r = nft_read(keeper->nft, &keeper->have);
	if (r < 0) {
		set_errno(keeper, "cannot read the kernel's tables", r);
		return r;
	}
	r = settle_memories(keeper, want);
	if (r == 0)
		r = settle_counters(keeper, want, !is_known);
	return r < 0 ? r : diff(keeper->have, want, ret_batch);
}

/* One attempt. Returns 1 if something was committed. */
static int commit(struct keeper *keeper, struct ruleset *want, diff_func_t diff, bool *ret_certain)
{
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	char *refusal = NULL;
	uint64_t begin;
	int r;

	r = build_batch(keeper, want, diff, &batch);
	if (r < 0)
		return r;
	begin = clock_now_us();
	r = nft_commit(keeper->nft, batch, &refusal);
	if (r < 0) {
		set_error(keeper, refusal);
		return r;
	}
	set_error(keeper, NULL);
	*ret_certain = r == 0;
	if (batch_count(batch) == 0)
		return 0;
	keeper->n_commits++;
	keeper->last_commit_us = clock_now_us() - begin;
	return 1;
}

int keeper_apply(struct keeper *keeper, const struct plan *plan)
{
	/*
	 * A refusal may mean that the difference was computed from what is no longer
	 * there, so look and try again; or that somebody left in the tables what cannot be changed
	 * step by step, so replace them. And whoever else was at work may have undone ours.
	 */
	static const diff_func_t attempts[] = { diff_build, diff_build, diff_replace };
	_cleanup_(ruleset_free_p) struct ruleset *want = NULL;
	bool certain = false, changed = false;
	int r;

	r = compile_plan(plan, keeper->have, &want);
	if (r == 0 && keeper->has_shield)
		r = compile_shield(plan, want);
	if (r == 0)
		r = message_sign_ruleset(want);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(attempts) && !certain; i++) {
		r = commit(keeper, want, attempts[i], &certain);
		changed |= r > 0;
		if (!certain)
			keeper_invalidate(keeper);
		if (i + 1 < ARRAY_SIZE(attempts))
			r = 0;
	}
	if (r < 0)
		return r;
	keeper_invalidate(keeper);
	memories_clear(want);
	if (certain)
		keeper->have = take_ptr(want);
	return changed;
}

/* The element is no part of what the kernel should have: keeper->have stays true. */
int keeper_arm_guard(struct keeper *keeper, unsigned int seconds)
{
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	int r;

	r = guard_arm(seconds, &batch);
	if (r < 0)
		return r;
	r = nft_commit(keeper->nft, batch, NULL);
	if (r > 0)
		keeper_invalidate(keeper);
	return r;
}

int keeper_read_guard(struct keeper *keeper, uint64_t *ret_ms)
{
	return nft_read_expiry(keeper->nft, RULESET_INET, GUARD_SET, ret_ms);
}
