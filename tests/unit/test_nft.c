/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against the real kernel, in a network namespace of each test's own: what is committed comes back.
 */
#include "kernel_fixture.h"

#include "drover/counters.h"
#include "drover/diff.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

#define MEMBERS BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define BEFORE  TOP GROUP(MEMBERS, WEB)
#define AFTER   TOP GROUP(BALANCER(5) ", { " FE(6) "mac = \"02:00:00:00:00:66\"; weight = 30; }", WEB)
#define COUNTING                                                                                   \
	TOP GROUP(MEMBERS, "{ name = \"web\"; protocol = \"tcp\"; ports = \"80,8000-8010\"; }, "   \
			   "{ name = \"sip\"; protocol = \"udp\"; ports = \"5060\"; }, "           \
			   "{ name = \"rest\"; protocol = \"any\"; }")

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- round trips --------------------------------------------------------------------- */

enum { EXAMPLES_MAX = 64 };

/* Rulesets of all examples: of the active balancer, of the standby, of the one who leaves. */
static size_t load_examples(struct ruleset **rulesets)
{
	static const enum cluster_role roles[] = { ROLE_STANDBY, ROLE_ACTIVE, ROLE_LEAVING };
	char pattern[512];
	glob_t found;
	size_t n = 0;

	snprintf(pattern, sizeof(pattern), "%s/contrib/examples/*.conf", getenv("DROVER_SOURCE"));
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_(cluster_free_p) struct cluster *cluster = NULL;
		struct conf_errors errors;
		struct conf *conf = NULL;

		if (conf_load(found.gl_pathv[i], &conf, &errors) < 0)
			fail_msg("%s", errors.messages[0]);
		conf_errors_done(&errors);
		cluster = cluster_new(conf);
		for (size_t r = 0; r < ARRAY_SIZE(roles); r++) {
			assert_in_range(n, 0, EXAMPLES_MAX - 1);
			for (size_t g = 0; g < conf->n_groups; g++)
				(void)cluster_set_role(cluster, conf->groups[g].name, roles[r]);
			rulesets[n++] = ruleset_of(cluster);
			if (conf->election == CONF_ELECTION_ALWAYS)
				break;
		}
	}
	globfree(&found);
	return n;
}

static void test_every_example_comes_back(void **state)
{
	struct ruleset *rulesets[EXAMPLES_MAX];
	struct ruleset nothing = { .n_tables = 0 };
	size_t n = load_examples(rulesets);

	assert_in_range(n, 20, EXAMPLES_MAX);
	for (size_t i = 0; i < n; i++) {
		install(nft_of(state), &nothing);
		install(nft_of(state), rulesets[i]);
	}
	for (size_t i = 0; i < n; i++)
		ruleset_free(rulesets[i]);
}

/* Whatever the kernel has, one batch leads to whatever it should have. */
static void test_from_any_example_to_any_other(void **state)
{
	struct ruleset *rulesets[EXAMPLES_MAX];
	size_t n = load_examples(rulesets);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			_cleanup_(batch_free_p) struct batch *batch = NULL;
			_cleanup_(free_p) char *message = NULL;

			install(nft_of(state), rulesets[i]);
			/* From what was compiled, as the daemon does; not from what was read. */
			assert_int_equal(diff_build(rulesets[i], rulesets[j], &batch), 0);
			if (nft_commit(nft_of(state), batch, &message) != 0)
				fail_msg("from %zu to %zu: %s", i, j, message);
			install(nft_of(state), rulesets[j]);
		}
	for (size_t i = 0; i < n; i++)
		ruleset_free(rulesets[i]);
}

/* What nft -f loads is what we would have committed: nothing is left to do. */
static void test_what_nft_loads_is_ours(void **state)
{
	struct ruleset *rulesets[EXAMPLES_MAX];
	size_t n = load_examples(rulesets);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(ruleset_free_p) struct ruleset *got = NULL;

		install(nft_of(state), rulesets[i]);
		shell("rules=$(nft list ruleset) && nft flush ruleset && echo \"$rules\" | nft -f "
		      "-");
		assert_int_equal(nft_read(nft_of(state), &got), 0);
		assert_difference(got, rulesets[i], "");
		ruleset_free(rulesets[i]);
	}
}

/* --- refusals -------------------------------------------------------------------------- */

static void assert_refused(struct nft *nft, const struct ruleset *have, const struct ruleset *want,
	int error, const char *what)
{
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	_cleanup_(free_p) char *message = NULL;

	assert_int_equal(diff_build(have, want, &batch), 0);
	assert_int_equal(nft_commit(nft, batch, &message), error);
	assert_non_null(message);
	if (!strstr(message, what) || !strstr(message, strerror(-error)))
		fail_msg("\"%s\" does not name %s", message, what);
}

/* A batch made as if nothing were there meets what is, and changes nothing of it. */
static void test_refused_for_what_is_there(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *before = active_ruleset_of(BEFORE);
	_cleanup_(ruleset_free_p) struct ruleset *after = active_ruleset_of(AFTER);
	struct ruleset nothing = { .n_tables = 0 };
	_cleanup_(ruleset_free_p) struct ruleset *got = NULL;

	install(nft_of(state), before);
	assert_refused(nft_of(state), &nothing, after, -EEXIST, "interface eth0");
	assert_int_equal(nft_read(nft_of(state), &got), 0);
	assert_difference(got, before, "");
}

/* A batch made from what the kernel does not have names the first thing that is not there. */
static void test_refused_for_what_is_not_there(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *before = active_ruleset_of(BEFORE);
	_cleanup_(ruleset_free_p) struct ruleset *after = active_ruleset_of(AFTER);
	struct ruleset nothing = { .n_tables = 0 };

	assert_refused(nft_of(state), before, after, -ENOENT, "member fe6 (test.conf:1)");
	install(nft_of(state), &nothing);
	install(nft_of(state), after);
	/* fe7 has no chain there that could be flushed. */
	assert_refused(nft_of(state), before, after, -ENOENT, "member fe7 (test.conf:1)");
	install(nft_of(state), after);
}

/* --- what others do ----------------------------------------------------------------------- */

/* Waits until the kernel has something to say. */
static bool is_told(struct nft *nft)
{
	struct pollfd descriptor = { .fd = nft_watch_fd(nft), .events = POLLIN };

	return poll(&descriptor, 1, PATIENCE_MS) == 1;
}

static void test_foreign_changes_are_heard(void **state)
{
	static const struct {
		const char *command;
		int heard;
	} cases[] = {
		{ "nft add table ip other", 0 },
		{ "nft add table ip drover", 0 },
		{ "nft add table netdev other", 0 },
		{ "nft add chain netdev drover stranger", 1 },
		{ "nft delete element netdev drover buckets/A { 7 }", 1 },
		{ "nft add rule netdev drover ingress drop", 1 },
		{ "nft flush ruleset", 1 },
	};
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = active_ruleset_of(BEFORE);

	install(nft_of(state), ruleset);
	assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shell(cases[i].command);
		assert_true(is_told(nft_of(state)));
		if (nft_watch_dispatch(nft_of(state)) != cases[i].heard)
			fail_msg("%s", cases[i].command);
		if (cases[i].heard)
			install(nft_of(state), ruleset);
		/* Our own repair is no news. */
		assert_int_equal(nft_watch_dispatch(nft_of(state)), 0);
	}
}

/* Commits one ruleset after the other, for ever. */
static void __attribute__((noreturn))
meddle(const struct ruleset *first, const struct ruleset *second)
{
	struct nft *nft;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (nft_open(&nft) < 0)
		_exit(1);
	for (;;) {
		struct batch *there, *back;

		if (diff_build(first, second, &there) < 0 || diff_build(second, first, &back) < 0 ||
			nft_commit(nft, there, NULL) < 0 || nft_commit(nft, back, NULL) < 0)
			_exit(2);
		batch_free(there);
		batch_free(back);
	}
}

static pid_t start_meddling(const struct ruleset *first, const struct ruleset *second)
{
	pid_t child = fork();

	if (child == 0)
		meddle(first, second);
	assert_true(child > 0);
	return child;
}

static void stop_meddling(pid_t child)
{
	int status;

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* It was at work until now. */
	assert_true(WIFSIGNALED(status));
}

static void test_concurrent_commits_are_noticed(void **state)
{
	static struct ruleset nothing = { .n_tables = 0 };
	_cleanup_(ruleset_free_p) struct ruleset *first = active_ruleset_of(BEFORE);
	_cleanup_(ruleset_free_p) struct ruleset *second = active_ruleset_of(AFTER);
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		TOP GROUP(PLAIN(5) ", " BALANCER(6), WEB));
	_cleanup_(ruleset_free_p) struct ruleset *member = ruleset_of(cluster);
	long deadline = now_ms() + PATIENCE_MS;
	pid_t child;
	int r = 0;

	/* The other is at work on another table: no batch is refused. */
	install(nft_of(state), first);
	child = start_meddling(&nothing, member);
	while (r == 0 && now_ms() < deadline) {
		_cleanup_(batch_free_p) struct batch *batch = NULL;

		assert_int_equal(diff_build(first, second, &batch), 0);
		r = nft_commit(nft_of(state), batch, NULL);
		if (r == 0) {
			struct ruleset *swap = first;

			first = second;
			second = swap;
		}
	}
	stop_meddling(child);
	assert_int_equal(r, 1);
}

/* What is read is what was there at one moment, though another one commits all the time. */
static void test_reading_is_consistent(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *first = active_ruleset_of(BEFORE);
	_cleanup_(ruleset_free_p) struct ruleset *second = active_ruleset_of(AFTER);
	size_t seen[2] = { 0, 0 }, mixed = 0;
	pid_t child;

	install(nft_of(state), first);
	child = start_meddling(first, second);
	for (int i = 0; i < 300; i++) {
		_cleanup_(ruleset_free_p) struct ruleset *got = NULL;
		_cleanup_(free_p) char *to_first = NULL, *to_second = NULL;
		int r = nft_read(nft_of(state), &got);

		/* Where it never is left in peace long enough it may say so. */
		if (r == -EINTR)
			continue;
		assert_int_equal(r, 0);
		to_first = difference(got, first);
		to_second = difference(got, second);
		if (!*to_first)
			seen[0]++;
		else if (!*to_second)
			seen[1]++;
		else
			mixed++;
	}
	stop_meddling(child);
	assert_int_equal(mixed, 0);
	assert_true(seen[0] + seen[1] > 0);
}

/* --- counters ----------------------------------------------------------------------------------
 */

static void begin_with(struct ruleset_counter *counter, void *user_data)
{
	uint64_t *total = user_data;

	counter->packets = ++*total;
	counter->bytes = *total * 100;
}

static void expect_in_turn(struct ruleset_counter *counter, void *user_data)
{
	uint64_t *total = user_data;

	assert_int_equal(counter->packets, ++*total);
	assert_int_equal(counter->bytes, *total * 100);
}

/* Rules and elements begin with what they are given, and come back with it. */
static void test_counters(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = active_ruleset_of(COUNTING);
	_cleanup_(ruleset_free_p) struct ruleset *got = NULL;
	uint64_t sent = 0, came = 0;

	counters_foreach(ruleset, begin_with, &sent);
	install(nft_of(state), ruleset);
	assert_int_equal(nft_read_counters(nft_of(state), &got), 0);
	assert_int_equal(counters_carry(got, ruleset), 0);
	counters_foreach(ruleset, expect_in_turn, &came);
	/* Three members; web has two elements, sip a rule, rest one for both protocols. */
	assert_int_equal(came, 3 + 2 + 1 + 1);
	assert_int_equal(came, sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		kernel_test(test_every_example_comes_back),
		kernel_test(test_from_any_example_to_any_other),
		kernel_test(test_what_nft_loads_is_ours),
		kernel_test(test_refused_for_what_is_there),
		kernel_test(test_refused_for_what_is_not_there),
		kernel_test(test_foreign_changes_are_heard),
		kernel_test(test_concurrent_commits_are_noticed),
		kernel_test(test_reading_is_consistent),
		kernel_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
