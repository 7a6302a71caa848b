/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Sync: each node tells all others which flows it owns, who has the duty, and what the operator
 * said. drover-sync(7) documents the protocol and its packets.
 *
 * This is the protocol as a machine: packets and the time go in, packets and news come out. It
 * opens no socket and reads no clock; sync_socket.h does. Everything received is sealed by the
 * shared key and belongs to a session that has proved to be alive, or it is refused, counted, and
 * changes nothing.
 */

#include "drover/ledger.h"
#include "drover/sync_key.h"

#include <netinet/in.h>

enum {
	SYNC_PACKET_MAX =
		1400, /* bytes of UDP payload: fits an MTU of 1500 with room for tunnels */
	SYNC_NOTE_MAX = 32 * 1024,
	SYNC_HEARTBEAT_MS = 200,
	SYNC_SILENT_MS = 1000, /* heard of for so long no more: silent */
};

struct endpoint {
	struct address address;
	uint16_t port; /* host order */
};

enum sync_peer_state {
	SYNC_PEER_ABSENT,   /* not heard of since this daemon started */
	SYNC_PEER_SYNCING,  /* heard of; its flows are not all known yet */
	SYNC_PEER_COMPLETE, /* its flows are known, up to its last packet */
	SYNC_PEER_SILENT,   /* was heard of; what was known of its flows is kept */
	SYNC_PEER_FOREIGN,  /* ignored: see fault */
};

enum sync_fault {
	SYNC_FAULT_NONE,
	SYNC_FAULT_VERSION, /* speaks another version of the protocol */
	SYNC_FAULT_KEY,     /* its packets do not open with our keys */
	SYNC_FAULT_TABLE,   /* has another seed or another number of buckets */
};

/* A node's part in a group, as it tells it itself. */
struct sync_duty {
	const char *group;
	bool active;
	bool ready;     /* could take the duty */
	uint64_t epoch; /* of its duty: whoever took it later has the higher one; 0 if not active */
};

/*
 * What is known of another node; valid until the next call into sync. One without a name is
 * FOREIGN; it is shown for a minute after its last packet, and then told to be SILENT.
 */
struct sync_peer {
	const char *name; /* NULL if it could not be told: a FOREIGN one that no member's address
			     fits */
	struct endpoint endpoint;
	enum sync_peer_state state;
	enum sync_fault fault;
	bool other_configuration; /* its fingerprint differs: it may balance otherwise */
	const struct sync_duty *duties;
	size_t n_duties;
	size_t n_flows;      /* as it says; what we know is in the ledger */
	uint64_t last_heard; /* ms, on the clock given to sync */
	uint64_t lag_ms; /* age of the news in its last packet of flows, by the sender's clock */
	uint64_t n_lost; /* packets that had to be asked for again */
	uint64_t n_snapshots; /* begun, since its session began */
};

/* Packets refused, by reason. */
struct sync_refusals {
	uint64_t malformed; /* too short, too long, not ours, or sealed nonsense */
	uint64_t version;
	uint64_t id; /* another sync id: another cluster on the same network */
	uint64_t key;
	uint64_t replayed;
	uint64_t unproved; /* of a session that has not answered our challenge */
	uint64_t unknown;  /* of a node that the configuration does not name */
};

struct sync_ops {
	/* Sends one packet; to NULL: to all nodes. */
	void (*send)(const struct endpoint *to, const void *packet, size_t size, void *user_data);
	/* A flow was added to an owner's part of the ledger (began), or removed. */
	void (*flow_changed)(
		const char *owner, const struct flow *flow, bool began, void *user_data);
	/* The state, the fault or other_configuration of a peer is another. */
	void (*peer_changed)(const struct sync_peer *peer, void *user_data);
	/* A duty of a peer is another. */
	void (*duties_changed)(const struct sync_peer *peer, void *user_data);
	/* A balancer is about to commit another table: flows may move for a moment. */
	void (*change_announced)(const char *node, void *user_data);
	/* A newer note than ours; see sync_publish(). */
	void (*note_received)(const char *author, const void *note, size_t size, void *user_data);
	void *user_data;
};

struct sync_setup {
	const char *node; /* this one's name */
	uint8_t id;
	uint32_t seed, n_buckets;
	uint64_t fingerprint;         /* of what decides where flows go */
	const struct sync_keys *keys; /* copied */
	struct ledger *ledger;        /* that of the caller; sync writes the others' parts */
	/* Is this the name of a node of the cluster? One that it is no more is forgotten. */
	bool (*knows)(const char *name, void *user_data);
	/*
	 * The name of the node that has this address, or NULL: to name who cannot be understood,
	 * and to send to no address that a stranger chose.
	 */
	const char *(*name_of)(const struct address *address, void *user_data);
	struct sync_ops ops;
};

struct sync;

/*
 * Begins a session. Returns 0, -EINVAL without a key or if the node's name is not one of
 * drover.conf(5), or -ENOMEM. The name and the keys are copied.
 */
int sync_new(const struct sync_setup *setup, uint64_t now_ms, struct sync **ret_sync);
void sync_free(struct sync *sync);
DEFINE_CLEANUP(struct sync, sync_free)

/* What a reload may change. sync_set_keys() copies them; it returns 0, or -EINVAL without one. */
void sync_set_fingerprint(struct sync *sync, uint64_t fingerprint);
int sync_set_keys(struct sync *sync, const struct sync_keys *keys);

/* A packet has come. Anything may be in it. */
void sync_receive(struct sync *sync, const struct endpoint *from, const void *packet, size_t size,
	uint64_t now_ms);

/*
 * Does what is due by now; returns when (ms, absolute) it wants to be called next. What the other
 * functions were told may be due earlier than that: call it after them as well, once for all that
 * waited. When nothing was called for long this daemon stood still, and no node is blamed for
 * what was not heard meanwhile.
 */
uint64_t sync_tick(struct sync *sync, uint64_t now_ms);

/*
 * This node's own part of the ledger has changed; call it after the change. News leave in
 * batches, at the latest some 50 ms later: sync_tick() does it.
 */
void sync_flow_changed(struct sync *sync, const struct flow *flow, bool began, uint64_t now_ms);

/* This node's duties, all of them, 256 at most; sent at once if they differ from the last ones. */
void sync_set_duties(
	struct sync *sync, const struct sync_duty *duties, size_t n_duties, uint64_t now_ms);

/* This node's own part of the ledger is whole (its tracker has ended its first dump), or not. */
void sync_set_complete(struct sync *sync, bool complete, uint64_t now_ms);

/* Tells all nodes, before a commit, that the table is about to change. Leaves at once. */
void sync_announce_change(struct sync *sync, uint64_t now_ms);

/*
 * The note: one text that all nodes share, the newest wins. Replaces it, on all nodes. size: at
 * most SYNC_NOTE_MAX. Returns 0, -E2BIG or -ENOMEM.
 */
int sync_publish(struct sync *sync, const void *note, size_t size, uint64_t now_ms);

/*
 * True once all nodes that can be heard are COMPLETE: every node has had the time to be heard of,
 * and none is SYNCING. With false, *ret_waits_for is the name of one that is not, or NULL if it is
 * too early to tell.
 */
bool sync_is_ready(const struct sync *sync, uint64_t now_ms, const char **ret_waits_for);

/* The highest epoch that was heard of for a group, of whomever, us included; 0 if none was. */
uint64_t sync_highest_epoch(const struct sync *sync, const char *group);

/*
 * The i-th peer, ordered by name and those without one behind, or NULL behind the last. A node
 * that no packet has named is not among them: it is ABSENT.
 */
const struct sync_peer *sync_peer_at(const struct sync *sync, size_t i);

struct sync_refusals sync_refusals(const struct sync *sync);

const char *sync_peer_state_name(enum sync_peer_state state);
const char *sync_fault_name(enum sync_fault fault);
