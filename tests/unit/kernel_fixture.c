/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_fixture.h"

#include "drover/diff.h"
#include "drover/memories.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

#define BALANCER_MAC "02:00:00:00:00:05"
#define ROUTER_MAC   "02:00:00:00:00:99"

int try_shell(const char *command)
{
	return system(command);
}

/* --- the namespace --------------------------------------------------------------------- */

static int open_wire(const char *interface)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int enter_kernel(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k || unshare(CLONE_NEWNET | CLONE_NEWUTS) < 0 || sethostname("fe5", 3) < 0)
		return -1;
	/* What the hosts themselves would say is in the way. */
	shell("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	shell("ip link add eth0 address " BALANCER_MAC " type veth peer name eth1");
	shell("ip link set eth1 up && ip link set eth0 up");
	k->link = (struct cluster_link){
		.present = true, .index = if_nametoindex("eth0"), .mac = mac_of(BALANCER_MAC)
	};
	k->wire = open_wire("eth1");
	if (nft_open(&k->nft) < 0)
		return -1;
	*state = k;
	return 0;
}

int leave_kernel(void **state)
{
	struct kernel *k = *state;

	nft_close(k->nft);
	close(k->wire);
	free(k);
	return 0;
}

struct nft *nft_of(void **state)
{
	const struct kernel *k = *state;

	return k->nft;
}

/* What the kernel remembers by now is nothing that it has to be told. */
static void settle_memories(struct nft *nft, struct ruleset *want)
{
	_cleanup_(ruleset_free_p) struct ruleset *memories = NULL;

	assert_int_equal(nft_read_memories(nft, &memories), 0);
	memories_subtract(want, memories);
}

void install(struct nft *nft, struct ruleset *want)
{
	_cleanup_(ruleset_free_p) struct ruleset *have = NULL, *got = NULL;
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	_cleanup_(free_p) char *message = NULL;
	int r;

	assert_int_equal(nft_read(nft, &have), 0);
	settle_memories(nft, want);
	assert_int_equal(diff_build(have, want, &batch), 0);
	r = nft_commit(nft, batch, &message);
	if (r != 0)
		fail_msg("%s: %s", strerror(-r), message ? message : "?");
	assert_int_equal(nft_read(nft, &got), 0);
	settle_memories(nft, want);
	assert_difference(got, want, "");
}

/* --- frames ----------------------------------------------------------------------------- */

struct frame {
	uint8_t bytes[256];
	size_t length;
};

static void put(struct frame *frame, const void *bytes, size_t length)
{
	assert_true(frame->length + length <= sizeof(frame->bytes));
	memcpy(frame->bytes + frame->length, bytes, length);
	frame->length += length;
}

static void put_byte(struct frame *frame, uint8_t byte)
{
	put(frame, &byte, 1);
}

static void put_16(struct frame *frame, uint16_t number)
{
	const uint16_t wire = htons(number);

	put(frame, &wire, sizeof(wire));
}

static void put_zeros(struct frame *frame, size_t length)
{
	static const uint8_t zeros[16];

	put(frame, zeros, length);
}

static void put_ethernet(struct frame *frame, int family)
{
	const struct mac to = mac_of(BALANCER_MAC), from = mac_of(ROUTER_MAC);

	put(frame, to.bytes, 6);
	put(frame, from.bytes, 6);
	put_16(frame, family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

/* A header before payload bytes; the rules look at no checksum. */
static void put_ip(struct frame *frame, uint8_t protocol, const struct address *source,
	const struct address *destination, uint16_t payload)
{
	if (source->family == AF_INET) {
		put_16(frame, 0x4500);
		put_16(frame, (uint16_t)(20 + payload));
		put_zeros(frame, 4);
		put_byte(frame, 64);
		put_byte(frame, protocol);
		put_zeros(frame, 2);
	} else {
		put_16(frame, 0x6000);
		put_zeros(frame, 2);
		put_16(frame, payload);
		put_byte(frame, protocol);
		put_byte(frame, 64);
	}
	put(frame, source->bytes, address_size(source->family));
	put(frame, destination->bytes, address_size(destination->family));
}

/* The number by which a frame is known when it comes back. */
static void put_number(struct frame *frame, uint32_t number)
{
	put(frame, &number, sizeof(number));
}

enum { TCP_PAYLOAD = 24, UDP_PAYLOAD = 12, ERROR_PAYLOAD = 12 };

static void put_ports(struct frame *frame, uint16_t source, uint16_t destination)
{
	put_16(frame, source);
	put_16(frame, destination);
}

static void put_flow(struct frame *frame, const struct packet *packet, uint32_t number)
{
	struct address client = address_of(packet->client), vip = address_of(packet->vip);
	bool is_tcp = packet->protocol == IPPROTO_TCP;

	put_ethernet(frame, client.family);
	put_ip(frame, packet->protocol, &client, &vip, is_tcp ? TCP_PAYLOAD : UDP_PAYLOAD);
	put_ports(frame, packet->client_port, packet->vip_port);
	if (is_tcp) {
		put_zeros(frame, 8);
		put_byte(frame, 0x50);
		put_byte(frame, packet->syn ? 0x02 : 0x10);
		put_zeros(frame, 6);
	} else {
		put_16(frame, UDP_PAYLOAD);
		put_zeros(frame, 2);
	}
	put_number(frame, number);
}

static void overwrite_16(struct frame *frame, size_t offset, uint16_t number)
{
	const uint16_t wire = htons(number);

	memcpy(frame->bytes + offset, &wire, sizeof(wire));
}

/*
 * A later fragment of IPv6 has its ports' place in the flow label, for those who overlook that it
 * is one.
 */
static void put_fragment(
	struct frame *frame, const struct packet_of_fragment *fragment, uint32_t number)
{
	enum { IP = ETHER_HDR_LEN, IP6_END = IP + 40 };
	const struct packet *flow = &fragment->flow;
	uint16_t place = fragment->is_later ? 3 : 0;
	struct frame whole = { .length = 0 };

	if (!strchr(flow->vip, ':')) {
		put_flow(frame, flow, number);
		overwrite_16(frame, IP + 4, (uint16_t)fragment->datagram);
		overwrite_16(frame, IP + 6, (uint16_t)(place | (fragment->has_more ? 0x2000 : 0)));
		return;
	}
	put_flow(&whole, flow, number);
	put(frame, whole.bytes, IP6_END);
	overwrite_16(frame, IP + 2, flow->vip_port);
	overwrite_16(frame, IP + 4, (uint16_t)(whole.length - IP6_END + 8));
	frame->bytes[IP + 6] = IPPROTO_FRAGMENT;
	put_byte(frame, flow->protocol);
	put_zeros(frame, 1);
	put_16(frame, (uint16_t)(place << 3 | fragment->has_more));
	put_number(frame, fragment->datagram);
	put(frame, whole.bytes + IP6_END, whole.length - IP6_END);
}

/* A router tells a member that what it has sent to the client was too big. */
static void put_error(struct frame *frame, const struct packet *packet, uint32_t number)
{
	struct address client = address_of(packet->client), vip = address_of(packet->vip);
	bool is_ip = client.family == AF_INET;
	struct address router = address_of(is_ip ? "203.0.113.1" : "2001:db8:9::1");
	uint16_t about = (is_ip ? 20 : 40) + ERROR_PAYLOAD;

	put_ethernet(frame, client.family);
	put_ip(frame, is_ip ? IPPROTO_ICMP : IPPROTO_ICMPV6, &router, &vip, 8 + about);
	put_byte(frame, is_ip ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG);
	put_byte(frame, is_ip ? ICMP_FRAG_NEEDED : 0);
	put_zeros(frame, 6);
	put_ip(frame, packet->protocol, &vip, &client, ERROR_PAYLOAD);
	put_ports(frame, packet->vip_port, packet->client_port);
	put_zeros(frame, 4);
	put_number(frame, number);
}

static void put_icmp(struct frame *frame, const struct packet_of_icmp *packet, uint32_t number)
{
	struct address client = address_of(packet->client), vip = address_of(packet->vip);

	put_ethernet(frame, client.family);
	put_ip(frame, client.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, &client, &vip, 12);
	put_byte(frame, packet->type);
	put_byte(frame, 0);
	put_16(frame, packet->checksum);
	put_zeros(frame, 4);
	put_number(frame, number);
}

/* --- there and back ----------------------------------------------------------------------- */

static void send_frame(struct kernel *k, const struct frame *frame)
{
	assert_int_equal(send(k->wire, frame->bytes, frame->length, 0), frame->length);
}

/* The next frame that the rules have forwarded. */
static void receive_frame(struct kernel *k, struct frame *frame)
{
	const struct mac balancer = mac_of(BALANCER_MAC);
	struct pollfd descriptor = { .fd = k->wire, .events = POLLIN };

	do {
		ssize_t n;

		assert_int_equal(poll(&descriptor, 1, PATIENCE_MS), 1);
		n = recv(k->wire, frame->bytes, sizeof(frame->bytes), 0);
		assert_true(n > ETHER_HDR_LEN);
		frame->length = (size_t)n;
	} while (memcmp(frame->bytes + 6, balancer.bytes, 6) != 0);
}

static bool has_number(const struct frame *frame, uint32_t number)
{
	return memcmp(frame->bytes + frame->length - sizeof(number), &number, sizeof(number)) == 0;
}

static int compare_digits(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/*
 * Whatever comes back of a frame comes before what comes back of the next one: a fence, a datagram
 * to a service that every configuration here has.
 */
static const char *way_of_frame(struct kernel *k, const struct frame *frame, uint32_t number)
{
	static const struct packet fence = { IPPROTO_UDP, "198.51.100.9", 9, "192.0.2.100", 9,
		false, false };
	static char way[16];
	size_t n = 0;
	struct frame last = { .length = 0 }, back;

	put_flow(&last, &fence, ++k->n_sent);
	send_frame(k, frame);
	send_frame(k, &last);
	for (receive_frame(k, &back); !has_number(&back, k->n_sent); receive_frame(k, &back)) {
		assert_true(has_number(&back, number) && n + 1 < sizeof(way));
		way[n++] = (char)('0' + back.bytes[5]);
	}
	way[n] = '\0';
	qsort(way, n, 1, compare_digits);
	return way;
}

const char *way_of(struct kernel *k, const struct packet *packet)
{
	struct frame frame = { .length = 0 };
	uint32_t number = ++k->n_sent;

	if (packet->is_error)
		put_error(&frame, packet, number);
	else
		put_flow(&frame, packet, number);
	return way_of_frame(k, &frame, number);
}

const char *way_of_fragment(struct kernel *k, const struct packet_of_fragment *fragment)
{
	struct frame frame = { .length = 0 };
	uint32_t number = ++k->n_sent;

	put_fragment(&frame, fragment, number);
	return way_of_frame(k, &frame, number);
}

const char *way_of_icmp(struct kernel *k, const struct packet_of_icmp *packet)
{
	struct frame frame = { .length = 0 };
	uint32_t number = ++k->n_sent;

	put_icmp(&frame, packet, number);
	return way_of_frame(k, &frame, number);
}
