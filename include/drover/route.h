/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The kernel's routing, asked by rtnetlink. */

#include "drover/address.h"

/*
 * Which interface (its index) a packet to this address would leave by. from is its source, which
 * must be an address of this host, so that rules on sources count; NULL for one that the kernel
 * chooses. Needs no privilege. Returns 0, -ENETUNREACH or -EHOSTUNREACH if there is no way, or
 * -errno.
 */
int route_find(
	const struct address *to, const struct address *from, unsigned int *ret_interface_index);
