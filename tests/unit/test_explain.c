/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster_fixture.h"

#include "drover/explain.h"
#include "drover/flow_hash.h"

#include <netinet/in.h>
#include <stdio.h>

/* --- the kernel's hash ------------------------------------------------------------ */

/*
 * What nft's "jhash ip saddr . th sport mod N seed S", or "jhash ip saddr ...", and the same with
 * ip6, gave on a live kernel (6.18) for packets from these addresses and ports; for IPv4 an
 * implementation of linux/jhash.h in another language gives the same.
 */
static const struct hash_case {
	const char *client;
	bool by_port;
	uint16_t port;
	uint32_t seed, n_buckets, bucket;
} known_buckets[] = {
	{ "203.0.113.255", true, 1024, 0x64726f76, 4096, 1951 },
	{ "198.51.100.7", true, 40000, 0x64726f76, 4096, 2500 },
	{ "127.0.0.1", true, 1, 0x64726f76, 4096, 3701 },
	{ "10.0.0.1", true, 65535, 0x64726f76, 4096, 3863 },
	{ "198.51.100.7", false, 1, 0x64726f76, 4096, 178 },
	{ "203.0.113.255", false, 1, 0x64726f76, 4096, 528 },
	{ "127.0.0.1", false, 1, 0x64726f76, 4096, 3599 },
	{ "10.0.0.1", false, 1, 0x64726f76, 4096, 4030 },
	{ "203.0.113.255", true, 1024, 0x64726f76, 256, 121 },
	{ "198.51.100.7", true, 40000, 0x64726f76, 256, 156 },
	{ "127.0.0.1", true, 1, 0x64726f76, 256, 231 },
	{ "10.0.0.1", true, 65535, 0x64726f76, 256, 241 },
	{ "198.51.100.7", false, 1, 0x64726f76, 256, 11 },
	{ "203.0.113.255", false, 1, 0x64726f76, 256, 33 },
	{ "127.0.0.1", false, 1, 0x64726f76, 256, 224 },
	{ "10.0.0.1", false, 1, 0x64726f76, 256, 251 },
	{ "10.0.0.1", true, 65535, 0x1, 65536, 25981 },
	{ "127.0.0.1", true, 1, 0x1, 65536, 40672 },
	{ "203.0.113.255", true, 1024, 0x1, 65536, 43251 },
	{ "198.51.100.7", true, 40000, 0x1, 65536, 59356 },
	{ "198.51.100.7", false, 1, 0x1, 65536, 20502 },
	{ "10.0.0.1", false, 1, 0x1, 65536, 22368 },
	{ "203.0.113.255", false, 1, 0x1, 65536, 23854 },
	{ "127.0.0.1", false, 1, 0x1, 65536, 45954 },
	{ "10.0.0.1", true, 65535, 0xffffffff, 4096, 2327 },
	{ "198.51.100.7", true, 40000, 0xffffffff, 4096, 2855 },
	{ "127.0.0.1", true, 1, 0xffffffff, 4096, 3379 },
	{ "203.0.113.255", true, 1024, 0xffffffff, 4096, 3454 },
	{ "127.0.0.1", false, 1, 0xffffffff, 4096, 1655 },
	{ "203.0.113.255", false, 1, 0xffffffff, 4096, 2075 },
	{ "198.51.100.7", false, 1, 0xffffffff, 4096, 2840 },
	{ "10.0.0.1", false, 1, 0xffffffff, 4096, 3586 },
	{ "203.0.113.255", true, 1024, 0x64726f76, 65536, 31226 },
	{ "198.51.100.7", true, 40000, 0x64726f76, 65536, 40005 },
	{ "127.0.0.1", true, 1, 0x64726f76, 65536, 59229 },
	{ "10.0.0.1", true, 65535, 0x64726f76, 65536, 61818 },
	{ "198.51.100.7", false, 1, 0x64726f76, 65536, 2848 },
	{ "203.0.113.255", false, 1, 0x64726f76, 65536, 8448 },
	{ "127.0.0.1", false, 1, 0x64726f76, 65536, 57588 },
	{ "10.0.0.1", false, 1, 0x64726f76, 65536, 64489 },
	{ "2001:db8::7", true, 40000, 0x64726f76, 4096, 1249 },
	{ "2001:db8::7", false, 1, 0x64726f76, 4096, 757 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", true, 65535, 0x64726f76, 4096, 2273 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", false, 1, 0x64726f76, 4096, 875 },
	{ "2001:db8:1::c8", true, 1, 0x64726f76, 4096, 2309 },
	{ "2001:db8:1::c8", false, 1, 0x64726f76, 4096, 3860 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, 1024, 0x64726f76, 4096, 4071 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, 1, 0x64726f76, 4096, 2958 },
	{ "2001:db8::7", true, 40000, 0x64726f76, 256, 78 },
	{ "2001:db8::7", false, 1, 0x64726f76, 256, 47 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", true, 65535, 0x64726f76, 256, 142 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", false, 1, 0x64726f76, 256, 54 },
	{ "2001:db8:1::c8", true, 1, 0x64726f76, 256, 144 },
	{ "2001:db8:1::c8", false, 1, 0x64726f76, 256, 241 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, 1024, 0x64726f76, 256, 254 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, 1, 0x64726f76, 256, 184 },
	{ "2001:db8::7", true, 40000, 0x1, 65536, 63063 },
	{ "2001:db8::7", false, 1, 0x1, 65536, 18871 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", true, 65535, 0x1, 65536, 46072 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", false, 1, 0x1, 65536, 13803 },
	{ "2001:db8:1::c8", true, 1, 0x1, 65536, 14585 },
	{ "2001:db8:1::c8", false, 1, 0x1, 65536, 35845 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, 1024, 0x1, 65536, 9946 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, 1, 0x1, 65536, 28111 },
	{ "2001:db8::7", true, 40000, 0xffffffff, 4096, 886 },
	{ "2001:db8::7", false, 1, 0xffffffff, 4096, 3989 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", true, 65535, 0xffffffff, 4096, 2862 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", false, 1, 0xffffffff, 4096, 3044 },
	{ "2001:db8:1::c8", true, 1, 0xffffffff, 4096, 1859 },
	{ "2001:db8:1::c8", false, 1, 0xffffffff, 4096, 254 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, 1024, 0xffffffff, 4096, 863 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, 1, 0xffffffff, 4096, 608 },
	{ "2001:db8::7", true, 40000, 0x64726f76, 65536, 19997 },
	{ "2001:db8::7", false, 1, 0x64726f76, 65536, 12116 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", true, 65535, 0x64726f76, 65536, 36374 },
	{ "fd00:1234:5678:9abc:def0:1122:3344:5566", false, 1, 0x64726f76, 65536, 14007 },
	{ "2001:db8:1::c8", true, 1, 0x64726f76, 65536, 36946 },
	{ "2001:db8:1::c8", false, 1, 0x64726f76, 65536, 61775 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, 1024, 0x64726f76, 65536, 65140 },
	{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, 1, 0x64726f76, 65536, 47332 },
};

static void test_known_buckets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known_buckets); i++) {
		const struct hash_case *c = &known_buckets[i];
		const struct address client = address_of(c->client);

		assert_int_equal(
			flow_hash_bucket(&client, c->by_port, c->port, c->seed, c->n_buckets),
			c->bucket);
	}
}

/* --- the packet's way --------------------------------------------------------------- */

#define SERVICES                                                                                   \
	WEB ", { name = \"imap\"; protocol = \"tcp\"; ports = \"143,993\"; "                       \
	    "scheduler = \"source\"; }, "                                                          \
	    "{ name = \"sip\"; protocol = \"any\"; ports = \"5060-5069\"; scheduler = \"rr\"; }, " \
	    "{ name = \"dice\"; protocol = \"udp\"; ports = \"7000\"; scheduler = \"random\"; }, " \
	    "{ name = \"solo\"; protocol = \"tcp\"; ports = \"25\"; members = [ \"fe6\" ]; }, "    \
	    "{ name = \"rest\"; protocol = \"udp\"; }"
#define MEMBERS                                                                                    \
	"{ " HOST(5) "balancer = true; outgoing = \"33000-33999\"; }, { " HOST(                    \
		6) "outgoing = \"34000-34999\"; }"
#define CONF                                                                                       \
	TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\", \"198.51.100.8/29\", "           \
	    "\"2001:db8::100\", \"2001:db8::200/120\" ]; "                                         \
	    "members = ( " MEMBERS " ); services = ( " SERVICES " ); } );"

struct flow_case {
	uint8_t protocol;
	const char *vip;
	uint16_t port;
	enum explain_verdict verdict;
	const char *service; /* NULL: none */
	const char *member;  /* NULL: none */
	const char *reason;  /* is within it */
	const char *client;  /* NULL: 198.51.100.77 */
};

static void check(const struct plan *plan, const struct flow_case *c)
{
	const struct flow flow = {
		.protocol = c->protocol,
		.client = address_of(c->client ? c->client : "198.51.100.77"),
		.client_port = 40000,
		.vip = address_of(c->vip),
		.vip_port = c->port,
	};
	struct explanation explanation;

	explain_flow(plan, &flow, &explanation);
	if (explanation.verdict != c->verdict || !strstr(explanation.reason, c->reason))
		fail_msg("%s port %u: %s (%s), not %s (%s)", c->vip, c->port,
			explain_verdict_name(explanation.verdict), explanation.reason,
			explain_verdict_name(c->verdict), c->reason);
	assert_int_equal(explanation.service != NULL, c->service != NULL);
	assert_int_equal(explanation.member != NULL, c->member != NULL);
	if (c->service)
		assert_string_equal(explanation.service, c->service);
	if (c->member)
		assert_string_equal(explanation.member->name, c->member);
	if (explanation.has_bucket)
		assert_in_range(explanation.bucket, 0, plan->n_buckets - 1);
}

static void check_all(const struct flow_case *cases, size_t n)
{
	struct cluster *cluster;
	struct plan *plan = active_plan_of(CONF, &cluster);

	for (size_t i = 0; i < n; i++)
		check(plan, &cases[i]);
	plan_free(plan);
	cluster_free(cluster);
}

/* From 198.51.100.77 port 40000: bucket 180 of 256 is that of fe5, by address alone 222 that of
 * fe5. */
static void test_ways(void **state)
{
	static const struct flow_case cases[] = {
		{ IPPROTO_TCP, "192.0.2.99", 80, EXPLAIN_ACCEPT, NULL, NULL, "no VIP" },
		{ IPPROTO_TCP, "198.51.100.16", 80, EXPLAIN_ACCEPT, NULL, NULL, "no VIP" },
		{ IPPROTO_TCP, "192.0.2.100", 81, EXPLAIN_ACCEPT, NULL, NULL, "no service" },
		{ IPPROTO_TCP, "192.0.2.100", 25, EXPLAIN_FORWARD, "solo", "fe6", "bucket" },
		{ IPPROTO_TCP, "198.51.100.15", 25, EXPLAIN_FORWARD, "solo", "fe6", "bucket" },
		{ IPPROTO_TCP, "192.0.2.100", 993, EXPLAIN_LOCAL, "imap", "fe5",
			"client address hashes to bucket 222 of 256" },
		{ IPPROTO_TCP, "192.0.2.100", 80, EXPLAIN_LOCAL, "web", "fe5",
			"address and port hashes to bucket 180 of 256" },
		{ IPPROTO_UDP, "192.0.2.100", 80, EXPLAIN_LOCAL, "rest", "fe5",
			"hashes to bucket 180" },
		{ IPPROTO_TCP, "192.0.2.100", 5069, EXPLAIN_DRAWN, "sip", NULL, "connection" },
		{ IPPROTO_UDP, "192.0.2.100", 5060, EXPLAIN_DRAWN, "sip", NULL, "datagram" },
		{ IPPROTO_UDP, "192.0.2.100", 7000, EXPLAIN_DRAWN, "dice", NULL, "by weight" },
		{ IPPROTO_TCP, "192.0.2.100", 33000, EXPLAIN_LOCAL, NULL, "fe5", "this host" },
		{ IPPROTO_TCP, "192.0.2.100", 34999, EXPLAIN_FORWARD, NULL, "fe6",
			"outgoing range 34000-34999 of fe6" },
		/* A service for all ports stands behind the outgoing ranges. */
		{ IPPROTO_UDP, "192.0.2.100", 34000, EXPLAIN_FORWARD, NULL, "fe6", "range" },
		{ IPPROTO_TCP, "192.0.2.100", 35000, EXPLAIN_ACCEPT, NULL, NULL, "no service" },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases));
}

/* The same services: from 2001:db8:1::c8 bucket 241 of 256 by address alone. */
static void test_ways_of_ipv6(void **state)
{
	static const char client[] = "2001:db8:1::c8";
	static const struct flow_case cases[] = {
		{ IPPROTO_TCP, "2001:db8::101", 80, EXPLAIN_ACCEPT, NULL, NULL, "no VIP", client },
		{ IPPROTO_TCP, "2001:db8::300", 80, EXPLAIN_ACCEPT, NULL, NULL, "no VIP", client },
		{ IPPROTO_TCP, "2001:db8::100", 81, EXPLAIN_ACCEPT, NULL, NULL, "no service",
			client },
		{ IPPROTO_TCP, "2001:db8::2ff", 25, EXPLAIN_FORWARD, "solo", "fe6", "bucket",
			client },
		{ IPPROTO_TCP, "2001:db8::200", 993, EXPLAIN_LOCAL, "imap", "fe5",
			"client address hashes to bucket 241 of 256", client },
		{ IPPROTO_UDP, "2001:db8::100", 5060, EXPLAIN_DRAWN, "sip", NULL, "datagram",
			client },
		{ IPPROTO_TCP, "2001:db8::100", 34999, EXPLAIN_FORWARD, NULL, "fe6", "range",
			client },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases));
}

/* A client that is remembered stays; of a new one nothing but its address counts. */
static void test_persistence(void **state)
{
	static const struct flow_case cases[] = {
		{ IPPROTO_TCP, "192.0.2.100", 80, EXPLAIN_LOCAL, "web", "fe5",
			"a new client of this address goes by bucket 222 of 256; a client stays "
			"with its member until silent for 300 s; fe5 is this host" },
		{ IPPROTO_TCP, "192.0.2.100", 993, EXPLAIN_LOCAL, "imap", "fe5",
			"a new client of this address goes by bucket 222 of 256; a client stays" },
		{ IPPROTO_UDP, "192.0.2.100", 5060, EXPLAIN_DRAWN, "sip", NULL,
			"round robin: a new client goes to the next member in turn; a client stays "
			"with its member until silent for 300 s" },
		{ IPPROTO_TCP, "192.0.2.100", 5060, EXPLAIN_DRAWN, "sip", NULL,
			"round robin: a new client goes to the next member in turn; a client" },
		{ IPPROTO_UDP, "192.0.2.100", 7000, EXPLAIN_DRAWN, "dice", NULL,
			"random: a new client goes to a member drawn by weight; a client stays" },
		{ IPPROTO_TCP, "192.0.2.100", 33000, EXPLAIN_LOCAL, NULL, "fe5", "range" },
	};
	struct cluster *cluster;
	struct plan *plan = active_plan_of(CONF, &cluster);

	(void)state;
	for (size_t i = 0; i < plan->groups[0].n_distributions; i++)
		plan->groups[0].distributions[i].persistence = 300;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(plan, &cases[i]);
	plan_free(plan);
	cluster_free(cluster);
}

/* Without any member that serves each scheduler drops, as the bucket maps say. */
static void test_nobody_serves(void **state)
{
	static const struct flow_case cases[] = {
		{ IPPROTO_TCP, "192.0.2.100", 80, EXPLAIN_DROP, "web", NULL, "no member" },
		{ IPPROTO_TCP, "192.0.2.100", 143, EXPLAIN_DROP, "imap", NULL, "no member" },
		{ IPPROTO_TCP, "192.0.2.100", 5060, EXPLAIN_DROP, "sip", NULL, "no member" },
		{ IPPROTO_UDP, "192.0.2.100", 5060, EXPLAIN_DROP, "sip", NULL, "no member" },
		{ IPPROTO_UDP, "192.0.2.100", 7000, EXPLAIN_DROP, "dice", NULL, "no member" },
		{ IPPROTO_TCP, "192.0.2.100", 81, EXPLAIN_ACCEPT, NULL, NULL, "no service" },
		{ IPPROTO_TCP, "192.0.2.100", 33000, EXPLAIN_LOCAL, NULL, "fe5", "range" },
	};
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(CONF);
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	assert_int_equal(cluster_drain(cluster, "fe5"), 0);
	assert_int_equal(cluster_drain(cluster, "fe6"), 0);
	plan = plan_of(cluster, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(plan, &cases[i]);
}

/* A standby has no plan for packets. */
static void test_of_no_balancer(void **state)
{
	static const struct flow_case flow = { IPPROTO_TCP, "192.0.2.100", 80, EXPLAIN_ACCEPT, NULL,
		NULL, "no VIP" };
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		TOP GROUP(PLAIN(5) ", " BALANCER(6), WEB));
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL);

	(void)state;
	check(plan, &flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_buckets),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_ways_of_ipv6),
		cmocka_unit_test(test_persistence),
		cmocka_unit_test(test_nobody_serves),
		cmocka_unit_test(test_of_no_balancer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
