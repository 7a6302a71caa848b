/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a packet says once it is open: who sent it, and one message. drover-sync(7) documents each,
 * byte by byte.
 */

#include "seal.h"
#include "wire.h"

enum body_type {
	BODY_CHALLENGE = 1,
	BODY_ANSWER,
	BODY_HEARTBEAT,
	BODY_DUTIES,
	BODY_STREAM,
	BODY_RESEND,
	BODY_GONE,
	BODY_SNAPSHOT,
	BODY_NOTE,
	BODY_NOTE_REQUEST,
	BODY_CHANGE,
};

enum stream_kind {
	STREAM_NEWS,           /* flows that began or ended */
	STREAM_SNAPSHOT_BEGIN, /* no flows */
	STREAM_SNAPSHOT_FLOWS,
	STREAM_SNAPSHOT_END, /* no flows */
};

enum {
	BODY_CHALLENGE_SIZE = 16,
	BODY_HEAD_MAX = 8 + 8 + 8 + 1 + WIRE_NAME_MAX + 1, /* with the message's type */
	BODY_STREAM_HEAD = 8 + 4 + 1,
	BODY_FLOWS_MAX = SEAL_PLAIN_MAX - BODY_HEAD_MAX - BODY_STREAM_HEAD, /* bytes */
	BODY_RANGES_MAX = 64,
	BODY_DUTY_MAX = 1 + WIRE_NAME_MAX + 1 + 8,
	BODY_DUTIES_MAX = 256, /* of a node: one a group */
	BODY_FRAGMENT_SIZE = 1024,
	BODY_FRAGMENTS_MAX = SYNC_NOTE_MAX / BODY_FRAGMENT_SIZE,
};

struct body_head {
	uint64_t session;
	uint64_t number;
	uint64_t clock; /* the sender's, ms */
	char node[WIRE_NAME_MAX + 1];
};

struct body_challenge {
	char to[WIRE_NAME_MAX + 1];
	uint8_t challenge[BODY_CHALLENGE_SIZE];
};

struct body_answer {
	struct body_challenge to;
	uint32_t seed, n_buckets;
};

struct note_revision {
	uint64_t counter; /* 0: no note */
	uint64_t digest;  /* of two with one counter, the one with the higher digest is newer */
};

struct body_heartbeat {
	uint64_t sequence; /* of the last packet of the stream */
	uint64_t n_flows, digest;
	bool complete;
	uint64_t fingerprint;
	struct note_revision note;
};

/* A slice of the list of duties. */
struct body_duties {
	uint64_t revision; /* of the list, within the session */
	uint16_t n_total, first, n;
	struct wire_reader rest; /* for body_get_duty(); by body_put_duty() */
};

struct body_duty {
	char group[WIRE_NAME_MAX + 1];
	bool active, ready;
	uint64_t epoch;
};

struct body_stream {
	uint64_t sequence;
	uint32_t age; /* ms, of the oldest flow within when the packet left */
	enum stream_kind kind;
	const uint8_t *flows; /* for wire_get_flow() */
	size_t flows_size;
};

struct body_range {
	uint64_t first;
	uint16_t n;
};

struct body_resend {
	uint64_t session; /* whose stream is asked for */
	size_t n;
	struct body_range ranges[BODY_RANGES_MAX];
};

struct body_snapshot {
	uint64_t session;
	uint64_t position; /* the asker goes on behind it */
};

struct body_note {
	struct note_revision revision;
	char author[WIRE_NAME_MAX + 1];
	uint32_t size; /* of the note */
	uint8_t fragment;
	uint16_t fragment_size;
	const uint8_t *bytes;
};

struct body_note_request {
	uint64_t session;
	struct note_revision revision;
	uint32_t have; /* bit per fragment */
};

struct body {
	struct body_head head;
	enum body_type type;
	union {
		struct body_challenge challenge;
		struct body_answer answer;
		struct body_heartbeat heartbeat;
		struct body_duties duties;
		struct body_stream stream;
		struct body_resend resend;
		uint64_t gone; /* the first of the stream that can be sent again */
		struct body_snapshot snapshot;
		struct body_note note;
		struct body_note_request note_request;
		uint64_t change; /* its number, within the session */
	};
};

/*
 * Reads a whole opened packet; false if it is not one, to the last byte and the last flow. What
 * the body points to lives in the packet.
 */
bool body_decode(const uint8_t *plain, size_t size, struct body *ret_body);

/* Reads the next of a slice that was decoded. */
void body_get_duty(struct wire_reader *reader, struct body_duty *ret_duty);
void body_put_duty(struct wire_writer *writer, const struct body_duty *duty);

/* Returns the size written, 0 if it does not fit. */
size_t body_encode(const struct body *body, uint8_t plain[static SEAL_PLAIN_MAX]);

uint32_t body_note_fragments(uint32_t note_size);
