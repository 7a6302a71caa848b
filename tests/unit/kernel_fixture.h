/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Rulesets in a real kernel, in a network namespace of each test's own, and packets through them:
 * what is sent into eth1 arrives at eth0, where the rules are; what they forward comes back.
 */

#include "drover/nft.h"

#include "ruleset_fixture.h"

struct kernel {
	struct nft *nft;
	struct cluster_link link; /* eth0 */
	int wire;                 /* the other end of it */
	uint32_t n_sent;
};

struct nft *nft_of(void **state);

int enter_kernel(void **state);
int leave_kernel(void **state);
#define kernel_test(function) cmocka_unit_test_setup_teardown(function, enter_kernel, leave_kernel)

#define shell(...) assert_int_equal(try_shell(__VA_ARGS__), 0)
int try_shell(const char *command);

/*
 * Commits what leads from what the kernel has to a ruleset; what is left then must be nothing. Of
 * the ruleset's memories only what the kernel did not know stays.
 */
void install(struct nft *nft, struct ruleset *want);

/* A packet of a flow, or an ICMP error about one that was sent back on it. */
struct packet {
	uint8_t protocol;
	const char *client;
	uint16_t client_port;
	const char *vip;
	uint16_t vip_port;
	bool syn;      /* of TCP: else it is one in the midst of a connection */
	bool is_error; /* of the client's family, from a router */
};

/* A fragment of a datagram; a later one has 8 bytes of "text" where the first has its ports. */
struct packet_of_fragment {
	struct packet flow;
	uint32_t datagram;
	bool is_later;
	bool has_more;
};

/* An ICMP message of its own to a VIP: type and what stands in the place of ports. */
struct packet_of_icmp {
	const char *client, *vip;
	uint8_t type;
	uint16_t checksum;
};

/*
 * Sends it; returns the last bytes of the Ethernet addresses that it was forwarded to, "6" or "678"
 * in that order, or "" if it went nowhere; good until the next call.
 */
const char *way_of(struct kernel *k, const struct packet *packet);
const char *way_of_fragment(struct kernel *k, const struct packet_of_fragment *fragment);
const char *way_of_icmp(struct kernel *k, const struct packet_of_icmp *packet);
