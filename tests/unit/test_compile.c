/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small plans and the nft script that they become; rules/ has whole ones. */
#include "compile_fixture.h"

#include <stdlib.h>

/* The chain of a member: a first fragment leaves its mark. */
#define FIRST(mark)                                                                                \
	"@nh,32,32 & 0x00002000 != 0x00000000 meta mark set " mark " jump first-fragment/A "       \
	"comment \"a first fragment: the others follow it\"\n"
#define TURN(n)      "@ll,0,96 set 0x02000000000" #n "020000000005 "
#define FORWARD(n)   TURN(n) "fwd to \"eth0\" comment \"fe" #n " 02:00:00:00:00:0" #n "\"\n"
#define DUPLICATE(n) TURN(n) "dup to \"eth0\" comment \"fe" #n " 02:00:00:00:00:0" #n "\"\n"
#define FE5          "0x781877b0"
#define FE6          "0xcb66bd29"
#define FE7          "0x5b1a4530"
#define LIMIT                                                                                      \
	"limit rate over 256/second burst 256 packets counter drop comment \"not as an "           \
	"amplifier\"\n"

/* --- VIPs ------------------------------------------------------------------------------ */

static const struct body_case vips[] = {
	/* The first group's rules stand in the chain that packets enter. */
	{ TOP GROUP(THREE, WEB), "chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter " HASH
		      " comment \"web: TCP hash\"\n" END },
	{ TOP GROUP(THREE, WEB), "chain vip/A", NULL },
	{ TOP GROUP(THREE, WEB), "chain others", NULL },
	{ TOP GROUP(THREE, WEB), "set vips/A", NULL },
	{ VIPS("\"192.0.2.101\", \"192.0.2.99\""), "chain ingress",
		HOOK "@nh,128,32 != @vips/A accept comment \"not for group A\"\n" LATER_OF(
			"A") "th dport 80 meta l4proto tcp counter " HASH
			     " comment \"web: TCP hash\"\n" END },
	{ VIPS("\"192.0.2.101\", \"192.0.2.99\""), "set vips/A",
		"typeof @nh,128,32\n"
		"size 64\n"
		"elements = {\n"
		"0xc0000263 comment \"192.0.2.99\", 0xc0000265 comment \"192.0.2.101\"\n"
		"}\n" },
	{ VIPS("\"198.51.100.8/31\", \"192.0.2.99\""), "set vips/A",
		"typeof @nh,128,32\n"
		"size 64\n"
		"elements = {\n"
		"0xc0000263 comment \"192.0.2.99\", 0xc6336408 comment \"198.51.100.8\", "
		"0xc6336409 comment \"198.51.100.9\"\n"
		"}\n" },
	/* A subnet alone is compared, too. */
	{ VIPS("\"198.51.100.8/29\""), "chain ingress",
		HOOK "@nh,128,32 & 0xfffffff8 != 0xc6336408 accept "
		     "comment \"not for group A: 198.51.100.8/29\"\n" LATER_OF(
			     "A") "th dport 80 meta l4proto tcp counter " HASH
				  " comment \"web: TCP hash\"\n" END },
	{ VIPS("\"198.51.100.8/29\""), "set vips/A", NULL },
};

/* --- members --------------------------------------------------------------------------- */

static const struct body_case members[] = {
	/* The mark is our way to remember: local routing must not see it. */
	{ TOP GROUP(THREE, WEB), "chain member/A/fe5",
		FIRST(FE5) "counter meta mark set 0x00000000 " ACCEPT "comment \"fe5 is this "
			   "host\"\n" },
	{ TOP GROUP(THREE, WEB), "chain member/A/fe6", FIRST(FE6) "counter " FORWARD(6) },
	{ TOP GROUP(THREE, WEB), "chain member/A/fe7", FIRST(FE7) "counter " FORWARD(7) },
	{ TOP GROUP(THREE, WEB), "map members/A",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n" FE7 " comment \"fe7\" : goto member/A/fe7, " FE5
		" comment \"fe5\" : goto member/A/fe5, " FE6
		" comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
	{ TOP GROUP(THREE, WEB), "chain everyone/A",
		LIMIT DUPLICATE(6) DUPLICATE(7) "counter meta mark set 0x00000000 " ACCEPT
						"comment \"and this host\"\n" },

	/* Draining, a member has its chain and its mark still: what is remembered leads there. */
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "weight = 0; }", WEB), "chain member/A/fe6",
		FIRST(FE6) "counter " FORWARD(6) },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "weight = 0; }", WEB), "map members/A",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n" FE5 " comment \"fe5\" : goto member/A/fe5, " FE6
		" comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "weight = 0; }", WEB), "chain everyone/A",
		LIMIT DUPLICATE(6) "counter meta mark set 0x00000000 " ACCEPT
				   "comment \"and this host\"\n" },
	/* A balancer that serves nobody has its copy as well: what is no member's may be its own.
	 */
	{ TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\" ]; members = ( " PLAIN(
		  6) " ); balancers = ( { " HOST(5) "} ); services = ( " WEB " ); } );",
		"chain everyone/A",
		LIMIT DUPLICATE(6) "counter meta mark set 0x00000000 " ACCEPT
				   "comment \"and this host\"\n" },
	/* Without an address it has none of them. */
	{ TOP GROUP(BALANCER(5) ", { " FE(6) "}", WEB), "chain member/A/fe6", NULL },
	{ TOP GROUP(BALANCER(5) ", { " FE(6) "}", WEB), "map members/A",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n" FE5 " comment \"fe5\" : goto member/A/fe5\n"
		"}\n" },
	{ TOP GROUP(BALANCER(5) ", { " FE(6) "}", WEB), "chain everyone/A",
		LIMIT "counter meta mark set 0x00000000 " ACCEPT "comment \"and this host\"\n" },
};

/* --- services --------------------------------------------------------------------------- */

static const struct body_case services[] = {
	/* What needs no memory. */
	{ "seed = 5; " TOP GROUP(THREE, SERVICE("udp", PORT_80 SCHEDULER("source"))),
		"chain ingress",
		BEGIN "th dport 80 meta l4proto udp counter "
		      "jhash @nh,96,32 mod 256 seed 0x5 vmap @buckets/A "
		      "comment \"s: UDP source\"\n" END },
	{ TOP GROUP(THREE, SERVICE("udp", PORT_80 SCHEDULER("rr"))), "chain ingress",
		BEGIN "th dport 80 meta l4proto udp counter numgen inc mod 256 vmap @turns/A "
		      "comment \"s: UDP rr\"\n" END },
	{ TOP GROUP(THREE, SERVICE("udp", PORT_80 SCHEDULER("random"))), "chain ingress",
		BEGIN "th dport 80 meta l4proto udp counter numgen random mod 256 vmap @buckets/A "
		      "comment \"s: UDP random\"\n" END },
	{ TOP GROUP(TWO, SERVICE("any", PORT_80)), "chain ingress",
		BEGIN "th dport 80 meta l4proto @protocols counter " HASH
		      " comment \"s: TCP and UDP hash\"\n" END },
	{ TOP GROUP(TWO, SERVICE("any", PORT_80)), "set protocols",
		"type inet_proto\n"
		"size 64\n"
		"elements = {\n"
		"tcp, udp\n"
		"}\n" },
	{ TOP GROUP(TWO, SERVICE("any", PORT_80 SCHEDULER("random"))), "chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter goto learn/A/tcp-random "
		      "comment \"s: TCP random\"\n"
		      "th dport 80 meta l4proto udp counter numgen random mod 256 vmap @buckets/A "
		      "comment \"s: UDP random\"\n" END },

	/* Ports: a range, several, several with a range. A set counts by element. */
	{ TOP GROUP(TWO, SERVICE("udp", "ports = \"30000-30999\"; ")), "chain ingress",
		BEGIN "th dport 30000-30999 meta l4proto udp counter " HASH
		      " comment \"s: UDP hash\"\n" END },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443,80\"; ")), "chain ingress",
		BEGIN "meta l4proto tcp th dport @ports/A/tcp-hash " HASH
		      " comment \"TCP hash over all members\"\n" END },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443,80\"; ")), "set ports/A/tcp-hash",
		"type inet_service\n"
		"size 64\n"
		"counter\n"
		"elements = {\n"
		"80 comment \"s\", 443 comment \"s\"\n"
		"}\n" },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443-450\"; ") ALSO("tcp", PORT_80)),
		"set ports/A/tcp-hash",
		"type inet_service\n"
		"flags interval\n"
		"counter\n"
		"elements = {\n"
		"80 comment \"t\", 443-450 comment \"s\"\n"
		"}\n" },
	/* Ports of both protocols. */
	{ TOP GROUP(TWO, SERVICE("any", "ports = \"443,80\"; ") ALSO("udp", "ports = \"53\"; ")),
		"chain ingress",
		BEGIN "meta l4proto . th dport @ports/A/hash " HASH
		      " comment \"TCP and UDP hash over all members\"\n" END },
	{ TOP GROUP(TWO, SERVICE("any", "ports = \"443,80\"; ") ALSO("udp", "ports = \"53\"; ")),
		"set ports/A/hash",
		"type inet_proto . inet_service\n"
		"size 64\n"
		"counter\n"
		"elements = {\n"
		"tcp . 80 comment \"s\", tcp . 443 comment \"s\", "
		"udp . 53 comment \"t\", udp . 80 comment \"s\",\n"
		"udp . 443 comment \"s\"\n"
		"}\n" },

	/* By port, by outgoing range, then what takes every port. */
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999,36000\"; }",
		  SERVICE("any", "") ALSO("tcp", PORT_80)),
		"chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter " HASH " comment \"t: TCP hash\"\n"
		      "ip protocol != icmp th dport vmap @outgoing/A "
		      "comment \"replies to connections that members opened\"\n"
		      "meta l4proto @protocols counter " HASH
		      " comment \"s: TCP and UDP hash\"\n" END },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999,36000\"; }", WEB),
		"map outgoing/A",
		"type inet_service : verdict\n"
		"flags interval\n"
		"elements = {\n"
		"34000-34999 comment \"fe6\" : goto member/A/fe6, "
		"36000 comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
	{ TOP GROUP(TWO, WEB), "map outgoing/A", NULL },

	/* A subset of the members has a table of its own. */
	{ TOP GROUP(THREE, SERVICE("tcp", PORT_80 SCHEDULER("source") "members = [ \"fe7\", "
								      "\"fe6\" ]; ")),
		"chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter jhash @nh,96,32 " SEEDED(
			"256") " vmap @buckets/A/s comment \"s: TCP source\"\n" END },
	{ TOP GROUP(THREE, SERVICE("tcp", PORT_80 "members = [ \"fe7\", \"fe6\" ]; ")
				   ALSO("tcp", "ports = \"81\"; members = [ \"fe6\", \"fe7\" ]; ")),
		"chain ingress",
		BEGIN
		"meta l4proto tcp th dport @ports/A/tcp-hash/s jhash @nh,96,32 . th sport " SEEDED(
			"256") " vmap @buckets/A/s comment \"TCP hash over the members of "
			       "s\"\n" END },
	{ TOP GROUP(THREE, SERVICE("tcp", PORT_80 "members = [ \"fe7\", \"fe6\" ]; ")),
		"map buckets/A", NULL },

	/* The loop guard: one peer, two peers. */
	{ TOP GROUP(BALANCER(5) ", " BALANCER(6), WEB), "chain ingress",
		ENTER "@ll,48,48 0x020000000006 " ACCEPT "comment \"loop guard: from balancer "
		      "fe6\"\n" LATER_OF("A") "th dport 80 meta l4proto tcp counter " HASH
					      " comment \"web: TCP hash\"\n" END },
	{ TOP GROUP(BALANCER(7) ", " BALANCER(5) ", " BALANCER(6), WEB), "chain ingress",
		ENTER "@ll,48,48 @peers/A " ACCEPT "comment \"loop guard: from another "
		      "balancer\"\n" LATER_OF("A") "th dport 80 meta l4proto tcp counter " HASH
						   " comment \"web: TCP hash\"\n" END },
	{ TOP GROUP(BALANCER(7) ", " BALANCER(5) ", " BALANCER(6), WEB), "set peers/A",
		"typeof @ll,48,48\n"
		"size 64\n"
		"elements = {\n"
		"0x020000000006 comment \"fe6\", 0x020000000007 comment \"fe7\"\n"
		"}\n" },
};

/* --- counters = false ----------------------------------------------------------------------- */

#define UNCOUNTED "counters = false; " TOP

/* None in what every packet passes; those that tell of oddities stay. */
static const struct body_case uncounted[] = {
	{ UNCOUNTED GROUP(THREE, SERVICE("any", "") ALSO("tcp", PORT_80)), "chain ingress",
		BEGIN "th dport 80 meta l4proto tcp " HASH " comment \"t: TCP hash\"\n"
		      "meta l4proto @protocols " HASH " comment \"s: TCP and UDP hash\"\n" END },
	{ UNCOUNTED GROUP(THREE, SERVICE("tcp", "ports = \"80,443\"; ")), "set ports/A/tcp-hash",
		"type inet_service\n"
		"size 64\n"
		"elements = {\n"
		"80 comment \"s\", 443 comment \"s\"\n"
		"}\n" },
	{ UNCOUNTED GROUP(THREE, SERVICE("tcp", PORT_80 SCHEDULER("rr"))), "chain ingress",
		BEGIN
		"th dport 80 meta l4proto tcp goto learn/A/tcp-rr comment \"s: TCP rr\"\n" END },
	{ UNCOUNTED GROUP(THREE, WEB), "chain member/A/fe5",
		FIRST(FE5) "meta mark set 0x00000000 " ACCEPT "comment \"fe5 is this host\"\n" },
	{ UNCOUNTED GROUP(THREE, WEB), "chain member/A/fe6", FIRST(FE6) FORWARD(6) },
	{ UNCOUNTED GROUP(THREE, WEB), "chain fragment/A",
		"ip protocol icmp accept comment \"a large ping: for this host\"\n" RECALL(
			"fragments/A", "ip saddr . ip daddr . ip id . ip protocol") BY_MARK
		"comment \"a later fragment follows the first\"\n"
		"counter goto everyone/A comment \"the first has not come yet: to all "
		"members\"\n" },
	{ UNCOUNTED GROUP(THREE, WEB), "chain everyone/A",
		LIMIT DUPLICATE(6) DUPLICATE(7) "counter meta mark set 0x00000000 " ACCEPT
						"comment \"and this host\"\n" },
};

static void test_vips(void **state)
{
	(void)state;
	assert_bodies(vips, ARRAY_SIZE(vips));
}

static void test_members(void **state)
{
	(void)state;
	assert_bodies(members, ARRAY_SIZE(members));
}

static void test_services(void **state)
{
	(void)state;
	assert_bodies(services, ARRAY_SIZE(services));
}

static void test_without_counters(void **state)
{
	(void)state;
	assert_bodies(uncounted, ARRAY_SIZE(uncounted));
}

/* --- bucket maps ------------------------------------------------------------------------ */

static void assert_targets(
	const struct ruleset *ruleset, const char *map, size_t fe5, size_t fe6, size_t drop)
{
	_cleanup_(free_p) char *script = script_of(ruleset);
	_cleanup_(free_p) char *body = body_of(script, map);

	assert_non_null(body);
	assert_int_equal(occurrences(body, ": goto member/A/fe5"), fe5);
	assert_int_equal(occurrences(body, ": goto member/A/fe6"), fe6);
	assert_int_equal(occurrences(body, ": drop"), drop);
}

/* What no member serves is dropped: it must not fall through to another service's members. */
static void test_empty_tables_drop(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(TWO, SERVICE("any", PORT_80 SCHEDULER("rr"))
				       ALSO("tcp", "ports = \"81\"; members = [ \"fe6\" ]; ")));
	_cleanup_(ruleset_free_p) struct ruleset *both = ruleset_of(cluster), *one = NULL,
						 *none = NULL;
	_cleanup_(free_p) char *script = NULL, *marks = NULL;

	(void)state;
	assert_targets(both, "map buckets/A", 128, 128, 0);
	assert_targets(both, "map turns/A", 128, 128, 0);
	assert_targets(both, "map buckets/A/t", 0, 256, 0);

	assert_int_equal(cluster_disable(cluster, "fe6"), 0);
	one = ruleset_of(cluster);
	assert_targets(one, "map buckets/A", 256, 0, 0);
	assert_targets(one, "map buckets/A/t", 0, 0, 256);

	assert_int_equal(cluster_drain(cluster, "fe5"), 0);
	none = ruleset_of(cluster);
	assert_targets(none, "map buckets/A", 0, 0, 256);
	assert_targets(none, "map turns/A", 0, 0, 256);
	/* Marks can say nothing of the kind: the flow is left to the bucket table. */
	script = script_of(none);
	marks = body_of(script, "map turn-marks/A");
	assert_string_equal(marks, "typeof numgen inc mod 256 : meta mark\nsize 256\n");
}

/* --- whole scripts ----------------------------------------------------------------------- */

static void test_silence(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(TOP "groups = ( " GROUP_OF(
		"A", "\"198.51.100.8/31\"", PLAIN(5) ", " BALANCER(6), WEB) " );");
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of(cluster);
	_cleanup_(free_p) char *script = script_of(ruleset);

	(void)state;
	assert_string_equal(script,
		"table arp drover\n"
		"delete table arp drover\n"
		"table arp drover {\n"
		"\tcomment \"drover: silence about VIPs that another host balances\"\n"
		"\n"
		"\tset vips {\n"
		"\t\ttype ipv4_addr\n"
		"\t\tsize 64\n"
		"\t\telements = {\n"
		"\t\t\t198.51.100.8, 198.51.100.9\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\tchain input {\n"
		"\t\ttype filter hook input priority 0; policy accept;\n"
		"\t\tiifname \"eth0\" arp operation request arp daddr ip @vips drop "
		"comment \"only the active balancer answers\"\n"
		"\t}\n"
		"\n"
		"\tchain output {\n"
		"\t\ttype filter hook output priority 0; policy accept;\n"
		"\t\toifname \"eth0\" arp saddr ip @vips arp saddr ip set 192.0.2.5 "
		"comment \"ask as oneself\"\n"
		"\t}\n"
		"\n"
		"}\n");
}

/* All maps are there but those that remember, and no packet comes to them; also beside a duty. */
static void test_standby(void **state)
{
	static const char text[] = TOP "groups = ( " GROUP_OF("A",
		"\"192.0.2.100\", \"2001:db8::100\"", TWO,
		WEB ", { name = \"drawn\"; protocol = \"tcp\"; ports = \"81\"; "
		    "scheduler = \"rr\"; }") ", " GROUP_OF("B", "\"192.0.2.101\"", TWO, WEB) " );";
	static const char *const maps[] = { "buckets", "turn-marks", "members" };
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(text);
	_cleanup_(ruleset_free_p) struct ruleset *active = active_ruleset_of(text);
	_cleanup_(free_p) char *active_script = script_of(active);

	(void)state;
	for (int i = 0; i < 2; i++) {
		_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of(cluster);
		_cleanup_(free_p) char *script = script_of(ruleset);

		for (size_t j = 0; j < ARRAY_SIZE(maps); j++) {
			char object[32];
			_cleanup_(free_p) char *have = NULL, *want = NULL;

			snprintf(object, sizeof(object), "map %s/A", maps[j]);
			have = body_of(script, object);
			want = body_of(active_script, object);
			assert_non_null(want);
			assert_string_equal(have, want);
		}
		assert_null(strstr(script, "learn"));
		assert_null(strstr(script, "192.0.2.100:"));
		assert_null(strstr(script, "2001:db8::100:"));
		assert_int_equal(strstr(script, "hook ingress") != NULL, i);
		assert_null(strstr(script, "it is IPv6 after all"));
		assert_true(cluster_set_role(cluster, "B", ROLE_ACTIVE) >= 0);
	}
}

/* A host that has nothing to do with a group has no rules about it. */
static void test_nothing(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	_cleanup_(free_p) char *script = NULL;

	(void)state;
	ruleset = active_ruleset_of(TOP "groups = ( " GROUP_OF("A", "\"192.0.2.100\"", BALANCER(6),
		WEB) ", " GROUP_OF("B", "\"192.0.2.101\"", BALANCER(5), WEB) " );");
	script = script_of(ruleset);
	assert_null(strstr(script, "/A"));
	assert_null(strstr(script, "192.0.2.100"));
	assert_null(strstr(script, "table arp"));
	assert_non_null(strstr(script, "not for group B: 192.0.2.101"));
}

/* The two orders of the file are one ruleset: every balancer has the same. */
static void test_order_of_the_file(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *a = active_ruleset_of(TOP GROUP(
		PLAIN(7) ", " BALANCER(5) ", " PLAIN(6), SERVICE("tcp", "ports = \"80,81\"; ")));
	_cleanup_(ruleset_free_p) struct ruleset *b = active_ruleset_of(
		TOP GROUP(THREE, SERVICE("tcp", "ports = \"81,80\"; ")));
	_cleanup_(free_p) char *a_script = script_of(a), *b_script = script_of(b);

	(void)state;
	assert_string_equal(a_script, b_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vips),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_without_counters),
		cmocka_unit_test(test_empty_tables_drop),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_order_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
