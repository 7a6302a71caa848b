/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same rules for IPv4, for IPv6, and for ICMP errors of both; and several groups. */
#include "compile_fixture.h"

#include <stdlib.h>

#define V4       "\"192.0.2.100\""
#define V6       "\"2001:db8::100\""
#define SIX_ONLY VIPS(V6)
#define DUAL     VIPS(V4 ", " V6)
#define DUAL_OF(members, services)                                                                 \
	TOP "groups = ( " GROUP_OF("A", V4 ", " V6, members, services) " );"
#define HASH6       HASH_OF("ip6 saddr . th sport")
#define HASH_ERROR  HASH_OF("@th,192,32 . @th,240,16")
#define HASH_ERROR6 HASH_OF("@th,256,128 . @th,400,16")
#define WEB_RULES   "th dport 80 meta l4proto tcp counter " HASH " comment \"web: TCP hash\"\n"
#define WEB_RULES6  "th dport 80 meta l4proto tcp counter " HASH6 " comment \"web: TCP hash\"\n"
#define TO_OTHERS   "goto others comment \"not for group A: 192.0.2.100\"\n"
#define TO_VIP6     "ip6 daddr 2001:db8::100 goto vip6/A comment \"group A\"\n"
#define OUTGOING(n) "{ " HOST(n) "outgoing = \"34000-34999\"; }"
#define SCHEDULED(protocol, name, more)                                                            \
	DUAL_OF(THREE, SERVICE(protocol, PORT_80 SCHEDULER(name) more))

/* --- families ------------------------------------------------------------------------------ */

static const struct body_case families[] = {
	/* IPv4 only: nothing of IPv6. */
	{ TOP GROUP(TWO, WEB), "chain ingress", BEGIN WEB_RULES END },
	{ TOP GROUP(TWO, WEB), "chain vip6/A", NULL },
	{ TOP GROUP(TWO, WEB), "chain icmp6/A", NULL },
	{ TOP GROUP(TWO, WEB), "chain others", NULL },
	/* IPv6 only: nothing of IPv4, and nothing stands in the chain that packets enter. */
	{ SIX_ONLY, "chain ingress", HOOK "goto others\n" },
	{ SIX_ONLY, "chain others", TO_VIP6 },
	{ SIX_ONLY, "chain vip6/A", BEGIN6 WEB_RULES6 END6 },
	{ SIX_ONLY, "chain vip/A", NULL },
	{ SIX_ONLY, "chain icmp/A", NULL },
	{ SIX_ONLY, "set icmp-errors", NULL },
	/* Both: one member, bucket map and port set serves both. */
	{ DUAL, "chain ingress",
		HOOK "@nh,128,32 != 0xc0000264 " TO_OTHERS LATER_OF("A") WEB_RULES ERRORS_OF("A")
			LOOKALIKES UNSERVED },
	{ DUAL, "chain others", TO_VIP6 },
	{ DUAL, "chain vip6/A", BEGIN6 WEB_RULES6 END6 },
	{ DUAL, "map buckets6/A", NULL },
	/* Several VIPs. */
	{ VIPS(V6 ", \"2001:db8::ff:0/127\""), "chain others",
		"ip6 daddr @vips6/A goto vip6/A comment \"group A\"\n" },
	{ VIPS(V6 ", \"2001:db8::ff:0/127\""), "set vips6/A",
		"type ipv6_addr\n"
		"size 64\n"
		"elements = {\n"
		"2001:db8::100, 2001:db8::ff:0, 2001:db8::ff:1\n"
		"}\n" },
	{ VIPS(V4 ", " V6), "set vips/A", NULL },
	{ VIPS(V4 ", " V6), "set vips6/A", NULL },
	/* Peers and outgoing ranges hold for both. */
	{ DUAL_OF(BALANCER(5) ", " BALANCER(6) ", " OUTGOING(7), WEB), "chain vip6/A",
		"@ll,48,48 0x020000000006 " ACCEPT "comment \"loop guard: from balancer "
		"fe6\"\n" BEGIN6 WEB_RULES6 "meta l4proto != icmpv6 th dport vmap @outgoing/A "
		"comment \"replies to connections that members opened\"\n" END6 },
	/* What remembers is one memory, too, reached from two chains. */
	{ SCHEDULED("tcp", "rr", ""), "chain vip6/A",
		BEGIN6 "th dport 80 meta l4proto tcp counter goto learn6/A/tcp-rr "
		       "comment \"s: TCP rr\"\n" END6 },
	{ SCHEDULED("tcp", "rr", ""), "chain learn6/A/tcp-rr",
		RECALL("learned/A/tcp-rr", "ip6 saddr . th sport")
			REMEMBER("learned/A/tcp-rr", "ip6 saddr . th sport") BY_MARK
		"comment \"a flow that has its member\"\n"
		"tcp flags syn / fin,syn,rst,ack meta mark set numgen inc mod 256 map "
		"@turn-marks/A " FORGET("learned/A/tcp-rr", "ip6 saddr . th sport")
			REMEMBER("learned/A/tcp-rr", "ip6 saddr . th sport") BY_MARK
		"comment \"a new one draws a member and keeps it\"\n" HASH6
		" comment \"not remembered: by hash\"\n" },
	{ SCHEDULED("udp", "hash", "persistence = 60; "), "chain client6/A/udp-hash-60s",
		RECALL("clients/A/udp-hash-60s", "ip6 saddr")
			REMEMBER("clients/A/udp-hash-60s", "ip6 saddr") BY_MARK
		"comment \"a client that has its member\"\n"
		"meta mark set jhash ip6 saddr " SEEDED("256") " map @bucket-marks/A " FORGET(
			"clients/A/udp-hash-60s", "ip6 saddr")
			REMEMBER("clients/A/udp-hash-60s", "ip6 saddr") BY_MARK
		"comment \"a new one draws a member and keeps it\"\n" HASH_OF(
			"ip6 saddr") " comment \"not remembered: by the client's address\"\n" },
};

/* --- ICMP errors ------------------------------------------------------------------------------ */

#define TESTS                                                                                      \
	"icmp type != @icmp-errors accept comment \"not about another packet: for this host\"\n"   \
	"@th,64,8 != 0x45 goto everyone/A comment \"about a packet with options\"\n"               \
	"@th,112,16 & 0x1fff != 0x0000 goto everyone/A comment \"about a later fragment\"\n"
#define TESTS6                                                                                     \
	"icmpv6 type 5-255 accept comment \"not about another packet: for this host\"\n"           \
	"@th,112,8 0x2c goto everyone/A comment \"about a fragment\"\n"
#define ERROR_80(protocol)  "@th,224,16 0x0050 @th,136,8 " protocol " "
#define ERROR6_80(protocol) "@th,384,16 0x0050 @th,112,8 " protocol " "

static const struct body_case errors[] = {
	{ DUAL, "set icmp-errors",
		"type icmp_type\n"
		"size 64\n"
		"elements = {\n"
		"destination-unreachable, time-exceeded, parameter-problem\n"
		"}\n" },
	{ DUAL, "chain icmp/A", TESTS ERROR_80("0x06") HASH_ERROR " comment \"web: TCP hash\"\n" },
	{ DUAL, "chain icmp6/A",
		TESTS6 ERROR6_80("0x06") HASH_ERROR6 " comment \"web: TCP hash\"\n" },
	{ SCHEDULED("udp", "source", ""), "chain icmp/A",
		TESTS ERROR_80("0x11") HASH_OF("@th,192,32") " comment \"s: UDP source\"\n" },
	{ SCHEDULED("udp", "source", ""), "chain icmp6/A",
		TESTS6 ERROR6_80("0x11") HASH_OF("@th,256,128") " comment \"s: UDP source\"\n" },
	/* Any member may have sent the datagram. */
	{ SCHEDULED("udp", "rr", ""), "chain icmp/A",
		TESTS ERROR_80("0x11") "goto everyone/A comment \"s: UDP rr\"\n" },
	{ SCHEDULED("udp", "random", ""), "chain icmp6/A",
		TESTS6 ERROR6_80("0x11") "goto everyone/A comment \"s: UDP random\"\n" },
	/* What is remembered is read, but neither drawn nor renewed. */
	{ SCHEDULED("tcp", "rr", ""), "chain icmp/A",
		TESTS ERROR_80("0x06") "goto learn-icmp/A/tcp-rr comment \"s: TCP rr\"\n" },
	{ SCHEDULED("tcp", "rr", ""), "chain learn-icmp/A/tcp-rr",
		RECALL("learned/A/tcp-rr", "@th,192,32 . @th,240,16") BY_MARK
		"comment \"a flow that has its member\"\n" HASH_ERROR
		" comment \"not remembered: by hash\"\n" },
	{ SCHEDULED("tcp", "rr", ""), "chain learn-icmp6/A/tcp-rr",
		RECALL("learned/A/tcp-rr", "@th,256,128 . @th,400,16") BY_MARK
		"comment \"a flow that has its member\"\n" HASH_ERROR6
		" comment \"not remembered: by hash\"\n" },
	{ SCHEDULED("udp", "rr", "persistence = 60; "), "chain client-icmp/A/udp-rr-60s",
		RECALL("clients/A/udp-rr-60s", "@th,192,32") BY_MARK
		"comment \"a client that has its member\"\n" HASH_OF(
			"@th,192,32") " comment \"not remembered: by the client's address\"\n" },
	{ SCHEDULED("udp", "rr", "persistence = 60; "), "chain client-icmp6/A/udp-rr-60s",
		RECALL("clients/A/udp-rr-60s", "@th,256,128") BY_MARK
		"comment \"a client that has its member\"\n" HASH_OF(
			"@th,256,128") " comment \"not remembered: by the client's address\"\n" },
	{ DUAL_OF(TWO, SERVICE("any", "ports = \"30-39\"; ")), "chain icmp/A",
		TESTS "@th,224,16 0x001e-0x0027 @th,136,8 @protocols-icmp " HASH_ERROR
		      " comment \"s: TCP and UDP hash\"\n" },
	{ DUAL_OF(TWO, SERVICE("any", "")), "chain icmp6/A",
		TESTS6 "@th,112,8 @protocols-icmp " HASH_ERROR6
		       " comment \"s: TCP and UDP hash\"\n" },
	{ DUAL_OF(TWO, SERVICE("any", "")), "set protocols-icmp",
		"typeof @th,136,8\n"
		"size 64\n"
		"elements = {\n"
		"0x06, 0x11\n"
		"}\n" },
	{ DUAL_OF(TWO, SERVICE("any", "ports = \"80,443\"; ")), "chain icmp/A",
		TESTS "@th,136,8 . @th,224,16 @ports-icmp/A/hash " HASH_ERROR
		      " comment \"TCP and UDP hash over all members\"\n" },
	{ DUAL_OF(TWO, SERVICE("any", "ports = \"80,443\"; ")), "chain icmp6/A",
		TESTS6 "@th,112,8 . @th,384,16 @ports-icmp/A/hash " HASH_ERROR6
		       " comment \"TCP and UDP hash over all members\"\n" },
	{ DUAL_OF(TWO, SERVICE("any", "ports = \"80,443\"; ")), "set ports-icmp/A/hash",
		"typeof @th,136,8 . @th,224,16\n"
		"size 64\n"
		"elements = {\n"
		"0x06 . 0x0050 comment \"s\", 0x06 . 0x01bb comment \"s\", "
		"0x11 . 0x0050 comment \"s\", 0x11 . 0x01bb comment \"s\"\n"
		"}\n" },
	/* Ports in sets and maps are raw as well, in sets of their own; one serves both families.
	 */
	{ DUAL_OF(BALANCER(5) ", " OUTGOING(6),
		  SERVICE("tcp", "ports = \"80,443-450\"; ") ALSO("udp", "")),
		"chain icmp/A",
		TESTS "@th,136,8 0x06 @th,224,16 @ports-icmp/A/tcp-hash " HASH_ERROR
		      " comment \"TCP hash over all members\"\n"
		      "@th,224,16 vmap @outgoing-icmp/A "
		      "comment \"replies to connections that members opened\"\n"
		      "@th,136,8 0x11 " HASH_ERROR " comment \"t: UDP hash\"\n" },
	{ DUAL_OF(BALANCER(5) ", " OUTGOING(6), SERVICE("tcp", "ports = \"80,443-450\"; ")),
		"chain icmp6/A",
		TESTS6 "@th,112,8 0x06 @th,384,16 @ports-icmp/A/tcp-hash " HASH_ERROR6
		       " comment \"TCP hash over all members\"\n"
		       "@th,384,16 vmap @outgoing-icmp/A "
		       "comment \"replies to connections that members opened\"\n" },
	{ DUAL_OF(BALANCER(5) ", " OUTGOING(6), SERVICE("tcp", "ports = \"80,443-450\"; ")),
		"set ports-icmp/A/tcp-hash",
		"typeof @th,224,16\n"
		"flags interval\n"
		"elements = {\n"
		"0x0050 comment \"s\", 0x01bb-0x01c2 comment \"s\"\n"
		"}\n" },
	{ DUAL_OF(BALANCER(5) ", " OUTGOING(6), WEB), "map outgoing-icmp/A",
		"typeof @th,224,16 : verdict\n"
		"flags interval\n"
		"elements = {\n"
		"0x84d0-0x88b7 comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
};

/* --- groups ------------------------------------------------------------------------------- */

#define GROUP_A   GROUP_OF("A", V4, TWO, WEB)
#define GROUP_B   GROUP_OF("B", "\"192.0.2.101\", \"2001:db8::200\"", TWO, WEB)
#define GROUP_C   GROUP_OF("C", "\"192.0.2.102\", \"192.0.2.103\"", TWO, WEB)
#define GROUPS    TOP "groups = ( " GROUP_A ", " GROUP_B ", " GROUP_C " );"
#define SIX_FIRST TOP "groups = ( " GROUP_OF("A", V6, TWO, WEB) ", " GROUP_B " );"
#define TO_B      "@nh,128,32 0xc0000265 goto vip/B comment \"group B: 192.0.2.101\"\n"
#define TO_B6     "ip6 daddr 2001:db8::200 goto vip6/B comment \"group B\"\n"
#define RULES_OF(g)                                                                                \
	LATER_OF(g)                                                                                \
	"th dport 80 meta l4proto tcp counter jhash @nh,96,32 . th sport mod 256 seed 0x64726f76 " \
	"vmap @buckets/" g " comment \"web: TCP hash\"\n" ERRORS_OF(g)

static const struct body_case groups[] = {
	{ GROUPS, "chain ingress",
		HOOK "@nh,128,32 != 0xc0000264 " TO_OTHERS RULES_OF("A") LOOKALIKES UNSERVED },
	{ GROUPS, "chain others",
		TO_B "@nh,128,32 @vips/C goto vip/C comment \"group C\"\n" TO_B6 },
	{ GROUPS, "chain vip/A", NULL },
	{ GROUPS, "chain vip/B", RULES_OF("B") UNSERVED },
	{ GROUPS, "chain vip/C", RULES_OF("C") UNSERVED },
	/* Each has its own members, though they be the same hosts. */
	{ GROUPS, "map members/B",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n"
		"0x781877b0 comment \"fe5\" : goto member/B/fe5, "
		"0xcb66bd29 comment \"fe6\" : goto member/B/fe6\n"
		"}\n" },
	/* Where the first has no IPv4, no group is favoured. */
	{ SIX_FIRST, "chain ingress", HOOK "goto others\n" },
	{ SIX_FIRST, "chain others", TO_B TO_VIP6 TO_B6 },
};

static void test_families(void **state)
{
	(void)state;
	assert_bodies(families, ARRAY_SIZE(families));
}

static void test_errors(void **state)
{
	(void)state;
	assert_bodies(errors, ARRAY_SIZE(errors));
}

static void test_groups(void **state)
{
	(void)state;
	assert_bodies(groups, ARRAY_SIZE(groups));
}

/* --- silence ------------------------------------------------------------------------------ */

#define SILENCE                                                                                    \
	"\tcomment \"drover: silence about VIPs that another host balances\"\n"                    \
	"\n"
#define SILENT6                                                                                    \
	"table ip6 drover\n"                                                                       \
	"delete table ip6 drover\n"                                                                \
	"table ip6 drover {\n" SILENCE "\tset vips {\n"                                            \
	"\t\ttypeof @th,64,128\n"                                                                  \
	"\t\tsize 64\n"                                                                            \
	"\t\telements = {\n"                                                                       \
	"\t\t\t0x20010db8000000000000000000000100 comment \"2001:db8::100\"\n"                     \
	"\t\t}\n"                                                                                  \
	"\t}\n"                                                                                    \
	"\n"                                                                                       \
	"\tchain input {\n"                                                                        \
	"\t\ttype filter hook input priority 0; policy accept;\n"                                  \
	"\t\tiifname \"eth0\" icmpv6 type 135 @th,64,128 @vips drop "                              \
	"comment \"only the active balancer answers\"\n"                                           \
	"\t}\n"                                                                                    \
	"\n"                                                                                       \
	"}\n"

#define MEMBER_OF(vips) TOP "groups = ( " GROUP_OF("A", vips, PLAIN(5) ", " BALANCER(6), WEB) " );"

static char *member_script(const char *text)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(text);
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of(cluster);

	return script_of(ruleset);
}

static void test_silence(void **state)
{
	_cleanup_(free_p) char *four = member_script(MEMBER_OF(V4));
	_cleanup_(free_p) char *six = member_script(MEMBER_OF(V6));
	_cleanup_(free_p) char *dual = member_script(MEMBER_OF(V4 ", " V6));
	const char *second;

	(void)state;
	assert_null(strstr(four, "ip6"));
	assert_string_equal(six, SILENT6);
	second = strstr(dual, "table ip6 drover\n");
	assert_non_null(second);
	assert_string_equal(second, SILENT6);
	assert_memory_equal(dual, four, (size_t)(second - dual));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
