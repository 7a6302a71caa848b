/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/flow.h"

#include <netinet/in.h>
#include <stdio.h>

enum { ENDPOINT_TEXT_MAX = ADDRESS_TEXT_MAX + 8 }; /* "[", "]:" and a port */

static const char *format_endpoint(
	const struct address *address, uint16_t port, char buffer[static ENDPOINT_TEXT_MAX])
{
	bool brackets = address->family == AF_INET6;
	char text[ADDRESS_TEXT_MAX];

	snprintf(buffer, ENDPOINT_TEXT_MAX, "%s%s%s:%u", brackets ? "[" : "",
		address_format(address, text), brackets ? "]" : "", port);
	return buffer;
}

const char *flow_format(const struct flow *flow, char buffer[static FLOW_TEXT_MAX])
{
	char client[ENDPOINT_TEXT_MAX], vip[ENDPOINT_TEXT_MAX];

	snprintf(buffer, FLOW_TEXT_MAX, "%s %s > %s", flow->protocol == IPPROTO_TCP ? "tcp" : "udp",
		format_endpoint(&flow->client, flow->client_port, client),
		format_endpoint(&flow->vip, flow->vip_port, vip));
	return buffer;
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
	return a->protocol == b->protocol && a->client_port == b->client_port &&
	       a->vip_port == b->vip_port && address_equal(&a->client, &b->client) &&
	       address_equal(&a->vip, &b->vip);
}
