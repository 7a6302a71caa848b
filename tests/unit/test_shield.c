/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table that outlives a flush: as text, and what a real kernel lets others do to it. */
#include "kernel_fixture.h"

#include "drover/compile.h"
#include "drover/counters.h"
#include "drover/message.h"

#include <errno.h>
#include <stdio.h>

#define VIPS(vips)                                                                                 \
	TOP "groups = ( { name = \"A\"; vips = [ " vips                                            \
	    " ]; members = ( " BALANCER(5) ", " PLAIN(6) " ); services = ( " WEB " ); } );"
#define V4   "\"192.0.2.100\""
#define V6   "\"2001:db8::100/127\""
#define DUAL VIPS(V4 ", " V6)

/* What the daemon commits. */
static struct ruleset *shielded(const char *text)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = NULL;
	_cleanup_(plan_free_p) struct plan *plan = active_plan_of(text, &cluster);
	struct ruleset *ruleset = NULL;

	assert_int_equal(compile_plan(plan, NULL, &ruleset), 0);
	assert_int_equal(compile_shield(plan, ruleset), 0);
	assert_int_equal(message_sign_ruleset(ruleset), 0);
	return ruleset;
}

/* --- text ----------------------------------------------------------------------- */

#define DROP "meta l4proto @protocols counter drop comment \"its client will send it again\"\n"

static void assert_body(const char *conf, const char *object, const char *expected)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(conf);
	_cleanup_(free_p) char *script = script_of(ruleset);
	const char *shield = strstr(script, "table inet drover-shield {\n\tflags owner\n");
	_cleanup_(free_p) char *body = NULL;

	assert_non_null(shield);
	body = body_of(shield, object);
	if (!expected)
		assert_null(body);
	else
		assert_string_equal(body, expected);
}

static void test_text(void **state)
{
	(void)state;
	assert_body(DUAL, "chain prerouting",
		"type filter hook prerouting priority raw; policy accept;\n"
		"meta priority != 6472:0 iifname \"eth0\" goto shield "
		"comment \"not seen by drover's rules there: somebody has flushed them\"\n");
	assert_body(DUAL, "chain shield", "ip daddr @vips " DROP "ip6 daddr @vips6 " DROP);
	assert_body(DUAL, "set protocols", "type inet_proto\nsize 64\nelements = {\ntcp, udp\n}\n");
	assert_body(DUAL, "set vips", "type ipv4_addr\nsize 64\nelements = {\n192.0.2.100\n}\n");
	assert_body(DUAL, "set vips6",
		"type ipv6_addr\nsize 64\nelements = {\n2001:db8::100, 2001:db8::101\n}\n");
	assert_body(VIPS(V4), "chain shield", "ip daddr @vips " DROP);
	assert_body(VIPS(V4), "set vips6", NULL);
	assert_body(VIPS(V6), "chain shield", "ip6 daddr @vips6 " DROP);
	assert_body(VIPS(V6), "set vips", NULL);
}

static void test_only_who_is_active_has_one(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(DUAL);
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL);
	struct ruleset ruleset = { .n_tables = 0 };

	(void)state;
	assert_int_equal(compile_shield(plan, &ruleset), 0);
	assert_int_equal(ruleset.n_tables, 0);
}

/* --- in the kernel --------------------------------------------------------------- */

#define IS_THERE "nft list tables | grep -q 'inet drover-shield'"

static void test_others_cannot_change_it(void **state)
{
	static const char *const attempts[] = {
		"nft delete table inet drover-shield",
		"nft flush table inet drover-shield",
		"nft flush set inet drover-shield vips",
		"nft add rule inet drover-shield prerouting accept",
	};
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(DUAL), *got = NULL;

	install(nft_of(state), ruleset);
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		char quiet[128];

		snprintf(quiet, sizeof(quiet), "%s 2>/dev/null", attempts[i]);
		assert_int_not_equal(try_shell(quiet), 0);
	}
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
	assert_int_equal(nft_read(nft_of(state), &got), 0);
	assert_difference(got, ruleset, "");
}

static void test_a_flush_passes_it_by(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(DUAL), *got = NULL;

	install(nft_of(state), ruleset);
	shell("nft flush ruleset");
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 1);
	assert_int_equal(nft_read(nft_of(state), &got), 0);
	assert_int_equal(got->n_tables, 1);
	assert_string_equal(got->tables[0].name, RULESET_SHIELD_NAME);
	install(nft_of(state), ruleset);
	/* Our own commit is no news, and it has left the shield alone. */
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
}

static void test_it_follows_the_vips(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *four = shielded(VIPS(V4)), *dual = shielded(DUAL);
	_cleanup_(ruleset_free_p) struct ruleset *none = active_ruleset_of(VIPS(V4));

	install(nft_of(state), none);
	assert_int_not_equal(try_shell(IS_THERE), 0);
	install(nft_of(state), four);
	shell(IS_THERE);
	install(nft_of(state), dual);
	shell("nft list set inet drover-shield vips6 | grep -q 2001:db8::101");
	install(nft_of(state), none);
	assert_int_not_equal(try_shell(IS_THERE), 0);
}

static void test_it_ends_with_its_socket(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(DUAL), *got = NULL;
	struct kernel *k = *state;

	install(k->nft, ruleset);
	nft_close(k->nft);
	k->nft = NULL;
	assert_int_not_equal(try_shell(IS_THERE), 0);
	shell("nft list table netdev drover >/dev/null");
	/* The next one makes it anew, and nothing else. */
	assert_int_equal(nft_open(&k->nft), 0);
	assert_int_equal(nft_read(k->nft, &got), 0);
	assert_difference(got, ruleset,
		"add table drover-shield\nadd chain shield\nadd chain prerouting\n"
		"add set protocols\nadd 2 elements of protocols\n"
		"add set vips\nadd 1 elements of vips\nadd set vips6\nadd 2 elements of vips6\n"
		"add 2 rule shield\nadd rule prerouting\n");
	install(k->nft, ruleset);
}

/* One of that name that belongs to somebody else is not there for us; the kernel says no. */
static void test_it_is_not_taken_from_others(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(DUAL), *got = NULL;
	_cleanup_(nft_close_p) struct nft *other = NULL;
	_cleanup_(batch_free_p) struct batch *batch = batch_new();

	assert_int_equal(nft_open(&other), 0);
	install(other, ruleset);
	assert_int_equal(nft_read(nft_of(state), &got), 0);
	assert_int_equal(got->n_tables, 1);
	assert_int_equal(got->tables[0].family, RULESET_NETDEV);
	assert_int_equal(message_add_table(batch, &ruleset->tables[1]), 0);
	assert_int_equal(nft_commit(nft_of(state), batch, NULL), -EPERM);
}

/* What is saved from a host loads at its next boot; there it ends with nft. */
static void test_a_saved_listing_loads(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = shielded(DUAL);
	struct kernel *k = *state;

	install(k->nft, ruleset);
	shell("nft list ruleset | grep -q 'inet drover-shield { # progname test-shield'");
	shell("nft list ruleset >/tmp/drover-shield.$PPID");
	nft_close(k->nft);
	shell("nft flush ruleset && nft -f /tmp/drover-shield.$PPID");
	shell("rm /tmp/drover-shield.$PPID");
	assert_int_not_equal(try_shell(IS_THERE), 0);
	assert_int_equal(nft_open(&k->nft), 0);
	install(k->nft, ruleset);
}

static void take_five(struct ruleset_counter *counter, void *user_data)
{
	(void)user_data;
	if (strcmp(counter->of, SHIELD_COUNTER) == 0)
		counter->packets += 5;
}

static void add_up(struct ruleset_counter *counter, void *user_data)
{
	uint64_t *sum = user_data;

	if (strcmp(counter->of, SHIELD_COUNTER) == 0)
		*sum += counter->packets;
}

/* What was dropped stays known when rules are made anew, for other VIPs. */
static void test_counter(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *before = shielded(DUAL), *got = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *after = shielded(VIPS(V4));
	uint64_t sum = 0;

	counters_foreach(before, take_five, NULL);
	install(nft_of(state), before);
	assert_int_equal(nft_read_counters(nft_of(state), &got), 0);
	assert_int_equal(counters_carry(got, before), 0);
	assert_int_equal(counters_carry(before, after), 0);
	counters_foreach(after, add_up, &sum);
	assert_int_equal(sum, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_only_who_is_active_has_one),
		kernel_test(test_others_cannot_change_it),
		kernel_test(test_a_flush_passes_it_by),
		kernel_test(test_it_follows_the_vips),
		kernel_test(test_it_ends_with_its_socket),
		kernel_test(test_it_is_not_taken_from_others),
		kernel_test(test_a_saved_listing_loads),
		kernel_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
