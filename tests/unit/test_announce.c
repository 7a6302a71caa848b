/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gratuitous ARP: its bytes, and that a neighbour believes it. */
#include "drover/announce.h"

#include "veth.h"
#include <errno.h>

static void test_frame(void **state)
{
	static const uint8_t expected[ANNOUNCE_FRAME_SIZE] = {
		/* to everybody, from the source, ARP */
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0x02,
		0x00,
		0x00,
		0x00,
		0x00,
		0x50,
		0x08,
		0x06,
		/* Ethernet, IPv4, lengths, request */
		0x00,
		0x01,
		0x08,
		0x00,
		6,
		4,
		0x00,
		0x01,
		/* sender, then target: the same address, and nobody's Ethernet address */
		0x02,
		0x00,
		0x00,
		0x00,
		0x00,
		0x50,
		192,
		0,
		2,
		50,
		0x00,
		0x00,
		0x00,
		0x00,
		0x00,
		0x00,
		192,
		0,
		2,
		50,
	};
	const struct address address = address_of("192.0.2.50");
	const struct mac mac = { { 0x02, 0, 0, 0, 0, 0x50 } };
	uint8_t frame[ANNOUNCE_FRAME_SIZE];

	(void)state;
	announce_build(&mac, &address, frame);
	assert_memory_equal(frame, expected, sizeof(frame));
}

/* The other end believes it and changes what it knew. */
static void test_announcement_is_heard(void **state)
{
	struct fixture *f = *state;
	const struct address addresses[] = { address_of("2001:db8::9"), address_of("192.0.2.50") };
	const struct mac mac = { { 0x02, 0, 0, 0, 0, 0x50 } };

	watch(f, "near0");
	wait_for(f, f->link.running);
	run_peer(f, "ip neigh add 192.0.2.50 lladdr 02:00:00:00:00:51 dev far0 nud stale");
	run_peer(f, "sysctl -qw net.ipv4.neigh.far0.locktime=0");
	assert_int_equal(announce_send(f->link.index, &mac, addresses, ARRAY_SIZE(addresses)), 0);
	run_peer(f, "timeout 10 sh -c 'until ip neigh show dev far0 to 192.0.2.50 |"
		    " grep -q 02:00:00:00:00:50; do :; done'");
	assert_int_equal(announce_send(9999, &mac, addresses, ARRAY_SIZE(addresses)), -ENXIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		veth_test(test_announcement_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
