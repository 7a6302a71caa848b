/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a ruleset shares with the one before is what it would have made itself. */
#include "ruleset_fixture.h"

#include <stdlib.h>

#define MEMBERS          BALANCER(5) ", " PLAIN(6)
#define ANY(name, ports) "{ name = \"" name "\"; protocol = \"any\"; ports = \"" ports "\"; }"
#define TCP(name, ports) "{ name = \"" name "\"; protocol = \"tcp\"; ports = \"" ports "\"; }"
#define UDP(name, ports) "{ name = \"" name "\"; protocol = \"udp\"; ports = \"" ports "\"; }"
#define CHECKED(name, ports)                                                                       \
	"{ name = \"" name "\"; protocol = \"tcp\"; ports = \"" ports "\"; check = \"tcp\"; }"
#define SOURCE(name, ports)                                                                        \
	"{ name = \"" name "\"; protocol = \"tcp\"; scheduler = \"source\"; ports = \"" ports      \
	"\"; }"

/* Each is a small step from some other one. */
static const char *const confs[] = {
	TOP GROUP(MEMBERS, WEB),
	TOP GROUP(MEMBERS, TCP("web", "80,443")),
	TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " PLAIN(7), TCP("web", "80,443")),
	"counters = false; " TOP GROUP(MEMBERS, TCP("web", "80,443")),
	TOP GROUP(MEMBERS, TCP("www", "80,443")),
	TOP GROUP(MEMBERS, TCP("web", "80,444")),
	TOP GROUP(MEMBERS, TCP("web", "80,443,444")),
	TOP GROUP(MEMBERS, TCP("web", "80,443-450")),
	TOP GROUP(MEMBERS, TCP("web", "80,443-451")),
	TOP GROUP(MEMBERS, TCP("web", "80") ", " TCP("tls", "443")),
	TOP GROUP(MEMBERS, TCP("tls", "443") ", " TCP("web", "80")),
	TOP GROUP(MEMBERS, UDP("web", "80,443")),
	TOP GROUP(MEMBERS, ANY("web", "80,443")),
	TOP GROUP(MEMBERS, TCP("web", "80,443") ", " UDP("web2", "80,443")),
	TOP GROUP(MEMBERS, TCP("web", "80,443") ", " SOURCE("sip", "5060,5061")),
	TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\", \"2001:db8::100\" ]; "
	    "members = ( " MEMBERS " ); services = ( " TCP("web", "80,443") " ); } );",
};

static void assert_same_as_alone(const char *before, const char *now)
{
	struct ruleset *last = active_ruleset_of(before);
	_cleanup_(ruleset_free_p) struct ruleset *alone = active_ruleset_of(now);
	_cleanup_(ruleset_free_p) struct ruleset *after = active_ruleset_after(last, now);
	_cleanup_(free_p) char *script = script_of(alone), *script_after = NULL;
	_cleanup_(free_p) char *messages = difference(last, alone);

	assert_difference(last, after, messages);
	assert_difference(alone, after, "");
	/* It outlives what it shares with. */
	ruleset_free(last);
	script_after = script_of(after);
	assert_string_equal(script_after, script);
}

static void test_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(confs); i++)
		for (size_t j = 0; j < ARRAY_SIZE(confs); j++)
			assert_same_as_alone(confs[i], confs[j]);
}

/* One list for packets, for ICMP errors and for whatever members do next. */
static void test_one_list(void **state)
{
	_cleanup_(ruleset_free_p) struct ruleset *first = active_ruleset_of(confs[1]);
	_cleanup_(ruleset_free_p) struct ruleset *second = active_ruleset_after(first, confs[2]);
	_cleanup_(ruleset_free_p) struct ruleset *other = active_ruleset_after(second, confs[4]);
	const struct ruleset_set *ports = set_of(first, "ports/A/tcp-hash");

	(void)state;
	assert_ptr_equal(set_of(first, "ports-icmp/A/tcp-hash")->elements, ports->elements);
	assert_ptr_equal(set_of(second, "ports/A/tcp-hash")->elements, ports->elements);
	assert_ptr_equal(set_of(second, "ports-icmp/A/tcp-hash")->elements, ports->elements);
	assert_ptr_not_equal(set_of(other, "ports/A/tcp-hash")->elements, ports->elements);
}

static void assert_made_of(const struct ruleset *ruleset, const struct cluster *cluster)
{
	const struct ruleset_set *ports = set_of(ruleset, "ports/A/tcp-hash");

	assert_ptr_equal(ports->shared->made_of, cluster_conf(cluster)->groups[0].kinds[0].ports);
}

/* While members come and go it is plain that it is the list of the configuration. */
static void test_one_configuration(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(confs[1]);
	_cleanup_(ruleset_free_p) struct ruleset *first = ruleset_of(cluster);
	_cleanup_(ruleset_free_p) struct ruleset *second = NULL, *third = NULL;
	const struct ruleset_element *elements = set_of(first, "ports/A/tcp-hash")->elements;

	(void)state;
	assert_made_of(first, cluster);
	assert_int_equal(cluster_disable(cluster, "fe6"), 0);
	second = ruleset_after(first, cluster);
	assert_made_of(second, cluster);
	assert_ptr_equal(set_of(second, "ports/A/tcp-hash")->elements, elements);
	/* Another one that says the same of ports. */
	conf_free(cluster_replace_conf(cluster, conf_of(confs[2])));
	third = ruleset_after(second, cluster);
	assert_made_of(third, cluster);
	assert_ptr_equal(set_of(third, "ports/A/tcp-hash")->elements, elements);
}

/* What checks part has a list of its own in each plan, and the same elements all the same. */
static void test_parts(void **state)
{
	static const char *const rest = "ports/A/tcp-hash";
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " PLAIN(7),
			CHECKED("web", "80,443") ", " CHECKED("mail", "25,465")));
	_cleanup_(ruleset_free_p) struct ruleset *whole = ruleset_of(cluster), *first = NULL,
						 *second = NULL, *alone = NULL;
	_cleanup_(free_p) char *after = NULL, *wanted = NULL;

	(void)state;
	take_down(cluster, "web", "fe6");
	assert_int_equal(cluster_set_weight(cluster, "fe7", 50), 0);
	first = ruleset_after(whole, cluster);
	assert_int_equal(set_of(whole, rest)->n_elements, 4);
	assert_int_equal(set_of(first, rest)->n_elements, 2);
	assert_int_equal(cluster_set_weight(cluster, "fe7", 100), 0);
	second = ruleset_after(first, cluster);
	assert_ptr_equal(set_of(second, rest)->elements, set_of(first, rest)->elements);
	alone = ruleset_of(cluster);
	after = script_of(second);
	wanted = script_of(alone);
	assert_string_equal(after, wanted);
	assert_difference(second, alone, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_one_list),
		cmocka_unit_test(test_one_configuration),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
