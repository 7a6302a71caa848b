/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A set of flows, made for millions of them: 52 bytes each, in chunks that never move, and a hash
 * table that grows by one bucket with each of them, never all at once. Memory that a flow leaves
 * is the next one's; it goes back to the system by flow_set_clear().
 *
 * Hashes are keyed by a secret drawn for each set: whoever opens connections cannot choose flows
 * that collide. The digest, in contrast, is the same wherever the same flows are in a set.
 */

#include "drover/cleanup.h"
#include "drover/flow.h"

#include <stddef.h>

struct flow_set;

/* max: the most flows that it takes. Returns NULL without memory. */
struct flow_set *flow_set_new(size_t max);
void flow_set_free(struct flow_set *set);
DEFINE_CLEANUP(struct flow_set, flow_set_free)

/*
 * Returns 1 if the flow is new, 0 if it was there (it is not stale any more), -ENOSPC if the set
 * is full, -EINVAL if the addresses are not both of IPv4 or both of IPv6, -ENOMEM.
 */
int flow_set_add(struct flow_set *set, const struct flow *flow);

/* Returns true if it was there. */
bool flow_set_remove(struct flow_set *set, const struct flow *flow);
bool flow_set_has(const struct flow_set *set, const struct flow *flow);

/* Ages beyond this, in seconds, are not told apart. */
enum { FLOW_AGE_MAX = UINT16_MAX };

/*
 * When a flow of this age (seconds, up to FLOW_AGE_MAX) was got: in seconds of the clock that
 * now_ms is of, and never 0. Of two owners of a flow the one that got it later can be told by it.
 */
static inline uint32_t flow_time(uint64_t now_ms, unsigned int age)
{
	return (uint32_t)(now_ms / 1000) + FLOW_AGE_MAX + 1 - age;
}

/* How old a flow is that was got at such a time; FLOW_AGE_MAX if that is 0. */
static inline unsigned int flow_age(uint64_t now_ms, uint32_t since)
{
	uint32_t now = flow_time(now_ms, 0);

	return since == 0 || now - since > FLOW_AGE_MAX ? FLOW_AGE_MAX : now - since;
}

/*
 * The same as flow_set_add(), which leaves the time unknown. One that was there keeps its own, but
 * for one that was stale: then the list that replaces the set knows better.
 */
int flow_set_add_since(struct flow_set *set, const struct flow *flow, uint32_t since);

/* 0: it is not in the set, or nobody knows since when. */
uint32_t flow_set_since(const struct flow_set *set, const struct flow *flow);

/* Makes all times unknown. */
void flow_set_forget_times(struct flow_set *set);
bool flow_set_has_times(const struct flow_set *set);

/*
 * Of flows that are in both sets, this one's owner got later those of which neither time is known.
 * Takes time with the former set, but only if times of this one have ever been forgotten.
 */
void flow_set_come_after(struct flow_set *set, const struct flow_set *former);

/* Removes all of them, and gives their memory back. */
void flow_set_clear(struct flow_set *set);

size_t flow_set_count(const struct flow_set *set);

/*
 * Equal for equal sets on all hosts, whatever the order in which flows came: the exclusive or of
 * a SipHash-2-4 of each flow under a fixed key. It finds errors; the channel keeps forgers out.
 */
uint64_t flow_set_digest(const struct flow_set *set);

/* Bytes of memory in use, all included. */
size_t flow_set_memory(const struct flow_set *set);

/*
 * Walks through the set: begin with *cursor 0; false behind the last. Between two calls flows may
 * come and go: those that are there all the while are met exactly once.
 */
bool flow_set_next(const struct flow_set *set, size_t *cursor, struct flow *ret_flow);

/* The same, with what flow_set_since() tells of it. */
bool flow_set_next_since(
	const struct flow_set *set, size_t *cursor, struct flow *ret_flow, uint32_t *ret_since);

/*
 * To replace the set by a list that comes in pieces: mark all flows stale, add the list, and take
 * away what is stale still.
 */
void flow_set_mark_stale(struct flow_set *set);

/* Removes one stale flow and returns true, false if there is none; *cursor begins with 0. */
bool flow_set_remove_stale(struct flow_set *set, size_t *cursor, struct flow *ret_flow);
