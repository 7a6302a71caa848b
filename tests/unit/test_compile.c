/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small plans and the nft script that they become; rules/ has whole ones. */
#include "ruleset_fixture.h"

#include "drover/script.h"

#include <stdio.h>
#include <stdlib.h>

#define THREE    BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define TWO      BALANCER(5) ", " PLAIN(6)
#define HASH     "jhash ip saddr . th sport mod 256 seed 0x64726f76 vmap @buckets/A"
#define FRAGMENT "ip saddr . ip daddr . ip id"
#define LATER    "ip frag-off & 0x1fff != 0x0000 goto fragment/A comment \"later fragments\"\n"
/* The chain of another member: a first fragment leaves its mark. */
#define FORWARD(n, mark)                                                                           \
	"@nh,32,32 & 0x00002000 != 0x00000000 update @fragments/A { " FRAGMENT " : " mark " } "    \
	"comment \"a first fragment: the others follow it\"\n"                                     \
	"counter @ll,0,96 set 0x02000000000" #n "020000000005 fwd to \"eth0\" "                    \
	"comment \"fe" #n " 02:00:00:00:00:0" #n "\"\n"
#define SERVICE(protocol, more) "{ name = \"s\"; protocol = \"" protocol "\"; " more "}"
#define ALSO(protocol, more)    ", { name = \"t\"; protocol = \"" protocol "\"; " more "}"
#define VIPS(vips)                                                                                 \
	TOP "groups = ( { name = \"A\"; vips = [ " vips " ]; members = ( " TWO                     \
	    " ); services = ( " WEB " ); } );"

static char *script_of(const struct ruleset *ruleset)
{
	char *script = script_format(ruleset);

	assert_non_null(script);
	return script;
}

/* The lines of one object ("chain vip/A", "set vips/A"), without indent; NULL if it is not there.
 */
static char *body_of(const char *script, const char *object)
{
	char head[128], *text = NULL;
	const char *line;
	size_t size;
	FILE *file;

	snprintf(head, sizeof(head), "\n\t%s {\n", object);
	line = strstr(script, head);
	if (!line)
		return NULL;
	file = open_memstream(&text, &size);
	assert_non_null(file);
	for (line += strlen(head); strncmp(line, "\t}\n", 3) != 0; line = strchr(line, '\n') + 1) {
		const char *begin = line + strspn(line, "\t");

		fprintf(file, "%.*s\n", (int)strcspn(begin, "\n"), begin);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

/* --- rules and sets ------------------------------------------------------------------ */

struct body_case {
	const char *conf;
	const char *object;
	const char *body; /* NULL: there is no such object */
};

static const struct body_case bodies[] = {
	/* Dispatch. */
	{ TOP GROUP(THREE, WEB), "chain ingress",
		"type filter hook ingress device \"eth0\" priority 0; policy accept;\n"
		"@nh,128,32 0xc0000264 goto vip/A comment \"group A: 192.0.2.100\"\n" },
	{ TOP GROUP(THREE, WEB), "set vips/A", NULL },
	{ VIPS("\"192.0.2.101\", \"192.0.2.99\""), "chain ingress",
		"type filter hook ingress device \"eth0\" priority 0; policy accept;\n"
		"@nh,128,32 @vips/A goto vip/A comment \"group A\"\n" },
	{ VIPS("\"192.0.2.101\", \"192.0.2.99\""), "set vips/A",
		"typeof @nh,128,32\n"
		"size 64\n"
		"elements = {\n"
		"0xc0000263 comment \"192.0.2.99\", 0xc0000265 comment \"192.0.2.101\"\n"
		"}\n" },
	{ VIPS("\"198.51.100.8/30\""), "set vips/A",
		"typeof @nh,128,32\n"
		"size 64\n"
		"elements = {\n"
		"0xc6336408 comment \"198.51.100.8\", 0xc6336409 comment \"198.51.100.9\", "
		"0xc633640a comment \"198.51.100.10\", 0xc633640b comment \"198.51.100.11\"\n"
		"}\n" },

	/* Members. This host's own share needs no memory: what nobody remembers stays here. */
	{ TOP GROUP(THREE, WEB), "chain member/A/fe5",
		"counter accept comment \"fe5 is this host\"\n" },
	{ TOP GROUP(THREE, WEB), "chain member/A/fe6", FORWARD(6, "0xcb66bd29") },
	/* Without an address no chain, with weight 0 still one. */
	{ TOP GROUP(BALANCER(5) ", { " FE(6) "}", WEB), "chain member/A/fe6", NULL },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "weight = 0; }", WEB), "chain member/A/fe6",
		FORWARD(6, "0xcb66bd29") },

	/* The four schedulers, for both protocols. */
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; ")), "chain vip/A",
		"th dport 80 ip protocol tcp " HASH
		" comment \"TCP hash over all members\"\n" LATER },
	{ "seed = 5; " TOP GROUP(THREE, SERVICE("udp", "ports = \"80\"; scheduler = \"source\"; ")),
		"chain vip/A",
		"th dport 80 ip protocol udp jhash ip saddr mod 256 seed 0x5 vmap @buckets/A "
		"comment \"UDP source over all members\"\n" LATER },
	{ TOP GROUP(THREE, SERVICE("udp", "ports = \"80\"; scheduler = \"rr\"; ")), "chain vip/A",
		"th dport 80 ip protocol udp numgen inc mod 256 vmap @turns/A "
		"comment \"UDP rr over all members\"\n" LATER },
	{ TOP GROUP(THREE, SERVICE("udp", "ports = \"80\"; scheduler = \"random\"; ")),
		"chain vip/A",
		"th dport 80 ip protocol udp numgen random mod 256 vmap @buckets/A "
		"comment \"UDP random over all members\"\n" LATER },
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; scheduler = \"rr\"; ")), "chain vip/A",
		"th dport 80 ip protocol tcp goto learn/A/tcp-rr "
		"comment \"TCP rr over all members\"\n" LATER },
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; scheduler = \"rr\"; ")),
		"chain learn/A/tcp-rr",
		"meta mark set ip saddr . th sport map @learned/A/tcp-rr "
		"update @learned/A/tcp-rr { ip saddr . th sport : meta mark } "
		"meta mark vmap @members/A comment \"a flow that has its member\"\n"
		"tcp flags syn / fin,syn,rst,ack "
		"meta mark set numgen inc mod 256 map @turn-marks/A "
		"update @learned/A/tcp-rr { ip saddr . th sport : meta mark } "
		"meta mark vmap @members/A comment \"a new flow draws one and keeps it\"\n" HASH
		" comment \"not remembered: by hash\"\n" },
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; scheduler = \"rr\"; ")),
		"map learned/A/tcp-rr",
		"type ipv4_addr . inet_service : mark\n"
		"size 262144\n"
		"flags dynamic,timeout\n"
		"timeout 125m\n" },
	/* Where flows carry marks, the local share loses them. */
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; scheduler = \"rr\"; ")),
		"chain member/A/fe5",
		"counter meta mark set 0x00000000 accept comment \"fe5 is this host\"\n" },
	{ TOP GROUP(THREE, SERVICE("tcp", "scheduler = \"random\"; ")), "chain vip/A",
		LATER "ip protocol tcp goto learn/A/tcp-random-rest "
		      "comment \"TCP random over all members\"\n" },

	/* Ports: one, a range, several, several with a range. */
	{ TOP GROUP(TWO, SERVICE("udp", "ports = \"30000-30999\"; ")), "chain vip/A",
		"th dport 30000-30999 ip protocol udp " HASH
		" comment \"UDP hash over all members\"\n" LATER },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443,80\"; ")), "chain vip/A",
		"th dport @ports/A/tcp-hash ip protocol tcp " HASH
		" comment \"TCP hash over all members\"\n" LATER },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443,80\"; ")), "set ports/A/tcp-hash",
		"type inet_service\n"
		"size 64\n"
		"elements = {\n"
		"80 comment \"s\", 443 comment \"s\"\n"
		"}\n" },
	{ TOP GROUP(TWO, SERVICE("tcp", "ports = \"443-450\"; ") ALSO("tcp", "ports = \"80\"; ")),
		"set ports/A/tcp-hash",
		"type inet_service\n"
		"flags interval\n"
		"elements = {\n"
		"80 comment \"t\", 443-450 comment \"s\"\n"
		"}\n" },

	/* By port, by outgoing range, later fragments, then what takes every port. */
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999,36000\"; }",
		  SERVICE("any", "") ALSO("tcp", "ports = \"80\"; ")),
		"chain vip/A",
		"th dport 80 ip protocol tcp " HASH " comment \"TCP hash over all members\"\n"
		"meta protocol ip th dport vmap @outgoing/A "
		"comment \"replies to connections that members opened\"\n" LATER
		"ip protocol tcp " HASH " comment \"TCP hash over all members\"\n"
		"ip protocol udp " HASH " comment \"UDP hash over all members\"\n" },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999,36000\"; }", WEB),
		"map outgoing/A",
		"type inet_service : verdict\n"
		"flags interval\n"
		"elements = {\n"
		"34000-34999 comment \"fe6\" : goto member/A/fe6, "
		"36000 comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
	{ TOP GROUP(TWO, WEB), "map outgoing/A", NULL },

	/* Fragments: the chains of other members remember the first, the others follow it. */
	{ TOP GROUP(THREE, WEB), "map fragments/A",
		"typeof " FRAGMENT " : meta mark\n"
		"size 65536\n"
		"flags dynamic,timeout\n"
		"timeout 30s\n" },
	{ TOP GROUP(THREE, WEB), "map members/A",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n"
		"0x5b1a4530 comment \"fe7\" : goto member/A/fe7, "
		"0x781877b0 comment \"fe5\" : goto member/A/fe5, "
		"0xcb66bd29 comment \"fe6\" : goto member/A/fe6\n"
		"}\n" },
	{ TOP GROUP(THREE, WEB), "chain fragment/A",
		"meta mark set " FRAGMENT " map @fragments/A meta mark vmap @members/A "
		"comment \"a later fragment follows the first\"\n"
		"counter meta mark set 0x00000000 accept "
		"comment \"the first stayed here, or has not come yet\"\n" },
	{ TOP GROUP(THREE, WEB), "chain member/A/fe7", FORWARD(7, "0x5b1a4530") },
	{ TOP GROUP(BALANCER(5) ", { " HOST(6) "outgoing = \"34000\"; }",
		  SERVICE("udp", "scheduler = \"rr\"; ") ALSO("udp", "ports = \"80\"; ")),
		"chain vip/A",
		"th dport 80 ip protocol udp " HASH " comment \"UDP hash over all members\"\n"
		"meta protocol ip th dport vmap @outgoing/A "
		"comment \"replies to connections that members opened\"\n" LATER
		"ip protocol udp numgen inc mod 256 vmap @turns/A "
		"comment \"UDP rr over all members\"\n" },
	/* A member without address gets none, and none is remembered for it. */
	{ TOP GROUP(BALANCER(5) ", { " FE(6) "}", WEB), "map members/A",
		"type mark : verdict\n"
		"size 64\n"
		"elements = {\n"
		"0x781877b0 comment \"fe5\" : goto member/A/fe5\n"
		"}\n" },

	/* A subset of the members. */
	{ TOP GROUP(THREE, SERVICE("tcp", "ports = \"80\"; scheduler = \"source\"; "
					  "members = [ \"fe7\", \"fe6\" ]; ")),
		"chain vip/A",
		"th dport 80 ip protocol tcp jhash ip saddr mod 256 seed 0x64726f76 "
		"vmap @buckets/A/s comment \"TCP source over the members of s\"\n" LATER },

	/* The loop guard: one peer, two peers. */
	{ TOP GROUP(BALANCER(5) ", " BALANCER(6), WEB), "chain vip/A",
		"@ll,48,48 0x020000000006 accept comment \"loop guard: from balancer fe6\"\n"
		"th dport 80 ip protocol tcp " HASH
		" comment \"TCP hash over all members\"\n" LATER },
	{ TOP GROUP(BALANCER(7) ", " BALANCER(5) ", " BALANCER(6), WEB), "chain vip/A",
		"@ll,48,48 @peers/A accept comment \"loop guard: from another balancer\"\n"
		"th dport 80 ip protocol tcp " HASH
		" comment \"TCP hash over all members\"\n" LATER },
	{ TOP GROUP(BALANCER(7) ", " BALANCER(5) ", " BALANCER(6), WEB), "set peers/A",
		"typeof @ll,48,48\n"
		"size 64\n"
		"elements = {\n"
		"0x020000000006 comment \"fe6\", 0x020000000007 comment \"fe7\"\n"
		"}\n" },
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct body_case *c = &bodies[i];
		_cleanup_(ruleset_free_p) struct ruleset *ruleset = active_ruleset_of(c->conf);
		_cleanup_(free_p) char *script = script_of(ruleset);
		_cleanup_(free_p) char *body = body_of(script, c->object);

		if (!c->body && body)
			fail_msg("%s should not be there:\n%s\nof %s", c->object, body, c->conf);
		if (c->body && (!body || strcmp(body, c->body) != 0))
			fail_msg("%s is\n%s\nnot\n%s\nof %s", c->object, body ? body : "missing",
				c->body, c->conf);
	}
}

/* --- bucket maps ------------------------------------------------------------------------ */

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static void assert_targets(
	const struct ruleset *ruleset, const char *map, size_t fe5, size_t fe6, size_t drop)
{
	_cleanup_(free_p) char *script = script_of(ruleset);
	_cleanup_(free_p) char *body = body_of(script, map);

	assert_non_null(body);
	assert_int_equal(count(body, ": goto member/A/fe5"), fe5);
	assert_int_equal(count(body, ": goto member/A/fe6"), fe6);
	assert_int_equal(count(body, ": drop"), drop);
}

/* What no member serves is dropped: it must not fall through to another service's members. */
static void test_empty_tables_drop(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(TWO, SERVICE("any", "ports = \"80\"; scheduler = \"rr\"; ")
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

static void test_standby(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(VIPS("\"198.51.100.8/31\""));
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

/* A host that has nothing to do with a group has no rules about it. */
static void test_nothing(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	_cleanup_(free_p) char *script = NULL;

	(void)state;
	ruleset = active_ruleset_of(
		TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\" ]; members = ( " BALANCER(
			6) " ); services = ( " WEB " ); }, { name = \"B\"; vips = [ "
			   "\"192.0.2.101\" ]; members = ( " BALANCER(5) " ); services = ( " WEB
									 " ); } );");
	script = script_of(ruleset);
	assert_null(strstr(script, "/A"));
	assert_null(strstr(script, "192.0.2.100"));
	assert_null(strstr(script, "table arp"));
	assert_non_null(strstr(script, "chain vip/B"));
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
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_empty_tables_drop),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_order_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
