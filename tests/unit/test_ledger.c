/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/ledger.h"

#include <errno.h>
#include <netinet/in.h>

static struct flow flow_at(uint16_t port)
{
	struct flow flow = { .protocol = IPPROTO_TCP, .client_port = port, .vip_port = 80 };

	assert_int_equal(address_parse("192.0.2.7", &flow.client), 0);
	assert_int_equal(address_parse("192.0.2.100", &flow.vip), 0);
	return flow;
}

static void assert_owners(const struct ledger *ledger, const char *expected)
{
	char owners[64] = "";
	const char *owner;

	for (size_t i = 0; (owner = ledger_owner_at(ledger, i)); i++) {
		strcat(owners, owner);
		strcat(owners, " ");
	}
	assert_string_equal(owners, expected);
}

static void test_owners_have_parts_of_their_own(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	struct flow_set *fe6 = ledger_open(ledger, "fe6"), *fe5 = ledger_open(ledger, "fe5");
	struct flow flow = flow_at(1);

	assert_non_null(fe6);
	assert_non_null(fe5);
	assert_ptr_not_equal(fe5, fe6);
	/* One flow of two owners: a client has reused its port. */
	assert_int_equal(flow_set_add(fe5, &flow), 1);
	assert_int_equal(flow_set_add(fe6, &flow), 1);
	assert_int_equal(ledger_count(ledger), 2);
	assert_true(flow_set_remove(fe5, &flow));
	assert_true(flow_set_has(fe6, &flow));
	assert_int_equal(ledger_count(ledger), 1);
	(void)state;
}

static void test_owners_are_ordered_and_stay_where_they_are(void **state)
{
	static const char *const names[] = { "m", "c", "x", "a", "z", "n" };
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	struct flow_set *parts[ARRAY_SIZE(names)];

	assert_owners(ledger, "");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		parts[i] = ledger_open(ledger, names[i]);
	assert_owners(ledger, "a c m n x z ");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_ptr_equal(ledger_open(ledger, names[i]), parts[i]);
		assert_ptr_equal(ledger_find(ledger, names[i]), parts[i]);
	}
	assert_owners(ledger, "a c m n x z ");
	(void)state;
}

static void test_owners_are_found_by_flow(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	const struct flow one = flow_at(1), two = flow_at(2), nobodys = flow_at(3);

	assert_null(ledger_find_owner(ledger, &one));
	assert_int_equal(flow_set_add(ledger_open(ledger, "b"), &one), 1);
	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &two), 1);
	assert_string_equal(ledger_find_owner(ledger, &one), "b");
	assert_string_equal(ledger_find_owner(ledger, &two), "a");
	assert_null(ledger_find_owner(ledger, &nobodys));
	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &one), 1);
	assert_string_equal(ledger_find_owner(ledger, &one), "a");
	(void)state;
}

static void test_owner_is_forgotten(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	struct flow flow = flow_at(1);

	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &flow), 1);
	assert_int_equal(flow_set_add(ledger_open(ledger, "b"), &flow), 1);
	assert_int_equal(flow_set_add(ledger_open(ledger, "c"), &flow), 1);
	ledger_forget(ledger, "b");
	ledger_forget(ledger, "b");
	ledger_forget(ledger, "unknown");
	assert_owners(ledger, "a c ");
	assert_null(ledger_find(ledger, "b"));
	assert_int_equal(ledger_count(ledger), 2);
	assert_int_equal(flow_set_count(ledger_open(ledger, "b")), 0);
	ledger_forget(ledger, "c");
	ledger_forget(ledger, "a");
	ledger_forget(ledger, "b");
	assert_owners(ledger, "");
	assert_int_equal(ledger_count(ledger), 0);
	(void)state;
}

/* A flow that went from a to b, back to a and on to c: each was out of service when it left. */
static void test_times_are_forgotten_in_turn(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(10);
	struct flow_set *a = ledger_open(ledger, "a"), *b = ledger_open(ledger, "b");
	struct flow_set *c = ledger_open(ledger, "c");
	struct flow flow = flow_at(1), other = flow_at(2);

	assert_int_equal(flow_set_add_since(a, &flow, 10), 1);
	assert_int_equal(flow_set_add_since(a, &other, 10), 1);
	ledger_forget_times(ledger, "a");
	assert_int_equal(flow_set_add_since(b, &flow, 20), 1);
	ledger_forget_times(ledger, "a");
	assert_true(flow_set_since(a, &flow) < flow_set_since(b, &flow));
	ledger_forget_times(ledger, "b");
	assert_true(flow_set_since(a, &flow) > flow_set_since(b, &flow));
	assert_int_equal(flow_set_since(a, &other), 0);
	assert_int_equal(flow_set_add_since(c, &flow, 30), 1);
	ledger_forget_times(ledger, "b");
	assert_true(flow_set_since(a, &flow) > flow_set_since(b, &flow));
	assert_true(flow_set_since(c, &flow) > flow_set_since(a, &flow));
	ledger_forget_times(ledger, "unknown");
	(void)state;
}

/* The limit is each owner's: a flood at one member leaves room for the others. */
static void test_limit_is_for_each_owner(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(1);
	struct flow first = flow_at(1), second = flow_at(2);

	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &first), 1);
	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &second), -ENOSPC);
	assert_int_equal(flow_set_add(ledger_open(ledger, "b"), &second), 1);
	(void)state;
}

static void test_memory_is_that_of_all(void **state)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	struct flow flow = flow_at(1);
	size_t empty = ledger_memory(ledger);

	assert_int_equal(flow_set_add(ledger_open(ledger, "a"), &flow), 1);
	assert_int_equal(flow_set_add(ledger_open(ledger, "b"), &flow), 1);
	assert_true(ledger_memory(ledger) > empty + 2 * flow_set_memory(ledger_find(ledger, "a")));
	ledger_forget(ledger, "a");
	ledger_forget(ledger, "b");
	assert_int_equal(ledger_memory(ledger), empty);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners_have_parts_of_their_own),
		cmocka_unit_test(test_owners_are_ordered_and_stay_where_they_are),
		cmocka_unit_test(test_owners_are_found_by_flow),
		cmocka_unit_test(test_owner_is_forgotten),
		cmocka_unit_test(test_times_are_forgotten_in_turn),
		cmocka_unit_test(test_limit_is_for_each_owner),
		cmocka_unit_test(test_memory_is_that_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
