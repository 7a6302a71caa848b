/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A cluster in one process: nodes with a sync machine and a ledger each, and between them a network
 * under a clock of its own that loses, doubles, delays and reorders by a seeded generator.
 */

#include "drover/sync.h"

#include "unit.h"

enum { NODES_MAX = 5, GROUP_MAX = 64 };

struct node {
	struct net *net;
	char name[8];
	struct endpoint endpoint;
	struct sync_setup setup;
	struct ledger *ledger;
	struct ledger *told; /* what flow_changed() alone makes of it */
	struct sync *sync;   /* NULL: it is down */
	uint64_t next;
	unsigned int n_flow_changes, n_peer_changes, n_announced, n_notes;
	char note[SYNC_NOTE_MAX];
	size_t note_size;
	char note_author[GROUP_MAX];
	uint64_t lag_max;
};

struct packet {
	struct endpoint from;
	size_t to; /* index of a node */
	uint64_t at;
	size_t size;
	uint8_t bytes[SYNC_PACKET_MAX];
};

struct net {
	struct node nodes[NODES_MAX];
	size_t n;
	uint64_t now;
	uint64_t random;
	unsigned int loss, doubled; /* of 1000 packets */
	unsigned int delay;         /* ms at most */
	bool cut[NODES_MAX][NODES_MAX];
	struct packet *flying;
	size_t n_flying, n_sent;
	size_t n_astray;         /* sent to where no node is */
	struct packet *recorded; /* if recording: all that were sent */
	size_t n_recorded;
	bool recording;
	struct sync_keys keys;
};

/* Makes n nodes, "a", "b" …, none of which runs. */
void net_init(struct net *net, size_t n, uint64_t seed);
void net_done(struct net *net);
uint64_t net_random(struct net *net, uint64_t below);

/* Starts a daemon on the node; complete: its own flows are known at once. */
void net_start(struct net *net, size_t i, bool complete);
void net_start_all(struct net *net);
/* empty: it forgets its flows, its own ones as well. */
void net_stop(struct net *net, size_t i, bool empty);

/* The network: delivers, and ticks nodes when they want it. */
void net_run(struct net *net, uint64_t ms);
/* Runs until the condition holds; fails when it does not within a minute. */
#define net_wait(net, condition)                                                                   \
	do {                                                                                       \
		uint64_t end_ = (net)->now + 60000;                                                \
		while (!(condition)) {                                                             \
			if ((net)->now >= end_)                                                    \
				fail_msg("did not come: %s", #condition);                          \
			net_run(net, 1);                                                           \
		}                                                                                  \
	} while (0)
void net_deliver(struct net *net, size_t to, const struct packet *packet);

/* A flow of the node begins or ends; which: its number. */
struct flow net_flow(size_t which);
void net_begin(struct net *net, size_t i, size_t which);
void net_end(struct net *net, size_t i, size_t which);
/* Some flow of the node, by chance, begins or ends. */
void net_churn(struct net *net, size_t i, size_t n_flows);

/* Whether all running nodes know of all others what they own, and all that they were told. */
bool net_is_equal(struct net *net);
const struct sync_peer *net_peer(struct net *net, size_t at, size_t of);
enum sync_peer_state net_state(struct net *net, size_t at, size_t of);
bool net_is_complete(struct net *net);
size_t net_known(struct net *net, size_t at, size_t of); /* flows */
