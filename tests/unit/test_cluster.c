/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster_fixture.h"

#include <errno.h>

#define WEIGHTED(n, weight) "{ " HOST(n) "weight = " #weight "; }"
#define UNKNOWN(n)          "{ " FE(n) "}"
#define CONF                TOP GROUP(BALANCER(5) ", " PLAIN(6) ", " WEIGHTED(7, 0) ", " UNKNOWN(8), WEB)

/* --- states ------------------------------------------------------------------ */

static void assert_view(const struct cluster *cluster, const char *name, enum member_state state,
	unsigned int weight, unsigned int nominal)
{
	struct member_view view = view_of(cluster, name);

	if (view.state != state || view.weight != weight || view.nominal_weight != nominal)
		fail_msg("%s is %s %u/%u, not %s %u/%u", name, member_state_name(view.state),
			view.weight, view.nominal_weight, member_state_name(state), weight,
			nominal);
}

static void test_states_of_the_file(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);

	(void)state;
	assert_view(cluster, "fe5", MEMBER_SERVING, 100, 100);
	assert_view(cluster, "fe6", MEMBER_SERVING, 100, 100);
	assert_view(cluster, "fe7", MEMBER_DRAINING, 0, 0);
	assert_view(cluster, "fe8", MEMBER_UNREACHABLE, 0, 100);
	assert_true(view_of(cluster, "fe5").local);
	assert_false(view_of(cluster, "fe6").local);
	assert_false(view_of(cluster, "fe8").has_mac);
}

/* One step of the operator, and what becomes of fe6 by it. */
struct step {
	int (*command)(struct cluster *cluster, const char *member);
	unsigned int set_weight; /* if there is no command */
	enum member_state state;
	unsigned int weight, nominal;
	bool has_override;
};

/* fe8 has no MAC in the file: a balancer must learn it, others need not. */
static void test_resolving(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);
	const struct conf_group *group = &cluster_conf(cluster)->groups[0];
	const struct address address = address_of("192.0.2.8");
	const struct mac mac = mac_of("02:00:00:00:00:08");

	(void)state;
	assert_false(cluster_must_resolve(cluster, group, member_of(cluster, "fe5")));
	assert_false(cluster_must_resolve(cluster, group, member_of(cluster, "fe6")));
	assert_true(cluster_must_resolve(cluster, group, member_of(cluster, "fe8")));
	assert_false(cluster_is_resolved(cluster));
	assert_int_equal(cluster_set_neighbour(cluster, &address, &mac), 1);
	assert_true(cluster_is_resolved(cluster));
}

static void test_overrides(void **state)
{
	static const struct step steps[] = {
		{ cluster_drain, 0, MEMBER_DRAINING, 0, 100, true },
		{ cluster_disable, 0, MEMBER_DISABLED, 0, 100, true },
		{ cluster_drain, 0, MEMBER_DRAINING, 0, 100, true },
		{ cluster_enable, 0, MEMBER_SERVING, 100, 100, false },
		{ cluster_enable, 0, MEMBER_SERVING, 100, 100, false },
		{ NULL, 7, MEMBER_SERVING, 7, 7, true },
		{ cluster_disable, 0, MEMBER_DISABLED, 0, 7, true },
		{ NULL, 0, MEMBER_DISABLED, 0, 0, true },
		{ cluster_enable, 0, MEMBER_DRAINING, 0, 0, true },
		{ NULL, 65535, MEMBER_SERVING, 65535, 65535, true },
	};
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *step = &steps[i];
		int r = step->command ? step->command(cluster, "fe6")
				      : cluster_set_weight(cluster, "fe6", step->set_weight);

		assert_int_equal(r, 0);
		assert_view(cluster, "fe6", step->state, step->weight, step->nominal);
		assert_int_equal(cluster_find_override(cluster, "fe6") != NULL, step->has_override);
		assert_ptr_equal(
			view_of(cluster, "fe6").override, cluster_find_override(cluster, "fe6"));
	}
	assert_view(cluster, "fe5", MEMBER_SERVING, 100, 100);
	cluster_reset_overrides(cluster);
	assert_view(cluster, "fe6", MEMBER_SERVING, 100, 100);
	assert_null(cluster_override_at(cluster, 0));
}

static void test_overrides_of_nobody(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);
	char name[] = "fe9";
	const struct cluster_override override = { .member = name, .disabled = true };

	(void)state;
	assert_int_equal(cluster_drain(cluster, "fe9"), -ENOENT);
	assert_int_equal(cluster_disable(cluster, "fe9"), -ENOENT);
	assert_int_equal(cluster_enable(cluster, ""), -ENOENT);
	assert_int_equal(cluster_set_weight(cluster, "fe9", 1), -ENOENT);
	assert_int_equal(cluster_set_override(cluster, &override), -ENOENT);
	assert_null(cluster_override_at(cluster, 0));
}

static void test_overrides_are_in_order(void **state)
{
	static const char *const given[] = { "fe7", "fe5", "fe8", "fe6" };
	static const char *const sorted[] = { "fe5", "fe6", "fe7", "fe8" };
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		assert_int_equal(cluster_drain(cluster, given[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		assert_string_equal(cluster_override_at(cluster, i)->member, sorted[i]);
	assert_null(cluster_override_at(cluster, ARRAY_SIZE(sorted)));
	assert_int_equal(cluster_enable(cluster, "fe6"), 0);
	assert_string_equal(cluster_override_at(cluster, 1)->member, "fe7");
}

static void test_restored_override(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);
	char name[] = "fe6";
	const struct cluster_override override = {
		.member = name, .draining = true, .has_weight = true, .weight = 9
	};

	(void)state;
	assert_int_equal(cluster_set_override(cluster, &override), 0);
	assert_view(cluster, "fe6", MEMBER_DRAINING, 0, 9);
	assert_int_equal(cluster_enable(cluster, "fe6"), 0);
	assert_view(cluster, "fe6", MEMBER_SERVING, 9, 9);
}

/* --- interface and neighbours --------------------------------------------------- */

static void test_neighbours(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);
	const struct address fe6 = address_of("192.0.2.6"), fe8 = address_of("192.0.2.8"),
			     stranger = address_of("192.0.2.77");
	const struct mac mac = mac_of("02:00:00:00:00:08"), other = mac_of("02:00:00:00:00:88"),
			 zero = { { 0 } };

	(void)state;
	assert_int_equal(cluster_set_neighbour(cluster, &stranger, &mac), 0);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, NULL), 0);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, &zero), 0);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, &mac), 1);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, &mac), 0);
	assert_view(cluster, "fe8", MEMBER_SERVING, 100, 100);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, &other), 1);
	assert_int_equal(view_of(cluster, "fe8").mac.bytes[5], 0x88);
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, NULL), 1);
	assert_view(cluster, "fe8", MEMBER_UNREACHABLE, 0, 100);

	/* What the file says has the last word. */
	(void)cluster_set_neighbour(cluster, &fe6, &other);
	assert_int_equal(view_of(cluster, "fe6").mac.bytes[5], 0x06);
}

static void test_link(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF);
	struct cluster_link link = {
		.present = true,
		.running = true,
		.index = 3,
		.mac = mac_of("02:00:00:00:00:55"),
	};

	(void)state;
	assert_false(cluster_link(cluster)->present);
	assert_int_equal(view_of(cluster, "fe5").mac.bytes[5], 0x05);
	assert_true(cluster_set_link(cluster, &link));
	assert_false(cluster_set_link(cluster, &link));
	assert_int_equal(view_of(cluster, "fe5").mac.bytes[5], 0x55);
	link.index = 4;
	assert_true(cluster_set_link(cluster, &link));
	link.running = false;
	assert_true(cluster_set_link(cluster, &link));
	link.mac.bytes[5] = 0x56;
	assert_true(cluster_set_link(cluster, &link));
	link = (struct cluster_link){ .present = false };
	assert_true(cluster_set_link(cluster, &link));
	assert_view(cluster, "fe5", MEMBER_SERVING, 100, 100);
}

/* --- roles ---------------------------------------------------------------------- */

static enum cluster_role role_of(const struct cluster *cluster, const char *group)
{
	return cluster_role(cluster, conf_find_group(cluster_conf(cluster), group));
}

/* fe5 is a balancer of A, a member of B, and no part of C. */
#define IN_GROUP(name, vip, member)                                                                \
	"{ name = \"" name "\"; vips = [ \"" vip "\" ]; members = ( " member                       \
	" ); services = ( " WEB " ); }"
#define ROLES                                                                                      \
	TOP "groups = ( " IN_GROUP("A", "192.0.2.100", BALANCER(5)) ", " IN_GROUP("B",             \
		"192.0.2.101",                                                                     \
		PLAIN(5) ", " BALANCER(6)) ", " IN_GROUP("C", "192.0.2.102", BALANCER(6)) " );"

static void test_roles(void **state)
{
	static const struct {
		const char *group;
		enum cluster_role role;
		int result;
	} steps[] = {
		{ "A", ROLE_STANDBY, 0 },
		{ "A", ROLE_ACTIVE, 1 },
		{ "A", ROLE_ACTIVE, 0 },
		{ "A", ROLE_LEAVING, 1 },
		{ "A", ROLE_LEAVING, 0 },
		{ "A", ROLE_STANDBY, 1 },
		{ "A", ROLE_LEAVING, 1 },
		{ "B", ROLE_ACTIVE, -EPERM },
		{ "C", ROLE_ACTIVE, -EPERM },
		{ "D", ROLE_ACTIVE, -ENOENT },
	};
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(ROLES);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(
			cluster_set_role(cluster, steps[i].group, steps[i].role), steps[i].result);
		if (steps[i].result >= 0)
			assert_int_equal(role_of(cluster, steps[i].group), steps[i].role);
	}
	assert_int_equal(role_of(cluster, "B"), ROLE_STANDBY);
	assert_int_equal(role_of(cluster, "C"), ROLE_STANDBY);
}

static void test_always_active(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		"election = \"always\"; " ROLES);

	(void)state;
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
	assert_int_equal(role_of(cluster, "B"), ROLE_STANDBY);
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_ACTIVE), 0);
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_STANDBY), -EBUSY);
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
}

static void test_relieved(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		"election = \"always\"; " ROLES);

	(void)state;
	assert_int_equal(cluster_relieve(cluster), 0);
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
	assert_int_equal(role_of(cluster, "B"), ROLE_STANDBY);
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_LEAVING), 1);
	assert_int_equal(cluster_relieve(cluster), 0);
	assert_int_equal(role_of(cluster, "A"), ROLE_LEAVING);
	conf_free(cluster_replace_conf(cluster, conf_of("election = \"always\"; " ROLES)));
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
	assert_int_equal(cluster_set_role(cluster, "A", ROLE_STANDBY), -EBUSY);
	/* Nothing of the role that it had before comes back. */
	assert_int_equal(cluster_relieve(cluster), 0);
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
}

/* --- a new configuration ----------------------------------------------------------- */

static void replace(struct cluster *cluster, const char *text)
{
	conf_free(cluster_replace_conf(cluster, conf_of(text)));
}

static void test_what_a_new_configuration_keeps(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(CONF);
	const struct address fe8 = address_of("192.0.2.8");
	const struct mac mac = mac_of("02:00:00:00:00:08");

	(void)state;
	assert_int_equal(cluster_set_neighbour(cluster, &fe8, &mac), 1);
	assert_int_equal(cluster_drain(cluster, "fe6"), 0);
	assert_int_equal(cluster_drain(cluster, "fe7"), 0);

	replace(cluster, TOP GROUP(UNKNOWN(8) ", " WEIGHTED(6, 40) ", " BALANCER(5), WEB));
	assert_view(cluster, "fe8", MEMBER_SERVING, 100, 100);
	assert_view(cluster, "fe6", MEMBER_DRAINING, 0, 40);
	assert_null(cluster_find_override(cluster, "fe7"));
	assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);

	/* What went and came again begins anew. */
	replace(cluster, TOP GROUP(BALANCER(5), WEB));
	replace(cluster, CONF);
	assert_view(cluster, "fe8", MEMBER_UNREACHABLE, 0, 100);
	assert_view(cluster, "fe6", MEMBER_SERVING, 100, 100);
}

/* By then somebody else has the duty: nobody may find himself active by a reload. */
static void test_a_duty_does_not_come_back(void **state)
{
	static const char *const without[] = {
		TOP GROUP(PLAIN(5) ", " BALANCER(6), WEB),
		TOP "groups = ( " IN_GROUP("B", "192.0.2.100", BALANCER(5)) " );",
		"node = \"fe6\"; interface = \"eth0\"; " GROUP(BALANCER(5) ", " PLAIN(6), WEB),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(CONF);

		assert_int_equal(role_of(cluster, "A"), ROLE_ACTIVE);
		replace(cluster, without[i]);
		replace(cluster, CONF);
		assert_int_equal(role_of(cluster, "A"), ROLE_STANDBY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_of_the_file),
		cmocka_unit_test(test_resolving),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_overrides_of_nobody),
		cmocka_unit_test(test_overrides_are_in_order),
		cmocka_unit_test(test_restored_override),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_always_active),
		cmocka_unit_test(test_relieved),
		cmocka_unit_test(test_what_a_new_configuration_keeps),
		cmocka_unit_test(test_a_duty_does_not_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
