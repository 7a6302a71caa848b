/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets through the rules of a real kernel: where pinned flows go, and where all others. */
#include "kernel_fixture.h"

#include "drover/flow_hash.h"
#include "drover/script.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * fe5 balances and is no member, so that whatever it forwards leaves it: to 6, 7 or 8. Ports: 9 is
 * the fixture's fence, 80 and 8080 go by hash, 81 in turn, 82 by client.
 */
#define V4       "192.0.2.100"
#define OTHER_V4 "192.0.2.101"
#define V6       "2001:db8::100"
#define OTHER_V6 "2001:db8::101"
#define CONF                                                                                       \
	TOP "groups = ( { name = \"A\"; vips = [ \"" V4 "\", \"" OTHER_V4 "\", \"" V6              \
	    "\", \"" OTHER_V6 "\" ]; members = ( " PLAIN(6) ", " PLAIN(7) ", { " HOST(             \
		    8) "outgoing = \"34000-34999\"; } ); balancers = ( "                           \
		       "{ " HOST(5) "} ); services = ( "                                           \
				    "{ name = \"fence\"; protocol = \"udp\"; "                     \
				    "ports = \"9\"; }, "                                           \
				    "{ name = \"web\"; protocol = \"any\"; "                       \
				    "ports = \"80,8080\"; }, "                                     \
				    "{ name = \"drawn\"; protocol = \"any\"; "                     \
				    "ports = \"81\"; scheduler = \"rr\"; }, "                      \
				    "{ name = \"stays\"; protocol = \"any\"; "                     \
				    "ports = \"82\"; scheduler = \"random\"; "                     \
				    "persistence = 3600; } ); } );"

/* --- plans and flows ---------------------------------------------------------------------- */

struct fixture {
	struct kernel *kernel;
	struct cluster *cluster;
	struct plan *plan;
	struct plan_group *group;
};

/* The plan of what is now, without pins. */
static void plan_anew(struct fixture *f)
{
	plan_free(f->plan);
	f->plan = plan_of(f->cluster, NULL);
	f->group = &f->plan->groups[0];
}

static struct fixture start(void **state)
{
	struct fixture f = { .kernel = *state, .cluster = active_cluster_of(CONF) };

	assert_true(cluster_set_link(f.cluster, &f.kernel->link));
	plan_anew(&f);
	return f;
}

static void fixture_done(struct fixture *f)
{
	plan_free(f->plan);
	cluster_free(f->cluster);
}

static void commit(struct fixture *f)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = ruleset_of_plan(f->plan);

	install(f->kernel->nft, ruleset);
}

/* Packets have the last digit of a member's address, members of the group begin with fe6. */
static size_t member_at(const char *way)
{
	if (strlen(way) != 1 || *way < '6' || *way > '8')
		fail_msg("not one member: \"%s\"", way);
	return (size_t)(*way - '6');
}

static struct flow flow_of(const struct packet *packet)
{
	return (struct flow){
		.protocol = packet->protocol,
		.client = address_of(packet->client),
		.vip = address_of(packet->vip),
		.client_port = packet->client_port,
		.vip_port = packet->vip_port,
	};
}

static int try_pin(struct fixture *f, const struct packet *packet, size_t member)
{
	const struct plan_pin one = { .flow = flow_of(packet), .member = member };

	return plan_add_pin(f->plan, f->group, &one);
}

static void pin(struct fixture *f, const struct packet *packet, size_t member)
{
	assert_int_equal(try_pin(f, packet, member), 1);
}

static void assert_way(struct fixture *f, const struct packet *packet, size_t member)
{
	const char *way = way_of(f->kernel, packet);

	if (member_at(way) != member)
		fail_msg("%s of %u %s:%u > %s:%u goes to fe%s, not to fe%zu",
			packet->is_error ? "error" : "packet", packet->protocol, packet->client,
			packet->client_port, packet->vip, packet->vip_port, way, member + 6);
}

static void assert_way_of_errors(struct fixture *f, struct packet packet, size_t member)
{
	packet.is_error = true;
	assert_way(f, &packet, member);
}

/* Another port of the client, in the same slot by address and port. */
static uint16_t neighbour_port(const struct fixture *f, const struct packet *packet)
{
	struct address client = address_of(packet->client);
	uint32_t slot = flow_hash_bucket(
		&client, true, packet->client_port, f->plan->seed, f->plan->n_buckets);
	uint16_t port = packet->client_port;

	do
		port++;
	while (flow_hash_bucket(&client, true, port, f->plan->seed, f->plan->n_buckets) != slot);
	return port;
}

/* --- hash ---------------------------------------------------------------------------------- */

enum { DIFFERENCES = 5 };

/* Flows that differ from one in VIP, VIP's port, protocol or client's port, all of its slot. */
static void look_alikes(const struct fixture *f, const struct packet *packet,
	struct packet others[static DIFFERENCES])
{
	bool is_tcp = packet->protocol == IPPROTO_TCP;

	for (size_t i = 0; i < DIFFERENCES; i++)
		others[i] = *packet;
	others[0].vip = strchr(packet->vip, ':') ? OTHER_V6 : OTHER_V4;
	others[1].vip_port = 8080;
	others[2].protocol = is_tcp ? IPPROTO_UDP : IPPROTO_TCP;
	others[3].client_port = neighbour_port(f, packet);
	others[4].client_port = neighbour_port(f, &others[3]);
}

static void assert_pin_wins_over_bucket(void **state, const struct packet *packet)
{
	_cleanup_(fixture_done) struct fixture f = start(state);
	struct packet others[DIFFERENCES];
	size_t owner, keeper;

	commit(&f);
	owner = member_at(way_of(f.kernel, packet));
	keeper = (owner + 1) % 3;
	assert_way_of_errors(&f, *packet, owner);
	look_alikes(&f, packet, others);

	pin(&f, packet, keeper);
	commit(&f);
	assert_way(&f, packet, keeper);
	assert_way_of_errors(&f, *packet, keeper);
	for (size_t i = 0; i < DIFFERENCES; i++) {
		assert_way(&f, &others[i], owner);
		assert_way_of_errors(&f, others[i], owner);
	}

	/* Each of them may have its own. */
	for (size_t i = 0; i < DIFFERENCES; i++)
		pin(&f, &others[i], (owner + 1 + i % 2) % 3);
	commit(&f);
	assert_way(&f, packet, keeper);
	for (size_t i = 0; i < DIFFERENCES; i++) {
		assert_way(&f, &others[i], (owner + 1 + i % 2) % 3);
		assert_way_of_errors(&f, others[i], (owner + 1 + i % 2) % 3);
	}

	plan_anew(&f);
	commit(&f);
	assert_way(&f, packet, owner);
	assert_way_of_errors(&f, *packet, owner);
}

static void test_pin_over_bucket(void **state)
{
	static const struct packet packets[] = {
		{ IPPROTO_TCP, "198.51.100.7", 40000, V4, 80, false, false },
		{ IPPROTO_UDP, "198.51.100.7", 40000, V4, 80, false, false },
		{ IPPROTO_TCP, "2001:db8:7::7", 40000, V6, 80, false, false },
		{ IPPROTO_UDP, "2001:db8:7::7", 40000, V6, 80, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		assert_pin_wins_over_bucket(state, &packets[i]);
}

/* --- what is remembered --------------------------------------------------------------------- */

/* --- what is remembered from the beginning -------------------------------------------------- */

static void commit_keeping(struct fixture *f, const struct ledger *ledger)
{
	const struct plan_keep keep = { .remember = true };
	struct plan_kept kept;

	plan_anew(f);
	assert_int_equal(plan_keep_flows(f->plan, ledger, &keep, &kept), 0);
	assert_int_equal(kept.n_pins, 0);
	commit(f);
}

static void own(struct ledger *ledger, const char *owner, const struct packet *packet)
{
	const struct flow flow = flow_of(packet);

	assert_int_equal(flow_set_add(ledger_open(ledger, owner), &flow), 1);
}

/*
 * Whoever takes the duty knows what another has drawn; and what it hears of later, it learns with
 * the rules in place. Errors about those flows follow them.
 */
static void test_memories_begin_with_the_ledger(void **state)
{
	static const struct packet early[] = {
		{ IPPROTO_TCP, "198.51.100.7", 40000, V4, 81, false, false },
		{ IPPROTO_TCP, "198.51.100.7", 40001, V4, 81, false, false },
		{ IPPROTO_TCP, "2001:db8:7::7", 40000, V6, 81, false, false },
		{ IPPROTO_TCP, "198.51.100.8", 40000, V4, 82, false, false },
		{ IPPROTO_UDP, "198.51.100.9", 40000, V4, 82, false, false },
	};
	static const struct packet late = { IPPROTO_TCP, "198.51.100.7", 40002, V4, 81, false,
		false };
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(100);
	_cleanup_(fixture_done) struct fixture f = start(state);

	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		own(ledger, i % 2 ? "fe7" : "fe8", &early[i]);
	commit_keeping(&f, ledger);
	for (size_t i = 0; i < ARRAY_SIZE(early); i++) {
		assert_way(&f, &early[i], i % 2 ? 1 : 2);
		assert_way_of_errors(&f, early[i], i % 2 ? 1 : 2);
	}
	own(ledger, "fe7", &late);
	commit_keeping(&f, ledger);
	assert_way(&f, &late, 1);
	assert_way(&f, &early[0], 2);
}

/* Where the flow's first packet goes. */
static size_t begin(struct fixture *f, struct packet packet)
{
	packet.syn = true;
	return member_at(way_of(f->kernel, &packet));
}

/* What lives at a drained member stays; a client that uses its port again begins anew. */
static void test_ports_used_again_leave_a_drained_member(void **state)
{
	struct packet packet = { IPPROTO_TCP, "198.51.100.7", 40000, V4, 81, false, false };
	_cleanup_(fixture_done) struct fixture f = start(state);
	static const char *const names[] = { "fe6", "fe7", "fe8" };
	size_t before, after;

	commit(&f);
	before = begin(&f, packet);
	assert_way(&f, &packet, before);
	assert_int_equal(cluster_drain(f.cluster, names[before]), 0);
	plan_anew(&f);
	commit(&f);
	assert_way(&f, &packet, before);
	after = begin(&f, packet);
	assert_int_not_equal(after, before);
	assert_way(&f, &packet, after);
	/* As long as nobody is drained, a SYN that is sent again finds what the first one drew. */
	assert_int_equal(begin(&f, packet), after);
}

/* Has the flow drawn and remembered; returns its member, after its packets have gone there. */
static size_t draw(struct fixture *f, struct packet packet)
{
	size_t member;

	packet.syn = true;
	member = member_at(way_of(f->kernel, &packet));
	packet.syn = false;
	for (size_t i = 0; i < 4; i++)
		assert_way(f, &packet, member);
	assert_way_of_errors(f, packet, member);
	return member;
}

/* Commits must not touch what the kernel remembers. */
static void assert_pin_wins_over_flow(void **state, struct packet packet)
{
	_cleanup_(fixture_done) struct fixture f = start(state);
	struct packet other = packet;
	size_t owner, owner_of_other, keeper;

	commit(&f);
	other.client_port++;
	owner = draw(&f, packet);
	owner_of_other = draw(&f, other);
	keeper = (owner + 1) % 3;

	pin(&f, &packet, keeper);
	commit(&f);
	assert_way(&f, &packet, keeper);
	assert_way_of_errors(&f, packet, keeper);
	assert_way(&f, &other, owner_of_other);
	assert_way_of_errors(&f, other, owner_of_other);

	plan_anew(&f);
	commit(&f);
	assert_way(&f, &packet, owner);
	assert_way(&f, &other, owner_of_other);
}

static void test_pin_over_learned_flow(void **state)
{
	assert_pin_wins_over_flow(
		state, (struct packet){ IPPROTO_TCP, "198.51.100.7", 40000, V4, 81, false, false });
	assert_pin_wins_over_flow(state,
		(struct packet){ IPPROTO_TCP, "2001:db8:7::7", 40000, V6, 81, false, false });
}

static void assert_pin_wins_over_client(void **state, struct packet packet)
{
	_cleanup_(fixture_done) struct fixture f = start(state);
	struct packet other = packet;
	size_t owner, keeper;

	commit(&f);
	other.client_port++;
	owner = draw(&f, packet);
	keeper = (owner + 1) % 3;
	/* The same client, whatever its port. */
	assert_way(&f, &other, owner);

	pin(&f, &packet, keeper);
	commit(&f);
	assert_way(&f, &packet, keeper);
	assert_way_of_errors(&f, packet, keeper);
	assert_way(&f, &other, owner);
	assert_way_of_errors(&f, other, owner);
}

static void test_pin_over_remembered_client(void **state)
{
	static const struct packet packets[] = {
		{ IPPROTO_TCP, "198.51.100.7", 40000, V4, 82, false, false },
		{ IPPROTO_UDP, "198.51.100.7", 40000, V4, 82, false, false },
		{ IPPROTO_TCP, "2001:db8:7::7", 40000, V6, 82, false, false },
		{ IPPROTO_UDP, "2001:db8:7::7", 40000, V6, 82, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		assert_pin_wins_over_client(state, packets[i]);
}

/* A drained member has no slots; its flows stay by their pins, the others move on. */
static void test_pins_of_a_drained_member(void **state)
{
	struct packet packet = { IPPROTO_TCP, "198.51.100.7", 40000, V4, 80, false, false };
	_cleanup_(fixture_done) struct fixture f = start(state);
	struct packet other = packet;
	size_t owner;
	char name[8];

	commit(&f);
	other.client_port = neighbour_port(&f, &packet);
	owner = member_at(way_of(f.kernel, &packet));
	snprintf(name, sizeof(name), "fe%zu", owner + 6);
	assert_int_equal(cluster_drain(f.cluster, name), 0);
	plan_anew(&f);
	pin(&f, &packet, owner);
	commit(&f);
	assert_way(&f, &packet, owner);
	assert_way_of_errors(&f, packet, owner);
	assert_true(member_at(way_of(f.kernel, &other)) != owner);
}

/* --- everyone, and ICMP that is no error -------------------------------------------------------
 */

static void test_errors_about_draws_go_to_everyone(void **state)
{
	_cleanup_(fixture_done) struct fixture f = start(state);
	const struct packet four = { IPPROTO_UDP, "198.51.100.7", 40000, V4, 81, false, true };
	const struct packet six = { IPPROTO_UDP, "2001:db8:7::7", 40000, V6, 81, false, true };

	commit(&f);
	assert_string_equal(way_of(f.kernel, &four), "678");
	assert_string_equal(way_of(f.kernel, &six), "678");
}

/* An ICMP checksum stands where a port would be: it must not pass for one of an outgoing range. */
static void test_icmp_has_no_ports(void **state)
{
	static const uint16_t checksums[] = { 80, 81, 82, 8080, 34000, 34999 };
	_cleanup_(fixture_done) struct fixture f = start(state);
	const struct packet opened = { IPPROTO_TCP, "198.51.100.7", 443, V4, 34000, false, false };
	const struct packet opened6 = { IPPROTO_TCP, "2001:db8:7::7", 443, V6, 34999, false,
		false };

	commit(&f);
	assert_way(&f, &opened, 2);
	assert_way(&f, &opened6, 2);
	for (size_t i = 0; i < ARRAY_SIZE(checksums); i++) {
		const struct packet_of_icmp echo = { "198.51.100.7", V4, ICMP_ECHO, checksums[i] };
		const struct packet_of_icmp echo6 = { "2001:db8:7::7", V6, ICMP6_ECHO_REQUEST,
			checksums[i] };

		assert_string_equal(way_of_icmp(f.kernel, &echo), "");
		assert_string_equal(way_of_icmp(f.kernel, &echo6), "");
	}
}

/* --- fragments ---------------------------------------------------------------------------- */

/* Of a flow that has no members, of services that are others', and of an outgoing range. */
static const uint16_t strange_ports[] = { 7, 9, 80, 8080, 81, 82, 34000 };

static void assert_fragments(struct fixture *f, const struct packet *flow)
{
	static uint32_t datagram;
	struct packet_of_fragment first = { .flow = *flow, .has_more = true }, later = first;
	size_t member;

	later.is_later = true;
	for (size_t i = 0; i < ARRAY_SIZE(strange_ports); i++) {
		later.flow.client_port = (uint16_t)(flow->client_port + i);
		later.flow.vip_port = strange_ports[i];
		first.datagram = later.datagram = ++datagram;
		/* One that has overtaken its first goes to all, or it would be lost. */
		assert_string_equal(way_of_fragment(f->kernel, &later), "678");
		member = member_at(way_of_fragment(f->kernel, &first));
		for (int last = 0; last < 2; last++) {
			later.has_more = !last;
			assert_int_equal(member_at(way_of_fragment(f->kernel, &later)), member);
		}
		later.datagram = ++datagram;
		assert_string_equal(way_of_fragment(f->kernel, &later), "678");
	}
}

/* What is in a later fragment is text, though it may look like ports. */
static void test_fragments_follow_their_first(void **state)
{
	_cleanup_(fixture_done) struct fixture f = start(state);
	static const struct {
		uint8_t protocol;
		uint16_t port;
	} services[] = {
		{ IPPROTO_TCP, 80 },
		{ IPPROTO_UDP, 80 },
		{ IPPROTO_TCP, 81 },
		{ IPPROTO_UDP, 81 },
		{ IPPROTO_UDP, 82 },
	};

	commit(&f);
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		const struct packet four = { services[i].protocol, "198.51.100.7", 40000, V4,
			services[i].port, false, false };
		const struct packet six = { services[i].protocol, "2001:db8:7::7", 40000, V6,
			services[i].port, false, false };

		assert_fragments(&f, &four);
		assert_fragments(&f, &six);
	}
}

/* A large ping is for this host, all of it. */
static void test_fragments_of_a_ping_stay_here(void **state)
{
	_cleanup_(fixture_done) struct fixture f = start(state);

	commit(&f);
	for (size_t i = 0; i < 2; i++) {
		struct packet_of_fragment piece = { .flow = { IPPROTO_ICMP, "198.51.100.7",
							    (uint16_t)(ICMP_ECHO << 8), V4, 80,
							    false, false },
			.datagram = 9 };

		if (i == 1)
			piece.flow = (struct packet){ IPPROTO_ICMPV6, "2001:db8:7::7",
				(uint16_t)(ICMP6_ECHO_REQUEST << 8), V6, 80, false, false };
		piece.has_more = true;
		assert_string_equal(way_of_fragment(f.kernel, &piece), "");
		piece.is_later = true;
		assert_string_equal(way_of_fragment(f.kernel, &piece), "");
	}
}

/* --- listings ------------------------------------------------------------------------------- */

#define LIST(as)                                                                                   \
	"nft -s list ruleset >" as ".text && nft -s -j list ruleset 2>/dev/null | "                \
	"sed 's/\"handle\": [0-9]*//g' >" as ".json"

/* What is committed and what nft -f loads from the script are listed alike. */
static void test_listings(void **state)
{
	struct packet packets[] = {
		{ IPPROTO_TCP, "198.51.100.7", 40000, V4, 80, false, false },
		{ IPPROTO_UDP, "198.51.100.8", 40000, OTHER_V4, 8080, false, false },
		{ IPPROTO_TCP, "2001:db8:7::7", 40000, V6, 80, false, false },
		{ IPPROTO_UDP, "2001:db8:7::8", 40000, OTHER_V6, 8080, false, false },
		{ IPPROTO_TCP, "198.51.100.9", 40000, V4, 81, false, false },
		{ IPPROTO_TCP, "2001:db8:7::9", 40000, V6, 82, false, false },
	};
	_cleanup_(fixture_done) struct fixture f = start(state);
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = NULL, *loaded = NULL;
	char folder[] = "/tmp/drover-listings.XXXXXX";
	FILE *script;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("FOLDER", folder, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		for (size_t member = 0; member < 3; member++)
			while (try_pin(&f, &packets[i], member) == 0)
				packets[i].client_port++;
	assert_int_equal(f.group->n_pins, 3 * ARRAY_SIZE(packets));
	ruleset = ruleset_of_plan(f.plan);
	install(f.kernel->nft, ruleset);
	shell("cd $FOLDER && " LIST("committed") " && nft flush ruleset");
	script = popen("nft -f -", "w");
	assert_non_null(script);
	assert_int_equal(script_write(ruleset, script), 0);
	assert_int_equal(pclose(script), 0);
	assert_int_equal(nft_read(f.kernel->nft, &loaded), 0);
	assert_difference(loaded, ruleset, "");
	shell("cd $FOLDER && " LIST(
		"loaded") " && grep -q pins-icmp6/A loaded.json && "
			  "diff committed.text loaded.text && diff committed.json loaded.json && "
			  "rm -r $FOLDER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		kernel_test(test_pin_over_bucket),
		kernel_test(test_memories_begin_with_the_ledger),
		kernel_test(test_ports_used_again_leave_a_drained_member),
		kernel_test(test_pin_over_learned_flow),
		kernel_test(test_pin_over_remembered_client),
		kernel_test(test_pins_of_a_drained_member),
		kernel_test(test_errors_about_draws_go_to_everyone),
		kernel_test(test_icmp_has_no_ports),
		kernel_test(test_fragments_follow_their_first),
		kernel_test(test_fragments_of_a_ping_stay_here),
		kernel_test(test_listings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
