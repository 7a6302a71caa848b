/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which flows need a pin, and the rules that pins become. */
#include "compile_fixture.h"

#include "drover/flow_hash.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define V4      "192.0.2.100"
#define V6      "2001:db8::100"
#define CLIENT  "198.51.100.7"
#define CLIENT6 "2001:db8:7::7"
#define DUAL(services)                                                                             \
	TOP "groups = ( " GROUP_OF("A", "\"" V4 "\", \"" V6 "\"", THREE, services) " );"
#define SCHEDULED(protocol, name, more) DUAL(SERVICE(protocol, PORT_80 SCHEDULER(name) more))

struct fixture {
	struct cluster *cluster;
	struct plan *plan;
};

static struct fixture fixture_of(const char *text)
{
	struct fixture f;

	f.plan = active_plan_of(text, &f.cluster);
	return f;
}

static void fixture_done(struct fixture *f)
{
	plan_free(f->plan);
	cluster_free(f->cluster);
}

static struct plan_pin pin_of(uint8_t protocol, const char *client, uint16_t client_port,
	const char *vip, uint16_t vip_port, size_t member)
{
	return (struct plan_pin){
		.flow = {
			.protocol = protocol,
			.client = address_of(client),
			.vip = address_of(vip),
			.client_port = client_port,
			.vip_port = vip_port,
		},
		.member = member,
	};
}

static uint32_t slot_of(const struct fixture *f, const struct plan_pin *pin, bool by_port)
{
	return flow_hash_bucket(&pin->flow.client, by_port, pin->flow.client_port, f->plan->seed,
		f->plan->n_buckets);
}

static int add(struct fixture *f, const struct plan_pin *pin)
{
	return plan_add_pin(f->plan, &f->plan->groups[0], pin);
}

static size_t pinned_slots(const struct fixture *f)
{
	const struct plan_group *group = &f->plan->groups[0];
	size_t n = 0;

	for (size_t i = 0; i < group->n_tables; i++)
		for (uint32_t slot = 0; slot < f->plan->n_buckets; slot++)
			n += group->tables[i].pinned && group->tables[i].pinned[slot];
	return n;
}

/* --- what is needed --------------------------------------------------------------------- */

/* What is a function of the client needs a pin where its slot is another member's. */
static void assert_slot_decides(
	const char *text, uint8_t protocol, const char *client, const char *vip, bool by_port)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(text);
	struct plan_group *group = &f.plan->groups[0];
	struct plan_pin pin = pin_of(protocol, client, 40000, vip, 80, 0);
	uint32_t slot = slot_of(&f, &pin, by_port);
	size_t owner = group->tables[0].slots[slot];

	pin.member = owner;
	assert_int_equal(add(&f, &pin), 0);
	assert_int_equal(group->n_pins, 0);
	assert_int_equal(pinned_slots(&f), 0);
	pin.member = (owner + 1) % group->n_members;
	assert_int_equal(add(&f, &pin), 1);
	assert_int_equal(group->n_pins, 1);
	assert_int_equal(pinned_slots(&f), 1);
	assert_true(group->tables[0].pinned[slot]);
	assert_memory_equal(&group->pins[0], &pin, sizeof(pin));
}

static void test_slots_decide(void **state)
{
	(void)state;
	assert_slot_decides(SCHEDULED("tcp", "hash", ""), IPPROTO_TCP, CLIENT, V4, true);
	assert_slot_decides(SCHEDULED("udp", "hash", ""), IPPROTO_UDP, CLIENT, V4, true);
	assert_slot_decides(SCHEDULED("tcp", "hash", ""), IPPROTO_TCP, CLIENT6, V6, true);
	assert_slot_decides(SCHEDULED("udp", "source", ""), IPPROTO_UDP, CLIENT, V4, false);
	assert_slot_decides(SCHEDULED("tcp", "source", ""), IPPROTO_TCP, CLIENT6, V6, false);
	assert_slot_decides(DUAL(SERVICE("tcp", "")), IPPROTO_TCP, CLIENT, V4, true);
}

/* A client that is not remembered any more goes by its address; no slot has to lead to its pin. */
static void test_clients_go_by_address(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(
		SCHEDULED("tcp", "hash", "persistence = 60; "));
	struct plan_group *group = &f.plan->groups[0];
	struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);
	size_t owner = group->tables[0].slots[slot_of(&f, &pin, false)];

	(void)state;
	pin.member = owner;
	assert_int_equal(add(&f, &pin), 0);
	pin.member = (owner + 1) % group->n_members;
	assert_int_equal(add(&f, &pin), 1);
	assert_int_equal(group->n_pins, 1);
	assert_int_equal(pinned_slots(&f), 0);
}

/* A slot of nobody's drops: a flow that lives needs its pin there, too. */
static void test_slots_of_nobody(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(BALANCER(5), WEB));
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	const struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);

	(void)state;
	assert_int_equal(cluster_drain(cluster, "fe5"), 0);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan_add_pin(plan, &plan->groups[0], &pin), 1);
}

/* What was drawn is no function of the client: it needs a pin whatever its slot. */
static void test_what_was_drawn(void **state)
{
	static const struct {
		const char *text;
		uint8_t protocol;
		int needed;
	} cases[] = {
		{ SCHEDULED("tcp", "rr", ""), IPPROTO_TCP, 1 },
		{ SCHEDULED("tcp", "random", ""), IPPROTO_TCP, 1 },
		{ SCHEDULED("udp", "rr", "persistence = 60; "), IPPROTO_UDP, 1 },
		/* Each datagram goes to another member: there is nothing to keep. */
		{ SCHEDULED("udp", "rr", ""), IPPROTO_UDP, 0 },
		{ SCHEDULED("udp", "random", ""), IPPROTO_UDP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t member = 0; member < 3; member++) {
			_cleanup_(fixture_done) struct fixture f = fixture_of(cases[i].text);
			const struct plan_pin pin = pin_of(
				cases[i].protocol, CLIENT, 40000, V4, 80, member);

			if (add(&f, &pin) != cases[i].needed)
				fail_msg("%s", cases[i].text);
			assert_int_equal(f.plan->groups[0].n_pins, cases[i].needed);
			/* Their own chains look it up: no slot has to lead there. */
			assert_int_equal(pinned_slots(&f), 0);
		}
}

static void test_flows_of_no_service(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(SCHEDULED("tcp", "hash", ""));
	const struct plan_pin other_port = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 81, 0);
	const struct plan_pin other_protocol = pin_of(IPPROTO_UDP, CLIENT, 40000, V4, 80, 0);

	(void)state;
	assert_int_equal(add(&f, &other_port), -ENOENT);
	assert_int_equal(add(&f, &other_protocol), -ENOENT);
	assert_int_equal(f.plan->groups[0].n_pins, 0);
	assert_int_equal(pinned_slots(&f), 0);
}

/* Answers to what a member has opened itself go by its port, as in the rules. */
static void test_outgoing_flows_are_of_no_service(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(TOP GROUP(
		BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999\"; }", SERVICE("tcp", "")));

	(void)state;
	for (size_t member = 0; member < 2; member++) {
		const struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 443, V4, 34000, member);

		assert_int_equal(add(&f, &pin), -ENOENT);
	}
	assert_int_equal(f.plan->groups[0].n_pins, 0);
}

/* --- the rules -------------------------------------------------------------------------- */

static char *plan_script(const struct plan *plan)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of_plan(plan);

	return script_of(ruleset);
}

/* Pins a flow to the member behind that of its slot; returns the name of this one. */
static const char *pin_away(struct fixture *f, struct plan_pin *pin)
{
	struct plan_group *group = &f->plan->groups[0];
	size_t owner = group->tables[0].slots[slot_of(f, pin, true)];

	pin->member = (owner + 1) % group->n_members;
	assert_int_equal(add(f, pin), 1);
	return group->members[owner].name;
}

static void test_no_pins_no_rules(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(SCHEDULED("tcp", "hash", ""));
	struct plan_group *group = &f.plan->groups[0];
	struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);
	_cleanup_(free_p) char *before = plan_script(f.plan), *after = NULL;

	(void)state;
	pin.member = group->tables[0].slots[slot_of(&f, &pin, true)];
	assert_int_equal(add(&f, &pin), 0);
	after = plan_script(f.plan);
	assert_string_equal(before, after);
	assert_null(strstr(before, "pin/"));
	assert_null(strstr(before, "pins"));
}

#define PIN_RULE                                                                                   \
	"meta mark set ip protocol . ip saddr . th sport . ip daddr . th dport map @pins/A meta "  \
	"mark vmap @members/A "                                                                    \
	"comment \"pinned flows\"\n"
#define PIN_RULE6                                                                                  \
	"meta mark set meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport map @pins6/A "   \
	"meta mark vmap @members/A "                                                               \
	"comment \"pinned flows\"\n"
#define PIN_ERROR                                                                                  \
	"ip protocol icmp meta mark set @th,136,8 . @th,160,96 map @pins-icmp/A meta mark vmap "   \
	"@members/A "                                                                              \
	"comment \"errors about pinned flows\"\n"
#define PIN_ERROR6                                                                                 \
	"meta l4proto icmpv6 meta mark set @th,112,8 . @th,128,288 map @pins-icmp6/A meta mark "   \
	"vmap @members/A "                                                                         \
	"comment \"errors about pinned flows\"\n"

/* The lines of the object that both words together name; no such object: "". */
static char *lines_of(const char *script, const char *kind, const char *name)
{
	char object[64], *lines;

	snprintf(object, sizeof(object), "%s%s", kind, name);
	lines = body_of(script, object);
	return lines ? lines : calloc(1, 1);
}

/* One slot leads through the pins, ahead of its member; all others lead to theirs. */
static void test_a_pinned_slot(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(SCHEDULED("tcp", "hash", ""));
	struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);
	_cleanup_(free_p) char *before = plan_script(f.plan);
	const char *owner = pin_away(&f, &pin);
	const char *keeper = f.plan->groups[0].members[pin.member].name;
	uint32_t mark = f.plan->groups[0].members[pin.member].mark;
	_cleanup_(free_p) char *after = plan_script(f.plan);
	_cleanup_(free_p) char *slots = body_of(after, "map buckets/A");
	_cleanup_(free_p) char *chain = lines_of(after, "chain pin/A/", owner);
	_cleanup_(free_p) char *other = lines_of(after, "chain pin/A/", keeper);
	_cleanup_(free_p) char *pins = lines_of(after, "map ", "pins/A");
	_cleanup_(free_p) char *errors = lines_of(after, "map ", "pins-icmp/A");
	_cleanup_(free_p) char *pins6 = lines_of(after, "map ", "pins6/A");
	char expected[600];

	(void)state;
	assert_null(strstr(before, "pin/A"));
	snprintf(expected, sizeof(expected), "%u : goto pin/A/%s", slot_of(&f, &pin, true), owner);
	assert_int_equal(occurrences(slots, expected), 1);
	assert_int_equal(occurrences(slots, "goto pin/A/"), 1);
	assert_int_equal(occurrences(slots, "goto member/A/"), 255);
	snprintf(expected, sizeof(expected), PIN_RULE PIN_ERROR "goto member/A/%s\n", owner);
	assert_string_equal(chain, expected);
	assert_string_equal(other, "");
	snprintf(expected, sizeof(expected),
		"type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark\n"
		"size 64\nelements = {\n"
		"tcp . 198.51.100.7 . 40000 . 192.0.2.100 . 80 : 0x%08x\n}\n",
		mark);
	assert_string_equal(pins, expected);
	/* Protocol; VIP, client, VIP's port, client's port: the flow turned round. */
	snprintf(expected, sizeof(expected),
		"typeof @th,136,8 . @th,160,96 : meta mark\nsize 64\nelements = {\n"
		"0x06 . 0xc0000264c633640700509c40 : 0x%08x\n}\n",
		mark);
	assert_string_equal(errors, expected);
	assert_string_equal(pins6, "");
}

static void test_pins_of_both_families(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(SCHEDULED("udp", "hash", ""));
	struct plan_pin four = pin_of(IPPROTO_UDP, CLIENT, 40000, V4, 80, 0);
	struct plan_pin six = pin_of(IPPROTO_UDP, CLIENT6, 40000, V6, 80, 0);
	_cleanup_(free_p) char *script = NULL, *chain = NULL, *pins = NULL, *errors = NULL;
	const char *owner;
	char expected[600];

	(void)state;
	pin_away(&f, &four);
	owner = pin_away(&f, &six);
	script = plan_script(f.plan);
	chain = lines_of(script, "chain pin/A/", owner);
	snprintf(expected, sizeof(expected),
		PIN_RULE PIN_RULE6 PIN_ERROR PIN_ERROR6 "goto member/A/%s\n", owner);
	assert_string_equal(chain, expected);
	pins = body_of(script, "map pins6/A");
	snprintf(expected, sizeof(expected),
		"type inet_proto . ipv6_addr . inet_service . ipv6_addr . inet_service : mark\n"
		"size 64\nelements = {\n"
		"udp . 2001:db8:7::7 . 40000 . 2001:db8::100 . 80 : 0x%08x\n}\n",
		f.plan->groups[0].members[six.member].mark);
	assert_string_equal(pins, expected);
	errors = body_of(script, "map pins-icmp6/A");
	snprintf(expected, sizeof(expected),
		"typeof @th,112,8 . @th,128,288 : meta mark\nsize 64\nelements = {\n"
		"0x11 . 0x20010db800000000000000000000010020010db800070000000000000000000700509c40 "
		": 0x%08x\n}\n",
		f.plan->groups[0].members[six.member].mark);
	assert_string_equal(errors, expected);
}

/* What is remembered comes second to the pins of its family, and so in its ICMP errors. */
static void test_pins_ahead_of_memory(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(
		SERVICE("tcp", PORT_80 SCHEDULER("rr")) ALSO("udp", PORT_80 "persistence = 60; ")));
	const struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 1);
	static const struct {
		const char *chain;
		const char *first;
	} cases[] = {
		{ "learn/A/tcp-rr", PIN_RULE },
		{ "learn-icmp/A/tcp-rr", PIN_ERROR },
		{ "client/A/udp-hash-60s", PIN_RULE },
		{ "client-icmp/A/udp-hash-60s", PIN_ERROR },
		{ "learn6/A/tcp-rr", "meta mark set " },
		{ "learn-icmp6/A/tcp-rr", "meta mark set " },
	};
	_cleanup_(free_p) char *script = NULL;

	(void)state;
	assert_int_equal(add(&f, &pin), 1);
	script = plan_script(f.plan);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(free_p) char *chain = lines_of(script, "chain ", cases[i].chain);

		if (strncmp(chain, cases[i].first, strlen(cases[i].first)) != 0)
			fail_msg("%s begins otherwise:\n%s", cases[i].chain, chain);
	}
	assert_null(strstr(script, "chain pin/A"));
}

static void test_pins_of_nobodys_slots(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(BALANCER(5), WEB));
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	const struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);
	_cleanup_(free_p) char *script = NULL, *chain = NULL, *slots = NULL;

	(void)state;
	assert_int_equal(cluster_drain(cluster, "fe5"), 0);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan_add_pin(plan, &plan->groups[0], &pin), 1);
	script = plan_script(plan);
	chain = body_of(script, "chain pin/A");
	assert_string_equal(chain, PIN_RULE PIN_ERROR "drop\n");
	slots = body_of(script, "map buckets/A");
	assert_int_equal(occurrences(slots, ": goto pin/A"), 1);
	assert_int_equal(occurrences(slots, ": drop"), 255);
}

/* Two members may claim one flow for a while, after it has moved: a map has one place for it. */
static void test_a_flow_that_two_members_claim(void **state)
{
	char *scripts[2];

	(void)state;
	for (size_t turn = 0; turn < 2; turn++) {
		_cleanup_(fixture_done) struct fixture f = fixture_of(SCHEDULED("tcp", "rr", ""));
		_cleanup_(free_p) char *pins = NULL;

		for (size_t i = 0; i < 2; i++) {
			const struct plan_pin pin = pin_of(
				IPPROTO_TCP, CLIENT, 40000, V4, 80, turn ? 1 - i : i);

			assert_int_equal(add(&f, &pin), 1);
		}
		scripts[turn] = plan_script(f.plan);
		pins = body_of(scripts[turn], "map pins/A");
		assert_int_equal(occurrences(pins, " : 0x"), 1);
	}
	/* Every balancer chooses the same. */
	assert_string_equal(scripts[0], scripts[1]);
	free(scripts[0]);
	free(scripts[1]);
}

/* --- changes ---------------------------------------------------------------------------- */

/* A pin comes and goes with one slot's element and a chain; the rest stays. */
static void test_changes(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(TOP GROUP(TWO, WEB));
	_cleanup_(ruleset_free_p) struct ruleset *without = ruleset_of_plan(f.plan), *with = NULL,
						 *more = NULL;
	struct plan_pin pin = pin_of(IPPROTO_TCP, CLIENT, 40000, V4, 80, 0);
	struct plan_pin again = pin_of(IPPROTO_TCP, CLIENT, 40000, "192.0.2.99", 80, 0);
	char expected[600];
	const char *owner;

	(void)state;
	owner = pin_away(&f, &pin);
	with = ruleset_of_plan(f.plan);
	pin_away(&f, &again);
	more = ruleset_of_plan(f.plan);
	snprintf(expected, sizeof(expected),
		"delete 1 elements of buckets/A\n"
		"add chain pin/A/%s\n"
		"add set pins/A\nadd 1 elements of pins/A\n"
		"add set pins-icmp/A\nadd 1 elements of pins-icmp/A\n"
		"add 1 elements of buckets/A\n"
		"add 3 rule pin/A/%s\n",
		owner, owner);
	assert_difference(without, with, expected);
	assert_difference(with, more, "add 1 elements of pins/A\nadd 1 elements of pins-icmp/A\n");
	snprintf(expected, sizeof(expected),
		"flush chain pin/A/%s\n"
		"delete set pins/A\ndelete set pins-icmp/A\n"
		"delete 1 elements of buckets/A\n"
		"delete chain pin/A/%s\n"
		"add 1 elements of buckets/A\n",
		owner, owner);
	assert_difference(with, without, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_decide),
		cmocka_unit_test(test_clients_go_by_address),
		cmocka_unit_test(test_slots_of_nobody),
		cmocka_unit_test(test_what_was_drawn),
		cmocka_unit_test(test_flows_of_no_service),
		cmocka_unit_test(test_outgoing_flows_are_of_no_service),
		cmocka_unit_test(test_no_pins_no_rules),
		cmocka_unit_test(test_a_pinned_slot),
		cmocka_unit_test(test_pins_of_both_families),
		cmocka_unit_test(test_pins_ahead_of_memory),
		cmocka_unit_test(test_pins_of_nobodys_slots),
		cmocka_unit_test(test_a_flow_that_two_members_claim),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
