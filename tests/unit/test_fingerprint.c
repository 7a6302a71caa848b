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

/* A member that the file has no more stays for its connections, and changes nothing else. */
static void test_retired_members(void **state)
{
	_cleanup_(conf_free_p) struct conf *before = conf_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " PLAIN(7), WEB));
	_cleanup_(conf_free_p) struct conf *after = conf_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB));
	const uint64_t fingerprint = conf_fingerprint(after);
	const struct conf_member *fe7 = conf_find_member(before, "fe7");
	const struct conf_member *retired;

	(void)state;
	assert_int_equal(conf_retire_member(after, "B", fe7), 0);
	assert_int_equal(conf_retire_member(after, "A", conf_find_member(before, "fe6")), 0);
	assert_int_equal(conf_retire_member(after, "A", fe7), 1);
	assert_int_equal(conf_retire_member(after, "A", fe7), 0);
	retired = conf_find_member(after, "fe7");
	assert_true(retired->retired);
	assert_int_equal(retired->weight, 0);
	assert_true(mac_equal(&retired->mac, &fe7->mac));
	assert_int_equal(after->groups[0].services[0].n_members, 2);
	assert_true(conf_fingerprint(after) == fingerprint);
}

/* Its outgoing ranges stay, but for those that another member or a service has by now. */
static void test_outgoing_ranges_of_retired_members(void **state)
{
	_cleanup_(conf_free_p) struct conf *before = conf_of(TOP GROUP(
		BALANCER(5) ", { " HOST(6) "outgoing = \"2000-2999, 3000-3999, 8000\"; }", WEB));
	_cleanup_(conf_free_p) struct conf *after = conf_of(
		TOP GROUP("{ " HOST(5) "balancer = true; outgoing = \"3900-4000\"; }",
			"{ name = \"web\"; protocol = \"tcp\"; ports = \"8000\"; }"));
	const struct conf_member *fe6 = conf_find_member(before, "fe6"), *retired;

	(void)state;
	assert_int_equal(fe6->n_outgoing, 3);
	assert_int_equal(conf_retire_member(after, "A", fe6), 1);
	retired = conf_find_member(after, "fe6");
	assert_int_equal(retired->n_outgoing, 1);
	assert_int_equal(retired->outgoing[0].range.first, 2000);
	assert_int_equal(retired->outgoing[0].range.last, 2999);
}

static void test_a_member_becomes_a_balancer_only(void **state)
{
	static const char text[] = TOP
		"groups = ( { name = \"A\"; vips = [ \"192.0.2.100\" ]; "
		"members = ( " PLAIN(6) " ); balancers = ( { " HOST(5) "} ); services = ( " WEB
								       " ); } );";
	_cleanup_(conf_free_p) struct conf *before = conf_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB));
	_cleanup_(conf_free_p) struct conf *after = conf_of(text);
	const uint64_t fingerprint = conf_fingerprint(after);
	const struct conf_member *fe5 = conf_find_member(after, "fe5");

	(void)state;
	assert_true(fe5->balancer_only);
	assert_int_equal(conf_retire_member(after, "A", conf_find_member(before, "fe5")), 1);
	assert_true(fe5->retired && fe5->balancer && !fe5->balancer_only);
	assert_int_equal(fe5->weight, 0);
	assert_true(conf_fingerprint(after) == fingerprint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_retired_members),
		cmocka_unit_test(test_outgoing_ranges_of_retired_members),
		cmocka_unit_test(test_a_member_becomes_a_balancer_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
