/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes that hear one another: what one knows, all know, whatever the network does. */
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

static void begin_many(struct net *net, size_t i, size_t n)
{
	for (size_t which = 0; which < n; which++)
		net_begin(net, i, which);
}

/* --- flows ------------------------------------------------------------------ */

static void test_news(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 1);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	assert_true(net->now < 1000000 + 100);
	net_begin(net, 0, 1);
	net_begin(net, 0, 2);
	net_run(net, 19);
	assert_int_equal(net_known(net, 1, 0), 0);
	net_run(net, 3);
	assert_int_equal(net_known(net, 1, 0), 2);
	assert_in_range(net_peer(net, 1, 0)->lag_ms, 20, 21);
	net_end(net, 0, 1);
	net_run(net, 22);
	assert_int_equal(net_known(net, 1, 0), 1);
	assert_true(net_is_equal(net));
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 0);
	assert_int_equal(net_peer(net, 1, 0)->n_lost, 0);
	net_run(net, 300);
	assert_int_equal(net_peer(net, 1, 0)->n_flows, 1);
}

/* A full packet does not wait for the batch's time. */
static void test_full_packet_leaves_at_once(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 2);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	begin_many(net, 0, 1000);
	net_run(net, 2);
	assert_in_range(net_known(net, 1, 0), 900, 1000);
}

static void test_snapshot(void **state)
{
	struct net *net = *state;

	net_init(net, 3, 3);
	net_start(net, 0, true);
	begin_many(net, 0, 20000);
	net_start(net, 1, true);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 1);
	/* A third one that comes later does not disturb the second. */
	net_start(net, 2, true);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 1);
	assert_int_equal(net_peer(net, 2, 0)->n_snapshots, 1);
	assert_int_equal(net->nodes[1].n_flow_changes, 20000);
}

static unsigned int known_age(const struct net *net, size_t which)
{
	const struct flow flow = net_flow(which);

	return flow_age(net->now,
		flow_set_since(ledger_find(net->nodes[1].ledger, net->nodes[0].name), &flow));
}

/* Who hears of a flow late, or by a snapshot, knows since when it is its owner's all the same. */
static void test_ages(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 2);
	net_start(net, 0, true);
	net_begin(net, 0, 1);
	net_run(net, 5000);
	net_start(net, 1, true);
	net_wait(net, net_is_complete(net));
	net_run(net, 5000);
	net_begin(net, 0, 2);
	net_run(net, 1000);
	assert_in_range(known_age(net, 1), 11, 13);
	assert_in_range(known_age(net, 2), 1, 2);
}

/* All start at once, and ask at once: each tells its flows once. */
static void test_cold_start(void **state)
{
	struct net *net = *state;
	size_t sent;

	net_init(net, 5, 4);
	net->delay = 2;
	for (size_t i = 0; i < 5; i++)
		begin_many(net, i, 5000);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	sent = net->n_sent;
	/* 5000 flows are some 84 packets, each to four others. */
	assert_in_range(sent, 5 * 84 * 4, 5 * 84 * 4 * 3 / 2);
}

/* A pace of 2000 packets a second, whatever the size; heartbeats and news go on. */
static void test_snapshot_is_paced(void **state)
{
	struct net *net = *state;
	uint64_t began;
	size_t sent;

	net_init(net, 2, 5);
	net_start(net, 0, true);
	begin_many(net, 0, 200000);
	net_start(net, 1, true);
	net_wait(net, net_peer(net, 1, 0) && net_peer(net, 1, 0)->n_snapshots == 1);
	began = net->now;
	sent = net->n_sent;
	net_run(net, 500);
	assert_in_range(net->n_sent - sent, 800, 1100);
	net_begin(net, 0, 300000);
	net_run(net, 25);
	assert_true(net_peer(net, 1, 0)->lag_ms <= 25);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_in_range(net->now - began, 1000, 3000);
	assert_true(net->nodes[1].lag_max <= 40);
}

/* News that happen during a snapshot, also of flows that it has told, or has yet to. */
static void test_churn_during_snapshot(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 6);
	net->delay = 5;
	net->loss = 20;
	net_start(net, 0, true);
	begin_many(net, 0, 50000);
	net_start(net, 1, true);
	for (int i = 0; i < 2000; i++) {
		for (int j = 0; j < 10; j++)
			net_churn(net, 0, 60000);
		net_run(net, 1);
	}
	net->loss = 0;
	net_wait(net, net_is_complete(net) && net_is_equal(net));
}

/* --- a bad network ---------------------------------------------------------- */

static void churn_badly(struct net *net, uint64_t seed, unsigned int loss)
{
	net_init(net, 3, seed);
	net->loss = loss;
	net->doubled = 100;
	net->delay = 30;
	net_start_all(net);
	for (int i = 0; i < 3000; i++) {
		for (size_t node = 0; node < 3; node++)
			net_churn(net, node, 1000);
		net_run(net, 1);
	}
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_true(net_peer(net, 0, 1)->n_lost > 0);
	for (size_t i = 0; i < 3; i++) {
		struct sync_refusals refusals = sync_refusals(net->nodes[i].sync);

		assert_true(refusals.replayed > 0);
		assert_int_equal(refusals.malformed + refusals.key + refusals.unknown, 0);
	}
}

static void test_loss(void **state)
{
	struct net *net = *state;

	for (uint64_t seed = 10; seed < 14; seed++) {
		if (net->n)
			net_done(net);
		churn_badly(net, seed, 100);
		/* What is lost is sent again: no snapshot was needed once they had begun. */
		assert_true(net_peer(net, 0, 1)->n_snapshots <= 1);
	}
}

static void test_heavy_loss(void **state)
{
	struct net *net = *state;

	for (uint64_t seed = 20; seed < 24; seed++) {
		if (net->n)
			net_done(net);
		churn_badly(net, seed, 400);
	}
}

static void cut(struct net *net, size_t a, size_t b, bool off)
{
	net->cut[a][b] = net->cut[b][a] = off;
}

/* Cut off and back in the same session: what was missed is sent again. */
static void test_partition(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 30);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	begin_many(net, 0, 100);
	net_run(net, 50);
	cut(net, 0, 1, true);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
	assert_int_equal(net_known(net, 1, 0), 100);
	for (size_t which = 200; which < 300; which++) {
		net_begin(net, 0, which);
		net_run(net, 10);
	}
	net_end(net, 0, 5);
	assert_int_equal(net_known(net, 1, 0), 100);
	cut(net, 0, 1, false);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_int_equal(net_known(net, 1, 0), 199);
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 0);
	assert_true(net_peer(net, 1, 0)->n_lost > 10);
}

/* Cut off for longer than packets are kept. */
static void test_long_partition(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 31);
	net_start_all(net);
	begin_many(net, 0, 100);
	net_wait(net, net_is_complete(net));
	cut(net, 0, 1, true);
	for (int i = 0; i < 3000; i++) {
		net_begin(net, 0, 1000 + (size_t)i);
		net_end(net, 0, (size_t)i);
		net_run(net, 21);
	}
	cut(net, 0, 1, false);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_true(net_peer(net, 1, 0)->n_snapshots >= 1);
}

/* So long that part of a snapshot is gone: what it had not told yet is not taken for ended. */
static void test_partition_in_snapshot(void **state)
{
	struct net *net = *state;
	struct flow missing = net_flow(199999);
	uint64_t n_snapshots;

	net_init(net, 2, 35);
	net_start_all(net);
	begin_many(net, 0, 200000);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_true(flow_set_remove(ledger_find(net->nodes[1].ledger, "a"), &missing));
	assert_true(flow_set_remove(ledger_find(net->nodes[1].told, "a"), &missing));
	n_snapshots = net_peer(net, 1, 0)->n_snapshots;
	net_wait(net, net_peer(net, 1, 0)->n_snapshots == n_snapshots + 1);
	net_run(net, 100);
	cut(net, 0, 1, true);
	net_run(net, 1400);
	cut(net, 0, 1, false);
	while (!net_is_complete(net) || !net_is_equal(net)) {
		assert_true(net_known(net, 1, 0) >= 199999);
		net_run(net, 10);
	}
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, n_snapshots + 2);
}

/* One that hears, and is not heard. */
static void test_one_way(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 32);
	net->cut[0][1] = true;
	net_start_all(net);
	net_run(net, 3000);
	assert_int_equal(net_state(net, 0, 1), SYNC_PEER_ABSENT);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_ABSENT);
	net->cut[0][1] = false;
	net_wait(net, net_is_complete(net));
}

/* While a daemon stands still it hears nobody, and blames nobody. */
static void test_own_pause(void **state)
{
	struct net *net = *state;
	uint64_t end;

	net_init(net, 2, 33);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	net->nodes[0].n_peer_changes = 0;
	end = net->now + 1500;
	cut(net, 0, 1, true);
	while (net->now < end) {
		net->now += 100;
		net->nodes[1].next = sync_tick(net->nodes[1].sync, net->now);
	}
	cut(net, 0, 1, false);
	net_run(net, 100);
	assert_int_equal(net_state(net, 0, 1), SYNC_PEER_COMPLETE);
	assert_int_equal(net->nodes[0].n_peer_changes, 0);
	net_wait(net, net_is_complete(net));
}

/* A digest that differs is noticed and mended, once. */
static void test_difference_is_mended(void **state)
{
	struct net *net = *state;
	struct flow flow = net_flow(3), other = net_flow(777);

	net_init(net, 2, 34);
	net_start_all(net);
	begin_many(net, 0, 10);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	assert_true(flow_set_remove(ledger_find(net->nodes[1].ledger, "a"), &flow));
	assert_true(flow_set_remove(ledger_find(net->nodes[1].told, "a"), &flow));
	assert_int_equal(flow_set_add(ledger_find(net->nodes[1].ledger, "a"), &other), 1);
	assert_int_equal(flow_set_add(ledger_find(net->nodes[1].told, "a"), &other), 1);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SYNCING);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 1);
}

/* --- restarts --------------------------------------------------------------- */

/* The daemon was restarted, its flows live on: nobody needs to be told anything. */
static void test_restart_with_flows(void **state)
{
	struct net *net = *state;

	net_init(net, 3, 40);
	net_start_all(net);
	begin_many(net, 0, 1000);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	net_run(net, 1000);
	net_stop(net, 0, false);
	net->nodes[1].n_flow_changes = 0;
	net_start(net, 0, false);
	net_run(net, 300);
	/* It does not know its flows yet: what is known of them stays. */
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_SYNCING);
	assert_int_equal(net_known(net, 1, 0), 1000);
	sync_set_complete(net->nodes[0].sync, true, net->now);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_int_equal(net->nodes[1].n_flow_changes, 0);
	assert_int_equal(net_peer(net, 1, 0)->n_snapshots, 0);
}

/* The host was booted: its flows are gone, and others with it only once it says so. */
static void test_restart_empty(void **state)
{
	struct net *net = *state;

	net_init(net, 3, 41);
	net->loss = 50;
	net_start_all(net);
	begin_many(net, 0, 1000);
	begin_many(net, 1, 500);
	net_wait(net, net_is_complete(net) && net_is_equal(net));
	net_stop(net, 0, true);
	net_wait(net, net_state(net, 1, 0) == SYNC_PEER_SILENT);
	net_start(net, 0, false);
	net_begin(net, 0, 5);
	net_begin(net, 0, 5000);
	net_run(net, 1000);
	assert_int_equal(net_known(net, 1, 0), 1001);
	sync_set_complete(net->nodes[0].sync, true, net->now);
	net_wait(net, net_is_complete(net));
	assert_true(net_is_equal(net));
	assert_int_equal(net_known(net, 1, 0), 2);
	assert_int_equal(net_known(net, 0, 1), 500);
}

static void test_ready(void **state)
{
	struct net *net = *state;
	const char *waits_for = "";

	net_init(net, 3, 42);
	begin_many(net, 1, 50000);
	net_start(net, 1, true);
	net_run(net, 1000);
	assert_true(sync_is_ready(net->nodes[1].sync, net->now, &waits_for));
	net_start(net, 0, true);
	assert_false(sync_is_ready(net->nodes[0].sync, net->now, &waits_for));
	assert_null(waits_for);
	net_run(net, 599);
	assert_false(sync_is_ready(net->nodes[0].sync, net->now, &waits_for));
	net_start(net, 2, false);
	net_run(net, 100);
	assert_false(sync_is_ready(net->nodes[0].sync, net->now, &waits_for));
	assert_string_equal(waits_for, "c");
	/* Nobody waits for the dead. */
	net_stop(net, 2, true);
	net_wait(net, net_state(net, 0, 2) == SYNC_PEER_SILENT);
	net_wait(net, net_state(net, 0, 1) == SYNC_PEER_COMPLETE);
	assert_true(sync_is_ready(net->nodes[0].sync, net->now, &waits_for));
	assert_null(waits_for);
}

/* --- duties ----------------------------------------------------------------- */

static void test_duties(void **state)
{
	struct net *net = *state;
	const struct sync_duty active[] = { { "A", true, true, 5 }, { "B", false, true, 0 } };
	const struct sync_duty standby[] = { { "A", false, true, 0 }, { "B", false, true, 0 } };
	const struct sync_peer *peer;
	unsigned int n;

	net_init(net, 2, 50);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	sync_set_duties(net->nodes[0].sync, active, 2, net->now);
	net_run(net, 1);
	peer = net_peer(net, 1, 0);
	assert_int_equal(peer->n_duties, 2);
	assert_string_equal(peer->duties[0].group, "A");
	assert_true(peer->duties[0].active && peer->duties[0].ready);
	assert_int_equal(peer->duties[0].epoch, 5);
	assert_false(peer->duties[1].active);
	n = net->nodes[1].n_peer_changes;
	sync_set_duties(net->nodes[0].sync, active, 2, net->now);
	net_run(net, 1000);
	assert_int_equal(net->nodes[1].n_peer_changes, n);
	sync_set_duties(net->nodes[0].sync, standby, 2, net->now);
	net_run(net, 1);
	assert_false(net_peer(net, 1, 0)->duties[0].active);
	assert_int_equal(net->nodes[1].n_peer_changes, n + 1);
	/* The highest epoch is remembered, whatever became of who had it. */
	assert_int_equal(sync_highest_epoch(net->nodes[1].sync, "A"), 5);
	assert_int_equal(sync_highest_epoch(net->nodes[1].sync, "C"), 0);
}

/* More duties than a packet has room for, some of them lost. */
static void test_many_duties(void **state)
{
	struct net *net = *state;
	struct sync_duty duties[256];
	char names[256][64];

	for (size_t i = 0; i < 256; i++) {
		snprintf(names[i], sizeof(names[i]), "%063zu", i);
		duties[i] = (struct sync_duty){ names[i], i % 2, i % 3, i };
	}
	net_init(net, 2, 51);
	net->loss = 200;
	net_start_all(net);
	sync_set_duties(net->nodes[0].sync, duties, 256, net->now);
	net_wait(net, net_peer(net, 1, 0) && net_peer(net, 1, 0)->n_duties == 256);
	for (size_t i = 0; i < 256; i++) {
		const struct sync_duty *duty = &net_peer(net, 1, 0)->duties[i];

		assert_string_equal(duty->group, names[i]);
		assert_int_equal(duty->active, i % 2);
		assert_int_equal(duty->epoch, i);
	}
	assert_int_equal(sync_highest_epoch(net->nodes[1].sync, names[255]), 255);
	/* A daemon that has just begun has none. */
	net_stop(net, 0, false);
	net_start(net, 0, true);
	net_wait(net, net_peer(net, 1, 0)->n_duties == 0);
}

/* Packets that overtake: the later list is the one that counts. */
static void test_duties_overtake(void **state)
{
	struct net *net = *state;
	const struct sync_duty active = { "A", true, true, 1 }, standby = { "A", false, true, 0 };

	net_init(net, 2, 54);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	net->recording = net->cut[0][1] = true;
	sync_set_duties(net->nodes[0].sync, &active, 1, net->now);
	sync_set_duties(net->nodes[0].sync, &standby, 1, net->now);
	assert_int_equal(net->n_recorded, 2);
	net_deliver(net, 1, &net->recorded[1]);
	net_deliver(net, 1, &net->recorded[0]);
	assert_int_equal(net_peer(net, 1, 0)->n_duties, 1);
	assert_false(net_peer(net, 1, 0)->duties[0].active);
}

static void test_change_announced(void **state)
{
	struct net *net = *state;

	net_init(net, 3, 52);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	sync_announce_change(net->nodes[0].sync, net->now);
	net_run(net, 1);
	sync_announce_change(net->nodes[0].sync, net->now);
	net_run(net, 1);
	assert_int_equal(net->nodes[0].n_announced, 0);
	assert_int_equal(net->nodes[1].n_announced, 2);
	assert_int_equal(net->nodes[2].n_announced, 2);
}

static void test_other_configuration(void **state)
{
	struct net *net = *state;

	net_init(net, 2, 53);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	assert_false(net_peer(net, 1, 0)->other_configuration);
	sync_set_fingerprint(net->nodes[0].sync, 2);
	net_wait(net, net_peer(net, 1, 0)->other_configuration);
	assert_true(net_peer(net, 0, 1)->other_configuration);
	sync_set_fingerprint(net->nodes[1].sync, 2);
	net_wait(net, !net_peer(net, 1, 0)->other_configuration);
	assert_int_equal(net_state(net, 1, 0), SYNC_PEER_COMPLETE);
}

/* --- the note --------------------------------------------------------------- */

static bool has_note(const struct node *node, const char *author, const char *text, size_t size)
{
	return node->note_size == size && memcmp(node->note, text, size) == 0 &&
	       strcmp(node->note_author, author) == 0;
}

static void test_note(void **state)
{
	struct net *net = *state;
	static char text[SYNC_NOTE_MAX + 1];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 251);
	net_init(net, 3, 60);
	net->loss = 200;
	net->delay = 5;
	net_start(net, 0, true);
	net_start(net, 1, true);
	assert_int_equal(sync_publish(net->nodes[0].sync, text, sizeof(text), net->now), -E2BIG);
	assert_int_equal(sync_publish(net->nodes[0].sync, text, SYNC_NOTE_MAX, net->now), 0);
	net_wait(net, has_note(&net->nodes[1], "a", text, SYNC_NOTE_MAX));
	/* Its author is gone; whoever starts gets it from another. */
	net_stop(net, 0, true);
	net_start(net, 2, true);
	net_wait(net, has_note(&net->nodes[2], "a", text, SYNC_NOTE_MAX));
	assert_int_equal(sync_publish(net->nodes[2].sync, "new", 3, net->now), 0);
	net_wait(net, has_note(&net->nodes[1], "c", "new", 3));
	net_start(net, 0, true);
	net_wait(net, has_note(&net->nodes[0], "c", "new", 3));
	assert_int_equal(sync_publish(net->nodes[0].sync, "", 0, net->now), 0);
	net_wait(net, has_note(&net->nodes[1], "a", "", 0) && has_note(&net->nodes[2], "a", "", 0));
	net_run(net, 2000);
	assert_int_equal(net->nodes[1].n_notes, 3);
}

/* Two publish while they do not hear each other: one of them wins, everywhere. */
static void test_notes_meet(void **state)
{
	struct net *net = *state;
	struct node *a, *b, *c;

	net_init(net, 3, 61);
	a = &net->nodes[0], b = &net->nodes[1], c = &net->nodes[2];
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	cut(net, 0, 1, true);
	cut(net, 0, 2, true);
	assert_int_equal(sync_publish(a->sync, "of a", 4, net->now), 0);
	assert_int_equal(sync_publish(b->sync, "of b", 4, net->now), 0);
	net_run(net, 1000);
	assert_true(has_note(c, "b", "of b", 4));
	cut(net, 0, 1, false);
	cut(net, 0, 2, false);
	net_run(net, 2000);
	assert_int_equal(a->n_notes + b->n_notes, 1);
	if (a->n_notes)
		assert_true(has_note(a, "b", "of b", 4) && has_note(c, "b", "of b", 4));
	else
		assert_true(has_note(b, "a", "of a", 4) && has_note(c, "a", "of a", 4));
}

/* The newest note has come in part when the only one that has it dies: another will do. */
static void test_note_that_stalls(void **state)
{
	struct net *net = *state;
	static const char text[SYNC_NOTE_MAX];

	net_init(net, 3, 62);
	net_start_all(net);
	net_wait(net, net_is_complete(net));
	cut(net, 0, 1, true);
	cut(net, 1, 2, true);
	assert_int_equal(sync_publish(net->nodes[1].sync, "of b", 4, net->now), 0);
	net->loss = 500;
	assert_int_equal(sync_publish(net->nodes[0].sync, "", 0, net->now), 0);
	assert_int_equal(sync_publish(net->nodes[0].sync, text, sizeof(text), net->now), 0);
	net_run(net, 1);
	net_stop(net, 0, true);
	net->loss = 0;
	net->nodes[2].n_notes = 0;
	cut(net, 1, 2, false);
	net_wait(net, has_note(&net->nodes[2], "b", "of b", 4));
	assert_int_equal(net->nodes[2].n_notes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(test_news),
		net_test(test_full_packet_leaves_at_once),
		net_test(test_snapshot),
		net_test(test_ages),
		net_test(test_cold_start),
		net_test(test_snapshot_is_paced),
		net_test(test_churn_during_snapshot),
		net_test(test_loss),
		net_test(test_heavy_loss),
		net_test(test_partition),
		net_test(test_long_partition),
		net_test(test_partition_in_snapshot),
		net_test(test_one_way),
		net_test(test_own_pause),
		net_test(test_difference_is_mended),
		net_test(test_restart_with_flows),
		net_test(test_restart_empty),
		net_test(test_ready),
		net_test(test_duties),
		net_test(test_many_duties),
		net_test(test_duties_overtake),
		net_test(test_change_announced),
		net_test(test_other_configuration),
		net_test(test_note),
		net_test(test_notes_meet),
		net_test(test_note_that_stalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
