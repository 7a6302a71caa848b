/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/cleanup.h"
#include "exposition.h"
#include "metrics.h"

#include <stdbool.h>

static const struct exposition_label none[EXPOSITION_LABELS_MAX];

static void assert_sample(const struct exposition_label *labels, int64_t value,
	unsigned int decimals, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	exposition_sample(out, "m", labels, value, decimals);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_numbers(void **state)
{
	assert_sample(none, 0, 0, "m 0\n");
	assert_sample(none, INT64_MAX, 0, "m 9223372036854775807\n");
	assert_sample(none, -7, 0, "m -7\n");
	assert_sample(none, 7, 3, "m 0.007\n");
	assert_sample(none, 12034567, 6, "m 12.034567\n");
	assert_sample(none, -500, 3, "m -0.500\n");
	(void)state;
}

static void test_labels(void **state)
{
	const struct exposition_label one[EXPOSITION_LABELS_MAX] = { { "a", "x" } };
	const struct exposition_label all[EXPOSITION_LABELS_MAX] = { { "a", "" },
		{ "b", "\\ \"\n" }, { "c", "\xc3\xbc{}=," } };

	assert_sample(one, 1, 0, "m{a=\"x\"} 1\n");
	assert_sample(all, 1, 0, "m{a=\"\",b=\"\\\\ \\\"\\n\",c=\"\xc3\xbc{}=,\"} 1\n");
	(void)state;
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	exposition_begin(out, "m_total", EXPOSITION_COUNTER, "a \"b\"\n\\");
	exposition_begin(out, "m", EXPOSITION_GAUGE, "c");
	fclose(out);
	assert_string_equal(text, "# HELP m_total a \"b\"\\n\\\\\n# TYPE m_total counter\n"
				  "# HELP m c\n# TYPE m gauge\n");
	free(text);
	(void)state;
}

/* --- replies --------------------------------------------------------------------------------- */

static const char replies_text[] =
	"{ 'status': { 'version': '9', 'configuration': { 'errors': null }, 'overrides': 2,"
	"    'interface': { 'running': true },"
	"    'kernel': { 'in_sync': false, 'commits': 3, 'last_commit_us': 1500, 'repairs': 0 },"
	"    'shield': null, 'guard': null, 'flows': { 'most_pins': 5 },"
	"    'sync': { 'complete': false, 'refused': { 'key': 4 }, 'nodes': ["
	"      { 'name': 'fe6', 'state': 'silent', 'heard_ms_ago': 2500, 'lag_ms': 0, 'lost': 1 },"
	"      { 'name': null, 'state': 'foreign', 'lag_ms': 1 } ] },"
	"    'groups': ["
	"      { 'name': 'A', 'role': 'active', 'ready': true, 'forwarding': true, 'buckets': 256,"
	"        'members': [ { 'name': 'fe5', 'state': 'serving', 'weight': 1, 'buckets': 256,"
	"                       'packets': 9, 'bytes': 99 },"
	"                     { 'name': 'fe6', 'state': 'odd', 'weight': 0, 'buckets': 0,"
	"                       'packets': null, 'bytes': null } ] },"
	"      { 'name': 'B', 'role': 'member', 'ready': false, 'forwarding': false,"
	"        'buckets': 256, 'members': [] } ] },"
	"  'services': { 'services': [ { 'group': 'A', 'name': 'web', 'packets': 7 } ] },"
	"  'flows': { 'members': [ { 'name': 'fe5', 'source': 'this host', 'flows': 8, 'pinned': 1 "
	"},"
	"                          { 'name': 'fe6', 'source': 'unknown', 'flows': 0, 'pinned': 2 }"
	"                        ] },"
	"  'process': { 'cpu_us': 1234567 } }";

/* JSON with quotation marks that C does not have to escape. */
static json_t *load(const char *text)
{
	_cleanup_(free_p) char *copy = strdup(text);
	json_t *root;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	root = json_loads(copy, 0, NULL);
	assert_non_null(root);
	return root;
}

static char *format(const char *text)
{
	json_t *root = load(text);
	char *metrics = metrics_format(root);

	json_decref(root);
	assert_non_null(metrics);
	return metrics;
}

static bool has_line(const char *text, const char *line)
{
	_cleanup_(free_p) char *wanted = NULL;

	assert_true(asprintf(&wanted, "\n%s\n", line) > 0);
	return strstr(text, wanted);
}

static void test_samples(void **state)
{
	static const char *const lines[] = {
		"drover_build_info{version=\"9\"} 1",
		"process_cpu_seconds_total 1.234567",
		"drover_config_last_reload_successful 1",
		"drover_interface_up 1",
		"drover_kernel_in_sync 0",
		"drover_commits_total 3",
		"drover_last_commit_duration_seconds 0.001500",
		"drover_group_active{group=\"A\"} 1",
		"drover_group_active{group=\"B\"} 0",
		"drover_group_ready{group=\"A\"} 1",
		"drover_member_packets_total{group=\"A\",member=\"fe5\"} 9",
		"drover_member_bytes_total{group=\"A\",member=\"fe5\"} 99",
		"drover_member_state{group=\"A\",member=\"fe5\",state=\"serving\"} 1",
		"drover_member_state{group=\"A\",member=\"fe5\",state=\"draining\"} 0",
		"drover_member_state{group=\"A\",member=\"fe6\",state=\"odd\"} 1",
		"drover_service_packets_total{group=\"A\",service=\"web\"} 7",
		"drover_flows{member=\"fe5\"} 8",
		"drover_pins{member=\"fe6\"} 2",
		"drover_pins_limit 5",
		"drover_sync_complete 0",
		"drover_sync_peer_state{peer=\"fe6\",state=\"silent\"} 1",
		"drover_sync_peer_silence_seconds{peer=\"fe6\"} 2.500",
		"drover_sync_peer_lost_packets_total{peer=\"fe6\"} 1",
		"drover_sync_refused_packets_total{reason=\"key\"} 4",
	};
	_cleanup_(free_p) char *text = format(replies_text);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!has_line(text, lines[i]))
			fail_msg("no line %s in\n%s", lines[i], text);
	(void)state;
}

static void test_what_is_not_known_has_no_sample(void **state)
{
	static const char *const beginnings[] = {
		"\ndrover_member_packets_total{group=\"A\",member=\"fe6\"}",
		"\ndrover_service_bytes_total{",
		"\ndrover_shield_dropped_packets_total ",
		"\ndrover_guard_armed ",
		"\ndrover_flows{member=\"fe6\"}",
		"\ndrover_group_ready{group=\"B\"}",
		"\nprocess_open_fds ",
		"{peer=\"\"",
	};
	_cleanup_(free_p) char *text = format(replies_text);

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		assert_null(strstr(text, beginnings[i]));
	assert_non_null(strstr(text, "\n# TYPE drover_guard_armed gauge\n"));
	(void)state;
}

/* Another daemon's replies, or none at all: no more than names. */
static void test_nothing(void **state)
{
	static const char *const texts[] = { "{}", "{ 'status': {}, 'flows': { 'members': 1 } }",
		"{ 'status': { 'groups': [ 1, { 'members': [ null ] } ], 'sync': [] } }" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(free_p) char *text = format(texts[i]);

		assert_non_null(strstr(text, "\n# TYPE drover_flows gauge\n"));
		assert_null(strstr(text, "\ndrover_kernel_in_sync "));
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_what_is_not_known_has_no_sample),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
