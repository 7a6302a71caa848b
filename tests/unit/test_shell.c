/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that a real shell reads as what they were. */
#include "unit.h"

#include "drover/cleanup.h"
#include "drover/shell.h"

static const char *const words[] = { "", "eth0", "net.ipv4.conf.eth0/7.arp_ignore=1", "a b",
	"$(reboot)", "it's", "''", "`x`;\\\n\t*?~!#&|<>", "VIPs ä" };

static void test_plain_words_stay(void **state)
{
	(void)state;
	for (size_t i = 1; i < 3; i++) {
		_cleanup_(free_p) char *word = shell_word(words[i]);

		assert_string_equal(word, words[i]);
	}
}

static void assert_read_back(const char *text)
{
	_cleanup_(free_p) char *word = shell_word(text), *command = NULL;
	char output[64] = "";
	FILE *shell;

	assert_true(asprintf(&command, "printf '%%s' %s", word) > 0);
	shell = popen(command, "r");
	assert_non_null(shell);
	assert_int_equal(fread(output, 1, sizeof(output) - 1, shell), strlen(text));
	assert_int_equal(pclose(shell), 0);
	assert_string_equal(output, text);
}

static void test_a_shell_reads_the_word_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_read_back(words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_words_stay),
		cmocka_unit_test(test_a_shell_reads_the_word_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
