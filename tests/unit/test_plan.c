/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster_fixture.h"

#include "drover/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define THREE BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define SERVICE(name, protocol, ports, more)                                                       \
	"{ name = \"" name "\"; protocol = \"" protocol "\"; ports = \"" ports "\"; " more "}"
#define REST(name, protocol) "{ name = \"" name "\"; protocol = \"" protocol "\"; }"
#define ON(a, b)             "members = [ \"" a "\", \"" b "\" ]; "
#define RR                   "scheduler = \"rr\"; "
#define SOURCE               "scheduler = \"source\"; "

/* --- distributions ------------------------------------------------------------- */

static void write_table(FILE *file, const struct plan_group *group, size_t index)
{
	const struct plan_table *table = &group->tables[index];

	fprintf(file, "%s:%s", table->order == BUCKETS_TURNS ? "turns" : "buckets",
		table->subset ? table->subset : "all");
}

/*
 * One line per distribution: "tcp hash buckets:all 25=smtp 80-90=web", a fallback in brackets; the
 * ports of "any" with their protocols.
 */
static char *summary(const struct plan_group *group)
{
	char *text = NULL, range[PORT_RANGE_TEXT_MAX];
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (size_t i = 0; i < group->n_distributions; i++) {
		const struct plan_distribution *distribution = &group->distributions[i];

		fprintf(file, "%s %s ", conf_protocol_name(distribution->protocols),
			conf_scheduler_name(distribution->scheduler));
		write_table(file, group, distribution->table);
		if (distribution->fallback != distribution->table) {
			fputs(" [", file);
			write_table(file, group, distribution->fallback);
			fputs("]", file);
		}
		for (size_t p = 0; p < distribution->ports->n; p++) {
			const struct conf_port *port = &distribution->ports->list[p];

			fprintf(file, " %s", port_range_format(&port->range, range));
			if (distribution->protocols == CONF_PROTOCOL_ANY)
				fprintf(file, "/%s", conf_protocol_name(port->protocols));
			else
				assert_int_equal(port->protocols, distribution->protocols);
			fprintf(file, "=%s", port->service->name);
		}
		fputs("\n", file);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

struct distribution_case {
	const char *services;
	const char *summary;
	size_t n_tables;
};

static const struct distribution_case distribution_cases[] = {
	{ WEB, "tcp hash buckets:all 80=web\n", 1 },
	/* Merged, with their ports in order. */
	{ SERVICE("web", "tcp", "8010,80", "") "," SERVICE("smtp", "tcp", "465,25-30", ""),
		"tcp hash buckets:all 25-30=smtp 80=web 465=smtp 8010=web\n", 1 },
	/* Other schedulers are dealt out for themselves, from the same table; protocols are not. */
	{ SERVICE("a", "tcp", "1", "") "," SERVICE("b", "tcp", "2", SOURCE) "," SERVICE(
		  "c", "udp", "3", "") "," SERVICE("d", "tcp", "4", ""),
		"any hash buckets:all 1/tcp=a 3/udp=c 4/tcp=d\n"
		"tcp source buckets:all 2=b\n",
		1 },
	{ SERVICE("dns", "any", "53", ""), "any hash buckets:all 53/any=dns\n", 1 },
	{ SERVICE("media", "any", "30000-30999", ""),
		"any hash buckets:all 30000-30999/any=media\n", 1 },
	{ SERVICE("dns", "any", "53", "") "," SERVICE("web", "tcp", "80", ""),
		"any hash buckets:all 53/any=dns 80/tcp=web\n", 1 },
	{ SERVICE("u", "udp", "443,80", "") "," SERVICE("t", "tcp", "80", ""),
		"any hash buckets:all 80/tcp=t 80/udp=u 443/udp=u\n", 1 },
	/* Two rules are cheaper for one port each, and there is none for several ranges of both. */
	{ SERVICE("u", "udp", "80", "") "," SERVICE("t", "tcp", "80", ""),
		"udp hash buckets:all 80=u\n"
		"tcp hash buckets:all 80=t\n",
		1 },
	{ SERVICE("dns", "any", "53", "") "," SERVICE("ftp", "tcp", "20-21", "") "," SERVICE(
		  "web", "tcp", "80", ""),
		"tcp hash buckets:all 20-21=ftp 53=dns 80=web\n"
		"udp hash buckets:all 53=dns\n",
		1 },
	/* Round robin of TCP has a second table to fall back on, that of UDP has not. */
	{ SERVICE("sip", "any", "5060", RR),
		"tcp rr turns:all [buckets:all] 5060=sip\n"
		"udp rr turns:all 5060=sip\n",
		2 },
	{ SERVICE("sip", "udp", "5060", RR), "udp rr turns:all 5060=sip\n", 1 },
	{ SERVICE("dice", "any", "81", "scheduler = \"random\"; "),
		"tcp random buckets:all 81=dice\n"
		"udp random buckets:all 81=dice\n",
		1 },
	/* A subset is named after its first service, however its members are listed. */
	{ SERVICE("a", "tcp", "1", ON("fe5", "fe6")) "," SERVICE(
		  "b", "tcp", "2", ON("fe6", "fe5")) "," SERVICE("c", "tcp", "3",
		  ON("fe6", "fe7")) "," SERVICE("d", "tcp", "4", ON("fe7", "fe6")),
		"tcp hash buckets:a 1=a 2=b\n"
		"tcp hash buckets:c 3=c 4=d\n",
		2 },
	/* All members by name are all members. */
	{ WEB "," SERVICE("a", "tcp", "1", "members = [ \"fe7\", \"fe6\", \"fe5\" ]; "),
		"tcp hash buckets:all 1=a 80=web\n", 1 },
	/* A subset may have a table of one order from one service, of another from another. */
	{ SERVICE("a", "udp", "1", RR ON("fe5", "fe6")) "," SERVICE(
		  "b", "tcp", "2", RR ON("fe5", "fe6")),
		"udp rr turns:a 1=a\n"
		"tcp rr turns:a [buckets:b] 2=b\n",
		2 },
	/* What has ports comes before what has none, wherever the file has it. */
	{ REST("rest", "any") "," WEB,
		"tcp hash buckets:all 80=web\n"
		"any hash buckets:all\n",
		1 },
	{ REST("t", "tcp") ", { name = \"u\"; protocol = \"udp\"; " RR "}",
		"tcp hash buckets:all\n"
		"udp rr turns:all\n",
		2 },
};

static void test_distributions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(distribution_cases); i++) {
		const struct distribution_case *c = &distribution_cases[i];
		char text[2048];
		struct cluster *cluster;
		struct plan *plan;
		char *is;

		snprintf(text, sizeof(text), TOP GROUP(THREE, "%s"), c->services);
		plan = active_plan_of(text, &cluster);
		is = summary(&plan->groups[0]);
		assert_string_equal(is, c->summary);
		assert_int_equal(plan->groups[0].n_tables, c->n_tables);
		free(is);
		plan_free(plan);
		cluster_free(cluster);
	}
}

/* Who is in the file no more is in no service: "all members" are still all of them. */
static void test_a_retired_member_is_no_member(void **state)
{
	_cleanup_(conf_free_p) struct conf *before = conf_of(TOP GROUP(THREE, WEB));
	_cleanup_(cluster_free_p) struct cluster *cluster = NULL;
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	struct conf *now = conf_of(TOP GROUP(BALANCER(5) ", " PLAIN(6), WEB));

	(void)state;
	assert_int_equal(conf_retire_member(now, "A", conf_find_member(before, "fe7")), 1);
	cluster = cluster_new(now);
	plan = plan_of(cluster, &(struct plan_what_if){ .assume_active = true });
	assert_int_equal(plan->groups[0].n_members, 3);
	assert_null(plan->groups[0].tables[0].subset);
	assert_null(plan->groups[0].tables[0].memory);
}

/* --- members, buckets --------------------------------------------------------------- */

static size_t count(const struct plan *plan, const char *member)
{
	const struct plan_group *group = &plan->groups[0];

	for (size_t i = 0; i < group->n_members; i++)
		if (strcmp(group->members[i].name, member) == 0)
			return plan_table_count(plan, &group->tables[0], i);
	return SIZE_MAX;
}

enum { ABSENT = -1 };

static void assert_counts(const struct plan *plan, int fe5, int fe6, int fe7)
{
	const int wanted[] = { fe5, fe6, fe7 };
	static const char *const names[] = { "fe5", "fe6", "fe7" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = count(plan, names[i]);

		if (wanted[i] == ABSENT ? n != SIZE_MAX : n != (size_t)wanted[i])
			fail_msg("%s has %zd buckets, not %d", names[i], n, wanted[i]);
	}
}

static void test_members(void **state)
{
	struct cluster *cluster;
	struct plan *plan = active_plan_of(
		TOP GROUP(PLAIN(7) ", { " HOST(6) "weight = 50; }, " BALANCER(5), WEB), &cluster);
	const struct plan_group *group = &plan->groups[0];

	(void)state;
	assert_int_equal(plan->n_groups, 1);
	assert_int_equal(group->n_members, 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "fe5", "fe6", "fe7" };

		assert_string_equal(group->members[i].name, names[i]);
		assert_int_equal(group->members[i].local, i == 0);
		assert_int_equal(group->members[i].mac.bytes[5], 5 + i);
	}
	assert_counts(plan, 103, 51, 102);
	plan_free(plan);
	cluster_free(cluster);
}

/* Who is left when fe6 is in each state. */
static void test_states(void **state)
{
	static const struct {
		const char *fe6;
		int (*command)(struct cluster *cluster, const char *member);
		int fe5_count, fe6_count;
	} cases[] = {
		{ PLAIN(6), NULL, 128, 128 },
		{ PLAIN(6), cluster_drain, 256, 0 },
		{ PLAIN(6), cluster_disable, 256, ABSENT },
		{ "{ " HOST(6) "weight = 0; }", NULL, 256, 0 },
		{ "{ " FE(6) "}", NULL, 256, ABSENT },
		{ "{ " FE(6) "}", cluster_drain, 256, ABSENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cluster_free_p) struct cluster *cluster = NULL;
		_cleanup_(plan_free_p) struct plan *plan = NULL;
		char text[1024];

		snprintf(text, sizeof(text), TOP GROUP(BALANCER(5) ", %s", WEB), cases[i].fe6);
		cluster = active_cluster_of(text);
		if (cases[i].command)
			assert_int_equal(cases[i].command(cluster, "fe6"), 0);
		plan = plan_of(cluster, NULL);
		assert_counts(plan, cases[i].fe5_count, cases[i].fe6_count, ABSENT);
	}
}

static void test_nobody_serves(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(BALANCER(5), WEB));
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	assert_int_equal(cluster_disable(cluster, "fe5"), 0);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan->groups[0].n_members, 0);
	for (size_t slot = 0; slot < plan->n_buckets; slot++)
		assert_int_equal(plan->groups[0].tables[0].slots[slot], BUCKETS_NONE);
}

static void test_marks(void **state)
{
	struct cluster *cluster, *other_cluster;
	struct plan *plan = active_plan_of(TOP GROUP(THREE, WEB), &cluster);
	struct plan *other = active_plan_of(
		TOP GROUP(PLAIN(9) ", " PLAIN(7) ", { " HOST(6) "weight = 3; }, " BALANCER(5),
			REST("rest", "udp")),
		&other_cluster);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint32_t mark = plan->groups[0].members[i].mark;

		assert_int_not_equal(mark, 0);
		assert_int_equal(mark, other->groups[0].members[i].mark);
		assert_int_not_equal(mark, other->groups[0].members[3].mark);
		assert_int_not_equal(mark, plan->groups[0].members[(i + 1) % 3].mark);
	}
	plan_free(plan);
	plan_free(other);
	cluster_free(cluster);
	cluster_free(other_cluster);
}

/* --- what if -------------------------------------------------------------------------- */

static void test_without(void **state)
{
	static const struct {
		const char *without;
		int fe5, fe6, fe7;
	} cases[] = {
		{ NULL, 86, 85, 85 },
		{ "fe7", 128, 128, ABSENT },
		{ "fe5", ABSENT, 128, 128 },
		{ "nobody", 86, 85, 85 },
	};
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP(THREE, WEB));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct plan_what_if what_if = { .without = cases[i].without };
		_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, &what_if);
		size_t sum = 0;

		for (size_t m = 0; m < plan->groups[0].n_members; m++)
			sum += plan_table_count(plan, &plan->groups[0].tables[0], m);
		assert_int_equal(sum, 256);
		assert_int_equal(count(plan, "fe5") == SIZE_MAX, cases[i].fe5 == ABSENT);
		assert_int_equal(count(plan, "fe7") == SIZE_MAX, cases[i].fe7 == ABSENT);
		assert_in_range(count(plan, "fe6"), cases[i].fe6, cases[i].fe6 + 1);
	}
	assert_int_equal(view_of(cluster, "fe7").state, MEMBER_SERVING);
}

/* fe5 balances A, is a member of B, and knows C only from the file. */
#define ONE(name, vip, member)                                                                     \
	"{ name = \"" name "\"; vips = [ \"" vip "\" ]; members = ( " member                       \
	" ); services = ( " WEB " ); }"
#define GROUPS                                                                                     \
	TOP "groups = ( " ONE("A", "192.0.2.100", BALANCER(5)) ", " ONE("B", "192.0.2.101",        \
		PLAIN(5) ", " BALANCER(6)) ", " ONE("C", "192.0.2.102", BALANCER(6)) " );"

static void assert_groups(const struct plan *plan, const char *active, const char *silent)
{
	char is_active[8] = "", is_silent[8] = "";
	static const char names[] = "ABC";

	for (size_t i = 0; i < 3; i++) {
		const char name[] = { names[i], '\0' };
		const struct plan_group *group = plan_find_group(plan, name);

		if (group && group->forwards)
			strcat(is_active, name);
	}
	for (size_t i = 0; i < plan->suppress.n_vips; i++) {
		unsigned int last = plan->suppress.vips[i]->prefix.address.bytes[3];
		const char name[] = { names[last - 100], '\0' };

		strcat(is_silent, name);
	}
	assert_string_equal(is_active, active);
	assert_string_equal(is_silent, silent);
	if (plan->suppress.n_vips > 0)
		assert_int_equal(plan->suppress.source.bytes[3], 5);
}

static void test_roles_and_suppression(void **state)
{
	static const struct plan_what_if what_if = { .assume_active = true };
	static const struct {
		enum cluster_role role;
		bool assume_active;
		const char *active, *silent;
	} cases[] = {
		{ ROLE_STANDBY, false, "", "AB" },
		{ ROLE_ACTIVE, false, "A", "B" },
		{ ROLE_LEAVING, false, "A", "AB" },
		{ ROLE_STANDBY, true, "AB", "" },
		{ ROLE_ACTIVE, true, "AB", "" },
	};
	_cleanup_(cluster_free_p) struct cluster *cluster = cluster_of(GROUPS);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(plan_free_p) struct plan *plan = NULL;

		assert_true(cluster_set_role(cluster, "A", cases[i].role) >= 0);
		plan = plan_of(cluster, cases[i].assume_active ? &what_if : NULL);
		assert_groups(plan, cases[i].active, cases[i].silent);
	}
}

/* --- outgoing ranges, peers, the interface ------------------------------------------------ */

static void test_outgoing(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP GROUP("{ " HOST(7) "outgoing = \"40000-40009,33000-33009\"; }, { " HOST(
				  5) "balancer = true; outgoing = \"35000-35009\"; }, "
				     "{ " HOST(6) "weight = 0; outgoing = \"34000\"; }",
			WEB));
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL), *less = NULL;
	const struct plan_group *group = &plan->groups[0];
	static const struct {
		uint16_t first, last;
		const char *member;
	} wanted[] = {
		{ 33000, 33009, "fe7" },
		{ 34000, 34000, "fe6" },
		{ 35000, 35009, "fe5" },
		{ 40000, 40009, "fe7" },
	};

	(void)state;
	assert_int_equal(group->n_outgoing, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_int_equal(group->outgoing[i].range.first, wanted[i].first);
		assert_int_equal(group->outgoing[i].range.last, wanted[i].last);
		assert_string_equal(
			group->members[group->outgoing[i].member].name, wanted[i].member);
	}
	assert_int_equal(cluster_disable(cluster, "fe7"), 0);
	less = plan_of(cluster, NULL);
	assert_int_equal(less->groups[0].n_outgoing, 2);
	assert_int_equal(less->groups[0].outgoing[0].range.first, 34000);
}

/* Whoever may balance is a peer: also one that takes no traffic, or that was disabled. */
static void test_peers(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		TOP "groups = ( { name = \"A\"; vips = [ \"192.0.2.100\" ]; members = "
		    "( " BALANCER(9) ", " BALANCER(5) ", " PLAIN(6) ", { " FE(
			    8) "balancer = true; } ); "
			       "balancers = ( { " HOST(7) "} ); services = ( " WEB " ); } );");
	_cleanup_(plan_free_p) struct plan *plan = NULL;

	(void)state;
	assert_int_equal(cluster_disable(cluster, "fe9"), 0);
	plan = plan_of(cluster, NULL);
	assert_int_equal(plan->groups[0].n_peers, 2);
	assert_string_equal(plan->groups[0].peers[0].name, "fe7");
	assert_int_equal(plan->groups[0].peers[0].mac.bytes[5], 7);
	assert_string_equal(plan->groups[0].peers[1].name, "fe9");
	assert_counts(plan, 128, 128, ABSENT);
}

static void test_interface(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(
		"seed = 0x1234; " TOP GROUP(BALANCER(5), WEB));
	const struct cluster_link link = {
		.present = true, .index = 42, .mac = mac_of("02:00:00:00:00:55")
	};
	_cleanup_(plan_free_p) struct plan *before = plan_of(cluster, NULL), *after = NULL;

	(void)state;
	assert_string_equal(before->interface, "eth0");
	assert_int_equal(before->interface_index, 0);
	assert_int_equal(before->mac.bytes[5], 0x05);
	assert_int_equal(before->seed, 0x1234);
	assert_int_equal(before->n_buckets, 256);
	assert_true(cluster_set_link(cluster, &link));
	after = plan_of(cluster, NULL);
	assert_int_equal(after->interface_index, 42);
	assert_int_equal(after->mac.bytes[5], 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distributions),
		cmocka_unit_test(test_a_retired_member_is_no_member),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_nobody_serves),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_roles_and_suppression),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
