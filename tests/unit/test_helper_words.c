/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cluster's lines, taken apart, and the lists of servers that they change. */
#include "command.h"
#include "servers.h"
#include "unit.h"

#include <errno.h>

static struct conf_verb further[] = {
	{ .meaning = (char *)(uintptr_t) "activate", .word = (char *)(uintptr_t) "BALANCE" },
	{ .meaning = (char *)(uintptr_t) "weight", .word = (char *)(uintptr_t) "ADD" },
};
static const struct conf site = { .verbs = further, .n_verbs = ARRAY_SIZE(further) };

static void test_lines(void **state)
{
	static const struct {
		const char *line, *number, *word, *rest;
		enum verb verb;
	} cases[] = {
		{ "00002 ACTIVE A", "00002", "ACTIVE", "A", VERB_ACTIVATE },
		{ "7\tnoop\r", "7", "noop", "", VERB_NOTHING },
		{ "  12  Servers  a b ", "12", "Servers", " a b ", VERB_SERVERS },
		{ "QUIT", "", "QUIT", "", VERB_QUIT },
		{ "5", "5", NULL, "", VERB_UNKNOWN },
		{ "", "", NULL, "", VERB_UNKNOWN },
		{ "  ", "", NULL, "", VERB_UNKNOWN },
		{ "5x NOOP", "", "5x", "NOOP", VERB_UNKNOWN },
		{ "123456789012345678901 NOOP", "", "123456789012345678901", "NOOP", VERB_UNKNOWN },
		{ "1 BOGUS x", "1", "BOGUS", "x", VERB_UNKNOWN },
		{ "1 balance", "1", "balance", "", VERB_ACTIVATE },
		{ "1 ADD x", "1", "ADD", "x", VERB_WEIGHT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct command command;
		char line[64];

		strcpy(line, cases[i].line);
		assert_int_equal(command_parse(line, strlen(line), &site, &command), 0);
		assert_string_equal(command.number, cases[i].number);
		assert_int_equal(command.verb, cases[i].verb);
		if (cases[i].word)
			assert_string_equal(command.word, cases[i].word);
		else
			assert_null(command.word);
		assert_string_equal(command.rest, cases[i].rest);
	}
	(void)state;
}

static void test_what_is_no_text(void **state)
{
	static const char *const lines[] = { "9 NOOP\x1b", "9 NO\xc3\xa9P", "9 \x7f", "9 N\nP" };
	struct command command;
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		strcpy(line, lines[i]);
		assert_int_equal(command_parse(line, strlen(line), NULL, &command), -EBADMSG);
		assert_string_equal(command.number, "9");
	}
	memcpy(line, "9 NO\0OP", 8);
	assert_int_equal(command_parse(line, 7, NULL, &command), -EBADMSG);
	(void)state;
}

/* --- servers --------------------------------------------------------------------------------- */

typedef int (*change_t)(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX]);

static int change(
	struct servers *servers, change_t how, const char *words, char reason[SERVERS_REASON_MAX])
{
	char copy[8192];

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	return how(servers, "A", copy, reason);
}

static void assert_servers(const struct servers *servers, const char *expected)
{
	json_t *root = servers_to_json(servers);
	_cleanup_(free_p) char *text = json_dumps(root, JSON_COMPACT);
	struct servers again = { 0 };
	_cleanup_(free_p) char *same = NULL;

	assert_string_equal(text, expected);
	assert_int_equal(servers_from_json(root, &again), 0);
	json_decref(root);
	root = servers_to_json(&again);
	same = json_dumps(root, JSON_COMPACT);
	assert_string_equal(same, expected);
	json_decref(root);
	servers_done(&again);
}

static void test_changes(void **state)
{
	static const struct {
		change_t how;
		const char *words, *becomes;
	} cases[] = {
		{ servers_replace, "192.0.2.1:100 192.0.2.2:0 192.0.2.3",
			"{\"A\":[\"192.0.2.1:100\",\"192.0.2.2:0\",\"192.0.2.3:100\"]}" },
		{ servers_replace, " [2001:db8::1]:7\t2001:db8::2 [2001:db8::3] ",
			"{\"A\":[\"[2001:db8::1]:7\",\"[2001:db8::2]:100\",\"[2001:db8::3]:100\"]"
			"}" },
		{ servers_add, "192.0.2.9 65535",
			"{\"A\":[\"[2001:db8::1]:7\",\"[2001:db8::2]:100\",\"[2001:db8::3]:100\","
			"\"192.0.2.9:65535\"]}" },
		{ servers_remove, "2001:db8::2",
			"{\"A\":[\"[2001:db8::1]:7\",\"[2001:db8::3]:100\",\"192.0.2.9:65535\"]}" },
		{ servers_set_weight, "[2001:db8::3] 0",
			"{\"A\":[\"[2001:db8::1]:7\",\"[2001:db8::3]:0\",\"192.0.2.9:65535\"]}" },
		{ servers_add, "192.0.2.9:8",
			"{\"A\":[\"[2001:db8::1]:7\",\"[2001:db8::3]:0\",\"192.0.2.9:8\"]}" },
		{ servers_replace, "", "{\"A\":[]}" },
	};
	char reason[SERVERS_REASON_MAX];
	struct servers servers = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(change(&servers, cases[i].how, cases[i].words, reason), 0);
		assert_servers(&servers, cases[i].becomes);
	}
	servers_done(&servers);
	(void)state;
}

static void test_refusals(void **state)
{
	static const struct {
		change_t how;
		const char *words, *reason;
	} cases[] = {
		{ servers_replace, "192.0.2.1:65536", "192.0.2.1:65536 is no ADDRESS:WEIGHT" },
		{ servers_replace, "192.0.2.1:", "192.0.2.1: is no ADDRESS:WEIGHT" },
		{ servers_replace, "[2001:db8::1", "[2001:db8::1 is no ADDRESS:WEIGHT" },
		{ servers_replace, "[2001:db8::1]x", "[2001:db8::1]x is no ADDRESS:WEIGHT" },
		{ servers_replace, "192.0.2.1 192.0.2.1:5", "192.0.2.1:5 is listed twice" },
		{ servers_add, "", "no server is named" },
		{ servers_add, "fe5", "fe5 is no address" },
		{ servers_add, "192.0.2.1 x", "x is no weight from 0 to 65535" },
		{ servers_add, "192.0.2.1 1 2", "2 is one word too many" },
		{ servers_remove, "192.0.2.8", "192.0.2.8 is not among the servers" },
		{ servers_remove, "192.0.2.7 1", "1 is one word too many" },
		{ servers_remove, "192.0.2.7:5", "192.0.2.7:5 is no address" },
		{ servers_set_weight, "192.0.2.7", "no weight is named" },
		{ servers_set_weight, "192.0.2.7:5 1", "192.0.2.7:5 is no address" },
	};
	char reason[SERVERS_REASON_MAX];
	struct servers servers = { 0 };

	assert_int_equal(change(&servers, servers_replace, "192.0.2.7", reason), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct servers next = { 0 };

		assert_int_equal(servers_copy(&servers, &next), 0);
		assert_int_equal(change(&next, cases[i].how, cases[i].words, reason), -EINVAL);
		assert_string_equal(reason, cases[i].reason);
		servers_done(&next);
		assert_servers(&servers, "{\"A\":[\"192.0.2.7:100\"]}");
	}
	servers_done(&servers);
	(void)state;
}

static void test_too_many(void **state)
{
	struct servers servers = { 0 };
	char reason[SERVERS_REASON_MAX], word[32];

	for (unsigned int i = 0; i < CONF_MEMBERS_MAX; i++) {
		snprintf(word, sizeof(word), "10.0.%u.%u", i / 250, i % 250);
		assert_int_equal(change(&servers, servers_add, word, reason), 0);
	}
	assert_int_equal(change(&servers, servers_add, "10.1.1.1", reason), -EINVAL);
	assert_string_equal(reason, "more than 256 servers");
	servers_done(&servers);
	(void)state;
}

static void test_what_was_not_written_by_us(void **state)
{
	static const char *const texts[] = { "[]", "{\"A\": 1}", "{\"A\": [1]}",
		"{\"A\": [\"x\"]}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *root = json_loads(texts[i], 0, NULL);
		struct servers servers = { 0 };

		assert_int_equal(servers_from_json(root, &servers), -EBADMSG);
		assert_int_equal(servers.n, 0);
		json_decref(root);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_what_was_not_written_by_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
