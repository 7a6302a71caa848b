/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fingerprint of a configuration tells whether two nodes send a flow to the same member. */
#include "cluster_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t fingerprint_of(const char *top, const char *members, const char *service)
{
	_cleanup_(free_p) char *text = NULL;
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	assert_true(asprintf(&text,
			    TOP "%s groups = ( {\n"
				"name = \"A\"; vips = [ \"192.0.2.1\" ]; members = ( %s );\n"
				"services = ( { name = \"s\"; protocol = \"tcp\"; %s } ); } );",
			    top, members, service) > 0);
	conf = conf_of(text);
	return conf_fingerprint(conf);
}

static void test_fingerprint(void **state)
{
	const uint64_t one = fingerprint_of("", BALANCER(5) ", " PLAIN(6), "ports = \"25\";");

	assert_int_equal(fingerprint_of("", PLAIN(6) ", " BALANCER(5), "ports = \"25\";"), one);
	assert_int_equal(
		fingerprint_of("counters = false;", BALANCER(5) ", " PLAIN(6), "ports = \"25\";"),
		one);
	assert_int_not_equal(fingerprint_of("", BALANCER(5), "ports = \"25\";"), one);
	assert_int_not_equal(fingerprint_of("", BALANCER(5) ", " PLAIN(6), "ports = \"26\";"), one);
	assert_int_not_equal(fingerprint_of("", BALANCER(5) ", " PLAIN(6),
				     "ports = \"25\"; scheduler = \"rr\";"),
		one);
	assert_int_not_equal(fingerprint_of("", BALANCER(5) ", " PLAIN(6),
				     "ports = \"25\"; members = [ \"fe6\" ];"),
		one);
	assert_int_equal(fingerprint_of("", BALANCER(5) ", " PLAIN(6),
				 "ports = \"25\"; members = [ \"fe5\", \"fe6\" ];"),
		fingerprint_of("", PLAIN(6) ", " BALANCER(5),
			"ports = \"25\"; members = [ \"fe6\", \"fe5\" ];"));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fingerprint) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
