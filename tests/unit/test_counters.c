/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where what was counted goes when rules change. */
#include "ruleset_fixture.h"

#include "drover/counters.h"
#include "drover/diff.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMBERS          BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define TCP(name, ports) SERVICE(name, "tcp", ports, "hash")
#define UDP(name, ports) SERVICE(name, "udp", ports, "hash")
#define SERVICE(name, protocol, ports, scheduler)                                                  \
	"{ name = \"" name "\"; protocol = \"" protocol "\"; ports = \"" ports                     \
	"\"; scheduler = \"" scheduler "\"; }"
#define DUAL(services)                                                                             \
	TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\", \"2001:db8::100\" ]; "           \
	    "members = ( " MEMBERS " ); services = ( " services " ); } );"

/* Each counter has counted 10 packets of 70 bytes. */
static void count_ten(struct ruleset_counter *counter, void *user_data)
{
	(void)user_data;
	counter->packets = 10;
	counter->bytes = 700;
}

struct sum {
	const char *of;
	uint64_t packets, bytes;
};

static void add_up(struct ruleset_counter *counter, void *user_data)
{
	struct sum *sum = user_data;

	if (strcmp(counter->of, sum->of) != 0)
		return;
	sum->packets += counter->packets;
	sum->bytes += counter->bytes;
}

static void assert_sum(struct ruleset *ruleset, const char *of, uint64_t packets)
{
	struct sum sum = { .of = of };

	counters_foreach(ruleset, add_up, &sum);
	if (sum.packets != packets)
		fail_msg("%s: %llu packets, not %llu", of, (unsigned long long)sum.packets,
			(unsigned long long)packets);
	assert_int_equal(sum.bytes, packets * 70);
}

struct change {
	const char *have, *want;
	const char *of;
	uint64_t packets;
};

static const struct change changes[] = {
	/* Nothing changes: each stays where it is. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB), "service/A/web", 10 },
	{ DUAL(WEB), DUAL(WEB), "service/A/web", 20 },
	/* Another service joins: the rule's becomes an element's. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), "service/A/web",
		10 },
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), "service/A/mail",
		0 },
	{ DUAL(WEB), DUAL(WEB ", " TCP("mail", "25")), "service/A/web", 20 },
	/* … and leaves again. */
	{ TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), TOP GROUP(MEMBERS, WEB), "service/A/web",
		10 },
	{ TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), TOP GROUP(MEMBERS, TCP("mail", "25")),
		"service/A/mail", 10 },
	/* One beside it, with a rule of its own. */
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB ", " UDP("dns", "53")), "service/A/web",
		10 },
	/* The service itself changes: its scheduler, a port more, a port less, all ports. */
	{ TOP GROUP(MEMBERS, TCP("web", "80")),
		TOP GROUP(MEMBERS, SERVICE("web", "tcp", "80", "source")), "service/A/web", 10 },
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")), TOP GROUP(MEMBERS, TCP("web", "80,443-450")),
		"service/A/web", 20 },
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")), TOP GROUP(MEMBERS, TCP("web", "80,8080")),
		"service/A/web", 20 },
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")),
		TOP GROUP(MEMBERS, "{ name = \"web\"; protocol = \"any\"; }"), "service/A/web",
		20 },
	/* The ports stay, and something else changes. */
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")),
		TOP GROUP(BALANCER(5) ", " PLAIN(6), TCP("web", "80,443")), "service/A/web", 20 },
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")),
		TOP GROUP(MEMBERS, TCP("web", "80,443") ", " UDP("dns", "53")), "service/A/web",
		20 },
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")),
		TOP GROUP(MEMBERS, TCP("web", "80,443") ", " UDP("web2", "80,443")),
		"service/A/web2", 0 },
	/* A port that goes over to another service takes nothing along. */
	{ TOP GROUP(MEMBERS, TCP("web", "80,443")),
		TOP GROUP(MEMBERS, TCP("web", "80") ", " TCP("tls", "443")), "service/A/tls", 0 },
	/* Members. */
	{ TOP GROUP(MEMBERS, WEB),
		TOP GROUP(BALANCER(5) ", { " FE(6) "mac = \"02:00:00:00:00:66\"; }", WEB),
		"member/A/fe6", 10 },
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB), TOP GROUP(MEMBERS, WEB), "member/A/fe6", 10 },
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB), TOP GROUP(MEMBERS, WEB), "member/A/fe7", 0 },
};

/* With shared: if want shares with have what it can, counters too. */
static void assert_change(const struct change *change, bool shared)
{
	_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(change->have);
	_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_after(
		shared ? have : NULL, change->want);

	counters_foreach(have, count_ten, NULL);
	/* Twice: an attempt that failed leaves nothing behind. */
	assert_int_equal(counters_carry(have, want), 0);
	assert_int_equal(counters_carry(have, want), 0);
	assert_sum(want, change->of, change->packets);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		assert_change(&changes[i], false);
		assert_change(&changes[i], true);
	}
}

/* The kernel has gone on to count when the next ruleset is at hand that shares the counters. */
static void test_shared_counters_go_on(void **state)
{
	static const char *const conf = TOP GROUP(MEMBERS, TCP("web", "80,443"));
	_cleanup_(ruleset_free_p) struct ruleset *kernel = active_ruleset_of(conf);
	_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(conf);
	_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_after(have, conf);

	(void)state;
	counters_foreach(kernel, count_ten, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counters_carry(kernel, have), 0);
		assert_int_equal(counters_carry(have, want), 0);
		assert_sum(have, "service/A/web", 20);
		assert_sum(want, "service/A/web", 20);
	}
}

static const struct {
	const char *have, *want;
	bool remakes;
} looks[] = {
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB), false },
	/* Buckets alone; counters that only go, or only come. */
	{ TOP GROUP(MEMBERS, WEB),
		TOP GROUP(BALANCER(5) ", " PLAIN(6) ", { " HOST(7) "weight = 50; }", WEB), false },
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB), false },
	{ TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB), TOP GROUP(MEMBERS, WEB), false },
	{ TOP GROUP(MEMBERS, TCP("web", "80,81")), TOP GROUP(MEMBERS, TCP("web", "80,81,82")),
		false },
	{ TOP GROUP(MEMBERS, TCP("web", "80,81,82")), TOP GROUP(MEMBERS, TCP("web", "80,81")),
		false },
	{ TOP GROUP(MEMBERS, WEB), "counters = false; " TOP GROUP(MEMBERS, WEB), false },
	{ "counters = false; " TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB), false },
	/* Those of a chain, of elements, of a set, and from one to another. */
	{ TOP GROUP(MEMBERS, WEB),
		TOP GROUP(BALANCER(5) ", { " FE(6) "mac = \"02:00:00:00:00:66\"; }", WEB), true },
	{ TOP GROUP(MEMBERS, TCP("web", "80,81")), TOP GROUP(MEMBERS, TCP("web", "80,82")), true },
	{ TOP GROUP(MEMBERS, TCP("web", "80,81")), TOP GROUP(MEMBERS, TCP("web", "80,81-82")),
		true },
	{ TOP GROUP(MEMBERS, WEB), TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), true },
	{ TOP GROUP(MEMBERS, WEB ", " TCP("mail", "25")), TOP GROUP(MEMBERS, WEB), true },
};

/* Reading them costs more than most changes: it is for those that need it. */
static void test_who_has_to_look(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(looks[i].have);
		_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_of(looks[i].want);

		if (diff_remakes_counters(have, want) != looks[i].remakes)
			fail_msg("from %s\nto %s\n%s", looks[i].have, looks[i].want,
				looks[i].remakes ? "counters are remade" : "no counter is remade");
	}
}

/* What a counter in the kernel would not take in must not be given to it. */
static void test_what_stays_takes_nothing(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(
		TOP GROUP(MEMBERS, TCP("web", "80,443,8080")));
	_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_of(
		TOP GROUP(MEMBERS, TCP("web", "80,443")));

	(void)state;
	counters_foreach(have, count_ten, NULL);
	assert_int_equal(counters_carry(have, want), 0);
	assert_sum(want, "service/A/web", 20);
}

static void refuse(struct ruleset_counter *counter, void *user_data)
{
	(void)user_data;
	fail_msg("counts %s", counter->of);
}

static void test_without_counters(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *have = active_ruleset_of(TOP GROUP(MEMBERS, WEB));
	_cleanup_(ruleset_free_p) struct ruleset *want = active_ruleset_of(
		"counters = false; " TOP GROUP(MEMBERS, TCP("web", "80,443")));
	_cleanup_(ruleset_free_p) struct ruleset *next = active_ruleset_after(
		want, TOP GROUP(MEMBERS, TCP("web", "80,443")));

	(void)state;
	counters_foreach(have, count_ten, NULL);
	assert_int_equal(counters_carry(have, want), 0);
	counters_foreach(want, refuse, NULL);
	assert_int_equal(counters_carry(want, have), 0);
	assert_sum(have, "service/A/web", 0);
	/* They are back with the next one, although its ports are the same. */
	counters_foreach(next, count_ten, NULL);
	assert_sum(next, "service/A/web", 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_shared_counters_go_on),
		cmocka_unit_test(test_who_has_to_look),
		cmocka_unit_test(test_what_stays_takes_nothing),
		cmocka_unit_test(test_without_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
