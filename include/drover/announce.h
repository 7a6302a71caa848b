/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Gratuitous ARP and unsolicited neighbour advertisements: tell the segment that VIPs are at
 * this host's Ethernet address now, so that neighbours' caches and switches' tables turn to it.
 */

#include "drover/address.h"
#include "drover/cleanup.h"

/*
 * Announces each address once, from an AF_PACKET socket. Needs CAP_NET_RAW. Returns 0 or the
 * -errno of the first that failed; the others are still sent.
 */
int announce_send(unsigned int interface_index, const struct mac *source,
	const struct address *addresses, size_t n_addresses);

enum { ANNOUNCE_FRAME_MAX = 86 };

/*
 * Writes the frame that announce_send() sends for an address, and returns its size.
 *
 * IPv4: the ARP announcement of RFC 5227 section 3, to everybody: a request whose sender and
 * target are the address.
 *
 * IPv6: the unsolicited neighbour advertisement of RFC 4861 section 7.2.6, to ff02::1, from the
 * address itself: with the override flag, without which neighbours keep what they have cached
 * (section 7.2.5), neither solicited nor router, and with the option "target link-layer
 * address" (sections 4.4 and 4.6.1).
 */
size_t announce_build(const struct mac *source, const struct address *address,
	uint8_t frame[static ANNOUNCE_FRAME_MAX]);
