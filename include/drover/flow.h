/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A flow as the balancer sees it: the packets of one client socket to one port of a VIP.
 * Ports are in host order.
 */

#include "drover/address.h"

#include <stdbool.h>
#include <stdint.h>

struct flow {
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t client_port;
	uint16_t vip_port;
	struct address client; /* both of one family */
	struct address vip;
};

/* "tcp 192.0.2.7:40000 > 192.0.2.100:80", with IPv6 addresses in brackets. */
#define FLOW_TEXT_MAX 120

/* Writes into the caller's buffer and returns it. */
const char *flow_format(const struct flow *flow, char buffer[static FLOW_TEXT_MAX]);

bool flow_equal(const struct flow *a, const struct flow *b);
