/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member's own table, as text and in a real kernel, and how its guard is armed. */
#include "kernel_fixture.h"

#include "drover/counters.h"
#include "drover/guard.h"

#include <errno.h>
#include <stdio.h>

#define NODE "node = \"fe5\"; interface = \"eth0\"; buckets = 256; "
#define DUAL(top, members)                                                                         \
	NODE top "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\", \"2001:db8::100/127\" ]; "  \
		 "members = ( " members " ); services = ( " WEB " ); } );"
#define SYNC "sync = { multicast = \"239.192.8.148\"; key_file = \"/etc/drover/sync.key\"; }; "
#define OFF  "member_guard = false; "
#define ALL  BALANCER(5) ", " PLAIN(6)
#define ELSE PLAIN(5) ", " BALANCER(6)

#define INPUT                                                                                      \
	"type filter hook input priority filter - 10; policy accept;\n"                            \
	"ct state invalid,new meta l4proto @armed tcp flags ! syn,rst goto guard "                 \
	"comment \"armed: TCP in mid-stream of a flow that is not known here\"\n"
#define DROP "counter drop comment \"its client will send it again\"\n"

/* --- text ----------------------------------------------------------------------- */

static void test_text(void **state)
{
	static const struct body_case cases[] = {
		{ DUAL("", ALL), "chain input", INPUT },
		{ DUAL("", ALL), "set armed", "type inet_proto\nflags timeout\n" },
		{ DUAL("", ALL), "chain guard", "ip daddr @vips " DROP "ip6 daddr @vips6 " DROP },
		{ DUAL("", ALL), "set vips6",
			"type ipv6_addr\nsize 64\nelements = {\n2001:db8::100, "
			"2001:db8::101\n}\n" },
		{ NODE GROUP(ALL, WEB), "chain guard", "ip daddr @vips " DROP },
		{ NODE GROUP(ALL, WEB), "set vips6", NULL },
		{ DUAL(SYNC, ALL), "chain input", INPUT },
		{ DUAL(SYNC, ALL), "chain tracking", NULL },
		/* Without the guard, conntrack must still see the flows for the ledger's sake. */
		{ DUAL(SYNC OFF, ALL), "chain tracking",
			"ct state invalid,new "
			"comment \"no packet comes here: it makes conntrack see the flows\"\n" },
		{ DUAL(SYNC OFF, ALL), "chain input", NULL },
		{ DUAL(OFF, ALL), "chain input", NULL },
		{ DUAL(OFF, ALL), "chain tracking", NULL },
		/* Not what is drained, but who is no member has nothing to guard. */
		{ DUAL("", "{ " HOST(5) "weight = 0; balancer = true; }, " PLAIN(6)), "chain input",
			INPUT },
		{ NODE GROUP(PLAIN(6), WEB "); balancers = ( { " HOST(5) "}"), "chain input",
			NULL },
	};

	(void)state;
	assert_bodies(cases, ARRAY_SIZE(cases));
}

/* --- in the kernel --------------------------------------------------------------- */

static struct ruleset *guarded(void)
{
	return active_ruleset_of(DUAL("", ALL));
}

static uint64_t left_ms(void **state)
{
	uint64_t left = UINT64_MAX;

	assert_int_equal(nft_read_expiry(nft_of(state), RULESET_INET, GUARD_SET, &left), 0);
	return left;
}

static int arm(void **state, unsigned int seconds)
{
	_cleanup_(batch_free_p) struct batch *batch = NULL;

	assert_int_equal(guard_arm(seconds, &batch), 0);
	return nft_commit(nft_of(state), batch, NULL);
}

static void assert_in_sync(void **state, const struct ruleset *want)
{
	_cleanup_(ruleset_free_p) struct ruleset *got = NULL;

	assert_int_equal(nft_read(nft_of(state), &got), 0);
	assert_difference(got, want, "");
}

static void test_nothing_to_arm(void **state)
{
	uint64_t left;

	assert_int_equal(arm(state, 3), -ENOENT);
	assert_int_equal(nft_read_expiry(nft_of(state), RULESET_INET, GUARD_SET, &left), -ENOENT);
}

/* What arming does is no change of the ruleset, and no news to who has done it. */
static void test_arming_is_no_difference(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = guarded();

	install(nft_of(state), ruleset);
	assert_int_equal(left_ms(state), 0);
	assert_int_equal(arm(state, 30), 0);
	assert_in_range(left_ms(state), 20001, 30000);
	assert_in_sync(state, ruleset);
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
}

static void test_arming_renews(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = guarded();

	install(nft_of(state), ruleset);
	assert_int_equal(arm(state, 30), 0);
	assert_int_equal(arm(state, 60), 0);
	assert_in_range(left_ms(state), 50001, 60000);
	/* Nor does it matter who has armed it. */
	shell("nft flush set inet drover armed");
	shell("nft add element inet drover armed { tcp timeout 100s, udp timeout 200s }");
	assert_int_equal(arm(state, 30), 0);
	assert_in_range(left_ms(state), 20001, 30000);
	assert_in_sync(state, ruleset);
}

static void test_it_ends_by_itself(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = guarded();

	install(nft_of(state), ruleset);
	shell("nft add element inet drover armed { tcp timeout 100ms }");
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 1);
	while (left_ms(state) > 0)
		;
	/* The kernel does not tell that, and there is nothing to repair. */
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
	assert_in_sync(state, ruleset);
	assert_int_equal(arm(state, 30), 0);
	assert_in_range(left_ms(state), 20001, 30000);
}

static void set_counter(struct ruleset_counter *counter, void *user_data)
{
	if (strcmp(counter->of, GUARD_COUNTER) == 0)
		counter->packets += *(const uint64_t *)user_data;
}

static void add_up(struct ruleset_counter *counter, void *user_data)
{
	uint64_t *sum = user_data;

	if (strcmp(counter->of, GUARD_COUNTER) == 0)
		*sum += counter->packets;
}

/* What was dropped stays known when the rules are made anew, for other VIPs. */
static void test_counter(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *before = guarded(), *got = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *after = active_ruleset_of(NODE GROUP(ALL, WEB));
	const uint64_t five = 5;
	uint64_t sum = 0;

	counters_foreach(before, set_counter, (void *)(uintptr_t)&five);
	install(nft_of(state), before);
	assert_int_equal(nft_read_counters(nft_of(state), &got), 0);
	assert_int_equal(counters_carry(got, before), 0);
	assert_int_equal(counters_carry(before, after), 0);
	counters_foreach(after, add_up, &sum);
	assert_int_equal(sum, five);
}

/* Each way to have the table is what nft makes of its text, and of its own listing. */
static void test_listings(void **state)
{
	static const char *const texts[] = { DUAL("", ELSE), DUAL(SYNC OFF, ELSE) };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(texts[i]);
		_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of(cluster);
		_cleanup_(free_p) char *script = script_of(ruleset);
		FILE *nft;

		install(nft_of(state), ruleset);
		shell("rules=$(nft list ruleset) && nft flush ruleset && echo \"$rules\" | nft -f "
		      "-");
		assert_in_sync(state, ruleset);
		nft = popen("nft flush ruleset && nft -f -", "w");
		assert_non_null(nft);
		fputs(script, nft);
		assert_int_equal(pclose(nft), 0);
		assert_in_sync(state, ruleset);
	}
}

static void test_changes_by_others_are_heard(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = guarded();

	install(nft_of(state), ruleset);
	shell("nft flush chain inet drover guard");
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 1);
	install(nft_of(state), ruleset);
	shell("nft flush ruleset");
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		kernel_test(test_nothing_to_arm),
		kernel_test(test_arming_is_no_difference),
		kernel_test(test_arming_renews),
		kernel_test(test_it_ends_by_itself),
		kernel_test(test_counter),
		kernel_test(test_listings),
		kernel_test(test_changes_by_others_are_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
