/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What having the duty means outside nftables: the VIPs are on the interface, and
 * the segment is told so.
 */

#include "drover/cluster.h"
#include "drover/link.h"

struct duty {
	size_t n_announcements; /* since the last change; see duty_announce() */
};

/*
 * Puts the VIPs of active groups on the interface and takes those of the
 * others away. With previous (may be NULL), VIPs that were in that configuration and are no longer
 * are removed too. Returns 1 if an address was added (then announce), 0
 * if not, or the last -errno; the others are still tried.
 */
int duty_place_vips(
	const struct cluster *cluster, struct link_watch *watch, const struct conf *previous);

/* True if a VIP of the group is on the interface: this host had the duty before a restart. */
bool duty_holds_vip(const struct link_watch *watch, const struct conf_group *group);

/*
 * Announces the VIPs of all active groups once. Returns the delay in ms after which to do
 * it again: a few times shortly after a change (switches and neighbours lose
 * frames), then once a minute; 0 if no group is active.
 */
uint64_t duty_announce(struct duty *duty, const struct cluster *cluster);

/* Sets the ARP sysctls of a member on the interface. Logs what it changed. */
void duty_set_arp_sysctls(const char *interface);

/*
 * Warns of outgoing port ranges of this host that the system may hand out as ephemeral ports.
 * Those that were in the previous configuration (may be NULL) have been spoken of.
 */
void duty_check_port_ranges(const struct conf *conf, const struct conf *previous);
