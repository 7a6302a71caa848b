/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "drover/flow_set.h"

#include <errno.h>
#include <netinet/in.h>

enum {
	UNIVERSE = 3000, /* a few chunks, and slots that double several times */
	OPERATIONS = 300000,
	CHECK_EVERY = 20000,
};

/* The i-th of as many different flows as one wants: both protocols and families. */
static struct flow flow_at(unsigned int i)
{
	int family = i & 2 ? AF_INET6 : AF_INET;
	struct flow flow = {
		.protocol = i & 1 ? IPPROTO_UDP : IPPROTO_TCP,
		.client_port = (uint16_t)(1024 + i / 4 % 50),
		.vip_port = (uint16_t)(i / 200 % 2 ? 443 : 80),
		.client = { .family = family, .bytes = { 192, 0, 2 } },
		.vip = { .family = family, .bytes = { 203, 0, 113, 1 } },
	};

	flow.client.bytes[3] = (uint8_t)(i / 400);
	flow.client.bytes[2] = (uint8_t)(i / 400 >> 8);
	if (family == AF_INET6)
		flow.vip.bytes[15] = 9;
	return flow;
}

/* What the set should be: the naive model. */
struct model {
	bool has[UNIVERSE], stale[UNIVERSE];
	size_t count;
};

static unsigned int draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(*state >> 33);
}

static unsigned int index_of(const struct flow *flow)
{
	for (unsigned int i = 0; i < UNIVERSE; i++) {
		struct flow other = flow_at(i);

		if (flow_equal(&other, flow))
			return i;
	}
	fail_msg("a flow that nobody has added");
	return 0;
}

static void assert_same(const struct flow_set *set, const struct model *model)
{
	bool met[UNIVERSE] = { false };
	size_t cursor = 0, n_met = 0;
	struct flow flow;

	assert_int_equal(flow_set_count(set), model->count);
	while (flow_set_next(set, &cursor, &flow)) {
		unsigned int i = index_of(&flow);

		assert_true(model->has[i] && !met[i]);
		met[i] = true;
		n_met++;
	}
	assert_int_equal(n_met, model->count);
	for (unsigned int i = 0; i < UNIVERSE; i++) {
		flow = flow_at(i);
		assert_int_equal(flow_set_has(set, &flow), model->has[i]);
	}
}

static void add(struct flow_set *set, struct model *model, unsigned int i)
{
	struct flow flow = flow_at(i);

	assert_int_equal(flow_set_add(set, &flow), !model->has[i]);
	model->count += !model->has[i];
	model->has[i] = true;
	model->stale[i] = false;
}

static void take_away(struct flow_set *set, struct model *model, unsigned int i)
{
	struct flow flow = flow_at(i);

	assert_int_equal(flow_set_remove(set, &flow), model->has[i]);
	model->count -= model->has[i];
	model->has[i] = false;
}

static void mark_stale(struct flow_set *set, struct model *model)
{
	flow_set_mark_stale(set);
	memcpy(model->stale, model->has, sizeof(model->has));
}

static void remove_stale(struct flow_set *set, struct model *model)
{
	size_t cursor = 0;
	struct flow flow;

	while (flow_set_remove_stale(set, &cursor, &flow)) {
		unsigned int i = index_of(&flow);

		assert_true(model->has[i] && model->stale[i]);
		model->has[i] = false;
		model->count--;
	}
	for (unsigned int i = 0; i < UNIVERSE; i++)
		assert_false(model->has[i] && model->stale[i]);
}

static void test_random_operations(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(UNIVERSE);
	struct model model = { .count = 0 };
	uint64_t random = 1;

	for (unsigned int n = 0; n < OPERATIONS; n++) {
		unsigned int i = draw(&random) % UNIVERSE;

		/* Now more come, now more go. */
		if (draw(&random) % 8 < (n / 10000 % 2 ? 6 : 2))
			add(set, &model, i);
		else
			take_away(set, &model, i);
		if (draw(&random) % 30000 == 0)
			mark_stale(set, &model);
		if (n % CHECK_EVERY == CHECK_EVERY - 1) {
			assert_same(set, &model);
			remove_stale(set, &model);
			assert_same(set, &model);
		}
	}
	flow_set_clear(set);
	model = (struct model){ .count = 0 };
	assert_same(set, &model);
	assert_int_equal(flow_set_digest(set), 0);
	add(set, &model, 7);
	assert_same(set, &model);
	(void)state;
}

/* Flows that are there all the while are met exactly once, whatever happens to others. */
static void test_iteration_under_change(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(UNIVERSE);
	unsigned int n_met[UNIVERSE] = { 0 };
	struct model model = { .count = 0 };
	uint64_t random = 2;
	size_t cursor = 0;
	struct flow flow;

	/* The first third stays, the second goes meanwhile, the third comes and goes. */
	for (unsigned int i = 0; i < UNIVERSE / 3 * 2; i++)
		add(set, &model, i);
	while (flow_set_next(set, &cursor, &flow)) {
		unsigned int i = index_of(&flow);

		assert_true(model.has[i]);
		n_met[i]++;
		take_away(set, &model, UNIVERSE / 3 + draw(&random) % (UNIVERSE / 3));
		add(set, &model, UNIVERSE / 3 * 2 + draw(&random) % (UNIVERSE / 3));
		take_away(set, &model, UNIVERSE / 3 * 2 + draw(&random) % (UNIVERSE / 3));
	}
	for (unsigned int i = 0; i < UNIVERSE / 3; i++)
		assert_int_equal(n_met[i], 1);
	for (unsigned int i = UNIVERSE / 3; i < UNIVERSE / 3 * 2; i++)
		assert_true(n_met[i] <= 1);
	(void)state;
}

static void test_stale_flows(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(10);
	struct model model = { .count = 0 };
	size_t cursor = 0;
	struct flow flow;

	for (unsigned int i = 0; i < 4; i++)
		add(set, &model, i);
	assert_false(flow_set_remove_stale(set, &cursor, &flow));
	mark_stale(set, &model);
	mark_stale(set, &model);
	add(set, &model, 1); /* there it is again */
	add(set, &model, 5);
	take_away(set, &model, 2);
	remove_stale(set, &model); /* 0 and 3 */
	assert_int_equal(model.count, 2);
	assert_same(set, &model);
	(void)state;
}

static void test_digest_is_independent_of_order(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *a = flow_set_new(UNIVERSE);
	_cleanup_(flow_set_free_p) struct flow_set *b = flow_set_new(UNIVERSE);
	struct flow flow;

	for (unsigned int i = 0; i < UNIVERSE; i++) {
		flow = flow_at(i);
		assert_int_equal(flow_set_add(a, &flow), 1);
		flow = flow_at(UNIVERSE - 1 - i);
		assert_int_equal(flow_set_add(b, &flow), 1);
	}
	assert_int_equal(flow_set_digest(a), flow_set_digest(b));
	assert_int_not_equal(flow_set_digest(a), 0);
	flow = flow_at(77);
	assert_true(flow_set_remove(a, &flow));
	assert_int_not_equal(flow_set_digest(a), flow_set_digest(b));
	assert_int_equal(flow_set_add(a, &flow), 1);
	assert_int_equal(flow_set_digest(a), flow_set_digest(b));
	(void)state;
}

static uint64_t digest_of(const struct flow *flow)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(1);

	assert_int_equal(flow_set_add(set, flow), 1);
	return flow_set_digest(set);
}

/* Hosts of other versions and byte orders compare it: it may never change. */
static void test_digest_is_the_same_everywhere(void **state)
{
	struct flow flow = { .protocol = IPPROTO_TCP, .client_port = 40000, .vip_port = 80 };

	assert_int_equal(address_parse("192.0.2.7", &flow.client), 0);
	assert_int_equal(address_parse("192.0.2.100", &flow.vip), 0);
	assert_int_equal(digest_of(&flow), UINT64_C(0x24e686a00719c3ca));
	assert_int_equal(address_parse("2001:db8::7", &flow.client), 0);
	assert_int_equal(address_parse("2001:db8::100", &flow.vip), 0);
	assert_int_equal(digest_of(&flow), UINT64_C(0xffb3b1e9d2ee5bdf));
	(void)state;
}

/* Every part of a flow tells it from another. */
static void test_all_parts_count(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(10);
	struct flow base = flow_at(0), other = base;

	assert_int_equal(flow_set_add(set, &base), 1);
	other.protocol = IPPROTO_UDP;
	assert_int_equal(flow_set_add(set, &other), 1);
	other = base;
	other.client_port++;
	assert_int_equal(flow_set_add(set, &other), 1);
	other = base;
	other.vip_port ^= 0x100;
	assert_int_equal(flow_set_add(set, &other), 1);
	other = base;
	other.client.bytes[3]++;
	assert_int_equal(flow_set_add(set, &other), 1);
	other = base;
	other.vip.bytes[0]++;
	assert_int_equal(flow_set_add(set, &other), 1);
	other = base;
	other.client.family = other.vip.family = AF_INET6;
	assert_int_equal(flow_set_add(set, &other), 1);
	assert_int_equal(flow_set_count(set), 7);
	(void)state;
}

/*
 * A flow that is only named again keeps its time, but takes that of a list which replaces the set;
 * ages are those of a clock that may be young.
 */
static void test_times(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(10);
	const struct flow first = flow_at(0), second = flow_at(1);
	struct flow walked;
	size_t cursor = 0;
	uint32_t since;

	assert_int_equal(flow_set_since(set, &first), 0);
	assert_int_equal(flow_set_add_since(set, &first, flow_time(5000, 7)), 1);
	assert_int_equal(flow_set_add(set, &second), 1);
	assert_int_equal(flow_set_since(set, &second), 0);
	assert_int_equal(flow_age(5000, 0), FLOW_AGE_MAX);
	assert_int_equal(flow_age(5000, flow_set_since(set, &first)), 7);
	while (flow_set_next_since(set, &cursor, &walked, &since))
		assert_int_equal(since, flow_set_since(set, &walked));
	assert_int_equal(cursor, 2);
	assert_int_equal(flow_age(65000, flow_set_since(set, &first)), 67);
	assert_int_equal(flow_age(UINT64_C(100000000), flow_set_since(set, &first)), FLOW_AGE_MAX);
	assert_int_equal(flow_set_add_since(set, &first, flow_time(9000, 0)), 0);
	assert_int_equal(flow_age(9000, flow_set_since(set, &first)), 11);
	flow_set_mark_stale(set);
	assert_int_equal(flow_set_add(set, &first), 0);
	assert_int_equal(flow_age(9000, flow_set_since(set, &first)), 11);
	flow_set_mark_stale(set);
	assert_int_equal(flow_set_add_since(set, &first, flow_time(9000, 2)), 0);
	assert_int_equal(flow_age(9000, flow_set_since(set, &first)), 2);
	flow_set_forget_times(set);
	assert_int_equal(flow_set_since(set, &first), 0);
	assert_true(flow_set_has(set, &first));
	assert_true(flow_time(0, FLOW_AGE_MAX) > 0);
	(void)state;
}

static void test_limits(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(3);
	struct model model = { .count = 0 };
	struct flow mixed = flow_at(0), one_more = flow_at(3);

	assert_false(flow_set_has(set, &one_more));
	assert_false(flow_set_remove(set, &one_more));
	for (unsigned int i = 0; i < 3; i++)
		add(set, &model, i);
	assert_int_equal(flow_set_add(set, &one_more), -ENOSPC);
	add(set, &model, 1); /* it has its place already */
	take_away(set, &model, 0);
	add(set, &model, 3);
	assert_same(set, &model);

	mixed.vip.family = AF_INET6;
	assert_int_equal(flow_set_add(set, &mixed), -EINVAL);
	mixed.vip.family = mixed.client.family = AF_UNSPEC;
	assert_int_equal(flow_set_add(set, &mixed), -EINVAL);
	assert_false(flow_set_has(set, &mixed));
	assert_false(flow_set_remove(set, &mixed));
	assert_same(set, &model);
	(void)state;
}

/* Places are used again: what stays the same size takes no more memory. */
static void test_memory(void **state)
{
	_cleanup_(flow_set_free_p) struct flow_set *set = flow_set_new(UNIVERSE);
	size_t empty = flow_set_memory(set), full;
	struct model model = { .count = 0 };

	for (unsigned int i = 0; i < UNIVERSE / 2; i++)
		add(set, &model, i);
	full = flow_set_memory(set);
	assert_true(full > UNIVERSE / 2 * 40);
	for (unsigned int i = 0; i < UNIVERSE / 2; i++) {
		take_away(set, &model, i);
		add(set, &model, UNIVERSE / 2 + i);
	}
	assert_int_equal(flow_set_memory(set), full);
	flow_set_clear(set);
	assert_int_equal(flow_set_memory(set), empty);
	(void)state;
}

static void test_format(void **state)
{
	char text[FLOW_TEXT_MAX];
	struct flow flow = { .protocol = IPPROTO_TCP, .client_port = 40000, .vip_port = 80 };

	assert_int_equal(address_parse("192.0.2.7", &flow.client), 0);
	assert_int_equal(address_parse("192.0.2.100", &flow.vip), 0);
	assert_string_equal(flow_format(&flow, text), "tcp 192.0.2.7:40000 > 192.0.2.100:80");
	flow.protocol = IPPROTO_UDP;
	assert_int_equal(address_parse("2001:db8::7", &flow.client), 0);
	assert_int_equal(address_parse("2001:db8::100", &flow.vip), 0);
	assert_string_equal(
		flow_format(&flow, text), "udp [2001:db8::7]:40000 > [2001:db8::100]:80");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_iteration_under_change),
		cmocka_unit_test(test_stale_flows),
		cmocka_unit_test(test_digest_is_independent_of_order),
		cmocka_unit_test(test_digest_is_the_same_everywhere),
		cmocka_unit_test(test_all_parts_count),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
