/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is announced: its bytes, and that a neighbour believes it. */
#include "drover/announce.h"

#include "veth.h"
#include <errno.h>

static const struct mac source = { { 0x02, 0, 0, 0, 0, 0x50 } };

/* Blanks in the expected digits are for the reader. */
static void assert_frame(const char *vip, const char *expected)
{
	const struct address address = address_of(vip);
	char digits[2 * ANNOUNCE_FRAME_MAX + 1] = "", wanted[2 * ANNOUNCE_FRAME_MAX + 1] = "";
	uint8_t frame[ANNOUNCE_FRAME_MAX];
	size_t size = announce_build(&source, &address, frame), n = 0;

	for (size_t i = 0; i < size; i++)
		sprintf(digits + 2 * i, "%02x", frame[i]);
	for (; *expected; expected++)
		if (*expected != ' ')
			wanted[n++] = *expected;
	assert_string_equal(digits, wanted);
}

static void test_arp(void **state)
{
	(void)state;
	assert_frame("192.0.2.50",
		"ffffffffffff 020000000050 0806 " /* to everybody, from the source, ARP */
		"0001 0800 06 04 0001 "           /* Ethernet, IPv4, lengths, request */
		"020000000050 c0000232 "          /* sender */
		"000000000000 c0000232");         /* target: the same address, at nobody's */
}

static void test_advertisement(void **state)
{
	(void)state;
	assert_frame("2001:db8::50",
		"333300000001 020000000050 86dd " /* to all nodes, from the source, IPv6 */
		"60000000 0020 3a ff "            /* 32 bytes of ICMPv6, hop limit 255 */
		"20010db8000000000000000000000050 "
		"ff020000000000000000000000000001 "
		"88 00 f83d 20000000 " /* advertisement, its checksum; override and no more */
		"20010db8000000000000000000000050 "
		"02 01 020000000050"); /* target link-layer address */
	/* Another address has another checksum. */
	assert_frame("2001:db8:1::1fe",
		"333300000001 020000000050 86dd 60000000 0020 3a ff "
		"20010db80001000000000000000001fe ff020000000000000000000000000001 "
		"88 00 f4df 20000000 20010db80001000000000000000001fe 02 01 020000000050");
}

static void assert_believed(struct fixture *f, const char *vip)
{
	run_peer(f,
		"timeout 10 sh -c 'until ip neigh show dev far0 to %s |"
		" grep -q 02:00:00:00:00:50; do :; done'",
		vip);
}

/* The other end believes it and changes what it knew. */
static void test_announcement_is_heard(void **state)
{
	struct fixture *f = *state;
	const struct address addresses[] = { address_of("2001:db8::50"), address_of("192.0.2.50") };

	watch(f, "near0");
	wait_for(f, f->link.running);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		char text[ADDRESS_TEXT_MAX];

		run_peer(f, "ip neigh add %s lladdr 02:00:00:00:00:51 dev far0 nud reachable",
			address_format(&addresses[i], text));
	}
	run_peer(f, "sysctl -qw net.ipv4.neigh.far0.locktime=0");
	assert_int_equal(announce_send(f->link.index, &source, addresses, 2), 0);
	assert_believed(f, "192.0.2.50");
	assert_believed(f, "2001:db8::50");
	assert_int_equal(announce_send(9999, &source, addresses, 2), -ENXIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_advertisement),
		veth_test(test_announcement_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
