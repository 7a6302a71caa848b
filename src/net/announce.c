/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gratuitous ARP and unsolicited neighbour advertisements. */

#include "drover/announce.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>

static struct ether_header ethernet_header(
	const uint8_t destination[static ETH_ALEN], const struct mac *source, uint16_t type)
{
	struct ether_header header = { .ether_type = htons(type) };

	memcpy(header.ether_dhost, destination, ETH_ALEN);
	memcpy(header.ether_shost, source->bytes, ETH_ALEN);
	return header;
}

/* --- IPv4 ---------------------------------------------------------------- */

static size_t build_arp(const struct mac *source, const struct address *address, uint8_t *frame)
{
	static const uint8_t everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct {
		struct ether_header ethernet;
		struct ether_arp arp;
	} __attribute__((packed)) packet = {
		.ethernet = ethernet_header(everybody, source, ETHERTYPE_ARP),
		.arp.arp_hrd = htons(ARPHRD_ETHER),
		.arp.arp_pro = htons(ETHERTYPE_IP),
		.arp.arp_hln = ETH_ALEN,
		.arp.arp_pln = 4,
		/* Linux heeds requests and replies alike; some switches only requests. */
		.arp.arp_op = htons(ARPOP_REQUEST),
	};

	static_assert(sizeof(packet) <= ANNOUNCE_FRAME_MAX, "the frame has room");
	memcpy(packet.arp.arp_sha, source->bytes, ETH_ALEN);
	memcpy(packet.arp.arp_spa, address->bytes, 4);
	memcpy(packet.arp.arp_tpa, address->bytes, 4);
	memcpy(frame, &packet, sizeof(packet));
	return sizeof(packet);
}

/* --- IPv6 ---------------------------------------------------------------- */

struct advertisement {
	struct nd_neighbor_advert header;
	struct nd_opt_hdr option;
	uint8_t mac[ETH_ALEN];
} __attribute__((packed));

/* RFC 1071: the one's complement of the one's complement sum. */
static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Together with the pseudo-header of RFC 8200 section 8.1. */
static uint16_t advertisement_checksum(
	const struct ip6_hdr *ip, const struct advertisement *advertisement)
{
	struct {
		struct in6_addr source, destination;
		uint32_t length, next_header;
		struct advertisement advertisement;
	} __attribute__((packed)) summed = {
		.source = ip->ip6_src,
		.destination = ip->ip6_dst,
		.length = htonl(sizeof(*advertisement)),
		.next_header = htonl(IPPROTO_ICMPV6),
		.advertisement = *advertisement,
	};

	return checksum(&summed, sizeof(summed));
}

static size_t build_advertisement(
	const struct mac *source, const struct address *address, uint8_t *frame)
{
	static const uint8_t all_nodes[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(sizeof(struct advertisement)),
		.ip6_nxt = IPPROTO_ICMPV6,
		.ip6_hlim = 255, /* or it is taken for one from another segment */
		.ip6_dst.s6_addr = { 0xff, 0x02, [15] = 1 },
	};
	struct advertisement advertisement = {
		.header.nd_na_type = ND_NEIGHBOR_ADVERT,
		.header.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE,
		.option.nd_opt_type = ND_OPT_TARGET_LINKADDR,
		.option.nd_opt_len = 1, /* of eight bytes */
	};
	struct {
		struct ether_header ethernet;
		struct ip6_hdr ip;
		struct advertisement advertisement;
	} __attribute__((packed)) packet;

	static_assert(sizeof(packet) <= ANNOUNCE_FRAME_MAX, "the frame has room");
	memcpy(&ip.ip6_src, address->bytes, sizeof(ip.ip6_src));
	memcpy(&advertisement.header.nd_na_target, address->bytes, sizeof(ip.ip6_src));
	memcpy(advertisement.mac, source->bytes, ETH_ALEN);
	advertisement.header.nd_na_cksum = advertisement_checksum(&ip, &advertisement);
	packet.ethernet = ethernet_header(all_nodes, source, ETHERTYPE_IPV6);
	packet.ip = ip;
	packet.advertisement = advertisement;
	memcpy(frame, &packet, sizeof(packet));
	return sizeof(packet);
}

/* --- both ---------------------------------------------------------------- */

size_t announce_build(const struct mac *source, const struct address *address,
	uint8_t frame[static ANNOUNCE_FRAME_MAX])
{
	return address->family == AF_INET6 ? build_advertisement(source, address, frame)
					   : build_arp(source, address, frame);
}

static int send_frame(
	int fd, unsigned int interface_index, int family, const uint8_t *frame, size_t size)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(family == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_ARP),
		.sll_ifindex = (int)interface_index,
	};

	if (sendto(fd, frame, size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int announce_send(unsigned int interface_index, const struct mac *source,
	const struct address *addresses, size_t n_addresses)
{
	_cleanup_(close_p) int fd = -1;
	int result = 0;

	/* Protocol 0 receives nothing. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n_addresses; i++) {
		uint8_t frame[ANNOUNCE_FRAME_MAX];
		size_t size = announce_build(source, &addresses[i], frame);
		int r = send_frame(fd, interface_index, addresses[i].family, frame, size);

		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}
