/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The flows that end on this host, by its own conntrack table, which under DSR is the only one
 * that sees both directions. Somebody must have conntrack's hooks registered: a rule with ct state.
 *
 * A TCP flow begins with the end of its handshake (a flood of SYNs makes none; but see
 * tracker_find_half_open()) and ends with TIME_WAIT, CLOSE or its entry; a UDP flow begins with the
 * first answer and ends with its entry. What this host opens itself, and what NAT sends on to
 * another one, is none. An entry that goes while the connection's socket lives (conntrack -F) ends
 * no flow.
 *
 * The tracker subscribes to conntrack's events first, and dumps the table then. If the kernel
 * had to drop events (ENOBUFS), it doubles its receive buffer and dumps again. Connections that
 * are older than conntrack's hooks are unknown there until they speak: they are read from the
 * sockets (sock_diag), and looked for there until conntrack knows them.
 *
 * Found on 6.18: with nf_conntrack_events = 2, the default, there is no event ever about an entry
 * that was made while nobody listened. So what only a dump has shown is looked after, too: each
 * such flow about every 10 s, by an exact question to sock_diag and to conntrack, at most 6400
 * flows a second.
 */

#include "drover/cleanup.h"
#include "drover/flow_set.h"

struct tracker;

/* Called by tracker_dispatch(). They may call anything here but that and tracker_free(). */
struct tracker_ops {
	/* Is this one to be kept? The flow's original destination is flow->vip. */
	bool (*wants)(const struct flow *flow, void *user_data);
	/* It was added to (began) or removed from the set, which is changed already. */
	void (*changed)(const struct flow *flow, bool began, void *user_data);
	/* All has been read: at first, after lost events, after tracker_resync(). */
	void (*complete)(void *user_data);
	void *user_data;
};

struct tracker_stats {
	uint64_t n_events;     /* conntrack messages read */
	uint64_t n_overruns;   /* times that the kernel dropped events */
	uint64_t n_refused;    /* flows that there was no room for */
	size_t receive_buffer; /* bytes, as the kernel granted them */
	bool complete;         /* false until the dump that is under way has ended */
};

/*
 * Subscribes, and begins the dump; flows is kept up to date and stays the caller's. What it has
 * already is taken for what an earlier tracker has found, and removed if it is not met. Returns 0
 * or -errno (-EPERM without CAP_NET_ADMIN, -EPROTONOSUPPORT if the kernel has no conntrack).
 */
int tracker_open(
	struct flow_set *flows, const struct tracker_ops *ops, struct tracker **ret_tracker);
void tracker_free(struct tracker *tracker);
DEFINE_CLEANUP(struct tracker, tracker_free)

/* A descriptor that is readable when tracker_dispatch() has something to do. */
int tracker_fd(const struct tracker *tracker);

/*
 * Reads what has come, a bounded piece of it: the loop's other sources get their turn. Returns 0,
 * or -errno if the kernel cannot be listened to any more.
 */
int tracker_dispatch(struct tracker *tracker);

/* Reads everything anew, because what is wanted has changed. Returns 0 or -errno. */
int tracker_resync(struct tracker *tracker);

/*
 * Packets are about to go to other hosts: has the TCP connections in the set whose handshake has
 * not ended, for their last ACK to come here still. tracker_dispatch() looks for them at once and
 * some more times within about a second, since SYNs come until the packets do go elsewhere; one
 * whose last ACK is lost to another host stays half-open for long (tcp_synack_retries) and is met
 * by the next look. It lives on as any other flow when its handshake ends, or ends within about
 * 10 s after its socket.
 *
 * Conntrack tells of handshakes, and sock_diag which of them are under way still: of the last 8192,
 * and no more than as many are taken at a time, lest a flood of SYNs floods the set. Those by SYN
 * cookie have no socket, and are not found. Returns 0 or -errno.
 */
int tracker_find_half_open(struct tracker *tracker);

struct tracker_stats tracker_stats(const struct tracker *tracker);
