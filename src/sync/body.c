/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "body.h"

#include <assert.h>

static_assert(BODY_FRAGMENTS_MAX <= 32, "a request has a bit for each");

enum duty_flags {
	DUTY_ACTIVE = 1 << 0,
	DUTY_READY = 1 << 1,
	DUTY_FLAGS = DUTY_ACTIVE | DUTY_READY,
};

static bool get_boolean(struct wire_reader *reader)
{
	uint64_t value = wire_get(reader, 1);

	if (value > 1)
		reader->failed = true;
	return value != 0;
}

/* Far from where adding to it would overflow. */
static uint64_t get_sequence(struct wire_reader *reader)
{
	uint64_t sequence = wire_get(reader, 8);

	if (sequence > INT64_MAX)
		reader->failed = true;
	return sequence;
}

/* --- one message each ------------------------------------------------------- */

static void get_challenge(struct wire_reader *reader, struct body_challenge *challenge)
{
	wire_get_name(reader, challenge->to);
	wire_get_bytes(reader, challenge->challenge, sizeof(challenge->challenge));
}

static void put_challenge(struct wire_writer *writer, const struct body_challenge *challenge)
{
	wire_put_name(writer, challenge->to);
	wire_put_bytes(writer, challenge->challenge, sizeof(challenge->challenge));
}

static void get_answer(struct wire_reader *reader, struct body_answer *answer)
{
	get_challenge(reader, &answer->to);
	answer->seed = (uint32_t)wire_get(reader, 4);
	answer->n_buckets = (uint32_t)wire_get(reader, 4);
}

static void put_answer(struct wire_writer *writer, const struct body_answer *answer)
{
	put_challenge(writer, &answer->to);
	wire_put(writer, answer->seed, 4);
	wire_put(writer, answer->n_buckets, 4);
}

static void get_revision(struct wire_reader *reader, struct note_revision *revision)
{
	revision->counter = wire_get(reader, 8);
	revision->digest = wire_get(reader, 8);
}

static void put_revision(struct wire_writer *writer, const struct note_revision *revision)
{
	wire_put(writer, revision->counter, 8);
	wire_put(writer, revision->digest, 8);
}

static void get_heartbeat(struct wire_reader *reader, struct body_heartbeat *heartbeat)
{
	heartbeat->sequence = get_sequence(reader);
	heartbeat->n_flows = wire_get(reader, 8);
	heartbeat->digest = wire_get(reader, 8);
	heartbeat->complete = get_boolean(reader);
	heartbeat->fingerprint = wire_get(reader, 8);
	get_revision(reader, &heartbeat->note);
}

static void put_heartbeat(struct wire_writer *writer, const struct body_heartbeat *heartbeat)
{
	wire_put(writer, heartbeat->sequence, 8);
	wire_put(writer, heartbeat->n_flows, 8);
	wire_put(writer, heartbeat->digest, 8);
	wire_put(writer, heartbeat->complete, 1);
	wire_put(writer, heartbeat->fingerprint, 8);
	put_revision(writer, &heartbeat->note);
}

void body_get_duty(struct wire_reader *reader, struct body_duty *ret_duty)
{
	uint64_t flags;

	wire_get_name(reader, ret_duty->group);
	flags = wire_get(reader, 1);
	if (flags & ~(uint64_t)DUTY_FLAGS)
		reader->failed = true;
	ret_duty->active = flags & DUTY_ACTIVE;
	ret_duty->ready = flags & DUTY_READY;
	ret_duty->epoch = wire_get(reader, 8);
}

void body_put_duty(struct wire_writer *writer, const struct body_duty *duty)
{
	unsigned int flags = (duty->active ? DUTY_ACTIVE : 0u) | (duty->ready ? DUTY_READY : 0u);

	wire_put_name(writer, duty->group);
	wire_put(writer, flags, 1);
	wire_put(writer, duty->epoch, 8);
}

static void get_duties(struct wire_reader *reader, struct body_duties *duties)
{
	struct body_duty duty;

	duties->revision = wire_get(reader, 8);
	duties->n_total = (uint16_t)wire_get(reader, 2);
	duties->first = (uint16_t)wire_get(reader, 2);
	duties->n = (uint16_t)wire_get(reader, 2);
	duties->rest = *reader;
	if (duties->n_total > BODY_DUTIES_MAX || duties->first + duties->n > duties->n_total)
		reader->failed = true;
	for (uint16_t i = 0; i < duties->n && !reader->failed; i++)
		body_get_duty(reader, &duty);
}

static void put_duties(struct wire_writer *writer, const struct body_duties *duties)
{
	wire_put(writer, duties->revision, 8);
	wire_put(writer, duties->n_total, 2);
	wire_put(writer, duties->first, 2);
	wire_put(writer, duties->n, 2);
	wire_put_bytes(writer, duties->rest.at, duties->rest.left);
}

/* All flows are looked at before one of them is applied. */
static void get_stream(struct wire_reader *reader, struct body_stream *stream)
{
	struct flow flow;
	unsigned int age;
	bool began;

	stream->sequence = get_sequence(reader);
	stream->age = (uint32_t)wire_get(reader, 4);
	stream->kind = (enum stream_kind)wire_get(reader, 1);
	stream->flows = reader->at;
	stream->flows_size = reader->left;
	switch (stream->kind) {
	case STREAM_NEWS:
	case STREAM_SNAPSHOT_FLOWS:
		while (reader->left > 0 && wire_get_flow(reader, &flow, &began, &age))
			if (!began && stream->kind == STREAM_SNAPSHOT_FLOWS)
				reader->failed = true;
		break;
	case STREAM_SNAPSHOT_BEGIN:
	case STREAM_SNAPSHOT_END:
		break;
	default:
		reader->failed = true;
	}
	if (stream->sequence == 0)
		reader->failed = true;
}

static void put_stream(struct wire_writer *writer, const struct body_stream *stream)
{
	wire_put(writer, stream->sequence, 8);
	wire_put(writer, stream->age, 4);
	wire_put(writer, stream->kind, 1);
	wire_put_bytes(writer, stream->flows, stream->flows_size);
}

static void get_resend(struct wire_reader *reader, struct body_resend *resend)
{
	resend->session = wire_get(reader, 8);
	resend->n = (size_t)wire_get(reader, 1);
	if (resend->n > BODY_RANGES_MAX)
		reader->failed = true;
	for (size_t i = 0; i < resend->n && !reader->failed; i++) {
		resend->ranges[i].first = wire_get(reader, 8);
		resend->ranges[i].n = (uint16_t)wire_get(reader, 2);
	}
}

static void put_resend(struct wire_writer *writer, const struct body_resend *resend)
{
	wire_put(writer, resend->session, 8);
	wire_put(writer, resend->n, 1);
	for (size_t i = 0; i < resend->n; i++) {
		wire_put(writer, resend->ranges[i].first, 8);
		wire_put(writer, resend->ranges[i].n, 2);
	}
}

static void get_snapshot(struct wire_reader *reader, struct body_snapshot *snapshot)
{
	snapshot->session = wire_get(reader, 8);
	snapshot->position = wire_get(reader, 8);
}

static void put_snapshot(struct wire_writer *writer, const struct body_snapshot *snapshot)
{
	wire_put(writer, snapshot->session, 8);
	wire_put(writer, snapshot->position, 8);
}

uint32_t body_note_fragments(uint32_t note_size)
{
	return note_size ? (note_size + BODY_FRAGMENT_SIZE - 1) / BODY_FRAGMENT_SIZE : 1;
}

/* All fragments are full but the last, so that their places are known. */
static void get_note(struct wire_reader *reader, struct body_note *note)
{
	uint32_t offset;

	get_revision(reader, &note->revision);
	wire_get_name(reader, note->author);
	note->size = (uint32_t)wire_get(reader, 4);
	note->fragment = (uint8_t)wire_get(reader, 1);
	if (note->size > SYNC_NOTE_MAX || note->fragment >= body_note_fragments(note->size)) {
		reader->failed = true;
		return;
	}
	offset = note->fragment * (uint32_t)BODY_FRAGMENT_SIZE;
	note->fragment_size = (uint16_t)(note->size - offset < BODY_FRAGMENT_SIZE
						 ? note->size - offset
						 : BODY_FRAGMENT_SIZE);
	note->bytes = reader->at;
	if (reader->left != note->fragment_size || note->revision.counter == 0) {
		reader->failed = true;
		return;
	}
	reader->left = 0;
}

static void put_note(struct wire_writer *writer, const struct body_note *note)
{
	put_revision(writer, &note->revision);
	wire_put_name(writer, note->author);
	wire_put(writer, note->size, 4);
	wire_put(writer, note->fragment, 1);
	wire_put_bytes(writer, note->bytes, note->fragment_size);
}

static void get_note_request(struct wire_reader *reader, struct body_note_request *request)
{
	request->session = wire_get(reader, 8);
	get_revision(reader, &request->revision);
	request->have = (uint32_t)wire_get(reader, 4);
}

static void put_note_request(struct wire_writer *writer, const struct body_note_request *request)
{
	wire_put(writer, request->session, 8);
	put_revision(writer, &request->revision);
	wire_put(writer, request->have, 4);
}

/* --- the whole -------------------------------------------------------------- */

static void get_message(struct wire_reader *reader, struct body *body)
{
	switch (body->type) {
	case BODY_CHALLENGE:
		get_challenge(reader, &body->challenge);
		return;
	case BODY_ANSWER:
		get_answer(reader, &body->answer);
		return;
	case BODY_HEARTBEAT:
		get_heartbeat(reader, &body->heartbeat);
		return;
	case BODY_DUTIES:
		get_duties(reader, &body->duties);
		return;
	case BODY_STREAM:
		get_stream(reader, &body->stream);
		return;
	case BODY_RESEND:
		get_resend(reader, &body->resend);
		return;
	case BODY_GONE:
		body->gone = get_sequence(reader);
		return;
	case BODY_SNAPSHOT:
		get_snapshot(reader, &body->snapshot);
		return;
	case BODY_NOTE:
		get_note(reader, &body->note);
		return;
	case BODY_NOTE_REQUEST:
		get_note_request(reader, &body->note_request);
		return;
	case BODY_CHANGE:
		body->change = wire_get(reader, 8);
		return;
	}
	reader->failed = true;
}

bool body_decode(const uint8_t *plain, size_t size, struct body *ret_body)
{
	struct wire_reader reader = wire_reader(plain, size);

	ret_body->head.session = wire_get(&reader, 8);
	ret_body->head.number = wire_get(&reader, 8);
	ret_body->head.clock = wire_get(&reader, 8);
	wire_get_name(&reader, ret_body->head.node);
	ret_body->type = (enum body_type)wire_get(&reader, 1);
	get_message(&reader, ret_body);
	return !reader.failed && reader.left == 0;
}

static void put_message(struct wire_writer *writer, const struct body *body)
{
	switch (body->type) {
	case BODY_CHALLENGE:
		put_challenge(writer, &body->challenge);
		return;
	case BODY_ANSWER:
		put_answer(writer, &body->answer);
		return;
	case BODY_HEARTBEAT:
		put_heartbeat(writer, &body->heartbeat);
		return;
	case BODY_DUTIES:
		put_duties(writer, &body->duties);
		return;
	case BODY_STREAM:
		put_stream(writer, &body->stream);
		return;
	case BODY_RESEND:
		put_resend(writer, &body->resend);
		return;
	case BODY_GONE:
		wire_put(writer, body->gone, 8);
		return;
	case BODY_SNAPSHOT:
		put_snapshot(writer, &body->snapshot);
		return;
	case BODY_NOTE:
		put_note(writer, &body->note);
		return;
	case BODY_NOTE_REQUEST:
		put_note_request(writer, &body->note_request);
		return;
	case BODY_CHANGE:
		wire_put(writer, body->change, 8);
		return;
	}
}

size_t body_encode(const struct body *body, uint8_t plain[static SEAL_PLAIN_MAX])
{
	struct wire_writer writer = wire_writer(plain, SEAL_PLAIN_MAX);

	wire_put(&writer, body->head.session, 8);
	wire_put(&writer, body->head.number, 8);
	wire_put(&writer, body->head.clock, 8);
	wire_put_name(&writer, body->head.node);
	wire_put(&writer, body->type, 1);
	put_message(&writer, body);
	return writer.failed ? 0 : SEAL_PLAIN_MAX - writer.left;
}
