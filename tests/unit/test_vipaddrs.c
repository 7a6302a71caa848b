/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vipaddrs files that are taken, and those that are refused with all their faults. */
#include "unit.h"

#include "drover/vipaddrs.h"

#include <errno.h>

/* Returns the VIPs, each with a blank before it, in a new string. */
static char *join(const struct prefix *vips, size_t n)
{
	char *joined = NULL, text[PREFIX_TEXT_MAX];
	size_t size;
	FILE *out = open_memstream(&joined, &size);

	assert_non_null(out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %s", prefix_format(&vips[i], text));
	assert_int_equal(fclose(out), 0);
	return joined;
}

static void assert_taken(const char *text, const char *expected)
{
	_cleanup_(free_p) struct prefix *vips = NULL;
	_cleanup_(free_p) char *joined = NULL;
	struct conf_errors errors;
	size_t n;

	assert_int_equal(vipaddrs_parse("f", text, strlen(text), &vips, &n, &errors), 0);
	assert_int_equal(errors.n_messages, 0);
	joined = join(vips, n);
	assert_string_equal(joined, expected);
}

static void test_taken(void **state)
{
	(void)state;
	assert_taken("10.0.0.1", " 10.0.0.1");
	assert_taken("# single\n10.0.0.9\n\n\t10.0.0.1\r\n # a subnet\n10.0.0.16/30 # of four\n",
		" 10.0.0.9 10.0.0.1 10.0.0.16/30");
	assert_taken("10.0.0.0/24\n10.0.1.7/32\n10.0.1.8/31", " 10.0.0.0/24 10.0.1.7 10.0.1.8/31");
	assert_taken("2001:DB8:0::200/120\n2001:db8::5/128\n10.0.0.1",
		" 2001:db8::200/120 2001:db8::5 10.0.0.1");
	assert_taken("10.0.0.1#\n#10.0.0.2\n##\n", " 10.0.0.1");
}

/* expected: the faults, each with a line feed behind it. */
static void assert_refused(const char *text, size_t length, const char *expected)
{
	struct prefix untouched, *vips = &untouched;
	char faults[4096] = "";
	struct conf_errors errors;
	size_t n = 7;

	assert_int_equal(vipaddrs_parse("f", text, length, &vips, &n, &errors), -EINVAL);
	assert_ptr_equal(vips, &untouched);
	assert_int_equal(n, 7);
	for (size_t i = 0; i < errors.n_messages; i++) {
		strcat(faults, errors.messages[i]);
		strcat(faults, "\n");
	}
	conf_errors_done(&errors);
	assert_string_equal(faults, expected);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *faults;
	} cases[] = {
		{ "", "f: there is no VIP\n" },
		{ "# nothing\n\n", "f: there is no VIP\n" },
		{ "ten", "f:1: VIP \"ten\" is neither address nor subnet\n" },
		{ "10.0.0.1\n\n10.0.0.2 10.0.0.3", "f:3: a line has one address or subnet\n" },
		{ "10.0.0.0/23", "f:1: VIP 10.0.0.0/23 is wider than /24\n" },
		{ "0.0.0.0/0", "f:1: VIP 0.0.0.0/0 is wider than /24\n" },
		{ "2001:db8::/119", "f:1: VIP 2001:db8::/119 is wider than /120\n" },
		{ "10.0.0.9/29",
			"f:1: VIP \"10.0.0.9/29\": the address is not the first of that subnet\n" },
		{ "10.0.0.8/33", "f:1: VIP \"10.0.0.8/33\" is neither address nor subnet\n" },
		{ "10.0.0.8/", "f:1: VIP \"10.0.0.8/\" is neither address nor subnet\n" },
		{ "127.0.0.2", "f:1: VIP 127.0.0.2 is not the address of a host\n" },
		{ "fe80::1", "f:1: VIP fe80::1 is link-local\n" },
		{ "10.0.0.4/30\n10.0.0.1\n10.0.0.5",
			"f:3: VIP 10.0.0.5 overlaps VIP 10.0.0.4/30 of f:1\n" },
		{ "\x1b[2J\n10.0.0.1\nx", "f:1: VIP \"?[2J\" is neither address nor subnet\n"
					  "f:3: VIP \"x\" is neither address nor subnet\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].faults);
	assert_refused("10.0.\0.1\n", 9, "f:1: there is a NUL character\n");
}

static void test_files(void **state)
{
	char path[] = "/tmp/drover-vipaddrs-XXXXXX";
	_cleanup_(close_p) int fd = mkstemp(path);
	_cleanup_(free_p) struct prefix *vips = NULL;
	struct conf_errors errors;
	size_t n = 0;

	(void)state;
	assert_int_equal(write(fd, "10.0.0.1\n", 9), 9);
	assert_int_equal(vipaddrs_load(path, &vips, &n, &errors), 0);
	assert_int_equal(n, 1);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(vipaddrs_load("/nonexistent", &vips, &n, &errors), -ENOENT);
	assert_int_equal(errors.n_messages, 1);
	assert_string_equal(
		errors.messages[0], "/nonexistent: cannot open: No such file or directory");
	conf_errors_done(&errors);
	assert_int_equal(vipaddrs_load("/", &vips, &n, &errors), -EISDIR);
	conf_errors_done(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
