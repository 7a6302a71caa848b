/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a ruleset shares with the one before is what it would have made itself. */
#include "ruleset_fixture.h"

#include <stdlib.h>

#define MEMBERS          BALANCER(5) ", " PLAIN(6)
#define ANY(name, ports) "{ name = \"" name "\"; protocol = \"any\"; ports = \"" ports "\"; }"
#define TCP(name, ports) "{ name = \"" name "\"; protocol = \"tcp\"; ports = \"" ports "\"; }"
#define UDP(name, ports) "{ name = \"" name "\"; protocol = \"udp\"; ports = \"" ports "\"; }"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_one_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
