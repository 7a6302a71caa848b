/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is sent to the kernel for a change: its smallest unit, and nothing beside it. */
#include "ruleset_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define WEIGHTED(n, weight) "{ " HOST(n) "weight = " #weight "; }"
#define OUTGOING(n, range)  "{ " HOST(n) "outgoing = \"" range "\"; }"
#define MEMBERS             BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define PORTS(ports)        "{ name = \"web\"; protocol = \"tcp\"; ports = \"" ports "\"; }"
#define TURN                "{ name = \"t\"; protocol = \"tcp\"; ports = \"81\"; scheduler = \"rr\"; }"
#define VIPS(vips)                                                                                 \
	TOP "groups = ( { name = \"A\"; vips = [ " vips " ]; members = ( " MEMBERS                 \
	    " ); services = ( " WEB " ); } );"

struct change {
	const char *have, *want;
	const char *messages;
};

static const struct change changes[] = {
	/* Order and repetition in the file mean nothing. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(PLAIN(7) ", " BALANCER(5) ", " PLAIN(6), WEB), "" },
	{ TOP GROUP(MEMBERS, PORTS("80,443")), TOP GROUP(MEMBERS, PORTS("443,80")), "" },
	{ TOP GROUP(MEMBERS, WEB), "election = \"always\"; " TOP GROUP(MEMBERS, WEB), "" },

	/* A weight: the slots that move. */
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB),
		TOP GROUP(BALANCER(5) ", " WEIGHTED(6, 50), WEB),
		"delete @ elements of buckets/A\nadd @ elements of buckets/A\n" },
	/* A member's MAC: its chain's rules, and those that send everyone a copy. */
	{ TOP GROUP(MEMBERS, WEB),
		TOP GROUP(
			BALANCER(5) ", { " FE(6) "mac = \"02:00:00:00:00:66\"; }, " PLAIN(7), WEB),
		"flush chain member/A/fe6\n"
		"flush chain everyone/A\n"
		"add 2 rule member/A/fe6\n"
		"add 4 rule everyone/A\n" },
	/* A member more: its chain, its mark, and the slots that it takes over. */
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB), TOP GROUP(MEMBERS, WEB),
		"flush chain everyone/A\n"
		"delete @ elements of buckets/A\n"
		"add chain member/A/fe7\n"
		"add 1 elements of members/A\n"
		"add @ elements of buckets/A\n"
		"add 2 rule member/A/fe7\n"
		"add 4 rule everyone/A\n" },
	/* A member less. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB),
		"flush chain member/A/fe7\n"
		"flush chain everyone/A\n"
		"delete 1 elements of members/A\n"
		"delete @ elements of buckets/A\n"
		"delete chain member/A/fe7\n"
		"add @ elements of buckets/A\n"
		"add 3 rule everyone/A\n" },

	/* A port: from a comparison to a set, then an element, then to a set of ranges. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, PORTS("80,443")),
		"flush chain icmp/A\n"
		"flush chain ingress\n"
		"add set ports-icmp/A/tcp-hash\n"
		"add 2 elements of ports-icmp/A/tcp-hash\n"
		"add set ports/A/tcp-hash\n"
		"add 2 elements of ports/A/tcp-hash\n"
		"add 4 rule icmp/A\n"
		"add 5 rule ingress\n" },
	{ TOP GROUP(MEMBERS, PORTS("80,443")), TOP GROUP(MEMBERS, PORTS("80,443,8010")),
		"add 1 elements of ports-icmp/A/tcp-hash\n"
		"add 1 elements of ports/A/tcp-hash\n" },
	{ TOP GROUP(MEMBERS, PORTS("80,443,8010")), TOP GROUP(MEMBERS, PORTS("80,8010")),
		"delete 1 elements of ports-icmp/A/tcp-hash\n"
		"delete 1 elements of ports/A/tcp-hash\n" },
	{ TOP GROUP(MEMBERS, PORTS("80,443")), TOP GROUP(MEMBERS, PORTS("80,443-450")),
		"flush chain icmp/A\n"
		"flush chain ingress\n"
		"delete set ports-icmp/A/tcp-hash\n"
		"delete set ports/A/tcp-hash\n"
		"add set ports-icmp/A/tcp-hash\n"
		"add 4 elements of ports-icmp/A/tcp-hash\n"
		"add set ports/A/tcp-hash\n"
		"add 4 elements of ports/A/tcp-hash\n"
		"add 4 rule icmp/A\n"
		"add 5 rule ingress\n" },
	{ TOP GROUP(MEMBERS, PORTS("80,443-450")), TOP GROUP(MEMBERS, PORTS("80,443-451")),
		"delete 2 elements of ports-icmp/A/tcp-hash\n"
		"delete 2 elements of ports/A/tcp-hash\n"
		"add 2 elements of ports-icmp/A/tcp-hash\n"
		"add 2 elements of ports/A/tcp-hash\n" },
	/* 65535 is the last: its range has no end in the kernel. */
	{ TOP GROUP(MEMBERS, PORTS("80,443-450")),
		TOP GROUP(MEMBERS, PORTS("80,443-450,65000-65535")),
		"add 1 elements of ports-icmp/A/tcp-hash\n"
		"add 1 elements of ports/A/tcp-hash\n" },
	/* The same port, but of a service of another name: its comment. */
	{ TOP GROUP(MEMBERS, PORTS("80,443")),
		TOP GROUP(MEMBERS,
			PORTS("80") ", { name = \"tls\"; protocol = \"tcp\"; ports = \"443\"; }"),
		"delete 1 elements of ports-icmp/A/tcp-hash\n"
		"delete 1 elements of ports/A/tcp-hash\n"
		"add 1 elements of ports-icmp/A/tcp-hash\n"
		"add 1 elements of ports/A/tcp-hash\n" },

	/* Outgoing ranges. */
	{ TOP GROUP(BALANCER(5) ", " OUTGOING(6, "33000-33999"), WEB),
		TOP GROUP(BALANCER(5) ", " OUTGOING(6, "33000-33999,35000"), WEB),
		"add 2 elements of outgoing-icmp/A\n"
		"add 2 elements of outgoing/A\n" },
	{ TOP GROUP(BALANCER(5) ", " OUTGOING(6, "33000-33999"), WEB),
		TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB),
		"flush chain icmp/A\n"
		"flush chain ingress\n"
		"delete set outgoing-icmp/A\n"
		"delete set outgoing/A\n"
		"add 4 rule icmp/A\n"
		"add 5 rule ingress\n" },

	/* VIPs: one is a comparison, two are a set; then it is a matter of elements. */
	{ TOP GROUP(MEMBERS, WEB), VIPS("\"192.0.2.100\", \"192.0.2.101\""),
		"flush chain ingress\n"
		"add set vips/A\n"
		"add 2 elements of vips/A\n"
		"add 5 rule ingress\n" },
	{ VIPS("\"192.0.2.100\", \"192.0.2.101\""), VIPS("\"198.51.100.0/29\", \"192.0.2.101\""),
		"delete 1 elements of vips/A\n"
		"add 8 elements of vips/A\n" },
	/* 64 and 65 VIPs: the set's size doubles, so it is replaced, with the rule that uses it. */
	{ VIPS("\"198.51.100.0/27\", \"198.51.100.32/27\""),
		VIPS("\"198.51.100.0/26\", \"192.0.2.101\""),
		"flush chain ingress\n"
		"delete set vips/A\n"
		"add set vips/A\n"
		"add 65 elements of vips/A\n"
		"add 5 rule ingress\n" },

	/* Another balancer: the loop guard; it has no chain or map of its own. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(BALANCER(5) ", " BALANCER(6) ", " PLAIN(7), WEB),
		"flush chain ingress\n"
		"add 6 rule ingress\n" },

	/* Buckets and seed are no part of the membership: every rule that hashes changes. */
	{ "seed = 1; " TOP GROUP(MEMBERS, WEB), "seed = 2; " TOP GROUP(MEMBERS, WEB),
		"flush chain first-fragment/A\n"
		"flush chain fragment/A\n"
		"flush chain icmp/A\n"
		"flush chain ingress\n"
		"add rule first-fragment/A\n"
		"add 3 rule fragment/A\n"
		"add 4 rule icmp/A\n"
		"add 5 rule ingress\n" },
	{ TOP GROUP(MEMBERS, WEB),
		"node = \"fe5\"; interface = \"eth0\"; buckets = 512; member_guard = false; " GROUP(
			MEMBERS, WEB),
		"flush chain icmp/A\n"
		"flush chain ingress\n"
		"delete set buckets/A\n"
		"add set buckets/A\n"
		"add 512 elements of buckets/A\n"
		"add 4 rule icmp/A\n"
		"add 5 rule ingress\n" },

	/* A member less for learned flows: they themselves are not touched. */
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), TURN), TOP GROUP(BALANCER(5), TURN),
		"flush chain member/A/fe6\n"
		"flush chain everyone/A\n"
		"delete 1 elements of members/A\n"
		"delete 128 elements of buckets/A\n"
		"delete 128 elements of turn-marks/A\n"
		"delete chain member/A/fe6\n"
		"add 128 elements of buckets/A\n"
		"add 128 elements of turn-marks/A\n"
		"add 2 rule everyone/A\n" },

	/* IPv6 beside IPv4: chains of its own; the tables are the same. */
	{ VIPS("\"192.0.2.100\""), VIPS("\"192.0.2.100\", \"2001:db8::100\""),
		"flush chain first-fragment/A\n"
		"flush chain ingress\n"
		"add chain fragment6/A\n"
		"add chain icmp6/A\n"
		"add chain vip6/A\n"
		"add chain others\n"
		"add 2 rule first-fragment/A\n"
		"add 3 rule fragment6/A\n"
		"add 3 rule icmp6/A\n"
		"add 5 rule vip6/A\n"
		"add rule others\n"
		"add 6 rule ingress\n" },
	/* Counters off: members and services lose theirs. */
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), PORTS("80,443")),
		"counters = false; " TOP GROUP(BALANCER(5) ", " PLAIN(6), PORTS("80,443")),
		"flush chain member/A/fe5\n"
		"flush chain member/A/fe6\n"
		"flush chain ingress\n"
		"delete set ports/A/tcp-hash\n"
		"add set ports/A/tcp-hash\n"
		"add 2 elements of ports/A/tcp-hash\n"
		"add 2 rule member/A/fe5\n"
		"add 2 rule member/A/fe6\n"
		"add 5 rule ingress\n" },
};

/* Counts that hang on the bucket table are @ in the expectation. */
static void assert_messages(const char *is, const struct change *change)
{
	const char *a = is, *b = change->messages;

	while (*a && *b) {
		if (*b == '@') {
			size_t digits = strspn(a, "0123456789");

			if (digits == 0)
				break;
			a += digits;
			b++;
		} else if (*a++ != *b++) {
			a = "differs";
			break;
		}
	}
	if (*a || *b)
		fail_msg("from %s\nto %s\nare\n%snot\n%s", change->have, change->want, is,
			change->messages);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(changes[i].have);
		_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_of(changes[i].want);
		_cleanup_(free_p) char *is = difference(have, want);

		assert_messages(is, &changes[i]);
		assert_difference(have, have, "");
		assert_difference(want, want, "");
	}
}

/* How many elements a change of weights replaces: those whose member is another. */
static void test_moved_elements(void **state)
{
	struct cluster *clusters[2];
	struct plan *plans[] = {
		active_plan_of(TOP GROUP(MEMBERS, WEB), &clusters[0]),
		active_plan_of(TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " WEIGHTED(7, 50), WEB),
			&clusters[1]),
	};
	_cleanup_(ruleset_free_p) struct ruleset *have = ruleset_of_plan(plans[0]);
	_cleanup_(ruleset_free_p) struct ruleset *want = ruleset_of_plan(plans[1]);
	char expected[200];
	size_t moved = 0;

	(void)state;
	for (size_t slot = 0; slot < 256; slot++)
		moved += plans[0]->groups[0].tables[0].slots[slot] !=
			 plans[1]->groups[0].tables[0].slots[slot];
	assert_in_range(moved, 34, 60);
	snprintf(expected, sizeof(expected),
		"delete %zu elements of buckets/A\nadd %zu elements of buckets/A\n", moved, moved);
	assert_difference(have, want, expected);
	for (size_t i = 0; i < 2; i++) {
		plan_free(plans[i]);
		cluster_free(clusters[i]);
	}
}

static void test_install_and_remove(void **state)
{
	static const struct ruleset nothing = { .n_tables = 0 };
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB));
	_cleanup_(ruleset_free_p) struct ruleset *standby = ruleset_of(cluster), *active = NULL,
						 *leaving = NULL;

	(void)state;
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_ACTIVE), 1);
	active = ruleset_of(cluster);
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_LEAVING), 1);
	leaving = ruleset_of(cluster);

#define INSTALL_ARP                                                                                \
	"add table drover\n"                                                                       \
	"add chain input\nadd chain output\n"                                                      \
	"add set vips\nadd 1 elements of vips\n"                                                   \
	"add rule input\nadd rule output\n"
/* What the kernel is quick to take, and what not. */
#define QUICK_CHAINS "add chain fragment/A\nadd chain icmp/A\nadd chain ingress\n"
#define QUICK_SETS   "add set icmp-errors\nadd 3 elements of icmp-errors\n"
#define QUICK_RULES  "add 3 rule fragment/A\nadd 4 rule icmp/A\nadd 5 rule ingress\n"
#define HOST_SET     "add set unserved\nadd 2 elements of unserved\n"
#define SLOW_CHAINS                                                                                \
	"add chain first-fragment/A\n"                                                             \
	"add chain member/A/fe5\nadd chain member/A/fe6\nadd chain everyone/A\n"
#define SLOW_SETS                                                                                  \
	"add set fragments/A\n"                                                                    \
	"add set members/A\nadd 2 elements of members/A\n"
#define BUCKETS "add set buckets/A\nadd 256 elements of buckets/A\n"
#define SLOW_RULES                                                                                 \
	"add rule first-fragment/A\n"                                                              \
	"add 2 rule member/A/fe5\nadd 2 rule member/A/fe6\nadd 3 rule everyone/A\n"
#define INSTALL_NETDEV                                                                             \
	"add table drover\nadd chain host\n" SLOW_CHAINS QUICK_CHAINS HOST_SET SLOW_SETS           \
		QUICK_SETS BUCKETS "add rule host\n" SLOW_RULES QUICK_RULES
#define PREPARE "add table drover\n" SLOW_CHAINS SLOW_SETS BUCKETS SLOW_RULES
#define TAKE    "add chain host\n" QUICK_CHAINS HOST_SET QUICK_SETS "add rule host\n" QUICK_RULES

	assert_difference(&nothing, &nothing, "");
	assert_difference(&nothing, standby, PREPARE INSTALL_ARP);
	assert_difference(&nothing, active, INSTALL_NETDEV);
	assert_difference(&nothing, leaving, INSTALL_NETDEV INSTALL_ARP);
	assert_difference(standby, active, "delete table drover\n" TAKE);
	assert_difference(active, leaving, INSTALL_ARP);
	assert_difference(leaving, standby,
		"flush chain host\nflush chain fragment/A\nflush chain icmp/A\nflush chain "
		"ingress\n"
		"delete set unserved\ndelete set icmp-errors\n"
		"delete chain host\ndelete chain fragment/A\ndelete chain icmp/A\n"
		"delete chain ingress\n");
	assert_difference(leaving, &nothing, "delete 2 table drover\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_moved_elements),
		cmocka_unit_test(test_install_and_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
