/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must not be believed: forged, changed, recorded packets, and nodes of another kind. */
#include "sync_net.h"

#include <errno.h>

static int set_up(void **state)
{
	struct net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	*state = net;
	return 0;
}

static int tear_down(void **state)
{
	net_done(*state);
	free(*state);
	return 0;
}

#define net_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Where the parts of the clear header are. */
enum { VERSION_AT = 4, KEY_ID_AT = 8, HEADER_SIZE = 36 };

/* Of an answer from one node with a name of one letter to another. */
enum { ANSWER_SIZE = HEADER_SIZE + 24 + 2 + 1 + 2 + 16 + 4 + 4 + 16 };

static struct sync_refusals refusals(struct net *net, size_t i)
{
	return sync_refusals(net->nodes[i].sync);
}

static uint64_t n_refused(struct net *net, size_t i)
{
	struct sync_refusals r = refusals(net, i);

	return r.malformed + r.version + r.id + r.key + r.replayed + r.unproved + r.unknown;
}

/* Two nodes that know each other and 100 flows of the first; all packets are recorded. */
static void meet(struct net *net, uint64_t seed)
{
	net_init(net, 2, seed);
	net->recording = true;
	net_start_all(net);
	for (size_t which = 0; which < 100; which++) {
		net_begin(net, 0, which);
		net_run(net, 7);
	}
	net_end(net, 0, 50);
	assert_int_equal(sync_publish(net->nodes[0].sync, "note", 4, net->now), 0);
	net_run(net, 1000);
	assert_true(net_is_complete(net) && net_is_equal(net));
	net->recording = false;
}

struct memory {
	uint64_t digest;
	unsigned int n_flow_changes, n_peer_changes, n_announced, n_notes;
};

static struct memory remember(struct net *net, size_t i)
{
	const struct node *node = &net->nodes[i];

	return (struct memory){
		.digest = flow_set_digest(ledger_find(node->ledger, "a")),
		.n_flow_changes = node->n_flow_changes,
		.n_peer_changes = node->n_peer_changes,
		.n_announced = node->n_announced,
		.n_notes = node->n_notes,
	};
}

static void assert_unchanged(struct net *net, size_t i, struct memory before)
{
	struct memory now = remember(net, i);

	assert_memory_equal(&now, &before, sizeof(now));
	assert_int_equal(net_state(net, i, 0), SYNC_PEER_COMPLETE);
}

/* --- forgers ---------------------------------------------------------------- */

static void test_every_changed_byte(void **state)
{
	struct net *net = *state;
	struct memory before;
	uint64_t refused;
	size_t n = 0;

	meet(net, 1);
	before = remember(net, 1);
	refused = n_refused(net, 1);
	for (size_t i = 0; i < net->n_recorded; i++) {
		struct packet packet = net->recorded[i];

		if (packet.to != 1)
			continue;
		for (size_t byte = 0; byte < packet.size; byte++) {
			packet.bytes[byte] ^= (uint8_t)(1 << net_random(net, 8));
			net_deliver(net, 1, &packet);
			packet.bytes[byte] = net->recorded[i].bytes[byte];
			n++;
		}
	}
	assert_true(n > 3000);
	assert_int_equal(n_refused(net, 1), refused + n);
	assert_true(refusals(net, 1).version > 0 && refusals(net, 1).id > 0);
	assert_true(refusals(net, 1).key > 0 && refusals(net, 1).malformed > 0);
	assert_unchanged(net, 1, before);
}

static void test_every_length(void **state)
{
	struct net *net = *state;
	struct memory before;
	uint64_t refused;
	size_t n = 0;

	meet(net, 2);
	before = remember(net, 1);
	refused = n_refused(net, 1);
	for (size_t i = 0; i < net->n_recorded; i++) {
		struct packet packet = net->recorded[i];
		size_t size = packet.size;

		for (packet.size = 0; packet.size < size && packet.to == 1; packet.size++, n++)
			net_deliver(net, 1, &packet);
	}
	assert_true(n > 3000);
	assert_int_equal(n_refused(net, 1), refused + n);
	assert_int_equal(refusals(net, 1).key + refusals(net, 1).malformed, n);
	assert_unchanged(net, 1, before);
}

static void test_random(void **state)
{
	struct net *net = *state;
	struct packet packet = { .to = 1 };
	struct memory before;
	uint64_t refused;

	meet(net, 3);
	before = remember(net, 1);
	refused = n_refused(net, 1);
	packet = net->recorded[0];
	packet.from = net->nodes[0].endpoint;
	for (int i = 0; i < 10000; i++) {
		/* Half of them have a header that is right. */
		size_t from = i % 2 ? HEADER_SIZE : 0;

		packet.size = net_random(net, SYNC_PACKET_MAX + 1);
		for (size_t byte = from; byte < packet.size; byte++)
			packet.bytes[byte] = (uint8_t)net_random(net, 256);
		memcpy(packet.bytes, net->recorded[0].bytes, from);
		net_deliver(net, 1, &packet);
	}
	assert_int_equal(n_refused(net, 1), refused + 10000);
	assert_unchanged(net, 1, before);
}

/* --- recordings ------------------------------------------------------------- */

/* All that was ever sent, to whom it was sent and to whom it was not. */
static size_t replay(struct net *net, size_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < net->n_recorded; i++) {
		struct packet packet = net->recorded[i];

		if (address_equal(&packet.from.address, &net->nodes[to].endpoint.address))
			continue;
		net_deliver(net, to, &packet);
		n++;
	}
	return n;
}

static void test_replay_in_session(void **state)
{
	struct net *net = *state;
	struct memory before;
	uint64_t replayed;
	size_t n;

	meet(net, 4);
	before = remember(net, 1);
	replayed = refusals(net, 1).replayed;
	n = replay(net, 1);
	assert_true(n > 50);
	assert_int_equal(refusals(net, 1).replayed, replayed + n);
	assert_unchanged(net, 1, before);
}

/* The listener was restarted, and has nothing to tell old from new by; the speaker is dead. */
static void test_replay_to_a_newcomer(void **state)
{
	struct net *net = *state;
	const char *waits_for;
	size_t n, sent;

	meet(net, 5);
	net_stop(net, 0, true);
	net_stop(net, 1, true);
	net_start(net, 1, true);
	net_run(net, 1000);
	sent = net->n_sent;
	net->nodes[1].n_peer_changes = 0;
	n = replay(net, 1);
	assert_int_equal(refusals(net, 1).unproved, n);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_ABSENT);
	assert_int_equal(net_known(net, 1, 0), 0);
	assert_int_equal(net->nodes[1].n_peer_changes, 0);
	assert_true(sync_is_ready(net->nodes[1].sync, net->now, &waits_for));
	/* It made us say little, however much came. */
	assert_true(net->n_sent - sent < 40);
	for (int i = 0; i < 1000; i++) {
		replay(net, 1);
		net_run(net, 1);
	}
	assert_true(net->n_sent - sent < 40 + 20 + 3 * 20 + 2 * 5);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_ABSENT);
	assert_int_equal(net_known(net, 1, 0), 0);
}

/* The speaker was restarted, and is heard: its former session does not come back. */
static void test_replay_of_a_former_session(void **state)
{
	struct net *net = *state;
	struct memory before;

	meet(net, 6);
	net_stop(net, 0, true);
	net_start(net, 0, true);
	net_begin(net, 0, 1000);
	net_wait(net, net_known(net, 1, 0) == 1 && net_is_complete(net));
	before = remember(net, 1);
	for (int i = 0; i < 50; i++) {
		replay(net, 1);
		net_run(net, 10);
	}
	assert_unchanged(net, 1, before);
	assert_true(net_is_equal(net));
	/* The same while it starts again: the old session cannot push in before the new one. */
	net_stop(net, 0, false);
	net_stop(net, 1, true);
	net_start(net, 1, true);
	replay(net, 1);
	net_start(net, 0, true);
	replay(net, 1);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_int_equal(net_known(net, 1, 0), 1);
}

/* Packets that were held back do not keep a dead node alive. */
static void test_dead_stays_dead(void **state)
{
	struct net *net = *state;
	struct memory before;
	size_t n = 0;

	meet(net, 7);
	net->n_recorded = 0;
	net->recording = net->cut[0][1] = true;
	for (size_t which = 200; which < 300; which++) {
		net_begin(net, 0, which);
		net_run(net, 20);
	}
	net->recording = false;
	net_stop(net, 0, false);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
	before = remember(net, 1);
	for (size_t i = 0; i < net->n_recorded; i++, n++) {
		net_deliver(net, 1, &net->recorded[i]);
		net_run(net, 1);
		assert_int_equal(net_state(net, 1, 0), SYNC_PEER_SILENT);
	}
	assert_true(n > 100);
	assert_int_equal(remember(net, 1).digest, before.digest);
	assert_int_equal(net_known(net, 1, 0), 99);
}

/* Delivers the last packet to the node that was sent, of whatever size or of this one. */
static void deliver_last(struct net *net, size_t to, size_t size)
{
	for (size_t i = net->n_recorded; i > 0; i--) {
		struct packet packet = net->recorded[i - 1];

		if (packet.to != to || (size != 0 && packet.size != size))
			continue;
		net_deliver(net, to, &packet);
		return;
	}
	fail_msg("no such packet was sent");
}

/* An answer that was held back for long proves nothing any more. */
static void test_late_answer(void **state)
{
	struct net *net = *state;

	for (uint64_t late = 0; late <= 2000; late += 2000) {
		if (net->n)
			net_done(net);
		net_init(net, 2, 9);
		net->recording = net->cut[0][1] = net->cut[1][0] = true;
		net_start(net, 1, true);
		net_start(net, 0, true);
		deliver_last(net, 1, 0);
		deliver_last(net, 0, 0);
		net_run(net, late);
		deliver_last(net, 1, ANSWER_SIZE);
		assert_int_equal(net_state(net, 1, 0), late ? SYNC_PEER_ABSENT : SYNC_PEER_SYNCING);
	}
}

/* A packet's source may be forged: nothing is sent to an address that nobody configured. */
static void test_no_reflection(void **state)
{
	struct net *net = *state;
	size_t sent;

	meet(net, 8);
	net_stop(net, 0, true);
	net_stop(net, 1, true);
	net_start(net, 1, true);
	net_run(net, 500);
	sent = net->n_sent;
	for (size_t i = 0; i < net->n_recorded; i++) {
		net->recorded[i].from.address.bytes[0] = 203;
		net_deliver(net, 1, &net->recorded[i]);
	}
	assert_true(refusals(net, 1).unproved > 50);
	assert_true(net->n_sent > sent);
	assert_int_equal(net->n_astray, 0);
}

/* --- others ----------------------------------------------------------------- */

static void test_other_key(void **state)
{
	struct net *net = *state;
	struct sync_keys other = { .n = 1, .bytes[0] = { 1 } };

	net_init(net, 2, 20);
	net->nodes[0].setup.keys = &other;
	net_start_all(net);
	net_run(net, 500);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_FOREIGN);
	assert_int_equal(net_peer(net, 1, 0)->fault, SYNC_FAULT_KEY);
	assert_int_equal(net_peer(net, 0, 1)->fault, SYNC_FAULT_KEY);
	assert_int_equal(net->nodes[1].n_peer_changes, 1);
	assert_true(refusals(net, 1).key > 2);
	net_begin(net, 0, 1);
	net_run(net, 500);
	assert_int_equal(net_known(net, 1, 0), 0);
	/* With the key it comes back by itself. */
	net_stop(net, 0, false);
	net->nodes[0].setup.keys = &net->keys;
	net_start(net, 0, true);
	net_wait(net, net_is_complete(net));
	assert_int_equal(net_peer(net, 1, 0)->fault, SYNC_FAULT_NONE);
	assert_int_equal(net_known(net, 1, 0), 1);
}

/* Keys are changed node by node, as sync_key.h says, and nobody is without at any time. */
static void test_key_change(void **state)
{
	struct net *net = *state;
	const struct sync_keys none = {}, new = { .n = 1, .bytes = { { 9 } } };
	struct sync_keys new_second, new_first = new;
	const struct sync_keys *const steps[] = { &new_second, &new_first, &new };

	net_init(net, 2, 21);
	new_second = net->keys;
	new_second.n = new_first.n = 2;
	memcpy(new_second.bytes[1], new.bytes[0], SYNC_KEY_SIZE);
	memcpy(new_first.bytes[1], net->keys.bytes[0], SYNC_KEY_SIZE);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	for (size_t step = 0; step < ARRAY_SIZE(steps); step++)
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(sync_set_keys(net->nodes[i].sync, steps[step]), 0);
			net_begin(net, 0, step * 2 + i);
			net_run(net, 1500);
			assert_true(net_is_complete(net) && net_is_equal(net));
		}
	assert_int_equal(refusals(net, 0).key + refusals(net, 1).key, 0);
	assert_int_equal(sync_set_keys(net->nodes[0].sync, &none), -EINVAL);
	/* In another order the old one cannot read the new one. */
	assert_int_equal(sync_set_keys(net->nodes[0].sync, &net->keys), 0);
	net_wait(net, net_state(net, 0, 1) == SYNC_PEER_FOREIGN);
}

static void test_other_table(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 22);
	net->nodes[0].setup.seed = 1;
	net_start_all(net);
	net_begin(net, 0, 1);
	net_run(net, 1000);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_FOREIGN);
	assert_int_equal(net_peer(net, 1, 0)->fault, SYNC_FAULT_TABLE);
	assert_int_equal(net_peer(net, 0, 1)->fault, SYNC_FAULT_TABLE);
	assert_int_equal(net->nodes[1].n_peer_changes, 1);
	assert_int_equal(net_known(net, 1, 0), 0);
	/* For as long as it speaks. */
	net_run(net, 30000);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_FOREIGN);
	assert_int_equal(net->nodes[1].n_peer_changes, 1);
	net_stop(net, 0, false);
	net->nodes[0].setup.seed = net->nodes[1].setup.seed;
	net_start(net, 0, true);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	net_stop(net, 0, false);
	net->nodes[0].setup.n_buckets *= 2;
	net_start(net, 0, true);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_FOREIGN);
	net_stop(net, 0, false);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
}

static void test_other_version(void **state)
{
	struct net *net = *state;
	struct packet packet;

	meet(net, 23);
	packet = net->recorded[0];
	packet.from = net->nodes[0].endpoint;
	packet.bytes[VERSION_AT]++;
	/* Anybody may have sent that: while the node is heard, it is not its fault. */
	net_deliver(net, 1, &packet);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_COMPLETE);
	net_stop(net, 0, false);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
	net->nodes[1].n_peer_changes = 0;
	for (int i = 0; i < 50; i++) {
		net_deliver(net, 1, &packet);
		net_run(net, 100);
	}
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_FOREIGN);
	assert_int_equal(net_peer(net, 1, 0)->fault, SYNC_FAULT_VERSION);
	assert_int_equal(net->nodes[1].n_peer_changes, 1);
	assert_int_equal(refusals(net, 1).version, 51);
	/* What was known of its flows is kept. */
	assert_int_equal(net_known(net, 1, 0), 99);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
	net_start(net, 0, true);
	net_wait(net, net_is_complete(net));
}

/* Garbage with the source of a node that is well does not take it away. */
static void test_spoofed_garbage(void **state)
{
	struct net *net = *state;
	struct packet packet;
	struct memory before;

	meet(net, 24);
	before = remember(net, 1);
	packet = net->recorded[0];
	packet.from = net->nodes[0].endpoint;
	for (int i = 0; i < 2000; i++) {
		packet.bytes[KEY_ID_AT + net_random(net, 4)] ^= (uint8_t)(1 + net_random(net, 255));
		net_deliver(net, 1, &packet);
		net_run(net, 1);
		assert_int_equal(net_state(net, 1, 0), SYNC_PEER_COMPLETE);
	}
	assert_true(refusals(net, 1).key > 1900);
	assert_unchanged(net, 1, before);
}

static void test_other_id(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 25);
	net->nodes[0].setup.id = 8;
	net_start_all(net);
	net_run(net, 1000);
	/* Another cluster is none of our business. */
	assert_null(net_peer(net, 1, 0));
	assert_true(refusals(net, 1).id >= 5);
	assert_int_equal(net->nodes[1].n_peer_changes, 0);
}

static void test_unknown_node(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 26);
	net->nodes[0].setup.node = "stranger";
	net_start_all(net);
	net_run(net, 1000);
	assert_null(sync_peer_at(net->nodes[1].sync, 0));
	assert_true(refusals(net, 1).unknown >= 5);
}

/* Whoever speaks from nowhere is shown without a name, and cannot fill our memory. */
static void test_strangers(void **state)
{
	struct net *net = *state;
	struct packet packet;
	size_t n = 0;

	meet(net, 27);
	packet = net->recorded[0];
	packet.bytes[KEY_ID_AT]++;
	net->nodes[1].n_peer_changes = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		packet.from.address = (struct address){ AF_INET,
			{ 203, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		net_deliver(net, 1, &packet);
		net_deliver(net, 1, &packet);
		net_run(net, 1);
	}
	while (sync_peer_at(net->nodes[1].sync, n + 1))
		n++;
	assert_int_equal(n, 16);
	assert_null(sync_peer_at(net->nodes[1].sync, 1)->name);
	assert_int_equal(sync_peer_at(net->nodes[1].sync, 1)->fault, SYNC_FAULT_KEY);
	assert_int_equal(net->nodes[1].n_peer_changes, 16);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_COMPLETE);
	net_wait(net, !sync_peer_at(net->nodes[1].sync, 1) || net->now > 2000000);
	net_run(net, 2000);
	assert_null(sync_peer_at(net->nodes[1].sync, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(test_every_changed_byte),
		net_test(test_every_length),
		net_test(test_random),
		net_test(test_replay_in_session),
		net_test(test_replay_to_a_newcomer),
		net_test(test_replay_of_a_former_session),
		net_test(test_dead_stays_dead),
		net_test(test_late_answer),
		net_test(test_no_reflection),
		net_test(test_other_key),
		net_test(test_key_change),
		net_test(test_other_table),
		net_test(test_other_version),
		net_test(test_spoofed_garbage),
		net_test(test_other_id),
		net_test(test_unknown_node),
		net_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
