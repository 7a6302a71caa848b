/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The kernel's view of the network around one interface, by rtnetlink: the
 * interface itself, the neighbour table, the addresses on it.
 *
 * Events are subscribed to before the first dump, so that nothing falls in
 * between; when the kernel drops events (ENOBUFS) everything is dumped again.
 * All callbacks come from link_watch_new() and link_dispatch(), and may call back into the
 * watch (but not dispatch or free it); nothing here knows an event loop.
 */

#include "drover/address.h"
#include "drover/cleanup.h"
#include "drover/cluster.h"

struct link_watch;

struct link_callbacks {
	/*
	 * The interface appeared, changed or went; also once from link_watch_new(). One that
	 * was made again is reported as absent in between, and its neighbours and addresses as
	 * gone.
	 */
	void (*link)(const struct cluster_link *link, void *user_data);
	/*
	 * What the neighbour table says of an address on this interface; mac is
	 * NULL when it is not (or no longer) resolved. May repeat what was said.
	 */
	void (*neighbour)(const struct address *address, const struct mac *mac, void *user_data);
	/*
	 * An address was added to or removed from the interface (not an IPv6 link-local
	 * one). May repeat what was said.
	 */
	void (*address)(const struct address *address, bool present, void *user_data);
};

/*
 * Opens the sockets, subscribes, dumps, and reports all of it through the
 * callbacks before it returns. The interface need not exist. Returns 0 or
 * -errno.
 */
int link_watch_new(const char *interface, const struct link_callbacks *callbacks, void *user_data,
	struct link_watch **ret_watch);
void link_watch_free(struct link_watch *watch);
DEFINE_CLEANUP(struct link_watch, link_watch_free)

/* The descriptor to poll for input. */
int link_watch_fd(const struct link_watch *watch);

/* Reads and reports all pending events. Returns 0 or -errno (then start anew). */
int link_dispatch(struct link_watch *watch);

/*
 * Asks the kernel to resolve an address on the interface and to keep it resolved. The
 * answer comes as a neighbour callback from link_dispatch(), also if it was
 * known before. Asked once is enough: the watch asks again whenever the kernel's entry went
 * (interface down, made again, "ip neigh flush", "ip neigh replace"). A permanent entry, or one
 * of a routing daemon (extern_learn), is never touched, only reported.
 *
 * Returns 0, -ENODEV while the interface is absent (remembered all the same, and asked when
 * it comes), or -errno.
 *
 * The means is NTF_EXT_MANAGED (kernel 5.16): found on 6.18, an entry goes its usual way through
 * REACHABLE, STALE, PROBE and FAILED, each change with an event, and is probed anew every
 * neigh/IFACE/interval_probe_time_ms (5 s), so a member that comes back is resolved within
 * that time. A member that falls silent is noticed after base_reachable_time (15..45 s) +
 * delay_first_probe_time (5 s) + 3 probes (3 s); one that announces a new Ethernet
 * address is, at once. Older kernels only probe once per change.
 */
int link_resolve(struct link_watch *watch, const struct address *address);

/* Ends what link_resolve() asked for. Returns 0 (also if it was not asked for) or -errno. */
int link_forget(struct link_watch *watch, const struct address *address);

/*
 * Puts an address (full prefix length) on the interface, or takes it away: without a route to
 * its prefix, and for IPv6 without duplicate address detection and as a deprecated one, which
 * the kernel never chooses as a source by itself. Having or missing it
 * already is success; the same address with a shorter prefix length is another one and stays.
 * Returns 0 or -errno; to add needs the interface (-ENODEV).
 */
int link_add_address(struct link_watch *watch, const struct address *address);
int link_remove_address(struct link_watch *watch, const struct address *address);

/* Sets the interface up. Returns 0 or -errno. */
int link_set_up(struct link_watch *watch);

/* True if the address is on the interface, as far as events have told. */
bool link_has_address(const struct link_watch *watch, const struct address *address);

/*
 * One look at an interface and its neighbours, without a watch: for droverd
 * -p. Needs no privilege. Returns 0 or -errno; an absent interface is no error.
 */
int link_snapshot(const char *interface, const struct link_callbacks *callbacks, void *user_data);
