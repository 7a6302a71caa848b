/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The kernel's arithmetic, to tell which bucket it will choose: nftables' jhash
 * expression is Bob Jenkins' lookup3 (linux/jhash.h) over registers, scaled
 * down by reciprocal_scale().
 */

#include "drover/address.h"

/*
 * Bucket of a client; port in host order, used only by_port (scheduler
 * hash; without it scheduler source). Returns a number below n_buckets.
 */
uint32_t flow_hash_bucket(const struct address *client, bool by_port, uint16_t port, uint32_t seed,
	uint32_t n_buckets);
