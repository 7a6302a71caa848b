/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The machine: its state, and what its parts ask of one another. A packet goes from receive.c to
 * session.c, which believes it or not, and to the part whose message it is.
 */

#include "body.h"
#include "pace.h"
#include "transit.h"
#include "window.h"

enum {
	HEARD_MS = 3 * SYNC_HEARTBEAT_MS, /* whoever lives was heard of by then */
	FOREIGNERS_MAX = 16,
};

/* A list of duties as it is told: slices of one revision make it. */
struct duties {
	uint64_t revision;
	size_t n, n_missing;
	struct body_duty *list; /* one that has not come has no group */
};

/* What is received of a peer's stream. */
struct stream_receiver {
	bool begun;         /* the position is known */
	uint64_t position;  /* applied up to this packet */
	uint64_t highest;   /* that is known to exist */
	uint64_t counted;   /* as lost, up to this one */
	struct held *held;  /* those that came before their turn, by sequence */
	uint64_t ask_at;    /* 0: no gap */
	uint64_t ask_wait;  /* ms between two requests */
	uint64_t gap_since; /* of the packet behind the position */
	bool wants_snapshot;
	bool follows; /* one that has begun */
	uint64_t request_at, request_wait;
};

struct peer {
	struct sync_peer shown;
	char name[WIRE_NAME_MAX + 1];

	uint64_t session;
	bool proved; /* it answered from within this session */
	struct window window;
	uint8_t challenge[BODY_CHALLENGE_SIZE];
	uint64_t challenge_until; /* 0: none is to be answered */
	struct pace challenges, answers;
	uint64_t heard;

	uint64_t fault_until;

	bool complete; /* as it says */
	struct stream_receiver stream;
	struct transit transit;
	uint64_t delay; /* of its last packet, ms */
	struct duties duties, coming_duties;
	struct sync_duty *shown_duties;
	uint64_t last_change;
	uint64_t note_request_at;

	bool duties_changed;
	/* What peer_changed() was last told. */
	enum sync_peer_state told_state;
	enum sync_fault told_fault;
	bool told_other_configuration;
};

/* Whoever cannot be understood, and has no name that we know. */
struct foreigner {
	struct sync_peer shown;
	uint64_t until; /* 0: a free place */
};

struct stream_sender {
	uint64_t sequence;   /* of the last packet */
	struct sent *ring;   /* the last packets, by sequence */
	uint64_t first_kept; /* none before it, whatever the ring has room for */
	uint8_t pending[BODY_FLOWS_MAX];
	size_t pending_size;
	uint64_t pending_since;
	struct pace resends;

	uint64_t snapshot_at; /* 0: none is wanted */
	bool snapshot_runs;
	size_t snapshot_cursor;
	uint64_t snapshot_began; /* its first packet in the stream */
	uint64_t snapshot_yields_until;
	struct pace snapshot_pace;
};

struct note {
	struct note_revision revision;
	char author[WIRE_NAME_MAX + 1];
	uint32_t size;
	uint8_t *bytes;
	uint32_t have; /* bit per fragment */
	uint64_t since;
};

struct epoch {
	char group[WIRE_NAME_MAX + 1];
	uint64_t highest;
};

struct sync {
	struct sync_setup setup; /* its node is ours; its keys are gone */
	char node[WIRE_NAME_MAX + 1];
	struct seal seal;
	uint64_t session;
	uint64_t number; /* of the last packet */
	uint64_t now, started;
	bool complete;
	uint64_t heartbeat_at;
	uint64_t n_changes;
	struct duties duties;
	struct stream_sender stream;
	struct note note, coming;
	uint64_t note_counter; /* the highest that was heard of */
	struct peer **peers;   /* ordered by name */
	size_t n_peers;
	struct foreigner foreigners[FOREIGNERS_MAX];
	struct epoch *epochs;
	size_t n_epochs;
	struct sync_refusals refusals;
};

/* --- sync.c ----------------------------------------------------------------- */

/* Seals and sends a message; to NULL: to all. Its head is filled in. */
void sync_emit(struct sync *sync, const struct endpoint *to, struct body *body);
/* Heartbeat and duties; to NULL: to all. */
void sync_beat(struct sync *sync, const struct endpoint *to);
/* The clock has moved on. */
void sync_advance(struct sync *sync, uint64_t now_ms);

/* --- session.c -------------------------------------------------------------- */

/* Is it fresh, and of a session that has proved to be alive? Asks for the proof if not. */
bool session_accepts(
	struct sync *sync, struct peer *peer, const struct endpoint *from, const struct body *body);
void session_answer(struct sync *sync, struct peer *peer, const struct endpoint *from,
	const struct body_challenge *challenge);

/* --- peers.c ---------------------------------------------------------------- */

/* The peer of this name, made if need be; NULL without memory. */
struct peer *peers_get(struct sync *sync, const char *name);
bool peer_is_silent(const struct sync *sync, const struct peer *peer);
/* Finds out what state it has now, and tells the caller if that is another. */
void peer_settle(struct sync *sync, struct peer *peer);
/* Forgets those that the configuration does not name any more. */
void peers_prune(struct sync *sync);
void peers_free(struct sync *sync);

/* --- foreign.c -------------------------------------------------------------- */

/* A packet that we cannot read has come from there. */
void foreign_heard(struct sync *sync, const struct endpoint *from, enum sync_fault fault);
void foreign_expire(struct sync *sync);
const struct sync_peer *foreign_at(const struct sync *sync, size_t i);

/* --- duties.c --------------------------------------------------------------- */

/* Returns true if they differ from the last ones. */
bool duties_set(struct sync *sync, const struct sync_duty *duties, size_t n);
void duties_send(struct sync *sync, const struct endpoint *to);
void duties_take(struct sync *sync, struct peer *peer, const struct body_duties *slice);
void duties_forget(struct peer *peer);
void duties_done(struct duties *duties);

/* --- stream_send.c ---------------------------------------------------------- */

int stream_sender_init(struct sync *sync);
void stream_sender_done(struct sync *sync);
/* Sends a packet of the stream. oldest: when the oldest of its flows changed, ms. */
void stream_emit(
	struct sync *sync, enum stream_kind kind, uint8_t *flows, size_t size, uint64_t oldest);
void stream_add(struct sync *sync, const struct flow *flow, bool began);
void stream_flush(struct sync *sync);
void stream_resend(struct sync *sync, const struct endpoint *to, const struct body_resend *resend);
/* Returns when it wants to be called next. */
uint64_t stream_send_due(struct sync *sync);

/* --- snapshot.c ------------------------------------------------------------- */

void snapshot_init(struct sync *sync);
/* Lets what was missed go first. */
void snapshot_yield(struct sync *sync);
void snapshot_request(struct sync *sync, const struct body_snapshot *request);
uint64_t snapshot_send_due(struct sync *sync);

/* --- stream_receive.c ------------------------------------------------------- */

void stream_take(struct sync *sync, struct peer *peer, const struct body_stream *packet);
void stream_jump(struct sync *sync, struct peer *peer, uint64_t first);
void stream_compare(struct sync *sync, struct peer *peer, const struct body_heartbeat *heartbeat);
/* Asks for what is missing; returns when it wants to be called next. */
uint64_t stream_ask_due(struct sync *sync, struct peer *peer);
bool stream_is_whole(const struct sync *sync, const struct peer *peer);
/* Begins anew, with another session or none. */
void stream_receiver_reset(struct stream_receiver *stream);

/* --- stream_apply.c --------------------------------------------------------- */

/* Brings a packet of the stream, in its turn, into the ledger. */
void stream_apply(
	struct sync *sync, struct peer *peer, const struct body_stream *packet, uint64_t arrived);

/* --- note.c ----------------------------------------------------------------- */

void note_heard(struct sync *sync, struct peer *peer, const struct note_revision *revision);
void note_take(struct sync *sync, const struct body_note *fragment);
void note_resend(
	struct sync *sync, const struct endpoint *to, const struct body_note_request *request);

/* --- epochs.c --------------------------------------------------------------- */

void epoch_heard(struct sync *sync, const char *group, uint64_t epoch);
