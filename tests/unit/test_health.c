/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cluster makes of members that are down, and the plan of that. */
#include "cluster_fixture.h"

#include <netinet/in.h>

#define MEMBERS          BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define PORT(name, port) "{ name = \"" name "\"; protocol = \"tcp\"; ports = \"" port "\"; "
#define CONF(services)   TOP GROUP(MEMBERS, services)
#define CHECKED(more)    PORT("web", "80") "check = \"tcp\"; " more "}"
#define MAIL             ", " PORT("mail", "25") "check = \"smtp\"; }"
#define REST             ", { name = \"rest\"; protocol = \"any\"; }"

static int say(struct cluster *cluster, const char *service, const char *member, bool down,
	uint64_t since, unsigned int percent)
{
	const struct cluster_health health = { .down = down, .since = since, .percent = percent };

	int r = cluster_set_health(cluster, "A", service, member, &health);

	assert_int_equal(cluster_decide_health(cluster), r);
	return r;
}

static void fell(struct cluster *cluster, const char *service, const char *member, uint64_t since)
{
	assert_int_equal(say(cluster, service, member, true, since, 100), 1);
}

static void rose(struct cluster *cluster, const char *service, const char *member)
{
	assert_int_equal(say(cluster, service, member, false, 0, 100), 1);
}

/* Who is ejected from the n-th service: their digits in order. */
static void assert_ejected(const struct cluster *cluster, size_t service, const char *digits)
{
	const struct conf_group *group = &cluster_conf(cluster)->groups[0];
	char found[8] = "";

	for (size_t i = 0; i < group->n_members; i++)
		if (cluster_share(cluster, group, &group->services[service], i).ejected)
			strncat(found, group->members[i].name + 2, 1);
	assert_string_equal(found, digits);
}

static bool failed(const struct cluster *cluster, size_t service)
{
	const struct conf_group *group = &cluster_conf(cluster)->groups[0];

	return cluster_service_failed(cluster, group, &group->services[service]);
}

static enum member_state state_of(const struct cluster *cluster, const char *name)
{
	return view_of(cluster, name).state;
}

/* --- the cluster ------------------------------------------------------------------------- */

static bool is_well(const struct cluster *cluster)
{
	return cluster_is_well(cluster, &cluster_conf(cluster)->groups[0]);
}

static void test_one_down(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF(CHECKED("")));

	(void)state;
	assert_int_equal(say(cluster, "web", "fe6", false, 0, 100), 0);
	assert_true(is_well(cluster));
	fell(cluster, "web", "fe6", 1);
	assert_false(is_well(cluster));
	assert_int_equal(say(cluster, "web", "fe6", true, 2, 100), 0);
	assert_ejected(cluster, 0, "6");
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_DOWN);
	assert_int_equal(view_of(cluster, "fe6").weight, 0);
	assert_int_equal(state_of(cluster, "fe7"), MEMBER_SERVING);
	rose(cluster, "web", "fe6");
	assert_ejected(cluster, 0, "");
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_SERVING);
	assert_true(is_well(cluster));
}

/* A service without a check follows those that have one, as long as that leaves it somebody. */
static void test_several_services(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF(CHECKED("") MAIL REST));

	(void)state;
	fell(cluster, "web", "fe6", 1);
	assert_ejected(cluster, 0, "6");
	assert_ejected(cluster, 1, "");
	assert_ejected(cluster, 2, "");
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_SERVING);
	fell(cluster, "mail", "fe6", 2);
	assert_ejected(cluster, 2, "6");
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_DOWN);
}

static void test_all_down(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *open = cluster_of(CONF(CHECKED("")));
	_cleanup_(cluster_free_p) struct cluster *closed = cluster_of(
		CONF(CHECKED("fail = \"closed\"; ") REST));
	static const char *const names[] = { "fe5", "fe6", "fe7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_false(failed(open, 0));
		fell(open, "web", names[i], i);
		fell(closed, "web", names[i], i);
	}
	assert_true(failed(open, 0));
	assert_ejected(open, 0, "");
	assert_int_equal(state_of(open, "fe6"), MEMBER_SERVING);
	assert_true(failed(closed, 0));
	assert_ejected(closed, 0, "567");
	assert_ejected(closed, 1, "");
	assert_int_equal(state_of(closed, "fe6"), MEMBER_SERVING);
	rose(open, "web", "fe7");
	assert_false(failed(open, 0));
	assert_ejected(open, 0, "56");
}

/* The first to fall go first; who serves not for another reason does not count. */
static void test_floor(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(
		CONF(CHECKED("min_up = 2; ")));

	(void)state;
	fell(cluster, "web", "fe7", 30);
	fell(cluster, "web", "fe5", 20);
	fell(cluster, "web", "fe6", 40);
	assert_ejected(cluster, 0, "5");
	assert_int_equal(cluster_disable(cluster, "fe6"), 0);
	assert_ejected(cluster, 0, "");
	assert_int_equal(cluster_enable(cluster, "fe6"), 0);
	assert_ejected(cluster, 0, "5");
}

/* Who is all that is left is used, even if the others went for another reason than health. */
static void test_others_are_drained(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF(CHECKED("")));

	(void)state;
	fell(cluster, "web", "fe6", 1);
	assert_int_equal(cluster_drain(cluster, "fe5"), 0);
	assert_ejected(cluster, 0, "6");
	assert_int_equal(cluster_drain(cluster, "fe7"), 0);
	assert_true(failed(cluster, 0));
	assert_ejected(cluster, 0, "");
}

static void test_what_a_new_configuration_keeps(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF(CHECKED("") MAIL));

	(void)state;
	fell(cluster, "web", "fe6", 1);
	fell(cluster, "mail", "fe7", 1);
	conf_free(cluster_replace_conf(cluster, conf_of(CONF(WEB MAIL))));
	assert_ejected(cluster, 0, "7"); /* it is out of all that is checked now */
	assert_ejected(cluster, 1, "7");
	conf_free(cluster_replace_conf(cluster, conf_of(CONF(CHECKED("") MAIL))));
	assert_ejected(cluster, 0, "");
}

/* --- the plan -------------------------------------------------------------------------------- */

static const struct plan_distribution *find(const struct plan *plan, uint16_t port)
{
	const char *service;

	return plan_find_distribution(&plan->groups[0], IPPROTO_TCP, port, &service);
}

static size_t place_of(const struct plan *plan, const char *name)
{
	size_t i = 0;

	while (strcmp(plan->groups[0].members[i].name, name) != 0)
		i++;
	return i;
}

static size_t slots_of(const struct plan *plan, uint16_t port, const char *name)
{
	const struct plan_group *group = &plan->groups[0];

	return plan_table_count(
		plan, &group->tables[find(plan, port)->table], place_of(plan, name));
}

/* Services share a table until checks part them; then each keeps its memory. */
static void test_a_table_apart(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		CONF(CHECKED("") MAIL));
	_cleanup_(plan_free_p) struct plan *before = plan_of(cluster, NULL), *after = NULL;
	const struct plan_table *web, *mail;
	struct plan_pin pin = { .flow = { .protocol = IPPROTO_TCP, .vip_port = 80 } };

	(void)state;
	assert_int_equal(before->groups[0].n_tables, 1);
	fell(cluster, "web", "fe6", 1);
	after = plan_of(cluster, NULL);
	assert_int_equal(after->groups[0].n_tables, 2);
	web = &after->groups[0].tables[find(after, 80)->table];
	mail = &after->groups[0].tables[find(after, 25)->table];
	assert_true(web->apart);
	assert_string_equal(web->subset, "web");
	assert_null(web->memory);
	assert_false(mail->apart);
	assert_null(mail->subset);
	assert_int_equal(slots_of(after, 80, "fe6"), 0);
	assert_int_equal(slots_of(after, 25, "fe6"), slots_of(before, 25, "fe6"));
	assert_true(plan_moves_flows(before, after));

	/* Its flows of the one service are dead, those of the other are not. */
	pin.member = place_of(after, "fe6");
	assert_false(plan_needs_pin(after, &after->groups[0], find(after, 80), &pin));
	assert_true(plan_is_ejected(&after->groups[0], find(after, 80), pin.member));
	assert_false(plan_is_ejected(&after->groups[0], find(after, 25), pin.member));
}

/* Services without a check may each make something else of who is out of those that have one. */
static void test_unchecked_services_part(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		CONF(CHECKED("") ", " PORT("all", "25") "min_up = 3; }, " PORT(
			"some", "26") "}, " PORT("more", "27-28") "}"));
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	fell(cluster, "web", "fe6", 1);
	plan = plan_of(cluster, NULL);
	assert_int_not_equal(slots_of(plan, 25, "fe6"), 0);
	assert_int_equal(slots_of(plan, 26, "fe6"), 0);
	assert_ptr_equal(find(plan, 28), find(plan, 26));
	assert_ptr_equal(find(plan, 80), find(plan, 26));
}

/* Each port with its protocols and service: "53/udp=dns". */
static char *ports_of(const struct plan_distribution *distribution)
{
	const struct conf_ports *ports = distribution->ports;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (size_t i = 0; i < ports->n; i++)
		fprintf(file, "%s%u/%s=%s", i > 0 ? " " : "", ports->list[i].range.first,
			conf_protocol_name(ports->list[i].protocols), ports->list[i].service->name);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* While all do well a plan lists no ports: it has those of the configuration. */
static void test_a_kind_in_parts(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(CONF(
		CHECKED("") ", { name = \"dns\"; protocol = \"udp\"; ports = \"53\"; "
			    "check = \"dns\"; }, { name = \"sip\"; protocol = \"any\"; ports = "
			    "\"5061,5060\"; check = \"sip\"; }"));
	_cleanup_(plan_free_p) struct plan *whole = plan_of(cluster, NULL), *parts = NULL;
	_cleanup_(free_p) char *text = NULL, *rest = NULL;
	const struct conf_group *group = &cluster_conf(cluster)->groups[0];

	(void)state;
	assert_int_equal(whole->groups[0].n_distributions, 1);
	assert_ptr_equal(whole->groups[0].distributions[0].ports, group->kinds[0].ports);

	fell(cluster, "web", "fe6", 1);
	parts = plan_of(cluster, NULL);
	assert_int_equal(parts->groups[0].n_distributions, 2);
	text = ports_of(find(parts, 80));
	assert_string_equal(text, "80/tcp=web");
	assert_int_equal(find(parts, 80)->protocols, CONF_PROTOCOL_TCP);
	rest = ports_of(find(parts, 5060));
	assert_string_equal(rest, "53/udp=dns 5060/any=sip 5061/any=sip");
	assert_int_equal(find(parts, 5060)->protocols, CONF_PROTOCOL_ANY);
}

static void test_slow_start(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(CONF(CHECKED("")));
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	assert_int_equal(say(cluster, "web", "fe6", false, 1, 10), 1);
	plan = plan_of(cluster, NULL);
	assert_int_equal(slots_of(plan, 80, "fe6"), 12); /* of 256: 10 of 210 */
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_SERVING);
	assert_false(is_well(cluster));
}

/* With nobody left a table has no slots, and its packets are dropped. */
static void test_closed(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		CONF(CHECKED("fail = \"closed\"; ") MAIL));
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	fell(cluster, "web", "fe5", 1);
	fell(cluster, "web", "fe6", 1);
	fell(cluster, "web", "fe7", 1);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan->groups[0].tables[find(plan, 80)->table].slots[0], BUCKETS_NONE);
	assert_int_not_equal(plan->groups[0].tables[find(plan, 25)->table].slots[0], BUCKETS_NONE);
}

/* --- probes by VIPs ----------------------------------------------------------------------- */

/* Members of both groups; 5 is this host. */
#define PROBED                                                                                     \
	TOP "checks = ( { name = \"own\"; type = \"tcp\"; probe = \"address\"; } );"               \
	    "groups = ( { name = \"A\"; vips = [ \"2001:db8::1\", \"192.0.2.100\", "               \
	    "\"192.0.2.104/30\" ]; members = "                                                     \
	    "( " BALANCER(5) ", " PLAIN(6) ", " PLAIN(7) "); services = ( " PORT(                  \
		    "a", "80") "check = \"tcp\"; members = [ \"fe5\", \"fe7\" ]; }, " PORT("b",    \
		    "81") "check = \"own\"; } ); }, "                                              \
			  "{ name = \"B\"; vips = [ \"192.0.2.101\" ]; members = ( " BALANCER(     \
				  5) ", " PLAIN(6) "); services = ( " PORT("c",                    \
				  "80") "check = \"http\"; } ); } );"

static void test_probes(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(PROBED);
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL);
	static const char *const vips[] = { "192.0.2.100", "192.0.2.104", "192.0.2.105",
		"192.0.2.106", "192.0.2.107", "192.0.2.101" };

	/* Neither this host nor who is asked by its own address; a standby asks, too. */
	assert_int_equal(plan->n_probes, 2);
	assert_string_equal(plan->probes[0].member, "fe7");
	assert_true(mac_equal(&plan->probes[0].mac, &member_of(cluster, "fe7")->mac));
	assert_int_equal(plan->probes[0].mark, PLAN_PROBE_MARK | 2);
	assert_string_equal(plan->probes[1].group, "B");
	assert_string_equal(plan->probes[1].member, "fe6");
	assert_int_equal(plan->probes[1].mark, PLAN_PROBE_MARK | 4);

	/* No member has an address of IPv6: that VIP has a number, and is not asked. */
	assert_int_equal(plan->n_probe_vips, ARRAY_SIZE(vips));
	for (size_t i = 0; i < ARRAY_SIZE(vips); i++) {
		const struct address vip = address_of(vips[i]);

		assert_true(address_equal(&plan->probe_vips[i].address, &vip));
		assert_int_equal(plan->probe_vips[i].priority,
			PLAN_PROBE_PRIORITY + PLAN_PROBE_PRIORITY_STEP * (i + 1));
	}
	(void)state;
}

/* Who is out of everything is asked all the same, or would never come back. */
static void test_probes_of_who_is_down(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(CONF(CHECKED("")));
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	fell(cluster, "web", "fe6", 1);
	assert_int_equal(state_of(cluster, "fe6"), MEMBER_DOWN);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan->n_probes, 2);
	assert_string_equal(plan->probes[0].member, "fe6");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_down),
		cmocka_unit_test(test_several_services),
		cmocka_unit_test(test_all_down),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_others_are_drained),
		cmocka_unit_test(test_what_a_new_configuration_keeps),
		cmocka_unit_test(test_a_table_apart),
		cmocka_unit_test(test_unchecked_services_part),
		cmocka_unit_test(test_a_kind_in_parts),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_probes_of_who_is_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
