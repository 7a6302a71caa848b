/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows of the ledger: which of them are pinned or remembered, and when flows move at all. */
#include "compile_fixture.h"

#include "drover/flow_hash.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define V4 "192.0.2.100"
#define V6 "2001:db8::100"
#define DUAL(services)                                                                             \
	TOP "groups = ( " GROUP_OF("A", "\"" V4 "\", \"" V6 "\"", THREE, services) " );"

enum { N_FLOWS = 600, MANY = 100000 };

struct fixture {
	struct cluster *cluster;
	struct ledger *ledger;
	struct plan *plan;
};

static struct fixture fixture_of(const char *text)
{
	struct fixture f = { .ledger = ledger_new(MANY) };

	assert_non_null(f.ledger);
	f.plan = active_plan_of(text, &f.cluster);
	return f;
}

static void fixture_done(struct fixture *f)
{
	plan_free(f->plan);
	ledger_free(f->ledger);
	cluster_free(f->cluster);
}

static struct flow flow_of(uint8_t protocol, const char *vip, uint16_t vip_port, unsigned int i)
{
	char client[64];

	snprintf(client, sizeof(client), strchr(vip, ':') ? "2001:db8:7::%x" : "198.51.100.%u",
		1 + i % 200);
	return (struct flow){
		.protocol = protocol,
		.client = address_of(client),
		.vip = address_of(vip),
		.client_port = (uint16_t)(1024 + i),
		.vip_port = vip_port,
	};
}

static void own(struct fixture *f, const char *owner, const struct flow *flow)
{
	assert_int_equal(flow_set_add(ledger_open(f->ledger, owner), flow), 1);
}

static const char *slot_owner(const struct fixture *f, const struct flow *flow)
{
	const struct plan_group *group = &f->plan->groups[0];
	uint32_t slot = flow_hash_bucket(
		&flow->client, true, flow->client_port, f->plan->seed, f->plan->n_buckets);

	return group->members[group->tables[0].slots[slot]].name;
}

/* Each flow where its slot leads, as packets have put it there. */
static void fill(struct fixture *f, uint8_t protocol, const char *vip)
{
	for (unsigned int i = 0; i < N_FLOWS; i++) {
		const struct flow flow = flow_of(protocol, vip, 80, i);

		own(f, slot_owner(f, &flow), &flow);
	}
}

static struct plan_kept keep_most(struct fixture *f, size_t max_pins, bool remember)
{
	const struct plan_keep keep = { .max_pins = max_pins, .remember = remember };
	struct plan_kept kept;

	assert_int_equal(plan_keep_flows(f->plan, f->ledger, &keep, &kept), 0);
	return kept;
}

static struct plan_kept keep(struct fixture *f)
{
	return keep_most(f, MANY, false);
}

static void plan_again(struct fixture *f)
{
	plan_free(f->plan);
	f->plan = plan_of(f->cluster, NULL);
}

/* --- pins ------------------------------------------------------------------------------- */

static void test_flows_in_their_slots_need_nothing(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));

	(void)state;
	fill(&f, IPPROTO_TCP, V4);
	fill(&f, IPPROTO_TCP, V6);
	assert_int_equal(keep(&f).n_pins, 0);
	assert_int_equal(f.plan->groups[0].n_pins, 0);
}

/* Those whose slot has another member now, neither more nor fewer, and with their owners. */
static void assert_exactly_moved_flows_are_pinned(struct fixture *f)
{
	const struct plan_group *group = &f->plan->groups[0];
	size_t moved = 0;
	const char *owner;

	for (size_t i = 0; (owner = ledger_owner_at(f->ledger, i)); i++) {
		size_t cursor = 0;
		struct flow flow;

		while (flow_set_next(ledger_find(f->ledger, owner), &cursor, &flow)) {
			bool is_moved = strcmp(slot_owner(f, &flow), owner) != 0;

			moved += is_moved;
			assert_int_equal(plan_flow_needs_pin(f->plan, owner, &flow), is_moved);
		}
	}
	assert_true(moved > 0);
	assert_int_equal(group->n_pins, moved);
	for (size_t i = 0; i < group->n_pins; i++) {
		const char *name = group->members[group->pins[i].member].name;

		assert_true(flow_set_has(ledger_find(f->ledger, name), &group->pins[i].flow));
	}
}

/*
 * A member that was cut off comes back with flows that others have by now: where they went last
 * they stay, whoever of the two has the slot.
 */
static void test_the_last_owner_counts(void **state)
{
	static const char *const members[] = { "fe5", "fe6", "fe7" };

	(void)state;
	for (size_t old = 0; old < 3; old++)
		for (size_t new = 0; new < 3; new ++) {
			_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));
			const struct flow flow = flow_of(IPPROTO_TCP, V4, 80, 1);
			_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
			_cleanup_(free_p) char *script = NULL, *pins = NULL;
			char mark[32];

			if (new == old)
				continue;
			flow_set_add_since(ledger_open(f.ledger, members[old]), &flow, 9);
			flow_set_add_since(ledger_open(f.ledger, members[new]), &flow, 10);
			(void)keep(&f);
			ruleset = ruleset_of_plan(f.plan);
			script = script_of(ruleset);
			pins = body_of(script, "map pins/A");
			if (strcmp(slot_owner(&f, &flow), members[new]) == 0) {
				assert_null(pins);
				continue;
			}
			snprintf(mark, sizeof(mark), " : 0x%08x",
				f.plan->groups[0].members[new].mark);
			assert_non_null(strstr(pins, mark));
			assert_int_equal(occurrences(pins, " : 0x"), 1);
		}
}

/* Of two that nobody can tell apart, the one that has the slot keeps the flow, without a pin. */
static void test_the_slot_counts_where_times_do_not(void **state)
{
	static const char *const members[] = { "fe5", "fe6", "fe7" };
	const struct flow flow = flow_of(IPPROTO_TCP, V4, 80, 1);

	(void)state;
	for (size_t other = 0; other < 3; other++) {
		_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));
		const char *owner = slot_owner(&f, &flow);

		if (strcmp(owner, members[other]) == 0)
			continue;
		flow_set_add_since(ledger_open(f.ledger, members[other]), &flow, 9);
		assert_int_equal(keep(&f).n_pins, 1);
		plan_again(&f);
		flow_set_add_since(ledger_open(f.ledger, owner), &flow, 9);
		assert_int_equal(keep(&f).n_pins, 0);
	}
}

static void test_a_drained_member_keeps_its_flows(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));

	(void)state;
	fill(&f, IPPROTO_TCP, V4);
	fill(&f, IPPROTO_TCP, V6);
	assert_int_equal(cluster_drain(f.cluster, "fe6"), 0);
	plan_again(&f);
	assert_true(keep(&f).n_pins >= flow_set_count(ledger_find(f.ledger, "fe6")));
	assert_exactly_moved_flows_are_pinned(&f);
}

static void test_new_weights_move_nobody(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));

	(void)state;
	fill(&f, IPPROTO_TCP, V4);
	assert_int_equal(cluster_set_weight(f.cluster, "fe7", 30), 0);
	plan_again(&f);
	(void)keep(&f);
	assert_exactly_moved_flows_are_pinned(&f);
}

static void test_flows_of_a_disabled_member_go(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));
	const char *owner;

	(void)state;
	fill(&f, IPPROTO_TCP, V4);
	assert_int_equal(cluster_disable(f.cluster, "fe6"), 0);
	plan_again(&f);
	(void)keep(&f);
	for (size_t i = 0; i < f.plan->groups[0].n_pins; i++) {
		owner = f.plan->groups[0].members[f.plan->groups[0].pins[i].member].name;
		assert_string_not_equal(owner, "fe6");
	}
}

static void test_the_most_pins(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));
	struct plan_kept all, some;

	(void)state;
	fill(&f, IPPROTO_TCP, V4);
	assert_int_equal(cluster_drain(f.cluster, "fe6"), 0);
	plan_again(&f);
	all = keep(&f);
	assert_int_equal(all.n_left_out, 0);
	plan_again(&f);
	some = keep_most(&f, 10, false);
	assert_int_equal(some.n_pins, 10);
	assert_int_equal(some.n_left_out, all.n_pins - 10);
}

static void test_flows_of_others_are_passed_over(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(TOP GROUP(
		BALANCER(5) ", { " HOST(6) "outgoing = \"34000-34999\"; }", SERVICE("tcp", "")));
	const struct flow flows[] = {
		flow_of(IPPROTO_TCP, "192.0.2.101", 80, 0), /* not a VIP */
		flow_of(IPPROTO_TCP, "192.0.2.99", 80, 0),
		flow_of(IPPROTO_UDP, V4, 80, 0),    /* no service */
		flow_of(IPPROTO_TCP, V4, 34000, 0), /* a member's own connection */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++)
		for (size_t member = 5; member <= 6; member++) {
			own(&f, member == 5 ? "fe5" : "fe6", &flows[i]);
			assert_false(plan_flow_needs_pin(
				f.plan, member == 5 ? "fe5" : "fe6", &flows[i]));
		}
	assert_int_equal(keep_most(&f, MANY, true).n_pins, 0);
}

/* --- memories --------------------------------------------------------------------------- */

static void assert_element(const struct fixture *f, const struct ruleset_set *set,
	const struct flow *flow, bool by_port, const char *owner)
{
	const struct plan_group *group = &f->plan->groups[0];
	uint32_t digest = flow_hash_bucket(
		&flow->client, by_port, flow->client_port, f->plan->seed, UINT32_MAX);
	uint32_t mark = 0;

	for (size_t i = 0; i < group->n_members; i++)
		if (strcmp(group->members[i].name, owner) == 0)
			mark = group->members[i].mark;
	for (size_t i = 0; i < set->n_elements; i++)
		if (memcmp(set->elements[i].key.bytes, &digest, sizeof(digest)) == 0) {
			assert_int_equal(set->elements[i].mark, mark);
			return;
		}
	fail_msg("%s has no element for the flow", set->name);
}

/* What was drawn cannot be computed: the memory of the host that takes over begins with it. */
static void test_drawn_flows_are_remembered(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(
		DUAL(SERVICE("tcp", PORT_80 SCHEDULER("rr"))));
	const struct flow four = flow_of(IPPROTO_TCP, V4, 80, 1);
	const struct flow six = flow_of(IPPROTO_TCP, V6, 80, 2);
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	struct plan_kept kept;

	(void)state;
	own(&f, "fe6", &four);
	own(&f, "fe7", &six);
	assert_int_equal(keep(&f).n_remembered, 0);
	kept = keep_most(&f, MANY, true);
	assert_int_equal(kept.n_remembered, 2);
	assert_int_equal(kept.n_pins, 0);
	ruleset = ruleset_of_plan(f.plan);
	assert_int_equal(set_of(ruleset, "learned/A/tcp-rr")->n_elements, 2);
	assert_element(&f, set_of(ruleset, "learned/A/tcp-rr"), &four, true, "fe6");
	assert_element(&f, set_of(ruleset, "learned/A/tcp-rr"), &six, true, "fe7");
}

static void test_clients_are_remembered(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(
		DUAL(SERVICE("udp", PORT_80 "persistence = 60; ")));
	const struct flow flow = flow_of(IPPROTO_UDP, V4, 80, 1);
	const struct flow again = flow_of(IPPROTO_UDP, V4, 80, 201);
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;
	const struct ruleset_set *clients;

	(void)state;
	own(&f, "fe7", &flow);
	own(&f, "fe7", &again);
	assert_int_equal(keep_most(&f, MANY, true).n_remembered, 2);
	ruleset = ruleset_of_plan(f.plan);
	clients = set_of(ruleset, "clients/A/udp-hash-60s");
	assert_int_equal(clients->n_elements, 1);
	assert_element(&f, clients, &flow, false, "fe7");
}

/* --- what moves --------------------------------------------------------------------------- */

static void test_moves(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(DUAL(WEB));
	_cleanup_(plan_free_p) struct plan *same = NULL, *drained = NULL, *standby = NULL;

	(void)state;
	same = plan_of(f.cluster, NULL);
	assert_false(plan_moves_flows(f.plan, same));
	assert_int_equal(cluster_drain(f.cluster, "fe6"), 0);
	drained = plan_of(f.cluster, NULL);
	assert_true(plan_moves_flows(same, drained));
	assert_int_equal(cluster_set_role(f.cluster, "A", ROLE_STANDBY), 1);
	standby = plan_of(f.cluster, NULL);
	assert_false(plan_moves_flows(drained, standby));
	assert_true(plan_moves_flows(standby, drained));
}

/* Members that come and go give the others other numbers, and no other slots. */
static void test_numbers_do_not_count(void **state)
{
	_cleanup_(fixture_done) struct fixture f = fixture_of(
		TOP GROUP(THREE ", { " HOST(4) "weight = 0; }", WEB));
	_cleanup_(plan_free_p) struct plan *without = NULL;
	const struct plan_what_if what_if = { .without = "fe4" };

	(void)state;
	without = plan_of(f.cluster, &what_if);
	assert_int_equal(without->groups[0].n_members, 3);
	assert_int_equal(f.plan->groups[0].n_members, 4);
	assert_false(plan_moves_flows(f.plan, without));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows_in_their_slots_need_nothing),
		cmocka_unit_test(test_the_last_owner_counts),
		cmocka_unit_test(test_the_slot_counts_where_times_do_not),
		cmocka_unit_test(test_a_drained_member_keeps_its_flows),
		cmocka_unit_test(test_new_weights_move_nobody),
		cmocka_unit_test(test_flows_of_a_disabled_member_go),
		cmocka_unit_test(test_the_most_pins),
		cmocka_unit_test(test_flows_of_others_are_passed_over),
		cmocka_unit_test(test_drawn_flows_are_remembered),
		cmocka_unit_test(test_clients_are_remembered),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_numbers_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
