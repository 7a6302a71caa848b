/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Gratuitous ARP: tells the segment that VIPs are at this host's Ethernet
 * address now, so that neighbours' caches and switches' tables turn to it.
 */

#include "drover/address.h"
#include "drover/cleanup.h"

/*
 * Broadcasts one ARP announcement (RFC 5227 section 3: a request whose sender
 * and target are the address) per IPv4 address, from an AF_PACKET socket. Needs
 * CAP_NET_RAW. Returns 0 or the -errno of the first that failed; the
 * others are still sent.
 */
int announce_send(unsigned int interface_index, const struct mac *source,
	const struct address *addresses, size_t n_addresses);

/* Writes the frame that announce_send() sends. */
enum { ANNOUNCE_FRAME_SIZE = 42 };
void announce_build(const struct mac *source, const struct address *address,
	uint8_t frame[static ANNOUNCE_FRAME_SIZE]);
