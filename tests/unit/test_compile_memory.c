/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered: flows that were drawn, clients, and first fragments. */
#include "compile_fixture.h"

#include <stdlib.h>

#define FLOW    "@nh,96,32 . th sport"
#define CLIENT  "@nh,96,32"
#define SYN     "tcp flags syn / fin,syn,rst,ack "
#define NOT_SYN "tcp flags != syn / fin,syn,rst,ack "
#define TURNS   "meta mark set numgen inc mod 256 map @turn-marks/A "
#define RANDOM  "meta mark set numgen random mod 256 map @bucket-marks/A "
#define ADDRESS "meta mark set jhash @nh,96,32 " SEEDED("256") " map @bucket-marks/A "
#define KNOWN(map, key, what)                                                                      \
	RECALL(map, key)                                                                           \
	REMEMBER(map, key) BY_MARK "comment \"" what " that has its member\"\n"
#define NEW(map, key)                                                                              \
	FORGET(map, key)                                                                           \
	REMEMBER(map, key) BY_MARK "comment \"a new one draws a member and keeps it\"\n"
#define BY_HASH    HASH " comment \"not remembered: by hash\"\n"
#define BY_ADDRESS HASH_OF("@nh,96,32") " comment \"not remembered: by the client's address\"\n"

#define SCHEDULED(protocol, name, more)                                                            \
	TOP GROUP(THREE, SERVICE(protocol, PORT_80 SCHEDULER(name) more))
#define FLOWS_60       "learned/A/tcp-rr-60s"
#define CLIENTS_60     "clients/A/tcp-rr-60s"
#define STAYS(seconds) "persistence = " #seconds "; "

/* --- flows ------------------------------------------------------------------------------ */

static const struct body_case flows[] = {
	{ SCHEDULED("tcp", "rr", ""), "chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter goto learn/A/tcp-rr "
		      "comment \"s: TCP rr\"\n" END },
	{ SCHEDULED("tcp", "rr", ""), "chain learn/A/tcp-rr",
		KNOWN("learned/A/tcp-rr", FLOW, "a flow") SYN TURNS NEW("learned/A/tcp-rr", FLOW)
			BY_HASH },
	{ SCHEDULED("tcp", "random", ""), "chain learn/A/tcp-random",
		KNOWN("learned/A/tcp-random", FLOW, "a flow")
			SYN RANDOM NEW("learned/A/tcp-random", FLOW) BY_HASH },
	{ SCHEDULED("tcp", "rr", ""), "map learned/A/tcp-rr", MEMORY("125m") },
	{ SCHEDULED("tcp", "hash", ""), "chain learn/A/tcp-hash", NULL },
	{ SCHEDULED("udp", "rr", ""), "chain learn/A/udp-rr", NULL },
	{ TOP GROUP(THREE, SERVICE("tcp", SCHEDULER("random"))), "chain ingress",
		BEGIN "meta l4proto tcp counter goto learn/A/tcp-random-rest "
		      "comment \"s: TCP random\"\n" END },
	/* A subset has its own memory, and draws from its own tables. */
	{ SCHEDULED("tcp", "rr", "members = [ \"fe6\" ]; "), "chain learn/A/tcp-rr/s",
		KNOWN("learned/A/tcp-rr/s", FLOW, "a flow") SYN
		"meta mark set numgen inc mod 256 map @turn-marks/A/s " NEW("learned/A/tcp-rr/s",
			FLOW) "jhash @nh,96,32 . th sport " SEEDED("256") " vmap @buckets/A/s "
									  "comment \"not "
									  "remembered: by "
									  "hash\"\n" },
};

/* --- clients ------------------------------------------------------------------------------- */

static const struct body_case clients[] = {
	{ SCHEDULED("tcp", "hash", STAYS(300)), "chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter goto client/A/tcp-hash-300s "
		      "comment \"s: TCP hash\"\n" END },
	/* By hash or by source a new client goes by its address alone, whatever its packet is. */
	{ SCHEDULED("tcp", "hash", STAYS(300)), "chain client/A/tcp-hash-300s",
		KNOWN("clients/A/tcp-hash-300s", CLIENT, "a client")
			ADDRESS NEW("clients/A/tcp-hash-300s", CLIENT) BY_ADDRESS },
	{ SCHEDULED("udp", "source", STAYS(90)), "chain client/A/udp-source-90s",
		KNOWN("clients/A/udp-source-90s", CLIENT, "a client")
			ADDRESS NEW("clients/A/udp-source-90s", CLIENT) BY_ADDRESS },
	/* One memory for TCP and UDP: the client is the same. */
	{ SCHEDULED("any", "hash", STAYS(300)), "chain ingress",
		BEGIN "th dport 80 meta l4proto @protocols counter goto client/A/hash-300s "
		      "comment \"s: TCP and UDP hash\"\n" END },
	{ SCHEDULED("any", "hash", STAYS(300)), "chain client/A/hash-300s",
		KNOWN("clients/A/hash-300s", CLIENT, "a client")
			ADDRESS NEW("clients/A/hash-300s", CLIENT) BY_ADDRESS },
	/* A draw must not tear a TCP connection that is under way. */
	{ SCHEDULED("tcp", "rr", STAYS(60)), "chain client/A/tcp-rr-60s",
		NOT_SYN RECALL(FLOWS_60, FLOW) REMEMBER(FLOWS_60, FLOW) REMEMBER(CLIENTS_60, CLIENT)
			BY_MARK "comment \"a flow that has its member\"\n" RECALL(
				CLIENTS_60, CLIENT) REMEMBER(CLIENTS_60, CLIENT)
				FORGET(FLOWS_60, FLOW) REMEMBER(FLOWS_60, FLOW) BY_MARK
		"comment \"a client that has its member\"\n" SYN TURNS FORGET(CLIENTS_60, CLIENT)
			REMEMBER(CLIENTS_60, CLIENT) NEW(FLOWS_60, FLOW) BY_ADDRESS },
	{ SCHEDULED("udp", "rr", STAYS(60)), "chain client/A/udp-rr-60s",
		KNOWN("clients/A/udp-rr-60s", CLIENT, "a client")
			TURNS NEW("clients/A/udp-rr-60s", CLIENT) BY_ADDRESS },
	{ SCHEDULED("udp", "random", STAYS(60)), "chain client/A/udp-random-60s",
		KNOWN("clients/A/udp-random-60s", CLIENT, "a client")
			RANDOM NEW("clients/A/udp-random-60s", CLIENT) BY_ADDRESS },
	{ SCHEDULED("udp", "rr", STAYS(60)), "map clients/A/udp-rr-60s", MEMORY("1m") },
	{ SCHEDULED("udp", "rr", STAYS(90)), "map clients/A/udp-rr-90s", MEMORY("90s") },
	/* Services of other persistence do not share their clients. */
	{ TOP GROUP(THREE,
		  SERVICE("tcp", PORT_80 STAYS(60)) ALSO("tcp", "ports = \"81\"; " STAYS(90))),
		"chain ingress",
		BEGIN "th dport 80 meta l4proto tcp counter goto client/A/tcp-hash-60s "
		      "comment \"s: TCP hash\"\n"
		      "th dport 81 meta l4proto tcp counter goto client/A/tcp-hash-90s "
		      "comment \"t: TCP hash\"\n" END },
	{ TOP GROUP(THREE, SERVICE("tcp", STAYS(60))), "chain ingress",
		BEGIN "meta l4proto tcp counter goto client/A/tcp-hash-60s-rest "
		      "comment \"s: TCP hash\"\n" END },
};

/* --- fragments ------------------------------------------------------------------------------ */

#define PACKET  "ip saddr . ip daddr . ip id . ip protocol"
#define PACKET6 "ip6 saddr . ip6 daddr . frag id"
#define NOTE    "update @fragments/A { " DIGEST(PACKET) " : meta mark }\n"
#define NOTE6   "frag more-fragments 1 update @fragments/A { " DIGEST(PACKET6) " : meta mark }\n"
#define FOLLOW(icmp, packet)                                                                       \
	icmp " accept comment \"a large ping: for this host\"\n" RECALL("fragments/A", packet)     \
		BY_MARK                                                                            \
		"comment \"a later fragment follows the first\"\n"                                 \
		"counter goto everyone/A comment \"the first has not come yet: to all members\"\n"
#define FOLLOW4 FOLLOW("ip protocol icmp", PACKET)
#define FOLLOW6 FOLLOW("meta l4proto icmpv6", PACKET6)

static const struct body_case fragments[] = {
	{ TOP GROUP(THREE, WEB), "map fragments/A", MEMORY_OF("65536", "30s") },
	{ TOP GROUP(THREE, WEB), "chain first-fragment/A", NOTE },
	{ TOP GROUP(THREE, WEB), "chain fragment/A", FOLLOW4 },
	{ TOP GROUP(THREE, WEB), "chain fragment6/A", NULL },
	{ VIPS("\"2001:db8::100\""), "map fragments/A", MEMORY_OF("65536", "30s") },
	{ VIPS("\"2001:db8::100\""), "chain first-fragment/A", NOTE6 },
	{ VIPS("\"2001:db8::100\""), "chain fragment6/A", FOLLOW6 },
	{ VIPS("\"2001:db8::100\""), "chain fragment/A", NULL },
	{ VIPS("\"192.0.2.100\", \"2001:db8::100\""), "chain first-fragment/A", NOTE NOTE6 },
	{ VIPS("\"192.0.2.100\", \"2001:db8::100\""), "chain fragment/A", FOLLOW4 },
	{ VIPS("\"192.0.2.100\", \"2001:db8::100\""), "chain fragment6/A", FOLLOW6 },
};

static void test_flows(void **state)
{
	(void)state;
	assert_bodies(flows, ARRAY_SIZE(flows));
}

static void test_clients(void **state)
{
	(void)state;
	assert_bodies(clients, ARRAY_SIZE(clients));
}

static void test_fragments(void **state)
{
	(void)state;
	assert_bodies(fragments, ARRAY_SIZE(fragments));
}

/* A client that the kernel's memory is to begin with. */
static void remember(struct plan *plan, size_t distribution, const char *client)
{
	struct plan_distribution *d = &plan->groups[0].distributions[distribution];

	d->memories = calloc(1, sizeof(*d->memories));
	assert_non_null(d->memories);
	d->memories[d->n_memories++] = (struct plan_memory){ .client = address_of(client) };
}

static size_t count(const struct ruleset *ruleset, const char *name)
{
	return set_of(ruleset, name)->n_elements;
}

/* Each kind of services begins with what is known of its own clients. */
static void test_memories_begin_apart(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(TOP GROUP(THREE,
		SERVICE("tcp", PORT_80 STAYS(60)) ALSO("tcp", "ports = \"81\"; " STAYS(90))));
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL);
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL;

	(void)state;
	remember(plan, 0, "198.51.100.1");
	ruleset = ruleset_of_plan(plan);
	assert_int_equal(count(ruleset, "clients/A/tcp-hash-60s"), 1);
	assert_int_equal(count(ruleset, "clients/A/tcp-hash-90s"), 0);
}

/* --- services that checks part --------------------------------------------------------------- */

/* Clients are remembered for both protocols, also while one of them misses a member. */
static void test_parts_have_one_memory(void **state)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(TOP GROUP(THREE,
		SERVICE("tcp", "ports = \"80,81\"; check = \"tcp\"; " STAYS(300))
			ALSO("udp", "ports = \"53,54\"; check = \"sip\"; " STAYS(300))));
	_cleanup_(ruleset_free_p) struct ruleset *whole = ruleset_of(cluster), *parts = NULL;
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	_cleanup_(free_p) char *script = NULL;

	(void)state;
	assert_non_null(set_of(whole, "clients/A/hash-300s"));
	take_down(cluster, "s", "fe6");
	plan = plan_of(cluster, NULL);
	remember(plan, 0, "198.51.100.1");
	remember(plan, 1, "198.51.100.2");
	parts = ruleset_of_plan(plan);
	assert_int_equal(count(parts, "clients/A/hash-300s"), 2);
	script = script_of(parts);
	assert_non_null(strstr(script, "goto client/A/tcp-hash-300s/s/up"));
	assert_non_null(strstr(script, "goto client/A/udp-hash-300s "));
	assert_null(strstr(script, "clients/A/tcp"));
	assert_null(strstr(script, "clients/A/udp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_memories_begin_apart),
		cmocka_unit_test(test_parts_have_one_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
