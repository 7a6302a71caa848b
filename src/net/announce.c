/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gratuitous ARP. */

#include "drover/announce.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <string.h>

static const struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

void announce_build(const struct mac *source, const struct address *address,
	uint8_t frame[static ANNOUNCE_FRAME_SIZE])
{
	struct {
		struct ether_header ethernet;
		struct ether_arp arp;
	} __attribute__((packed)) packet = {
		.ethernet.ether_type = htons(ETHERTYPE_ARP),
		.arp.arp_hrd = htons(ARPHRD_ETHER),
		.arp.arp_pro = htons(ETHERTYPE_IP),
		.arp.arp_hln = ETH_ALEN,
		.arp.arp_pln = 4,
		/* Linux heeds requests and replies alike; some switches only requests. */
		.arp.arp_op = htons(ARPOP_REQUEST),
	};

	static_assert(sizeof(packet) == ANNOUNCE_FRAME_SIZE, "an Ethernet ARP frame");
	memcpy(packet.ethernet.ether_dhost, broadcast.bytes, ETH_ALEN);
	memcpy(packet.ethernet.ether_shost, source->bytes, ETH_ALEN);
	memcpy(packet.arp.arp_sha, source->bytes, ETH_ALEN);
	memcpy(packet.arp.arp_spa, address->bytes, 4);
	memcpy(packet.arp.arp_tpa, address->bytes, 4);
	memcpy(frame, &packet, sizeof(packet));
}

int announce_send(unsigned int interface_index, const struct mac *source,
	const struct address *addresses, size_t n_addresses)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)interface_index,
		.sll_halen = ETH_ALEN,
	};
	_cleanup_(close_p) int fd = -1;
	int result = 0;

	/* Protocol 0 receives nothing. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	memcpy(to.sll_addr, broadcast.bytes, ETH_ALEN);
	for (size_t i = 0; i < n_addresses; i++) {
		uint8_t frame[ANNOUNCE_FRAME_SIZE];

		if (addresses[i].family != AF_INET)
			continue;
		announce_build(source, &addresses[i], frame);
		if (sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to)) <
				0 &&
			result == 0)
			result = -errno;
	}
	return result;
}
